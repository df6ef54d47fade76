"""Filters of first order: one pole and one zero, with coefficients that may change at every sample."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.dsp.frames import Curve
from djgraph.dsp.recursion import Recursion, register
from djgraph.dsp.scan import scan_one


def first_order(
    audio: Tensor, b0: Curve, b1: Curve, a1: Curve, state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """``y[n] = b0[n]·x[n] + b1[n]·x[n−1] − a1[n]·y[n−1]``: the filter (b0 + b1·z⁻¹)/(1 + a1·z⁻¹).

    |a1| < 1 keeps it stable, also where coefficients change at every sample. A one-pole lowpass with a time constant
    of τ samples is ``a1 = −exp(−1/τ)``, ``b0 = 1 + a1``, ``b1 = 0``; a blocker of direct current is ``b0 = 1``,
    ``b1 = −1``, ``a1 = −0.995``.

    audio: ``[…, samples]``, any number of samples from 0 up. b0, b1, a1: numbers, tensors of shape ``[…, 1]`` or
    ``[…, samples]`` that broadcast to the audio, or :class:`Frames`. state: x and y of the sample before,
    ``[…, 2]``; None is silence.

    Returns the filtered audio, and the state that the next block starts from. Differentiable in all arguments.
    DJGraphError where shapes, types or devices do not fit.
    """
    filtered, last = _FIRST_ORDER(audio, (b0, b1, a1), state)
    return filtered, last


def _plain(curves: Sequence[Tensor], state: Tensor, numbers: Sequence[float]) -> tuple[Tensor, Tensor]:
    audio, b0, b1, a1 = curves
    before = torch.cat((state[..., :1], audio), dim=-1)
    drive = b0 * audio + b1 * before[..., :-1]
    filtered = scan_one((-a1).expand_as(drive), drive, state[..., 1])
    return filtered[..., 1:], torch.stack((before[..., -1], filtered[..., -1]), dim=-1)


_FIRST_ORDER = register(
    Recursion(
        "first_order",
        "first_order.KERNEL",
        ("audio", "b0", "b1", "a1"),
        outputs=1,
        states=2,
        plain=_plain,
        flops=(5, 15),
    )
)
