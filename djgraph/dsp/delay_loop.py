"""Feedback through a delay that moves: flangers, echoes on tape, echoes that are filtered as they come back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from djgraph import simd
from djgraph.dsp.checked import checked_state
from djgraph.dsp.delays import (
    NEIGHBOURS,
    as_curve,
    check_past,
    curves_in_memory,
    read_line,
)
from djgraph.dsp.derivatives import Operation
from djgraph.dsp.frames import Curve
from djgraph.dsp.operators import operator, run
from djgraph.dsp.recursion import rows
from djgraph.dsp.scan import scan_one
from djgraph.errors import DJGraphError

if TYPE_CHECKING:
    from djgraph.simd.delay_loop import Loop

Head = tuple[Curve, Curve]
"""Delay in samples, and gain."""


def delay_loop(
    audio: Tensor,
    heads: Sequence[Head],
    feedback: Curve,
    past: Tensor,
    filters: Tensor | None = None,
    *,
    shortest: int = 1,
    lowpass: Curve | None = None,
    highpass: Curve | None = None,
    sample_rate: float | None = None,
    crossed: bool = False,
    saturated: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """A delay line with feedback: ``v[n] = x[n] + feedback[n]·z[n]``, where z is what the heads read, filtered.

    z[n] = HP(LP(Σ gain[n]·v(n − delay[n]))). Each head is read as :func:`djgraph.dsp.read_delay` reads: any fraction of
    samples ago, by a cubic that amplifies no frequency. LP and HP are filters of first order, −3 dB at their cutoffs:
    l[n] = l[n−1] + (1 − e^(−2π·lowpass/rate))·(y[n] − l[n−1]), and the highpass what the same at its cutoff leaves.
    With gains that add up to at most 1, |feedback| < 1 keeps the loop stable at every delay that rests.

    Where it is ``saturated``, tanh(z[n]) comes back in place of z[n]: feedback of 1 and more sounds on by itself, and
    the loop stays within |x| + |feedback| whatever goes in.

    On a CPU with Numba it runs sample by sample in compiled code; elsewhere in stretches of ``shortest`` samples, which
    is exact, too, and slow for short ones.

    audio: ``[…, samples]``; with ``crossed``, ``[…, channels, samples]``. heads: one or more (delay, gain), delays in
    samples from ``shortest`` up to the history less 2, beyond which they are held and have no gradient. feedback,
    lowpass, highpass (Hz; None is no filter), delays and gains: numbers, tensors of shape ``[…, 1]`` or
    ``[…, samples]``, or :class:`Frames`. past: of v, ``[…, delay_history(longest)]``. filters: states of lowpass and
    highpass, ``[…, 2]``, float64; None is rest. shortest: in samples, at least 1. sample_rate: in Hz, where there is a
    filter. crossed: the feedback of channels 1 and 2, 3 and 4, … goes to the other one of the pair.
    saturated: whether what comes back passes tanh.

    Returns z, and past and filters of the next block. Differentiable in all tensors. DJGraphError where shapes, types
    or devices do not fit.
    """
    check_past("delay_loop", audio, past)
    longest = past.shape[-1] - NEIGHBOURS
    if not heads or not 1 <= shortest <= longest:
        raise DJGraphError(
            f"delay_loop: takes at least one head, and a shortest delay of 1…{longest}, not {len(heads)} and {shortest}"
        )
    if crossed and audio.ndim < 2:
        raise DJGraphError("delay_loop: audio has to be [..., channels, samples] where channels are crossed")
    filters = checked_state("delay_loop", filters, audio, 2, dtype=torch.float64, name="filters")
    curves = [
        as_curve("delay_loop", what, control, audio)
        for head in heads
        for what, control in zip(("delay", "gain"), head)
    ]
    curves += [
        as_curve("delay_loop", "feedback", feedback, audio),
        _share("lowpass", lowpass, 1.0, audio, sample_rate),
        _share("highpass", highpass, 0.0, audio, sample_rate),
    ]
    given = (audio, past, filters, *curves)
    numbers = [shortest, int(crossed), int(saturated)]
    wet, after, last = run(_Loop(shortest, crossed, saturated), given, _operator, numbers)
    return wet, after, last


def _share(
    what: str, cutoff: Curve | None, without: float, audio: Tensor, sample_rate: float | None
) -> Tensor:
    """How far a filter's state goes towards its input at a sample."""
    if cutoff is None:
        return as_curve("delay_loop", what, without, audio)
    if sample_rate is None or not sample_rate > 0:
        raise DJGraphError(f"delay_loop: {what} is in Hz and needs a sample_rate above 0, not {sample_rate}")
    return -torch.expm1(as_curve("delay_loop", what, cutoff, audio) * (-2 * math.pi / sample_rate))


