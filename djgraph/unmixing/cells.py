"""What tells how far tracks are off in time: cross spectra of all that plays and the recording, cell by cell.

A cell is a band of frequencies in half a second. A track that is read too late by τ samples has there the spectrum
``X·exp(−jωτ)``, so that the few numbers of a cell say how well the mix is explained with each track moved by any small
time, whatever gains its stems are played with (variable projection; Golub and Pereyra, SIAM J. Numer. Anal. 10(2),
1973). Gains are real: a complex one would take the delay upon itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.fitting.bands import Bands
from djgraph.fitting.statistics import spectrum

FRAMES = 48
"""STFT frames in a cell."""
RIDGE = 1e-5
"""Share of a source's energy that is added to it, so that silence can be solved for."""
EXACT = 1e-5
"""Share of a cell that may be left unexplained without its counting less for it."""


@dataclass(frozen=True)
class Cells:
    """Cross spectra of sources x and recording y, summed over the bins, frames and channels of each cell.

    gram: ``Σ conj(x_i)·x_j``, ``[cells, bands, sources, sources]``, complex. cross: ``Σ conj(x_i)·y``. energy: ``Σ
    |y|²``. middle: the sample of the mix at the middle of each, ``[cells]``. count: how many independent numbers went
    into a cell of each band, ``[bands]``. omega: the band's angular frequency in radians a sample, ``[bands]``.
    """

    gram: Tensor
    cross: Tensor
    energy: Tensor
    middle: Tensor
    count: Tensor
    omega: Tensor

    def evidence(self, members: Sequence[int], delays: Tensor, bands: slice) -> Tensor:
        """How well each cell is explained where some sources sound later: log likelihood ``[cells, delays]``.

        members: the sources that are moved. delays: samples, ``[delays]``. bands: that are looked at. The noise of each
        cell is not known, and the likelihood the one that is left with the best noise: so what is incoherent, as above
        a codec's cut-off, does not count, and what fits exactly counts most.
        """
        gram, cross = self.gram[:, bands], self.cross[:, bands]
        energy = self.energy[:, bands].double()
        moved = torch.zeros(gram.shape[-1], dtype=torch.float64, device="cpu")
        moved[list(members)] = 1
        apart = moved[:, None] - moved  # 1 where only the first is moved, -1 where only the second is
        real, imaginary = gram.real.double(), gram.imag.double() * -apart
        own = torch.diagonal(real, dim1=2, dim2=3)
        still = torch.where(apart == 0, real, 0.0)
        still = still + torch.diag_embed(RIDGE * own + 1e-9 * energy[..., None] + 1e-20)
        turning = real - torch.where(apart == 0, real, 0.0)
        heard = self.count[bands] * (energy > 1e-9 * energy.amax())  # [cells, bands]
        found = torch.empty(len(gram), len(delays), dtype=torch.float64, device="cpu")
        for index, delay in enumerate(delays.tolist()):
            angle = self.omega[bands] * delay
            cos, sin = torch.cos(angle)[:, None], torch.sin(angle)[:, None]
            turned = torch.where(moved > 0, cross.real * cos - cross.imag * sin, cross.real.double())
            square = still + turning * cos[..., None] + imaginary * sin[..., None]
            gains = torch.linalg.solve(square, turned)
            share = ((gains * turned).sum(-1) / energy.clamp(min=1e-30)).clamp(0, 1)
            found[:, index] = -(torch.log(1 - share + EXACT) * heard).sum(1)
        return found

    def presence(self, members: Sequence[int], bands: slice) -> Tensor:
        """How much better each cell is explained with some sources than without, ``[cells]``: log likelihood, a mean
        over bands, each counted by what is left in it; about ½ for a source that does not sound."""
        others = [i for i in range(self.gram.shape[-1]) if i not in set(members)]
        left = [self._unexplained(chosen, bands) for chosen in (others, [*others, *members])]
        gained = (torch.log(left[0] + EXACT) - torch.log(left[1] + EXACT)) * self.count[bands]
        energy = self.energy[:, bands].double()
        heard = (energy > 1e-9 * energy.amax()).double()
        return (gained * heard).sum(1) / heard.sum(1).clamp(min=1)

    def _unexplained(self, sources: Sequence[int], bands: slice) -> Tensor:
        """The share of each cell that the best gains of sources leave, ``[cells, bands]``."""
        energy = self.energy[:, bands].double()
        if not sources:
            return torch.ones_like(energy)
        index = torch.tensor(sources, device="cpu")
        gram = self.gram.real[:, bands][..., index, :][..., index].double()
        cross = self.cross.real[:, bands][..., index].double()
        own = torch.diagonal(gram, dim1=2, dim2=3)
        ridge = torch.diag_embed(RIDGE * own + 1e-9 * energy[..., None] + 1e-20)
        gains = torch.linalg.solve(gram + ridge, cross)
        return (1 - (gains * cross).sum(-1) / energy.clamp(min=1e-30)).clamp(0, 1)


def gather_cells(signals: Tensor, target: Tensor, bands: Bands, first: int) -> Cells:
    """The cells of a stretch.

    signals: ``[sources, channels, samples]``, target: ``[channels, samples]`` of the same stretch of the mix, which
    begins at its sample ``first``. Frames that reach beyond the stretch are left out.
    """
    size, hop = bands.transform.size, bands.transform.hop
    samples = target.shape[-1]
    begin = -(-(size // 2) // hop)
    end = (samples - size // 2) // hop
    cells = (end - begin) // FRAMES
    sources = len(signals)
    both = torch.cat((signals, target[None]))
    total = sources + 1
    products = torch.zeros(max(cells, 0), len(bands), total, total, dtype=torch.complex64, device="cpu")
    for cell in range(cells):
        start = begin + cell * FRAMES
        spectra = spectrum(both, size, hop, start, start + FRAMES)  # [sources, channels, frames, bins]
        rows = spectra.permute(3, 0, 1, 2).flatten(2)  # [bins, sources, channels·frames]
        for band, (low, high) in enumerate(zip(bands.edges[:-1], bands.edges[1:])):
            part = rows[low:high].transpose(0, 1).flatten(1)
            products[cell, band] = part.conj() @ part.T
    index = torch.arange(max(cells, 0), dtype=torch.float64, device="cpu")
    middle = first + (begin + index * FRAMES + (FRAMES - 1) / 2) * hop
    frames = FRAMES * hop / size  # that do not overlap
    count = bands.widths * target.shape[0] * max(frames, 1.0)
    omega = bands.frequencies * (2 * torch.pi / bands.sample_rate)
    return Cells(
        products[..., :-1, :-1].contiguous(),
        products[..., :-1, -1].contiguous(),
        products[..., -1, -1].real.contiguous(),
        middle,
        count,
        omega,
    )
