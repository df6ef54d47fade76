"""Two bands whose magnitudes are those of an analogue crossover up to the top of hearing, weighted and added."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.dsp.checked import checked_rate
from djgraph.dsp.frames import Curve
from djgraph.dsp.recursion import Recursion, register
from djgraph.dsp.resident import one_like
from djgraph.dsp.state_variable import integrate, svf_response
from djgraph.errors import DJGraphError


def two_bands(
    audio: Tensor,
    cutoff: Curve,
    low: Curve,
    high: Curve,
    state: Tensor | None = None,
    *,
    order: int = 4,
    sample_rate: float,
) -> tuple[Tensor, Tensor]:
    """A crossover's two bands, each with a weight: ``low·LOW + high·HIGH``. Gains are exact, also near half the rate.

    With f in units of the cutoff the magnitudes are LOW = 1/(1 + f^order) and HIGH = f^order/(1 + f^order), those of
    a Linkwitz–Riley crossover. The bands are in phase: weighted sums have weighted magnitudes, and LOW + HIGH is an
    all-pass. :func:`linkwitz_riley` has the same by the bilinear transform, which bends frequencies towards half the
    sample rate; this one does not. Up to 0.36 of the sample rate (16 kHz at 44.1 kHz), at every cutoff, magnitudes
    are off by less than 0.04 dB at order 4, and 0.18 dB at order 2.

    With u = sin²(ω/2) both are ratios of polynomials of u: HIGH = u²/(u² + h⁴·P(u)), where P, of second degree, is
    fitted to u²/(ω/2)⁴ once for all cutoffs, and h is half the cutoff's ω (order 2: u/(u + h²·P(u)), P of first
    degree). Such a numerator has no phase but a delay's, and the denominator is that of a filter of half the order,
    twice. (M. Vicanek, "Matched second order digital filters", 2016, is where magnitudes are matched instead of
    frequencies.) The filters are state-variable ones, as in :func:`svf`: the cutoff may move at every sample.

    audio: ``[…, samples]``, any number of samples from 0 up. cutoff: in Hz, 0 and more, also above half the sample
    rate. low, high: any. Each a number, a tensor of shape ``[…, 1]`` or ``[…, samples]`` that broadcasts to the audio,
    or :class:`Frames`. state: ``[…, order]``; None is rest. order: 2 or 4. sample_rate: in Hz.

    Returns the sum and the state that the next block starts from. Differentiable in all tensors. DJGraphError for
    other orders, and where shapes, types or devices do not fit.
    """
    if order not in _ORDERS:
        raise DJGraphError(f"two_bands has order 2 or 4, not {order}")
    level, *fit = FITS[order]
    scale = math.pi * level / checked_rate(sample_rate)
    sides, last = _ORDERS[order](audio, (cutoff, low, high), state, (scale, *fit))
    return sides, last


def two_bands_response(
    frequencies: Tensor, cutoff: Tensor | float, *, order: int = 4, sample_rate: float
) -> tuple[Tensor, Tensor]:
    """The frequency responses of both bands of :func:`two_bands` while the cutoff rests, complex, ``[…, bins]``.

    frequencies: ``[bins]`` in Hz, floating point. cutoff: a number or ``[…, 1]``, above 0. DJGraphError for orders that
    :func:`two_bands` does not have.
    """
    if order not in _ORDERS:
        raise DJGraphError(f"two_bands has order 2 or 4, not {order}")
    level, *fit = FITS[order]
    rate = checked_rate(sample_rate)
    h = torch.as_tensor(cutoff, dtype=frequencies.dtype, device=frequencies.device) * (math.pi * level / rate)
    share = 1 / (1 + fit[0] * h * h) if order == 2 else 1 / (1 + fit[1] * h**4)
    g = h * share ** (1 / order)
    k = torch.full_like(g, 2.0) if order == 2 else (2 + fit[0] * g * g).sqrt()

    def part(*mix: float) -> Tensor:
        """Low-, band- and highpass of one of the state-variable filters, so much of each."""
        return svf_response(frequencies, torch.atan(g) * (rate / math.pi), 1 / k, *mix, sample_rate=rate)

    high = -share * part(0, 0, 1) if order == 2 else share * part(0, 0, 1).square()
    return (part(1, 0, -1) if order == 2 else part(1, -1, 1)) - high, high


def split_second(curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]) -> tuple[Tensor, Tensor]:
    """:func:`two_bands` of order 2 by PyTorch's operations."""
    audio, cutoff, low, high = curves
    scale, fit = numbers
    h = scale * cutoff.clamp(min=0)
    share = 1 / (1 + fit * h * h)
    v1, v2, last = integrate(audio, h * share.sqrt(), one_like(2.0, audio), state)
    above = share * (2 * v1 + v2 - audio)
    return low * (2 * v1 + 2 * v2 - audio - above) + high * above, last


def split_fourth(curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]) -> tuple[Tensor, Tensor]:
    """The same of order 4."""
    audio, cutoff, low, high = curves
    scale, fit, curve = numbers
    h = scale * cutoff.clamp(min=0)
    share = 1 / (1 + curve * h**4)
    g = h * share**0.25
    k = (2 + fit * g * g).sqrt()
    v1, v2, first = integrate(audio, g, k, state[..., :2])
    highpass = audio - k * v1 - v2
    w1, w2, second = integrate(highpass, g, k, state[..., 2:])
    above = share * (highpass - k * w1 - w2)
    return low * (audio - 2 * k * v1 - above) + high * above, torch.cat((first, second), dim=-1)


# For both orders the best fit of (u/(ω/2)²)^(order/2), in relative terms, for 0 < ω < 2π·0.3628: level^order·P(u) with
# P = 1 − 0.441697·u for order 2 (off by 2.0 %), and 1 − 0.618222·u − 0.121437·u² for order 4 (off by 0.40 %). In the
# bilinear transform's variable, s² = −u/(1 − u), that is (1 − u)·(1 − fit·s²) and (1 − u)²·(1 − fit·s² + curve·s⁴).
FITS: dict[int, tuple[float, ...]] = {
    2: (1.0199856**0.5, 1 - 0.44169657),
    4: (0.99603662**0.25, 2 - 0.61822182, 1 - 0.61822182 - 0.12143678),
}
"""By order: level, fit and, for order 4, curve."""

_INPUTS = ("audio", "cutoff", "low", "high")
_ORDERS = {
    2: register(
        Recursion(
            "two_bands_2", "bands.SECOND", _INPUTS, outputs=1, states=2, plain=split_second, flops=(41, 93)
        )
    ),
    4: register(
        Recursion(
            "two_bands_4", "bands.FOURTH", _INPUTS, outputs=1, states=4, plain=split_fourth, flops=(61, 174)
        )
    ),
}
