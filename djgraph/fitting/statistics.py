"""All that least squares needs to know of stems and target: their cross spectra, block by block and band by band.

The mix is linear in each stem's gain in each band. Its squared distance from the target is therefore a quadratic
form in those gains, whose coefficients (a few numbers for each block of 50 ms and each band) replace the audio:
trying other controls then costs milliseconds, however long the audio is sampled.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.fitting.bands import Bands

CHUNK = 256
"""STFT frames that are transformed at a time."""


@dataclass(frozen=True)
class Statistics:
    """Sums over the bins, frames and channels of each block and band.

    gram: ``Re Σ conj(x_i)·x_j`` of the sources, ``[blocks, bands, sources, sources]``. cross: ``Re Σ conj(x_i)·y``
    with the target, ``[blocks, bands, sources]``. energy: ``Σ |y|²``, ``[blocks, bands]``. positions: the sample at
    the middle of each block, ``[blocks]``.
    """

    gram: Tensor
    cross: Tensor
    energy: Tensor
    positions: Tensor

    def merge(self, blocks: int) -> Statistics:
        """The same with ``blocks`` neighbouring blocks in one; the last may hold fewer."""
        index = torch.arange(len(self.positions), device="cpu") // blocks
        count = int(index[-1]) + 1

        def total(values: Tensor) -> Tensor:
            return values.new_zeros(count, *values.shape[1:]).index_add_(0, index, values)

        size = torch.bincount(index, minlength=count)
        return Statistics(
            total(self.gram), total(self.cross), total(self.energy), total(self.positions) / size
        )

    def combined(self, gains: Tensor) -> Statistics:
        """The same of each source and its quarter turn (:func:`gather`) as one: gains ``[2·sources, bands]``."""
        parts = [torch.diag_embed(part.T) for part in gains.chunk(2)]
        mixing = torch.cat(parts, dim=-1).to(self.gram)  # [bands, sources, 2·sources]
        return Statistics(
            mixing @ self.gram @ mixing.mT,
            (mixing @ self.cross.unsqueeze(-1)).squeeze(-1),
            self.energy,
            self.positions,
        )


def gather(
    sources: list[Tensor], target: Tensor, valid: Tensor, bands: Bands, pool: int = 4, turning: int = 0
) -> Statistics:
    """The statistics of sources and target, each ``[channels, samples]``, in blocks of ``pool`` STFT frames.

    turning: so many of the sources, from the first on, count twice: as they are, and, behind those, a quarter of a
    cycle ahead at every frequency. One real gain for each of both makes any complex gain.

    valid: ``[samples]``, 1 where the target is known and 0 elsewhere; frames that reach into the unknown count
    nothing. Transform: that of ``bands``, centred, mirrored at the clip's ends.
    """
    transform = bands.transform
    samples = target.shape[-1]
    frames = transform.frames(samples)
    known = known_frames(valid, transform.size, transform.hop)
    channels = max(len(signal) for signal in (*sources, target))
    signals = torch.stack([signal.expand(channels, -1) for signal in (*sources, target)])
    count = len(signals) + turning
    blocks = -(-frames // pool)
    products = torch.zeros(blocks, len(bands), count, count, dtype=torch.float32, device="cpu")
    step = max(1, CHUNK // pool) * pool
    for start in range(0, frames, step):
        stop = min(start + step, frames)
        whole = spectrum(signals, transform.size, transform.hop, start, stop)
        if turning:
            whole = torch.cat((whole[:turning], 1j * whole[:turning], whole[turning:]))
        spectra = torch.view_as_real(whole)
        spectra = spectra * known[start:stop, None, None]
        short = -(stop - start) % pool
        if short:
            spectra = torch.nn.functional.pad(spectra, (0, 0, 0, 0, 0, short))
        # [signals, channels, blocks, pool, bins, 2] → [blocks, bins, signals, channels·pool·2]
        rows = spectra.unflatten(2, (-1, pool)).permute(2, 4, 0, 1, 3, 5)
        here = slice(start // pool, start // pool + rows.shape[0])
        for band, (low, high) in enumerate(zip(bands.edges[:-1], bands.edges[1:])):
            part = rows[:, low:high].transpose(1, 2).flatten(2)
            products[here, band] = part @ part.transpose(1, 2)
    centre = (torch.arange(blocks, dtype=torch.float64, device="cpu") * pool + (pool - 1) / 2) * transform.hop
    return Statistics(
        products[..., :-1, :-1].contiguous(),
        products[..., :-1, -1].contiguous(),
        products[..., -1, -1].contiguous(),
        centre.clamp(max=samples - 1),
    )


def spectrum(signals: Tensor, size: int, hop: int, start: int, stop: int) -> Tensor:
    """STFT frames ``start…stop−1`` of ``[…, samples]`` under a periodic Hann window: ``[…, frames, bins]``."""
    from djgraph.dsp.stft import reflect_index, window

    samples = signals.shape[-1]
    positions = torch.arange(start * hop - size // 2, (stop - 1) * hop + size // 2 + size % 2, device="cpu")
    stretch = signals[..., reflect_index(positions, samples)]
    return torch.fft.rfft(stretch.unfold(-1, size, hop) * window(size, signals))


def known_frames(valid: Tensor, size: int, hop: int) -> Tensor:
    """1 for STFT frames all of whose samples are valid, else 0: ``[frames]``."""
    samples = len(valid)
    gaps = torch.nn.functional.pad((1 - valid.double()).cumsum(0), (1, 0))
    centre = torch.arange(1 + samples // hop, device="cpu") * hop
    low, high = (centre - size // 2).clamp(0, samples), (centre + size // 2).clamp(0, samples)
    return (gaps[high] - gaps[low] < 0.5).to(valid.dtype)
