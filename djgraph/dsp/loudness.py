"""The frequency weighting of ITU-R BS.1770-5, sample after sample."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from djgraph.dsp.checked import checked_rate, checked_state
from djgraph.dsp.state_variable import svf

SHELF_FREQUENCY, SHELF_Q, SHELF_DB = 1681.9744509555319, 0.7071752369554193, 3.99984385397
CUT_FREQUENCY, CUT_Q = 38.13547087613982, 0.5003270373253953
SHELF_EXPONENT = 0.499666774155
"""The bandpass part of the shelf has its gain to this power."""
OFFSET = -0.691
"""LUFS of a signal whose weighted power is 1."""


def k_weighting(audio: Tensor, state: Tensor | None = None, *, sample_rate: float) -> tuple[Tensor, Tensor]:
    """The two filters of ITU-R BS.1770-5, annex 1: a shelf for the head, and a high-pass.

    The standard gives coefficients for 48 kHz; these are the analogue filters behind them (B. De Man, "Evaluation of
    implementations of the EBU R128 loudness measurement", AES 145, 2018) by the bilinear transform, at any rate.

    audio: ``[…, samples]``, any number of samples from 0 up. state: ``[…, 4]``; None is silence. sample_rate: in Hz.

    Returns the weighted audio, and the state that the next block starts from. Differentiable in both. DJGraphError
    where shapes, types or devices do not fit.
    """
    rate = checked_rate(sample_rate)
    state = checked_state("k_weighting", state, audio, 4)
    high = 10 ** (SHELF_DB / 20)
    shelved, first = svf(
        audio,
        SHELF_FREQUENCY,
        SHELF_Q,
        1.0,
        high**SHELF_EXPONENT,
        high,
        state[..., :2].contiguous(),
        sample_rate=rate,
    )
    # The standard's numerator is 1 − 2z⁻¹ + z⁻², which is that much more than a high-pass has.
    k = math.tan(math.pi * CUT_FREQUENCY / rate)
    above = 1 + k / CUT_Q + k * k
    weighted, second = svf(
        shelved, CUT_FREQUENCY, CUT_Q, 0.0, 0.0, above, state[..., 2:].contiguous(), sample_rate=rate
    )
    return weighted, torch.cat((first, second), dim=-1)
