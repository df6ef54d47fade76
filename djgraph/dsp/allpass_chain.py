"""Chains of all-passes whose frequency moves: phasers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph import simd
from djgraph.dsp.checked import check_signal, checked_control, checked_state
from djgraph.dsp.delays import as_curve, curves_in_memory
from djgraph.dsp.derivatives import Operation
from djgraph.dsp.frames import Curve, Frames, at_samples
from djgraph.dsp.operators import operator, run
from djgraph.dsp.recursion import rows
from djgraph.dsp.scan import scan_one
from djgraph.errors import DJGraphError


def allpass_chain(
    audio: Tensor, a: Curve, state: Tensor | None = None, *, stages: int, mix: Curve = 1.0
) -> tuple[Tensor, Tensor]:
    """``(1 − mix)·x + mix·A(x)``, A a chain of ``stages`` all-passes (a + z⁻¹)/(1 + a·z⁻¹).

    Each is y[n] = a[n]·x[n] + x[n−1] − a[n]·y[n−1], in float64 whatever the audio is in. What moves a from −1 to 1
    turns the phase at every frequency from −180° towards 0; :func:`djgraph.dsp.allpass_sweep` swings it between two
    frequencies. With mix ½ there is a notch wherever the chain turns by an odd multiple of 180°.

    audio: ``[…, samples]``, any number of samples from 0 up. a: within −1 … 1, both ends left out. mix: 0 to 1. Both
    are numbers, tensors of shape ``[…, 1]`` or ``[…, samples]`` that broadcast to the audio, or :class:`Frames`.
    state: what went into each stage at the sample before, and what came out of the last one, ``[…, stages + 1]``,
    float64; None is silence. stages: at least 1.

    Returns the audio, and the state that the next block starts from. Differentiable in all tensors. DJGraphError where
    shapes, types or devices do not fit.
    """
    kernel = "allpass_chain"
    check_signal(kernel, "audio", audio)
    if not isinstance(stages, int) or stages < 1:
        raise DJGraphError(f"{kernel}: stages has to be a whole number from 1 up, not {stages!r}")
    state = checked_state(kernel, state, audio, stages + 1, dtype=torch.float64)
    level, hop = checked_control(kernel, "mix", mix, audio, "audio", audio.dtype)
    if isinstance(mix, Frames):
        level = at_samples(level, hop, audio.shape[-1])
    given = (audio, state, as_curve(kernel, "a", a, audio), level)
    output, last = run(_Chain(), given, _operator, [stages])
    return output, last


class _Chain(Operation):
    """``(audio, state, a, mix)`` → ``(output, state)``."""

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plainly(tensors)
        output, states, _ = self._run(tensors)
        return output, states[..., -1, :].clone()

    def _run(self, tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The output, the states between stretches ``[…, stretches + 1, stages + 1]``, and all tensors in memory."""
        from djgraph.simd.allpass_chain import STRETCH, run_forward

        given = [tensor.detach().contiguous() for tensor in tensors]
        audio, state, a, mix = given
        lead = audio.shape[:-1]
        states = state.new_empty(*lead, -(-audio.shape[-1] // STRETCH) + 1, state.shape[-1])
        states[..., 0, :] = state
        output = torch.empty_like(audio)
        run_forward(
            rows(audio),
            curves_in_memory([a], lead),
            curves_in_memory([mix], lead),
            states.view(-1, *states.shape[-2:]).numpy(),
            rows(output),
        )
        return output, states, given

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plain_gradients(tensors, gradients, needed)
        from djgraph.simd.allpass_chain import Gradients, run_backward

        _, states, given = self._run(tensors)  # once more: nothing is kept but the arguments
        audio, state, a, mix = given
        lead = audio.shape[:-1]
        of_audio = state.new_empty(audio.shape)
        of_state = gradients[1].clone(memory_format=torch.contiguous_format)
        of_curves = [state.new_zeros(*lead, curve.shape[-1]) for curve in (a, mix)]
        run_backward(
            rows(audio),
            curves_in_memory([a], lead),
            curves_in_memory([mix], lead),
            states.view(-1, *states.shape[-2:]).numpy(),
            Gradients(rows(gradients[0].contiguous()), rows(of_audio), rows(of_state), *map(rows, of_curves)),
        )
        return (
            of_audio.to(audio.dtype),
            of_state,
            *(
                one.sum_to_size(curve.shape).to(curve.dtype) if need else None
                for one, curve, need in zip(of_curves, (a, mix), needed[2:])
            ),
        )

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Stage after stage, each a scan."""
        audio, state, a, mix = tensors
        x = audio.to(state.dtype)
        a = a.expand(audio.shape)
        last = []
        for stage in range(state.shape[-1] - 1):
            before = torch.cat((state[..., stage, None], x), dim=-1)
            last.append(before[..., -1])
            x = scan_one(-a, a * x + before[..., :-1], state[..., stage + 1])[..., 1:]
        end = torch.cat((state[..., -1:], x), dim=-1)[..., -1]
        output = (1 - mix) * audio + mix * x.to(audio.dtype)
        return output, torch.stack((*last, end), dim=-1)


_operator = operator(
    "allpass_chain",
    lambda tensors, numbers: (_Chain(), tensors),
    lambda tensors, numbers: [torch.empty_like(tensor) for tensor in tensors[:2]],
    flops=(16, 48),  # with four stages
)
