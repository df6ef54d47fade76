"""Choruses and vibratos: copies of a signal, late by delays that swing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from djgraph import simd
from djgraph.dsp.checked import checked_control
from djgraph.dsp.delays import NEIGHBOURS, as_curve, check_past, curves_in_memory, read_line
from djgraph.dsp.derivatives import Operation
from djgraph.dsp.frames import Curve, Frames, at_samples
from djgraph.dsp.history import latest
from djgraph.dsp.operators import operator, run
from djgraph.dsp.recursion import rows
from djgraph.dsp.swing import SHAPES, as_cycle, shape_number
from djgraph.errors import DJGraphError

if TYPE_CHECKING:
    from djgraph.simd.voices import Voices


def swinging_voices(
    audio: Tensor,
    cycle: Curve,
    delay: Curve,
    depth: Curve,
    past: Tensor,
    *,
    mix: Curve = 1.0,
    voices: int = 1,
    shape: str = "sine",
) -> tuple[Tensor, Tensor]:
    """``(1 − mix)·x + mix·Σ x(n − delay − depth·s(cycle + v/voices))/√voices``, the sum over v = 0 … voices − 1.

    Each voice is read as :func:`djgraph.dsp.read_delay` reads, and s is that of :func:`djgraph.dsp.swing`. On a CPU
    with Numba the delays are computed where they are used, so that no tensor of them exists.

    audio: x, ``[…, samples]``, any number of samples from 0 up. cycle: in cycles, wrapped or not, as
    :func:`djgraph.dsp.cycles` returns it. delay, depth: in samples; together within 0 … longest, beyond which a
    voice's delay is held, and has no gradient. mix: 0 to 1. All of them are numbers, tensors of shape ``[…, 1]`` or
    ``[…, samples]`` that broadcast to the audio, or :class:`Frames`; but for mix they are computed in float64. past:
    the samples before the first, ``[…, delay_history(longest)]``. voices: at least 1.

    Returns the audio, and the past of the next block. Differentiable in all tensors. DJGraphError where shapes, types
    or devices do not fit.
    """
    kernel = "swinging_voices"
    check_past(kernel, audio, past)
    if not isinstance(voices, int) or voices < 1:
        raise DJGraphError(f"{kernel}: voices has to be a whole number from 1 up, not {voices!r}")
    number = shape_number(kernel, shape)
    place, hop = as_cycle(kernel, cycle, audio)
    level, level_hop = checked_control(kernel, "mix", mix, audio, "audio", audio.dtype)
    if isinstance(mix, Frames):
        level = at_samples(level, level_hop, audio.shape[-1])
    curves = (as_curve(kernel, name, one, audio) for name, one in (("delay", delay), ("depth", depth)))
    given = (audio, past, place, *curves, level)
    (wet,) = run(_Voices(hop, voices, number), given, _operator, [hop, voices, number])
    return wet, latest(past, audio)


class _Voices(Operation):
    """``(audio, past, cycle, delay, depth, mix)`` → ``(audio,)``."""

    def __init__(self, hop: int, voices: int, shape: int) -> None:
        self.hop, self.voices, self.shape = hop, voices, shape

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plainly(tensors)
        from djgraph.simd.voices import run_forward

        given = [tensor.detach().contiguous() for tensor in tensors]
        audio, past = given[:2]
        output = torch.empty_like(audio)
        run_forward(rows(audio), rows(past), self._compiled(given), rows(output))
        return (output,)

    def _compiled(self, tensors: Sequence[Tensor]) -> Voices:
        """What compiled code is told, of contiguous tensors."""
        from djgraph.simd.swing import Wave
        from djgraph.simd.voices import Voices

        lead = tensors[0].shape[:-1]
        wave = Wave(curves_in_memory(tensors[2:5], lead), self.hop, self.shape)
        return Voices(wave, curves_in_memory(tensors[5:], lead), self.voices, 1 / math.sqrt(self.voices))

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plain_gradients(tensors, gradients, needed)
        from djgraph.simd.swing import WaveGradients
        from djgraph.simd.voices import Gradients, run_backward

        given = [tensor.detach().contiguous() for tensor in tensors]
        audio, past, place = given[:3]
        lead, room = audio.shape[:-1], past.shape[-1]
        of_line = place.new_zeros(*lead, room + audio.shape[-1])
        of_audio = place.new_empty(audio.shape)
        of_curves = [place.new_zeros(*lead, curve.shape[-1]) for curve in given[2:]]
        *of_wave, of_mix = map(rows, of_curves)
        run_backward(
            rows(audio),
            rows(past),
            self._compiled(given),
            Gradients(
                rows(gradients[0].contiguous()),
                rows(of_line),
                rows(of_audio),
                WaveGradients(*of_wave),
                of_mix,
            ),
        )
        return (
            (of_audio + of_line[..., room:]).to(audio.dtype),
            of_line[..., :room].to(audio.dtype),
            *(
                one.sum_to_size(curve.shape).to(curve.dtype) if need else None
                for one, curve, need in zip(of_curves, given[2:], needed[2:])
            ),
        )

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        audio, past, cycle, low, depth, mix = tensors
        room, samples = past.shape[-1], audio.shape[-1]
        cycle = at_samples(cycle, self.hop, samples)
        line, place = torch.cat((past, audio), dim=-1), room + torch.arange(samples, device=audio.device)
        wave = list(SHAPES.values())[self.shape]
        wet = torch.zeros_like(audio)
        for voice in range(self.voices):
            delay = low + depth * wave(cycle + voice / self.voices)
            delay = delay.expand(*delay.shape[:-1], samples)
            wet = wet + read_line(line, place, delay, 0, room - NEIGHBOURS)
        return ((1 - mix) * audio + mix * (wet / math.sqrt(self.voices)),)


_operator = operator(
    "swinging_voices",
    lambda tensors, numbers: (_Voices(*numbers), tensors),
    lambda tensors, numbers: [torch.empty_like(tensors[0])],
    flops=(55, 140),  # with one voice
)
