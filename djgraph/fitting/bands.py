"""Frequency bands in which spectra are summed up: single bins at the bottom, parts of an octave above."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.effects import Environment, Transform

PER_OCTAVE = 12
"""Bands to an octave, where bins are finer than that. A filter of 24 dB per octave changes by 2 dB in one."""


@dataclass(frozen=True)
class Bands:
    """``edges[i]`` … ``edges[i + 1] − 1`` are the bins of band i."""

    edges: tuple[int, ...]
    sample_rate: int
    transform: Transform

    def __len__(self) -> int:
        return len(self.edges) - 1

    @property
    def widths(self) -> Tensor:
        """Bins in each band, ``[bands]``."""
        return torch.tensor(self.edges, dtype=torch.float64, device="cpu").diff()

    @property
    def frequencies(self) -> Tensor:
        """Middle of each band in Hz, ``[bands]``, float64, above 0."""
        edges = torch.tensor(self.edges, dtype=torch.float64, device="cpu")
        centre = (edges[:-1] + edges[1:] - 1) / 2
        return centre.clamp(min=0.5) * self.sample_rate / self.transform.size

    @property
    def of_bin(self) -> Tensor:
        """The band of each bin, ``[bins]``."""
        return torch.repeat_interleave(torch.arange(len(self), device="cpu"), self.widths.long())


def bands_of(sample_rate: int, transform: Transform) -> Bands:
    """The bands of a transform: at least one bin wide, at most 1/PER_OCTAVE of an octave if that is wider."""
    edges = [0, min(2, transform.bins)]
    while edges[-1] < transform.bins:
        width = max(1, round(edges[-1] * (2 ** (1 / PER_OCTAVE) - 1)))
        edges.append(min(edges[-1] + width, transform.bins))
    return Bands(tuple(edges), sample_rate, transform)


@dataclass(frozen=True)
class BandEnvironment(Environment):
    """Surroundings in which an effect finds bands where it otherwise finds STFT bins."""

    centres: tuple[float, ...] = ()

    def frequencies(self) -> Tensor:
        return torch.tensor(self.centres, dtype=torch.float64, device="cpu")


def environment_of(bands: Bands) -> BandEnvironment:
    """The environment for effects that are to give one value for each band."""
    return BandEnvironment(bands.sample_rate, bands.transform, tuple(bands.frequencies.tolist()))
