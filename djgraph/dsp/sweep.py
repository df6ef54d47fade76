"""A lowpass or highpass that a knob sweeps, flat where it is wide open."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from djgraph.dsp.bands import FITS, split_fourth, split_second
from djgraph.dsp.chain import LinkKernel
from djgraph.dsp.checked import checked_rate
from djgraph.dsp.frames import Curve
from djgraph.dsp.recursion import Recursion, register
from djgraph.errors import DJGraphError


def sweep(
    audio: Tensor,
    knob: Curve,
    state: Tensor | None = None,
    *,
    keeps: Literal["low", "high"],
    lowest: float,
    highest: float,
    fade: float = 0.1,
    order: int = 4,
    sample_rate: float,
) -> tuple[Tensor, Tensor]:
    """A lowpass (``keeps="low"``) or highpass on a knob: ``LOW + left·HIGH`` or ``left·LOW + HIGH``.

    LOW and HIGH are the bands of :func:`two_bands` at a cutoff of lowest·(highest/lowest)^knob Hz. The filter is wide
    open where the knob is 1 (lowpass) or 0 (highpass): there left = 1, which is an all-pass. With u the knob's distance
    from there over ``fade``, at most 1, left = (1 − u)². It is what ``two_bands`` makes of the same cutoff and weights,
    in half the time: neither is written to memory.

    audio: ``[…, samples]``, any number of samples from 0 up. knob: 0…1; a number, a tensor of shape ``[…, 1]`` or
    ``[…, samples]`` that broadcasts to the audio, or :class:`Frames`. state: ``[…, order]``; None is rest. lowest,
    highest: in Hz, above 0. fade: above 0. order: 2 or 4. sample_rate: in Hz.

    Returns the filtered signal and the state that the next block starts from, which is one of ``two_bands``.
    Differentiable in all tensors. DJGraphError for other bands and orders, for frequencies and fades out of range, and
    where shapes, types or devices do not fit.
    """
    numbers = _numbers(keeps, lowest, highest, fade, order, sample_rate)
    swept, last = _ORDERS[order](audio, (knob,), state, numbers)
    return swept, last


def sweep_link(
    *,
    keeps: Literal["low", "high"],
    lowest: float,
    highest: float,
    fade: float = 0.1,
    order: int = 4,
    sample_rate: float,
) -> LinkKernel:
    """:func:`sweep` as a link of a chain; its one curve is the knob. DJGraphError as :func:`sweep` raises."""
    numbers = _numbers(keeps, lowest, highest, fade, order, sample_rate)
    return LinkKernel({2: "sweep.SECOND_LINK", 4: "sweep.FOURTH_LINK"}[order], 1, order, numbers)


def _numbers(
    keeps: str, lowest: float, highest: float, fade: float, order: int, sample_rate: float
) -> tuple[float, ...]:
    """What the compiled code is given."""
    if keeps not in ("low", "high"):
        raise DJGraphError(f"sweep keeps 'low' or 'high', not {keeps!r}")
    if order not in _ORDERS:
        raise DJGraphError(f"sweep has order 2 or 4, not {order}")
    if not all(0 < cutoff < math.inf for cutoff in (lowest, highest)):
        raise DJGraphError(f"sweep takes cutoffs in Hz above 0, not {lowest} and {highest}")
    if not 0 < fade < math.inf:
        raise DJGraphError(f"sweep takes a fade above 0, not {fade}")
    level, *fit = FITS[order]
    scale = math.pi * level / checked_rate(sample_rate)
    curve = fit[1] if order == 4 else 0.0
    span = math.log(highest / lowest)
    return scale, fit[0], curve, lowest, span, 1.0 if keeps == "low" else 0.0, 1 / fade


Split = Callable[[Sequence[Tensor], Tensor, Sequence[float]], tuple[Tensor, Tensor]]


def _plain(split: Split, fits: int) -> Split:
    """By the plain split into two bands, which takes so many numbers."""

    def plain(curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]) -> tuple[Tensor, Tensor]:
        audio, knob = curves
        lowest, span, lowpass, steepness = numbers[3:]
        cutoff = lowest * (span * knob).exp()
        # No clamp at 0, whose gradient there would be 0.
        left = (1 - ((1 - knob if lowpass else knob) * steepness).clamp(max=1)).square()
        one = torch.ones_like(left)
        weights = (one, left) if lowpass else (left, one)
        return split((audio, cutoff, *weights), state, numbers[:fits])

    return plain


_ORDERS = {
    2: register(
        Recursion(
            "sweep_2",
            "sweep.SECOND",
            ("audio", "knob"),
            outputs=1,
            states=2,
            plain=_plain(split_second, 2),
            flops=(53, 121),
        )
    ),
    4: register(
        Recursion(
            "sweep_4",
            "sweep.FOURTH",
            ("audio", "knob"),
            outputs=1,
            states=4,
            plain=_plain(split_fourth, 3),
            flops=(73, 202),
        )
    ),
}
