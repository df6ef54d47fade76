"""Integrated loudness after ITU-R BS.1770-5, batched and differentiable, and a loss of it."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

from djgraph.arguments import real
from djgraph.dsp.loudness import (
    CUT_FREQUENCY,
    CUT_Q,
    OFFSET,
    SHELF_DB,
    SHELF_EXPONENT,
    SHELF_FREQUENCY,
    SHELF_Q,
)
from djgraph.errors import InputError
from djgraph.losses.comparison import Target, fit, spread
from djgraph.speakers import LAYOUTS, loudness_weights

MOST = len(LAYOUTS)
"""Channels that loudness is defined for."""
GATE = -70.0
"""LUFS below which a block does not count, and what a clip has in which none does."""
RELATIVE_GATE = -10.0
"""LU below the mean of what passes the first gate, below which a block does not count either."""
CHUNK, CHUNKS = 0.1, 4
"""Seconds by which blocks follow each other, and how many of these make a block: 400 ms that overlap by three
quarters."""
TAIL = 1.0
"""Seconds of silence that the weighting's response dies away in, by 1000 dB."""
LOWEST_RATE = 100.0
"""Hz."""


def loudness(audio: Tensor, sample_rate: int) -> Tensor:
    """Integrated loudness in LUFS of each item of ``[batch, channels, samples]``: ``[batch]``.

    channels: 1 to 8, in the order of their layout (:mod:`djgraph.speakers`); the LFE does not count. Blocks of 400 ms
    are gated at −70 LUFS and 10 LU below the mean of those that pass; incomplete ones at the end do not count. An item
    in which none passes is −70 LUFS.

    Differentiable as often as one likes but for the gates: which blocks count is taken as constant, and where none
    does, the gradient is 0. Raises InputError for clips shorter than one block, whose loudness is not defined, and for
    other shapes and sample rates.
    """
    if not isinstance(audio, Tensor) or audio.ndim != 3 or not 1 <= audio.shape[1] <= MOST:
        came = list(audio.shape) if isinstance(audio, Tensor) else type(audio).__name__
        raise InputError(
            f"loudness is defined for [batch, channels, samples] with 1 to {MOST} channels, not {came}"
        )
    real(sample_rate, "sample_rate", LOWEST_RATE)
    audio = spread(audio, "audio")
    chunks = int(audio.shape[-1] / (CHUNK * sample_rate) + 1e-9)
    if chunks < CHUNKS:
        raise InputError(
            f"the loudness of {audio.shape[-1] / sample_rate:.3g} s is not defined; expected {CHUNK * CHUNKS:g} s"
            " or more"
        )
    energy = _sums(k_weighted(audio, sample_rate).square(), chunks, sample_rate)
    weights = energy.new_tensor(loudness_weights(audio.shape[1]))
    power = (energy * weights[:, None]).sum(1)  # of the chunks, [batch, chunks]
    blocks = power.unfold(-1, CHUNKS, 1).sum(-1) / (CHUNKS * CHUNK * sample_rate)
    with torch.no_grad():
        passed = blocks > _power(GATE)
        threshold = _mean(blocks, passed) * 10 ** (RELATIVE_GATE / 10)
        passed = passed & (blocks > threshold.unsqueeze(-1))
        heard = passed.any(-1)
    mean = torch.where(heard, _mean(blocks, passed), 1.0)
    measured = torch.where(heard, OFFSET + 10 * mean.log10(), GATE)
    # A block that is not finite passes no gate: without this, broken audio would pass for silence.
    return torch.where(blocks.detach().isfinite().all(-1), measured, torch.nan)


def k_weighted(audio: Tensor, sample_rate: int) -> Tensor:
    """``[…, samples]`` through the standard's two filters: a shelf for the head, and a high-pass.

    As a product of spectra, with silence behind the clip in which the response dies away: exact to rounding.
    """
    samples = audio.shape[-1]
    size = _fast_size(samples + round(TAIL * sample_rate))
    weighting = response(size, float(sample_rate)).to(
        audio.device, torch.promote_types(audio.dtype, torch.complex64)
    )
    return torch.fft.irfft(torch.fft.rfft(audio, size) * weighting, size)[..., :samples]


