"""Three bands whose magnitudes are those of analogue crossovers up to the top of hearing, weighted and added."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from djgraph.dsp.bands import FITS
from djgraph.dsp.chain import LinkKernel
from djgraph.dsp.checked import checked_rate
from djgraph.dsp.frames import Curve
from djgraph.dsp.recursion import Recursion, register
from djgraph.dsp.resident import one_like
from djgraph.dsp.state_variable import integrate
from djgraph.errors import DJGraphError


def three_bands(
    audio: Tensor,
    low: Curve,
    mid: Curve,
    high: Curve,
    state: Tensor | None = None,
    *,
    crossovers: tuple[float, float],
    sample_rate: float,
) -> tuple[Tensor, Tensor]:
    """Two fixed crossovers of order 4, and each band with a weight: an equaliser that isolates.

    With LOW(f) = 1/(1 + f⁴) and HIGH(f) = f⁴/(1 + f⁴), f in units of a crossover, the bands are the LOW of the first
    crossover, the HIGH of the second, and mid = 1 − both. All are in phase: weighted sums have weighted magnitudes, and
    with weights of 1 they are the all-passes of both crossovers. Magnitudes are as exact as those of
    :func:`two_bands`, of which this is a combination: the low band passes the second crossover's all-pass, and the
    second crossover splits the first one's all-pass.

    audio: ``[…, samples]``, any number of samples from 0 up. low, mid, high: any; each a number, a tensor of shape
    ``[…, 1]`` or ``[…, samples]`` that broadcasts to the audio, or :class:`Frames`. state: ``[…, 10]``; None is rest.
    crossovers, sample_rate: in Hz, above 0.

    Returns the sum and the state that the next block starts from. Differentiable in all tensors. DJGraphError for
    crossovers that are no frequencies, and where shapes, types or devices do not fit.
    """
    bands, last = _THREE_BANDS(audio, (low, mid, high), state, _numbers(crossovers, sample_rate))
    return bands, last


def three_bands_link(*, crossovers: tuple[float, float], sample_rate: float) -> LinkKernel:
    """:func:`three_bands` as a link of a chain; its curves are low, mid and high. DJGraphError likewise."""
    return LinkKernel("three_bands.LINK", 3, 10, _numbers(crossovers, sample_rate))


@lru_cache(maxsize=64)
def _numbers(crossovers: tuple[float, float], sample_rate: float) -> tuple[float, ...]:
    """What the compiled code is given."""
    if not all(0 < crossover < math.inf for crossover in crossovers):
        raise DJGraphError(f"three_bands takes crossovers in Hz above 0, not {crossovers}")
    rate = checked_rate(sample_rate)
    return tuple(number for crossover in crossovers for number in _coefficients(crossover / rate))


def _coefficients(cycles: float) -> tuple[float, float, float]:
    """g, k and 1/λ of a crossover at so many cycles per sample, as in :func:`two_bands`."""
    level, fit, curve = FITS[4]
    h = math.pi * level * cycles
    share = 1 / (1 + curve * h**4)
    g = h * share**0.25
    return g, math.sqrt(2 + fit * g * g), share


def _plain(curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]) -> tuple[Tensor, Tensor]:
    audio, low, mid, high = curves
    (g, k, share), (g_next, k_next, share_next) = (
        [one_like(number, audio) for number in numbers[first : first + 3]] for first in (0, 3)
    )
    parts = state.split(2, dim=-1)
    v1, v2, first = integrate(audio, g, k, parts[0])
    highpass, whole = audio - k * v1 - v2, audio - 2 * k * v1
    v1, v2, second = integrate(highpass, g, k, parts[1])
    below = whole - share * (highpass - k * v1 - v2)
    v1, _, third = integrate(below, g_next, k_next, parts[2])
    lows = below - 2 * k_next * v1
    v1, v2, fourth = integrate(whole, g_next, k_next, parts[3])
    highpass, whole = whole - k_next * v1 - v2, whole - 2 * k_next * v1
    v1, v2, fifth = integrate(highpass, g_next, k_next, parts[4])
    highs = share_next * (highpass - k_next * v1 - v2)
    last = torch.cat((first, second, third, fourth, fifth), dim=-1)
    return low * lows + mid * (whole - lows - highs) + high * highs, last


_THREE_BANDS = register(
    Recursion(
        "three_bands",
        "three_bands.KERNEL",
        ("audio", "low", "mid", "high"),
        outputs=1,
        states=10,
        plain=_plain,
        flops=(86, 305),
    )
)
