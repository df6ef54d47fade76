"""Linkwitz–Riley crossovers: two bands that add up to an all-pass."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.dsp.checked import checked_rate
from djgraph.dsp.frames import Curve
from djgraph.dsp.recursion import Recursion, register
from djgraph.dsp.resident import one_like
from djgraph.dsp.state_variable import pass_signals
from djgraph.errors import DJGraphError


def linkwitz_riley(
    audio: Tensor, cutoff: Curve, state: Tensor | None = None, *, order: int = 4, sample_rate: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Split a signal into a low and a high band, in phase with each other at every frequency.

    Both are 6 dB down at the cutoff. Their sum has gain 1 everywhere (S. Linkwitz, "Active crossover networks for
    noncoincident drivers", 1976). With s in units of the cutoff:

    order 4: low 1/N², high s⁴/N², sum (s² − √2·s + 1)/N, N = s² + √2·s + 1; magnitudes 1/(1 + f⁴), f⁴/(1 + f⁴)
    order 2: low 1/N, high −s²/N, sum (1 − s)/(1 + s), N = (1 + s)²; magnitudes 1/(1 + f²), f²/(1 + f²)

    The low band is one or two state-variable filters (as :func:`svf`), so that the cutoff may move at every sample.
    The high band is the sum's all-pass, from the first filter, less the low band: the two always add up to it.

    audio: ``[…, samples]``, any number of samples from 0 up. cutoff: in Hz, 0 and more, as in :func:`svf`: a number, a
    tensor of shape ``[…, 1]`` or ``[…, samples]``, or :class:`Frames`. state: ``[…, order]``; None is rest.
    order: 2 or 4. sample_rate: in Hz.

    Returns low, high, and the state that the next block starts from. Differentiable in all tensors. DJGraphError for
    other orders, and where shapes, types or devices do not fit.
    """
    if order not in _ORDERS:
        raise DJGraphError(f"linkwitz_riley has order 2 or 4, not {order}")
    low, high, last = _ORDERS[order](audio, (cutoff,), state, (1 / checked_rate(sample_rate),))
    return low, high, last


def _second(
    curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]
) -> tuple[Tensor, Tensor, Tensor]:
    audio, cutoff = curves
    v1, v2, last = pass_signals(audio, cutoff, one_like(2.0, audio), state, numbers[0])
    return v2, 2 * v1 + v2 - audio, last


def _fourth(
    curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]
) -> tuple[Tensor, Tensor, Tensor]:
    audio, cutoff = curves
    k = one_like(math.sqrt(2), audio)
    v1, v2, first = pass_signals(audio, cutoff, k, state[..., :2], numbers[0])
    _, low, second = pass_signals(v2, cutoff, k, state[..., 2:], numbers[0])
    return low, audio - 2 * k * v1 - low, torch.cat((first, second), dim=-1)


_ORDERS = {
    2: register(
        Recursion(
            "linkwitz_riley_2",
            "linkwitz_riley.SECOND",
            ("audio", "cutoff"),
            2,
            2,
            plain=_second,
            flops=(31, 89),
        )
    ),
    4: register(
        Recursion(
            "linkwitz_riley_4",
            "linkwitz_riley.FOURTH",
            ("audio", "cutoff"),
            2,
            4,
            plain=_fourth,
            flops=(42, 135),
        )
    ),
}
