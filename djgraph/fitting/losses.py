"""How far a mix is from the target: finite on silence, in values and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from djgraph.dsp.stft import window
from djgraph.fitting.bands import Bands
from djgraph.fitting.statistics import Statistics, known_frames

WHITENING = 0.7
"""Power of the target's local spectrum that is divided out. At 0 only the bass counts, at 1 every band as much as the
loudest; lossy codecs' errors follow the spectrum nearly like this."""
FLOOR = 1e-4
"""What counts as silence in a band, as a share of the band's mean energy; a tenth of it of all bands' mean."""


TILE = 1 << 17
"""Samples whose spectra are made at a time."""

CLEAN = 1e-2
"""Share of noise in a band below which it makes no difference."""


def weights(energy: Tensor, bands: Bands, noisy: Tensor | None = None) -> Tensor:
    """How much each block and band counts, from the target's energies ``[blocks, bands]``.

    noisy: the share of each band that is not explained (:func:`noise`); as with any measurement, what is noisy counts
    by the inverse of its variance.
    """
    density = energy / bands.widths.to(energy)
    # A neighbour on each side: a hit must not make its own attack count little and the gap before it much.
    smooth = torch.nn.functional.avg_pool1d(density.T[:, None], 3, 1, 1, count_include_pad=False)[:, 0].T
    floor = FLOOR * smooth.mean(0) + FLOOR / 10 * smooth.mean()
    whitening = (smooth + floor).clamp(min=1e-20) ** -WHITENING
    return whitening if noisy is None else whitening * (CLEAN / (CLEAN + noisy))


def noise(statistics: Statistics, blocks: int) -> Tensor:
    """Share of each band's energy that no gains of the sources explain, ``[bands]``, 0…1: what a codec did.

    Gains are free in each band and each stretch of ``blocks`` blocks.
    """
    merged = statistics.merge(blocks)
    gram, cross = merged.gram.double(), merged.cross.double()
    size = gram.shape[-1]
    trace = torch.diagonal(gram, dim1=2, dim2=3).sum(-1)
    ridge = 1e-6 * trace[..., None, None] * torch.eye(
        size, dtype=gram.dtype, device="cpu"
    ) + 1e-12 * torch.eye(size, dtype=gram.dtype, device="cpu")
    gains = torch.linalg.solve(gram + ridge, cross)
    left = merged.energy.double() - (gains * cross).sum(-1)
    return (left.clamp(min=0).sum(0) / merged.energy.double().sum(0).clamp(min=1e-20)).clamp(0, 1).float()


