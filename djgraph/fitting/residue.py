"""What a mix leaves of its target: how much in each block and band, and how much of that is like the sources."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.fitting.bands import Bands
from djgraph.fitting.statistics import CHUNK, known_frames, spectrum

RUN = 0.75
"""Seconds within which what is left counts as of one cause, if it is like the sources."""
AROUND = 3
"""Runs on each side that share their count of frames that are independent."""
PARTS = (300.0, 4000.0)
"""Borders in Hz of the parts of the spectrum within which what is left counts as of one cause."""
FLOOR = 0.1
"""Weight of the whole clip in the count of a moment."""


@dataclass(frozen=True)
class Residue:
    """energy: ``Σ |r|²`` of each block and band, ``[blocks, bands]``. cross: ``Re Σ conj(x_i)·r`` with the sources,
    ``[blocks, bands, sources]``. count: complex numbers in each band of a block, ``[bands]``. redundancy: values of the
    transform for each sample."""

    energy: Tensor
    cross: Tensor
    count: Tensor
    redundancy: float

    @property
    def variance(self) -> Tensor:
        """Of a sum ``Re Σ conj(x)·r`` of a block and band for each unit of ``Σ |x|²``, if r is noise, ``[blocks,
        bands]``.

        |r|² has the mean ``energy / count``, of which half is along x. Values of a transform that has ``redundancy``
        times as many as the signal are not independent: the sum varies by so much more.
        """
        return self.redundancy / 2 * self.energy / self.count

    def correlation(self, own: Tensor, bands: Bands, seconds: float) -> Tensor:
        """How many times as much sums over runs of blocks vary as those of noise do, ``[blocks, sources]``, from 1.

        Frames of noise are independent. What a codec or a compressor does, or a curve between two knots, goes on for a
        while, and is like the sources: so many frames are worth one. own: the sources' energy, ``[blocks, bands,
        sources]``. seconds: between two blocks.
        """
        run = max(1, round(RUN / seconds))
        blocks = len(own)
        short = -blocks % run
        part = torch.bucketize(bands.frequencies, torch.tensor(PARTS, dtype=torch.float64, device="cpu"))
        parts = len(PARTS) + 1

        def summed(values: Tensor) -> Tensor:
            padded = torch.nn.functional.pad(values, (0, 0, 0, 0, 0, short)).unflatten(0, (-1, run)).sum(1)
            return padded.new_zeros(len(padded), parts, padded.shape[-1]).index_add_(1, part, padded)

        found = summed(self.cross).square().sum(1)
        noise = summed(self.variance[..., None] * own).sum(1)
        found, noise = _around(found), _around(noise)
        mean = noise.mean(0)
        whole = found.mean(0) / mean.clamp(min=1e-30)
        times = (found + FLOOR * whole * mean) / (noise + FLOOR * mean).clamp(min=1e-30)
        return times.clamp(min=1).repeat_interleave(run, 0)[:blocks]


def _around(values: Tensor) -> Tensor:
    """Means of ``[runs, sources]`` over the runs beside."""
    size = 2 * AROUND + 1
    padded = torch.nn.functional.avg_pool1d(values.T[:, None], size, 1, AROUND, count_include_pad=False)
    return padded[:, 0].T


def residue(
    sources: list[Tensor], left: Tensor, valid: Tensor, bands: Bands, pool: int, turning: int = 0
) -> Residue:
    """Arguments as for :func:`djgraph.fitting.statistics.gather`; ``left`` ``[channels, samples]`` is what is left."""
    transform = bands.transform
    frames = transform.frames(left.shape[-1])
    known = known_frames(valid, transform.size, transform.hop)
    channels = max(len(signal) for signal in (*sources, left))
    signals = torch.stack([signal.expand(channels, -1) for signal in (*sources, left)])
    into = torch.nn.functional.one_hot(bands.of_bin, len(bands)).to(left)
    step = max(1, CHUNK // pool) * pool
    rows = []
    for start in range(0, frames, step):
        stop = min(start + step, frames)
        spectra = spectrum(signals, transform.size, transform.hop, start, stop) * known[start:stop, None]
        products = (spectra[:-1].conj() * spectra[-1]).sum(1)
        own = spectra[-1].abs().square().sum(0, keepdim=True)
        ahead = products[:turning].imag  # of a source a quarter of a cycle ahead
        made = torch.cat((products[:turning].real, ahead, products[turning:].real, own)) @ into
        short = -(stop - start) % pool
        rows.append(torch.nn.functional.pad(made, (0, 0, 0, short)).unflatten(1, (-1, pool)).sum(2))
    found = torch.cat(rows, 1).permute(1, 2, 0)  # [blocks, bands, sources and what is left]
    count = bands.widths.to(left) * pool * channels
    return Residue(found[..., -1], found[..., :-1], count, transform.size / transform.hop)
