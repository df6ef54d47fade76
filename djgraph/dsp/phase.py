"""Phases of oscillators whose rate may change at every sample, without drift."""

from __future__ import annotations

import torch
from torch import Tensor

from djgraph.dsp.frames import Curve, Frames, at_samples, steady
from djgraph.errors import DJGraphError

STRETCH = 1 << 16
"""Samples that are added up before the sum is wrapped: what a rounding costs grows with the sum."""


def phase(
    rate: Curve,
    samples: int,
    state: Tensor | None = None,
    *,
    sample_rate: float,
    offset: Tensor | float = 0.0,
) -> tuple[Tensor, Tensor]:
    """The phase in cycles, 0 ≤ φ < 1: the sum of rate / sample_rate over all samples before, plus ``offset``.

    It goes on without a jump where the rate changes. It is added up in float64 and wrapped at the end of every block
    (of every 2¹⁶ samples of a long one), so that after an hour it is off by less than 10⁻⁷ cycles, and blocks of any
    lengths give what one call gives. Wrap first, then make it the dtype of the audio.

    rate: in Hz, of either sign: a number, a tensor of shape ``[…, 1]`` or ``[…, samples]``, or :class:`Frames`.
    samples: of the block, from 0 up. state: the phase that the block before returned, ``[…, 1]``, float64; None is 0.
    sample_rate: in Hz. offset: cycles ahead, a number or what broadcasts to ``[…, samples]``; no part of the state.

    Returns the phase at every sample, ``[…, samples]``, and the state of the next block, both float64. Differentiable
    in rate, state and offset; where it is wrapped the derivative goes on. DJGraphError for a rate of other size.
    """
    given = rate.values if isinstance(rate, Frames) else rate
    if isinstance(rate, Tensor) and rate.ndim and rate.shape[-1] == samples:
        given = steady(rate)
    device = given.device if isinstance(given, Tensor) else "cpu"
    values = torch.as_tensor(given, dtype=torch.float64, device=device)
    values = values if values.ndim else values[None]
    if isinstance(rate, Frames):
        values = at_samples(values, rate.hop, samples)
    elif values.shape[-1] not in (1, samples):
        raise DJGraphError(f"phase: rate of shape {list(values.shape)} has to end in 1 or {samples} samples")
    step = (values / sample_rate).expand(*values.shape[:-1], samples)
    start = values.new_zeros(*values.shape[:-1], 1) if state is None else state
    if not samples:
        return _wrapped(step + start + offset), start
    end = start + (step.cumsum(-1) if samples <= STRETCH else _long_sum(step))
    return _wrapped(end - step + offset), _wrapped(end[..., -1:])


def cycles(
    rate: Curve,
    samples: int,
    state: Tensor | None = None,
    *,
    sample_rate: float,
    offset: Tensor | float = 0.0,
) -> tuple[Curve, Tensor]:
    """The phase for kernels that take a cycle as a curve: where the rate rests it is a line, and no tensor holds it.

    Arguments, errors and state are those of :func:`phase`. Returns the phase in cycles, and the state of the next
    block. For a rate that is one number over the block the phase is ``Frames`` of two, the phase at the first sample
    and behind the last one, not wrapped; else it is what :func:`phase` returns. A line is as exact: of a phase of 10⁵
    cycles, an hour at 27 Hz, float64 tells 10⁻¹¹ cycles.
    """
    at_rest = not isinstance(rate, Frames)
    if isinstance(rate, Tensor) and rate.ndim and rate.shape[-1] == samples:
        rate = steady(rate)
    if not at_rest or (isinstance(rate, Tensor) and rate.ndim and rate.shape[-1] != 1):
        return phase(rate, samples, state, sample_rate=sample_rate, offset=offset)
    device = rate.device if isinstance(rate, Tensor) else "cpu"
    values = torch.as_tensor(rate, dtype=torch.float64, device=device)
    values = values if values.ndim else values[None]
    start = values.new_zeros(values.shape) if state is None else state
    end = start + values * (samples / sample_rate)
    line = torch.cat(torch.broadcast_tensors(start + offset, end + offset), dim=-1)
    return Frames(line, max(1, samples)), _wrapped(end)


def _long_sum(step: Tensor) -> Tensor:
    """The running sum, up to whole numbers, with a rounding error that does not grow with its length."""
    samples = step.shape[-1]
    padded = torch.nn.functional.pad(step, (0, -samples % STRETCH))
    inside = padded.unflatten(-1, (-1, STRETCH)).cumsum(-1)
    total = _wrapped(inside[..., -1:])
    before = total.cumsum(-2) - total
    return (_wrapped(before) + inside).flatten(-2)[..., :samples]


def _wrapped(cycles: Tensor) -> Tensor:
    """``torch.remainder(cycles, 1)``, bit for bit and several times as fast."""
    return cycles - cycles.floor()
