"""A limiter that looks ahead, from peaks to the signal turned down, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from djgraph import simd
from djgraph.dsp.checked import check_signal, checked_control, checked_rate, checked_state
from djgraph.dsp.derivatives import Operation
from djgraph.dsp.follower import branching
from djgraph.dsp.frames import Curve, at_samples
from djgraph.dsp.operators import operator, run
from djgraph.dsp.recursion import as_input, numbers_array, rows, summed
from djgraph.dsp.sliding import sliding_max, sliding_mean
from djgraph.errors import DJGraphError

if TYPE_CHECKING:
    from djgraph.simd.tile import Input

_CONTROLS = ("peak", "ceiling", "release", "mix")


def limit_states(ahead: int, hold: int = 1) -> int:
    """How many numbers the state of :func:`limit` has."""
    return 5 * ahead + hold


def limit(
    audio: Tensor,
    peak: Curve,
    ceiling: Curve,
    release: Curve,
    mix: Curve = 1.0,
    state: Tensor | None = None,
    *,
    ahead: int,
    hold: int = 1,
    sample_rate: float,
) -> tuple[Tensor, Tensor]:
    """Keep a signal below a ceiling: it is turned down before a peak comes, and late by the look-ahead.

    - needed = max(0, 20·log₁₀(abs(peak)) − ceiling), in dB;
    - held[n]: the largest of the last ahead + hold of them (:func:`sliding_max`);
    - let go: held where that rises, else smoothed by the release as :func:`follow` does;
    - smooth: the mean of the last ⌊ahead/2⌋ + 1 of it, and of that the mean of the last ahead + 1 − ⌊ahead/2⌋;
    - out[n] = audio[n − ahead]·10^(−mix[n − ahead]·smooth[n]/20).

    Where abs(peak) is at least abs(audio), and mix is 1, no sample is above the ceiling: where a peak comes out, both
    means are of nothing but values at least as large as it needs, and what their rounding leaves is taken off. So that
    nobody finds a sample above it by another rounding, compiled code takes 10^(ceiling/20) eight roundings lower (less
    than 10⁻⁵ dB), but for 0 dB, which is 1.

    audio: ``[…, samples]``, any number of samples from 0 up. peak: a number, ``[…, 1]``, ``[…, samples]`` that
    broadcasts to the audio, or :class:`Frames`; so are all controls. It may be the signal itself, the loudest of linked
    channels, what lies between samples; its magnitude counts. ceiling: in dB. release: a time constant in ms, from 0
    up. mix: 0 to 1. state: ``[…, limit_states(ahead, hold)]``; None is silence. ahead: in samples, from 0 up: the
    latency. hold: for how many samples a peak counts, from 1 up; 2 where it lies between two. sample_rate: in Hz.

    Returns the signal, and the state that the next block starts from. Differentiable in all tensors; the gradient of a
    maximum goes to the sample that won. DJGraphError where shapes, types or devices do not fit.
    """
    check_signal("limit", "audio", audio)
    for name, number, least in (("ahead", ahead, 0), ("hold", hold, 1)):
        if not isinstance(number, int) or number < least:
            raise DJGraphError(
                f"limit: {name} has to be a whole number of samples from {least} up, not {number!r}"
            )
    step = 1000 / checked_rate(sample_rate)
    controls = [
        checked_control("limit", name, control, audio, "audio", audio.dtype)
        for name, control in zip(_CONTROLS, (peak, ceiling, release, mix))
    ]
    state = checked_state("limit", state, audio, limit_states(ahead, hold))
    hops = (0, *(hop for _, hop in controls))
    given = (audio, *(values for values, _ in controls), state)
    out, last = run(_Limit(hops, ahead, hold, step), given, _operator, [*hops, ahead, hold], step)
    return out, last


class _Limit(Operation):
    """``(audio, peak, ceiling, release, mix, state)`` → ``(out, last state)``."""

    def __init__(self, hops: tuple[int, ...], ahead: int, hold: int, step: float) -> None:
        self.hops, self.ahead, self.hold, self.step = hops, ahead, hold, step

    def _inputs(self, tensors: Sequence[Tensor]) -> list[Input]:
        lead, samples = tuple(tensors[0].shape[:-1]), tensors[0].shape[-1]
        return [as_input(tensor, lead, hop, samples) for tensor, hop in zip(tensors, self.hops)]

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if not simd.takes(tensors[0]):
            return self.plainly(tensors)
        from djgraph.simd.limiter import plan, run_forward

        audio, state = tensors[0], tensors[-1]
        out = torch.empty_like(audio, memory_format=torch.contiguous_format)
        last = run_forward(
            self._inputs(tensors),
            rows(state),
            numbers_array((self.step,)),
            plan(self.ahead, self.hold),
            rows(out),
        )
        return out, torch.from_numpy(last).view(state.shape)

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        if not simd.takes(tensors[0]):
            return self.plain_gradients(tensors, gradients, needed)
        from djgraph.simd.limiter import plan
        from djgraph.simd.limiter_adjoint import run_backward

        lead, samples, state = tuple(tensors[0].shape[:-1]), tensors[0].shape[-1], tensors[-1]
        of_inputs, first = run_backward(
            self._inputs(tensors),
            rows(state),
            numbers_array((self.step,)),
            plan(self.ahead, self.hold),
            as_input(gradients[0], lead, 0, samples),
            rows(gradients[1]),
            list(needed[:-1]),
        )
        return *summed(of_inputs, tensors), torch.from_numpy(first).view(state.shape)

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        *inputs, state = tensors
        samples = inputs[0].shape[-1]
        audio, peak, ceiling, release, mix = (
            at_samples(values, hop, samples) for values, hop in zip(inputs, self.hops)
        )
        limit_at, mix = 10 ** (ceiling / 20), mix.expand_as(audio)
        ahead, first = self.ahead, self.ahead // 2
        needed_before, first_before, second_before, *past, gone_before = state.split(
            (ahead + self.hold - 1, first, ahead - first, ahead, ahead, ahead, 1), dim=-1
        )
        needed = 20 * (torch.maximum(peak.abs(), limit_at) / limit_at).log10().expand_as(audio)
        held, needed_last = sliding_max(needed, ahead + self.hold, needed_before)
        gone, gone_last = branching((held, torch.zeros_like(held), release), gone_before, (self.step,))
        mean, first_last = sliding_mean(gone, first + 1, first_before)
        smooth, second_last = sliding_mean(mean, ahead - first + 1, second_before)
        lines = [
            torch.cat((before, now.expand_as(audio)), dim=-1)
            for before, now in zip(past, (audio, limit_at, mix))
        ]
        late, bound, share = (line[..., :samples] for line in lines)
        out = late * 10 ** (-share * smooth / 20)
        with torch.no_grad():
            bound = torch.lerp(torch.maximum(late.abs(), bound), bound, share)
            rounding = out.clamp(-bound, bound) - out
        last = (needed_last, first_last, second_last, *(line[..., samples:] for line in lines), gone_last)
        return out + rounding, torch.cat(last, dim=-1)


_operator = operator(
    "limit",
    lambda tensors, numbers: (
        _Limit(tuple(numbers[:-2]), numbers[-2], numbers[-1], float(tensors[-1])),
        tensors[:-1],
    ),
    lambda tensors, numbers: [
        torch.empty_like(tensors[0], memory_format=torch.contiguous_format),
        torch.empty_like(tensors[-2]),
    ],
    flops=(56, 110),
)