class MixLoss:
    """The default loss: squared differences of complex spectra, weighted, and of magnitudes at other resolutions.

    The complex part is the waveform's error with quiet bands and moments lifted; 1 means that nothing of the target
    is explained. The magnitude part forgives small errors of phase, which codecs and resampling make.

    target: ``[channels, samples]``. valid: ``[samples]``, 1 where the target is known. block_weights: ``[blocks,
    bands]`` for blocks of ``pool`` frames (:func:`weights`). sizes: windows of the magnitude part, with hops of a
    quarter. magnitude: its weight.

    Spectra are made some seconds at a time, and none is kept: of a long mix they are many times as large as its audio.
    So the gradient is computed along with the value, and is itself not differentiable.
    """

    def __init__(
        self,
        target: Tensor,
        valid: Tensor,
        bands: Bands,
        block_weights: Tensor,
        pool: int,
        sizes: Sequence[int] = (512, 4096),
        magnitude: float = 0.02,
    ) -> None:
        self.target, self.valid = target, valid
        self._bands, self._weights, self._pool = bands, block_weights, pool
        self._known = known_frames(valid, bands.transform.size, bands.transform.hop)
        self._wanted = target * valid
        self._total, self._magnitude = 1.0, magnitude
        self._sizes = [size for size in sizes if size <= target.shape[-1]]
        with torch.no_grad():
            energy = _tiled(target, bands.transform.size, bands.transform.hop, self._energy)
            self._total = max(energy, 1e-20)
            self._loud = {
                size: _tiled(self._wanted, size, size // 4, lambda piece, *_: _loudness(piece).square().sum())
                for size in self._sizes
            }

    def __call__(self, mix: Tensor) -> Tensor:
        """The loss of ``[channels, samples]``."""
        value: Tensor = _Value.apply(mix, self)
        return value

    def compute(self, mix: Tensor, slope: Tensor | None) -> float:
        """The loss; its gradient is added to ``slope``, ``[channels, samples]``, where there is one."""
        transform = self._bands.transform
        # The transform is linear: that of the difference is the difference of both.
        total = _tiled(mix - self.target, transform.size, transform.hop, self._energy, slope)
        for size in self._sizes:
            share = self._magnitude / len(self._sizes) / (self._loud[size] + 1e-8)
            own = None if slope is None else torch.zeros_like(slope)
            wanted = _padded(self._wanted, size)
            total += share * _tiled(
                mix * self.valid,
                size,
                size // 4,
                lambda piece, first, last, size=size, wanted=wanted: (
                    (  # type: ignore[misc]
                        _loudness(piece) - _loudness(_frames(wanted, size, size // 4, first, last))
                    )
                    .square()
                    .sum()
                ),
                own,
            )
            if slope is not None and own is not None:
                slope += share * own * self.valid
        return total

    def _energy(self, spectrum: Tensor, first: int, last: int) -> Tensor:
        """Weighted energy of frames, as a share of the target's."""
        blocks = torch.arange(first, last, device="cpu") // self._pool
        weight = self._weights[blocks][:, self._bands.of_bin] * self._known[first:last, None]
        return (weight[..., None] * torch.view_as_real(spectrum).square()).sum() / self._total


class _Value(torch.autograd.Function):
    """A loss that computes its gradient along with its value."""

    @staticmethod
    def forward(ctx: Any, mix: Tensor, loss: MixLoss) -> Tensor:
        slope = torch.zeros_like(mix) if ctx.needs_input_grad[0] else None
        value = loss.compute(mix.detach(), slope)
        ctx.slope = slope
        return mix.new_tensor(value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None]:
        return None if ctx.slope is None else ctx.slope * gradient, None


Term = Callable[[Tensor, int, int], Tensor]
"""Of spectra ``[channels, frames, bins]`` and the numbers of their first and last frame, the last left out, a sum."""


def _tiled(signal: Tensor, size: int, hop: int, term: Term, slope: Tensor | None = None) -> float:
    """The sum of a term over all frames of ``[channels, samples]``; its gradient is added to ``slope``."""
    padded = _padded(signal, size)
    frames = 1 + (padded.shape[-1] - size) // hop
    pulls = None if slope is None else torch.zeros_like(padded)
    step, total = max(1, TILE // hop), 0.0
    for first in range(0, frames, step):
        last = min(first + step, frames)
        here = slice(first * hop, (last - 1) * hop + size)
        with torch.set_grad_enabled(pulls is not None):
            piece = padded[:, here].detach().requires_grad_(pulls is not None)
            value = term(_frames(piece, size, hop, 0, last - first), first, last)
            if pulls is not None:
                pulls[:, here] += torch.autograd.grad(value, piece)[0]
        total += float(value)
    if slope is not None and pulls is not None:
        half, samples = size // 2, signal.shape[-1]
        slope += pulls[:, half : half + samples]
        if samples > half:  # what was mirrored pulls at what it is an image of
            slope[:, 1 : half + 1] += pulls[:, :half].flip(-1)
            slope[:, samples - half - 1 : samples - 1] += pulls[:, half + samples :].flip(-1)
    return total


def _padded(signal: Tensor, size: int) -> Tensor:
    # A clip shorter than half a window cannot be mirrored by torch; zeros serve as well.
    mode = "reflect" if signal.shape[-1] > size // 2 else "constant"
    return torch.nn.functional.pad(signal[None], (size // 2, size // 2), mode=mode)[0]


def _frames(padded: Tensor, size: int, hop: int, first: int, last: int) -> Tensor:
    """Spectra of frames under a periodic Hann window, ``[channels, frames, bins]``."""
    piece = padded[:, first * hop : (last - 1) * hop + size]
    return torch.fft.rfft(piece.unfold(-1, size, hop) * window(size, padded))


def _loudness(spectrum: Tensor) -> Tensor:
    """Square root of the magnitude, so that what is quiet counts; the floor keeps slopes finite at silence."""
    size = 2 * (spectrum.shape[-1] - 1)
    power = torch.view_as_real(spectrum).square().sum(-1)
    return (power + 1e-8 * size).sqrt().sqrt()