class _Loop(Operation):
    """``(audio, past, filters, delay and gain of each head…, feedback, low, high)`` → ``(wet, past, filters)``."""

    def __init__(self, shortest: int, crossed: bool, saturated: bool) -> None:
        self.shortest, self.crossed, self.saturated = shortest, crossed, saturated

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plainly(tensors)
        line, wet, low, high, _ = self._run(tensors)
        room = tensors[1].shape[-1]
        last = torch.stack((low[..., -1], high[..., -1]), dim=-1)
        return wet, line[..., line.shape[-1] - room :].clone(), last

    def _run(self, tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor, list[Tensor]]:
        """The line, the wet signal, the filters' states before and after every sample, and the curves in memory."""
        from djgraph.simd.delay_loop import Signals, run_forward

        audio, past, filters, *curves = (tensor.detach().contiguous() for tensor in tensors)
        lead, samples = audio.shape[:-1], audio.shape[-1]
        line, wet = torch.cat((past, audio), dim=-1), torch.empty_like(audio)
        low, high = (filters[..., k, None].repeat(*(1,) * len(lead), samples + 1) for k in (0, 1))
        signals = Signals(rows(line), rows(wet), rows(low), rows(high))
        run_forward(rows(audio), curves_in_memory(curves, lead), signals, self._loop(tensors))
        return line, wet, low, high, curves

    def _loop(self, tensors: Sequence[Tensor]) -> Loop:
        from djgraph.simd.delay_loop import Loop

        together = tensors[0].shape[-2] if self.crossed else 1
        return Loop((len(tensors) - 6) // 2, self.shortest, together, int(self.crossed), int(self.saturated))

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plain_gradients(tensors, gradients, needed)
        from djgraph.simd.delay_loop import Gradients, Signals, run_backward

        line, wet, low, high, curves = self._run(tensors)  # once more: nothing is kept but the arguments
        lead, room, samples = wet.shape[:-1], tensors[1].shape[-1], wet.shape[-1]
        of_line = low.new_zeros(line.shape)
        of_line[..., samples:] = gradients[1]
        of_low, of_high = (gradients[2][..., k].clone(memory_format=torch.contiguous_format) for k in (0, 1))
        of_curves = low.new_empty(len(curves), *lead, samples)
        run_backward(
            curves_in_memory(curves, lead),
            Signals(rows(line), rows(wet), rows(low), rows(high)),
            Gradients(
                rows(gradients[0].double().contiguous()),
                rows(of_line),
                of_low.view(-1).numpy(),
                of_high.view(-1).numpy(),
                of_curves.view(len(curves), lead.numel(), samples).numpy(),
            ),
            self._loop(tensors),
        )
        return (
            of_line[..., room:].to(wet.dtype),
            of_line[..., :room].to(wet.dtype),
            torch.stack((of_low, of_high), dim=-1),
            *(
                one.sum_to_size(curve.shape) if need else None
                for one, curve, need in zip(of_curves, curves, needed[3:])
            ),
        )

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        audio, past, filters, *curves = tensors
        room, samples = past.shape[-1], audio.shape[-1]
        curves = [curve.expand(*curve.shape[:-1], samples) for curve in curves]
        wet = []
        for start in range(0, samples, self.shortest):
            x = audio[..., start : start + self.shortest]
            *heads, feedback, low, high = (curve[..., start : start + self.shortest] for curve in curves)
            place = room + torch.arange(x.shape[-1], device=audio.device)
            y = torch.zeros_like(x)
            for delay, gain in zip(heads[::2], heads[1::2]):
                y = y + gain.to(x.dtype) * read_line(past, place, delay, self.shortest, room - NEIGHBOURS)
            y = y.to(filters.dtype)
            low, high = low.expand_as(y), high.expand_as(y)
            lows = scan_one(1 - low, low * y, filters[..., 0])
            highs = scan_one(1 - high, high * lows[..., 1:], filters[..., 1])
            filters = torch.stack((lows[..., -1], highs[..., -1]), dim=-1)
            z = (lows - highs)[..., 1:]
            wet.append(z.to(x.dtype))
            back = self._sent(z)
            past = torch.cat((past[..., x.shape[-1] :], x + (feedback * back).to(x.dtype)), dim=-1)[
                ..., -room:
            ]
        return torch.cat(wet, dim=-1) if wet else audio.clone(), past, filters

    def _sent(self, z: Tensor) -> Tensor:
        """What goes back to each channel."""
        z = torch.tanh(z) if self.saturated else z
        if not self.crossed:
            return z
        channels = z.shape[-2]
        order = [k ^ 1 if k ^ 1 < channels else k for k in range(channels)]
        return z[..., order, :]


_operator = operator(
    "delay_loop",
    lambda tensors, numbers: (_Loop(numbers[0], bool(numbers[1]), bool(numbers[2])), tensors),
    lambda tensors, numbers: [torch.empty_like(tensor) for tensor in tensors[:3]],
    flops=(33, 90),  # with one head
)
