"""The feedback delay line with a gain that may change at every sample, exact, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from djgraph.dsp.derivatives import Operation
from djgraph.dsp.history import latest
from djgraph.dsp.operators import operator


def feedback_delay(
    audio: Tensor, feedback: Tensor, mix: Tensor, past_input: Tensor, past_output: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Mix a signal with its echoes: ``(1 − mix)·x + mix·y`` where ``y[n] = x[n−D] + feedback[n]·y[n−D]``.

    D, the delay in samples, is the length of the two histories. Nothing in a stretch of D samples depends on
    that stretch's own echoes, so the recursion runs exactly, a stretch at a time.

    audio: ``[batch, channels, samples]``, any number of samples from 0 up.
    feedback, mix: broadcastable to ``[batch, 1, samples]``; |feedback| < 1 keeps the line stable.
    past_input, past_output: the last D samples of x and of y before this block, ``[batch, channels, D]``.

    Returns the mix, and the two histories that the next block starts from. Differentiable in all five
    arguments. Only the arguments are kept for the backward pass, which runs the line again.
    """
    shape = (audio.shape[0], 1, audio.shape[-1])
    arguments = (audio, feedback.expand(shape), mix.expand(shape), past_input, past_output)
    if torch.compiler.is_compiling():
        output, last = _feedback_operator([argument.contiguous() for argument in arguments], [0])
    else:
        output, last = FeedbackDelay()(*arguments)
    return output, latest(past_input, audio), last


def feedback_delay_in_place(
    audio: Tensor, feedback: Tensor, mix: Tensor, past_input: Tensor, past_output: Tensor, place: int
) -> Tensor:
    """:func:`feedback_delay` of a block that is no longer than the delay, with the histories as ring buffers.

    past_input, past_output: sample n of the clip lies at n modulo D; place: that of the block's first sample. They are
    written to. Not differentiable.
    """
    delay, samples = past_input.shape[-1], audio.shape[-1]
    output = torch.empty_like(audio, memory_format=torch.contiguous_format)
    turn = min(delay - place, samples)
    for span, begin in ((slice(0, turn), place), (slice(turn, samples), 0)):
        length = span.stop - span.start
        if not length:
            continue
        source, line = (past[..., begin : begin + length] for past in (past_input, past_output))
        torch.addcmul(source, line, _piece(feedback, span), out=line)
        torch.lerp(audio[..., span], line, _piece(mix, span), out=output[..., span])
        source.copy_(audio[..., span])
    return output


def _piece(curve: Tensor, span: slice) -> Tensor:
    return curve if curve.shape[-1] == 1 else curve[..., span]


class FeedbackDelay(Operation):
    """With λ the gradient with respect to y, the adjoint recursion runs backwards in time:

    λ[n] = mix[n]·∂out[n] + feedback[n+D]·λ[n+D]      ∂x[n] = (1 − mix[n])·∂out[n] + λ[n+D]
    ∂feedback[n] = Σ λ[n]·y[n−D]                      ∂mix[n] = Σ ∂out[n]·(y[n] − x[n])
    """

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        audio, feedback, mix, past_input, past_output = tensors
        output = torch.empty_like(audio, memory_format=torch.contiguous_format)
        before, echo = past_output, past_output[..., :0]
        for span, latest_echo in _echoes(audio, feedback, past_input, past_output):
            torch.lerp(audio[..., span], latest_echo, mix[..., span], out=output[..., span])
            before, echo = echo if echo.shape[-1] else past_output, latest_echo
        return output, torch.cat((before[..., echo.shape[-1] :], echo), dim=-1)

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        audio, feedback, mix, past_input, past_output = tensors
        grad_output, grad_last = gradients
        for_audio, for_feedback, for_mix, _, _ = needed
        delay, samples = past_input.shape[-1], audio.shape[-1]
        echoes = []
        if for_feedback or for_mix:
            echoes = [echo for _, echo in _echoes(audio, feedback, past_input, past_output)]
        grad_audio = torch.empty_like(audio) if for_audio else None
        grad_feedback = torch.empty_like(feedback) if for_feedback else None
        grad_mix = torch.empty_like(mix) if for_mix else None

        # ``later`` is what the stretch after this one sends back to its input, ``carried`` to its echo.
        # Behind the end stands the history that went to the next block: its gradient enters as ``carried``,
        # shifted by the length of the last, shorter stretch.
        starts = range(0, samples, delay)
        overhang = samples - starts[-1] if samples else 0
        later = torch.zeros_like(grad_last[..., :0])
        carried = grad_last[..., delay - overhang :] if samples else grad_last
        for index in reversed(range(len(starts))):
            span = slice(starts[index], min(starts[index] + delay, samples))
            length = span.stop - span.start
            incoming = grad_output[..., span]
            echo_grad = incoming * mix[..., span]
            echo_grad[..., : carried.shape[-1]] += carried
            if grad_audio is not None:
                torch.addcmul(incoming, incoming, mix[..., span], value=-1, out=grad_audio[..., span])
                grad_audio[..., span][..., : later.shape[-1]] += later
            if grad_mix is not None:
                torch.sum(
                    incoming * (echoes[index] - audio[..., span]), 1, keepdim=True, out=grad_mix[..., span]
                )
            if grad_feedback is not None:
                before = echoes[index - 1] if index else past_output
                torch.sum(echo_grad * before[..., :length], 1, keepdim=True, out=grad_feedback[..., span])
            later = echo_grad
            carried = echo_grad * feedback[..., span]
            if index == len(starts) - 1:
                carried = torch.cat((carried, grad_last[..., : delay - overhang]), dim=-1)
        grad_past_input = torch.cat(
            (later, later.new_zeros(*later.shape[:-1], delay - later.shape[-1])), dim=-1
        )
        return grad_audio, grad_feedback, grad_mix, grad_past_input, carried

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        audio, feedback, mix, past_input, past_output = tensors
        stretches = [echo for _, echo in _echoes(audio, feedback, past_input, past_output)]
        line = torch.cat((past_output, *stretches), dim=-1)
        return torch.lerp(audio, line[..., past_output.shape[-1] :], mix), line[..., audio.shape[-1] :]


_feedback_operator = operator(
    "feedback_delay",
    lambda tensors, numbers: (FeedbackDelay(), tensors),
    lambda tensors, numbers: [torch.empty_like(tensors[0]), torch.empty_like(tensors[4])],
)


def _echoes(
    audio: Tensor, feedback: Tensor, past_input: Tensor, past_output: Tensor
) -> Iterator[tuple[slice, Tensor]]:
    """The delay line's output in stretches of its length; the last one may be shorter."""
    delay, samples = past_input.shape[-1], audio.shape[-1]
    source, echo = past_input, past_output
    for start in range(0, samples, delay):
        span = slice(start, min(start + delay, samples))
        length = span.stop - start
        echo = torch.addcmul(source[..., :length], feedback[..., span], echo[..., :length])
        yield span, echo
        source = audio[..., span]
