"""Delays that may change at every sample: a signal read between its samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from djgraph import simd
from djgraph.dsp.checked import check_signal, checked_control, checked_state
from djgraph.dsp.derivatives import Operation
from djgraph.dsp.frames import Curve, Frames, at_samples
from djgraph.dsp.history import latest
from djgraph.dsp.operators import operator, run
from djgraph.dsp.recursion import rows
from djgraph.errors import DJGraphError

if TYPE_CHECKING:
    from djgraph.simd.delays import Curves

NEIGHBOURS = 2
"""Samples beyond the longest delay that its cubic reads."""


def delay_history(longest: float) -> int:
    """Samples that a history holds for delays of up to ``longest`` samples."""
    return int(np.ceil(longest)) + NEIGHBOURS


def read_delay(audio: Tensor, delay: Curve, past: Tensor) -> tuple[Tensor, Tensor]:
    """The signal as it was ``delay`` samples ago: ``y[n] = x(n − delay[n])``, between samples by a cubic.

    The cubic is Catmull and Rom's (1974): it passes through the samples, its slope at each is that of its two
    neighbours, so that both the signal and its derivative with respect to the delay are continuous when a delay
    moves across a sample. No frequency is amplified at any delay. Below 1 sample there is no later neighbour, and the
    parabola through the three latest samples takes its place, with the same slope where they meet. A delay of a whole
    number of samples, 0 included, gives the samples themselves, bit for bit.

    Delays count from the sample itself, so they are as exact after an hour as at the start. They are computed in
    float64 whatever the audio is in: hand them over in float64 where float32 is too coarse (at 44100 samples it
    tells 1/256 of a sample).

    audio: ``[…, samples]``, any number of samples from 0 up. delay: in samples, 0 … longest: a number, a tensor of
    shape ``[…, 1]`` or ``[…, samples]`` that broadcasts to the audio, or :class:`Frames`. Beyond its limits a delay
    is held, and has no gradient there. past: the samples before the first, ``[…, delay_history(longest)]``; zeros
    are silence.

    Returns the delayed audio, and the past of the next block. Differentiable in all arguments. DJGraphError where
    shapes, types or devices do not fit.
    """
    return read_tap(audio, delay, past), latest(past, audio)


def read_tap(audio: Tensor, delay: Curve, past: Tensor) -> Tensor:
    """:func:`read_delay` without the past of the next block: for further taps of the same signal."""
    check_past("read_delay", audio, past)
    place = as_curve("read_delay", "delay", delay, audio)
    given = (audio, past, place)
    return run(_Read(), given, _operator, [0])[0]


def check_past(kernel: str, audio: Tensor, past: Tensor) -> None:
    """DJGraphError unless audio is a signal, and past the same a while before."""
    check_signal(kernel, "audio", audio)
    history = past.shape[-1] if past.ndim else 0
    if history <= NEIGHBOURS:
        raise DJGraphError(
            f"{kernel}: past has to hold a history of at least {NEIGHBOURS + 1} samples, not {list(past.shape)}"
        )
    checked_state(kernel, past, audio, history, name="past")


def as_curve(kernel: str, name: str, control: Curve, audio: Tensor) -> Tensor:
    """A control in float64, ``[…, 1]`` or ``[…, samples]``, with leading dimensions that broadcast to the audio's."""
    tensor, hop = checked_control(kernel, name, control, audio, "audio", torch.float64)
    return at_samples(tensor, hop, audio.shape[-1]) if isinstance(control, Frames) else tensor


def read_line(line: Tensor, place: Tensor, delay: Tensor, shortest: int, longest: int) -> Tensor:
    """The line ``delay`` samples before each place, by PyTorch's operations.

    line: ``[…, length]``. place: ``[samples]``, int64. delay: float64, broadcastable to ``[…, samples]``; held to
    shortest … longest. No sample within ``shortest`` of a place is read.
    """
    # Not clamp, whose gradient at its bounds is 0. NaN, which would become an index, is the shortest delay.
    held = torch.where(delay >= shortest, delay, float(shortest))
    held = torch.where(held <= longest, held, float(longest))
    whole = held.detach().floor()
    f = (held - whole).to(line.dtype)
    at = place - whole.to(torch.int64)
    edge = whole <= shortest
    shape = (*line.shape[:-1], at.shape[-1])
    # At the edge the later neighbour may lie behind the end; it is not used there.
    index = torch.where(edge, at, at + 1)
    newer, x0, x1, x2 = (line.gather(-1, one.expand(shape)) for one in (index, at, at - 1, at - 2))
    newer = torch.where(edge, 3 * x0 - 3 * x1 + x2, newer)
    c1 = 0.5 * (x1 - newer)
    c2 = newer - 2.5 * x0 + 2 * x1 - 0.5 * x2
    c3 = 1.5 * (x0 - x1) + 0.5 * (x2 - newer)
    return x0 + f * (c1 + f * (c2 + f * c3))


def curves_in_memory(curves: Sequence[Tensor], lead: torch.Size) -> Curves:
    """Where compiled code finds curves, each contiguous; what is broadcast is not copied."""
    from djgraph.simd.delays import Curves

    signals = lead.numel()
    table, offsets = np.empty((len(curves), 2), np.int64), np.empty((len(curves), signals), np.int64)
    for number, curve in enumerate(curves):
        length = curve.shape[-1]
        rows = torch.arange(curve.shape[:-1].numel(), device="cpu").view(curve.shape[:-1]).expand(lead)
        table[number] = curve.data_ptr(), int(length > 1)
        offsets[number] = rows.reshape(-1).numpy() * length
    return Curves(table, offsets)


class _Read(Operation):
    """``(audio, past, delay)`` → ``(delayed audio,)``."""

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plainly(tensors)
        from djgraph.simd.delays import read_forward

        audio, past, delay = (tensor.detach().contiguous() for tensor in tensors)
        out = torch.empty_like(audio)
        read_forward(rows(audio), rows(past), curves_in_memory([delay], audio.shape[:-1]), rows(out))
        return (out,)

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plain_gradients(tensors, gradients, needed)
        from djgraph.simd.delays import read_backward

        audio, past, delay = (tensor.detach().contiguous() for tensor in tensors)
        lead, room, samples = audio.shape[:-1], past.shape[-1], audio.shape[-1]
        of_line = delay.new_zeros(*lead, room + samples)
        of_delay = delay.new_empty(*lead, samples) if needed[2] else delay.new_empty(0, 0)
        read_backward(
            rows(audio),
            rows(past),
            curves_in_memory([delay], lead),
            rows(gradients[0].contiguous()),
            rows(of_line),
            rows(of_delay),
        )
        return (
            of_line[..., room:].to(audio.dtype),
            of_line[..., :room].to(audio.dtype),
            of_delay.sum_to_size(delay.shape) if needed[2] else None,
        )

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        audio, past, delay = tensors
        room, samples = past.shape[-1], audio.shape[-1]
        place = room + torch.arange(samples, device=audio.device)
        delay = delay.expand(*delay.shape[:-1], samples)
        return (read_line(torch.cat((past, audio), dim=-1), place, delay, 0, room - NEIGHBOURS),)


_operator = operator(
    "read_delay",
    lambda tensors, numbers: (_Read(), tensors),
    lambda tensors, numbers: [torch.empty_like(tensors[0])],
    flops=(22, 60),
)