class Loudness(nn.Module):
    """How far two recordings are apart in loudness: \\|LUFS of the mix − LUFS of the target\\|, in LU.

    sample_rate: Hz, from 100. reduction: ``mean``, or ``none`` for ``[batch]``. Raises InputError for others.
    What is not differentiable: :func:`djgraph.losses.loudness`.
    """

    def __init__(self, sample_rate: int, *, reduction: str = "mean") -> None:
        super().__init__()
        real(sample_rate, "sample_rate", LOWEST_RATE)
        if reduction not in ("mean", "none"):
            raise InputError(f"reduction is {reduction!r}; allowed: mean, none")
        self.sample_rate, self.reduction = sample_rate, reduction

    def forward(self, mix: Tensor, target: Tensor | Target) -> Tensor:
        """mix, target: as for :class:`djgraph.losses.MultiResolutionSTFT`, from 0.4 s. A scalar, or ``[batch]``."""
        mixed, wanted = fit(mix, target.audio if isinstance(target, Target) else target)
        audio = wanted.audio if isinstance(wanted, Target) else wanted  # one for all items
        apart = (loudness(mixed, self.sample_rate) - loudness(audio, self.sample_rate)).abs()
        return apart.mean() if self.reduction == "mean" else apart


def _sums(values: Tensor, chunks: int, sample_rate: int) -> Tensor:
    """``[…, samples]`` added up in chunks of 100 ms, ``[…, chunks]``."""
    if sample_rate % 10 == 0:
        hop = int(sample_rate) // 10
        return values[..., : chunks * hop].unflatten(-1, (chunks, hop)).sum(-1)
    edges = (torch.arange(1, chunks + 1, dtype=torch.float64, device="cpu") * CHUNK * sample_rate).long()
    places = torch.arange(int(edges[-1]), device="cpu")
    index = torch.searchsorted(edges, places, right=True).to(values.device)
    return values.new_zeros(*values.shape[:-1], chunks).index_add(-1, index, values[..., : len(places)])


def _mean(blocks: Tensor, passed: Tensor) -> Tensor:
    return torch.where(passed, blocks, 0.0).sum(-1) / passed.sum(-1).clamp(min=1)


def _power(lufs: float) -> float:
    return 10 ** ((lufs - OFFSET) / 10)


def _fast_size(least: int) -> int:
    """A size from ``least`` on that is a power of two, or 3, 5 or 9 times one."""
    return min(factor << max(0, math.ceil(math.log2(least / factor))) for factor in (1, 3, 5, 9))


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def response(size: int, rate: float) -> Tensor:
    """Of both filters, ``[size // 2 + 1]``.

    The standard gives coefficients for 48 kHz; these are the analogue filters behind them (B. De Man, "Evaluation of
    implementations of the EBU R128 loudness measurement", AES 145, 2018), turned digital at any rate.
    """
    z = torch.polar(
        torch.ones(size // 2 + 1, dtype=torch.float64, device="cpu"),
        torch.arange(size // 2 + 1, dtype=torch.float64, device="cpu") * (-2 * math.pi / size),
    )

    def quotient(above: tuple[float, float, float], below: tuple[float, float, float]) -> Tensor:
        return (above[0] + above[1] * z + above[2] * z**2) / (below[0] + below[1] * z + below[2] * z**2)

    def below(k: float, q: float) -> tuple[float, float, float]:
        return 1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k

    q, k = SHELF_Q, math.tan(math.pi * SHELF_FREQUENCY / rate)
    high = 10 ** (SHELF_DB / 20)
    middle = high**SHELF_EXPONENT
    shelf = (high + middle * k / q + k * k, 2 * (k * k - high), high - middle * k / q + k * k)
    shelved = quotient(shelf, below(k, q))
    q, k = CUT_Q, math.tan(math.pi * CUT_FREQUENCY / rate)
    # The standard's numerator is 1 − 2z⁻¹ + z⁻², with the denominator's first coefficient divided out below only.
    cut = below(k, q)
    return shelved * quotient((cut[0], -2 * cut[0], cut[0]), cut)
