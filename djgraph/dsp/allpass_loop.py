"""A chain of all-passes with feedback and no delay in the loop: phasers that resonate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph import simd
from djgraph.dsp.checked import check_signal, checked_state
from djgraph.dsp.delays import as_curve, curves_in_memory
from djgraph.dsp.derivatives import Operation
from djgraph.dsp.frames import Curve
from djgraph.dsp.operators import operator, run
from djgraph.dsp.recursion import rows
from djgraph.dsp.scan import scan
from djgraph.errors import DJGraphError


def allpass_loop(
    audio: Tensor, a: Curve, feedback: Curve, state: Tensor | None = None, *, stages: int
) -> tuple[Tensor, Tensor]:
    """``y = A(x + feedback·y)``, A a chain of ``stages`` all-passes (a + z⁻¹)/(1 + a·z⁻¹), at the same sample.

    What comes back has not been delayed: the equation is solved at every sample. While a and feedback rest it is the
    filter A/(1 − feedback·A), with resonances of gain 1/(1 − |feedback|) where the chain has turned a whole number of
    times. Each all-pass is in normalised lattice form (A. H. Gray and J. D. Markel, "A normalized digital filter
    structure", IEEE TASSP 23(3), 1975): a rotation of its state and its input. So with |a| < 1 and |feedback| < 1 the
    energy of the states cannot grow by itself, however both move.

    audio: ``[…, samples]``, any number of samples from 0 up. a, feedback: numbers, tensors of shape ``[…, 1]`` or
    ``[…, samples]`` that broadcast to the audio, or :class:`Frames`; within −1 … 1, both ends left out. state:
    ``[…, stages]``, float64; None is rest. stages: at least 1.

    Returns y, and the state that the next block starts from. Differentiable in all tensors. DJGraphError where shapes,
    types or devices do not fit.
    """
    check_signal("allpass_loop", "audio", audio)
    if not isinstance(stages, int) or stages < 1:
        raise DJGraphError(f"allpass_loop: stages has to be a whole number from 1 up, not {stages!r}")
    state = checked_state("allpass_loop", state, audio, stages, dtype=torch.float64)
    curves = [as_curve("allpass_loop", name, one, audio) for name, one in (("a", a), ("feedback", feedback))]
    given = (audio, state, *curves)
    output, last = run(_Loop(), given, _operator, [stages])
    return output, last


class _Loop(Operation):
    """``(audio, state, a, feedback)`` → ``(output, state)``."""

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plainly(tensors)
        output, states, _ = self._run(tensors)
        return output, states[..., -1, :].clone()

    def _run(self, tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The output, the states between stretches ``[…, stretches + 1, stages]``, and audio and curves in memory."""
        from djgraph.simd.allpass_loop import STRETCH, run_forward

        audio, state, *curves = (tensor.detach().contiguous() for tensor in tensors)
        stretches = -(-audio.shape[-1] // STRETCH)
        states = state[..., None, :].repeat(*(1,) * len(audio.shape[:-1]), stretches + 1, 1)
        output = torch.empty_like(audio)
        run_forward(
            rows(audio),
            curves_in_memory(curves, audio.shape[:-1]),
            states.view(-1, stretches + 1, state.shape[-1]).numpy(),
            rows(output),
        )
        return output, states, [audio, *curves]

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plain_gradients(tensors, gradients, needed)
        from djgraph.simd.allpass_loop import Gradients, run_backward

        _, states, (audio, *curves) = self._run(tensors)  # once more: nothing is kept but the arguments
        lead, samples = audio.shape[:-1], audio.shape[-1]
        of_audio = states.new_empty(audio.shape)
        of_state = gradients[1].clone(memory_format=torch.contiguous_format)
        of_curves = states.new_empty(2, *lead, samples)
        run_backward(
            rows(audio),
            curves_in_memory(curves, lead),
            states.view(-1, *states.shape[-2:]).numpy(),
            Gradients(
                rows(gradients[0].double().contiguous()),
                rows(of_audio),
                of_state.view(-1, of_state.shape[-1]).numpy(),
                of_curves.view(2, lead.numel(), samples).numpy(),
            ),
        )
        return (
            of_audio.to(audio.dtype),
            of_state,
            *(
                one.sum_to_size(curve.shape) if need else None
                for one, curve, need in zip(of_curves, curves, needed[2:])
            ),
        )

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """As a recursion of all states at once: s[n] = M[n]·s[n−1] + p[n]·x[n]."""
        audio, state, a, feedback = tensors
        x, stages = audio.to(state.dtype), state.shape[-1]
        a, f = (curve.expand(audio.shape) for curve in (a, feedback))
        c = (1 - a * a).sqrt()
        powers = [torch.ones_like(a)]
        for _ in range(stages):
            powers.append(powers[-1] * a)
        # u_k = powers[k]·u₀ + Σ_j inner[k][j]·s_j; in a row for u_N, in the others for the stages.
        nothing = torch.zeros_like(a)
        inner = [
            [c * powers[k - 1 - j] if j < k else nothing for j in range(stages)] for k in range(stages + 1)
        ]
        through = 1 / (1 - f * powers[stages])
        back = [f * through * own for own in inner[stages]]  # of u₀, by s_j
        matrix = torch.stack(
            [
                torch.stack(
                    [
                        c * (inner[k][j] + powers[k] * back[j]) - (a if j == k else nothing)
                        for j in range(stages)
                    ],
                    dim=-2,
                )
                for k in range(stages)
            ],
            dim=-3,
        )
        drive = torch.stack([c * powers[k] * through * x for k in range(stages)], dim=-2)
        states = scan(matrix, drive, state)
        before = states[..., :-1]
        output = powers[stages] * through * x
        for j in range(stages):
            output = output + (inner[stages][j] + powers[stages] * back[j]) * before[..., j, :]
        return output.to(audio.dtype), states[..., -1]


_operator = operator(
    "allpass_loop",
    lambda tensors, numbers: (_Loop(), tensors),
    lambda tensors, numbers: [torch.empty_like(tensor) for tensor in tensors[:2]],
    flops=(40, 110),  # with four stages
)
