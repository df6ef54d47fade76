"""Convolution with a long fixed response, block by block through the FFT (overlap-save)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from djgraph.dsp.opaque import opaque
from djgraph.dsp.recompute import differentiable_gradients

LARGEST_SIZE = 2**19
"""Larger transforms leave the cache and gain nothing, unless the response itself needs one."""
POINTS_AT_ONCE = 2**22
"""Points that one batch of transforms holds (16 MB of float32): bounds memory for long and many signals."""


def fft_size(samples: int, length: int) -> int:
    """The power of two that convolves ``samples`` samples with a response of ``length`` samples the fastest.

    A transform yields ``size − length + 1`` samples; the size that needs the fewest points in all wins, the
    smaller one on a tie.
    """
    size = max(2, _power_of_two(length))
    largest = max(LARGEST_SIZE, 4 * size)
    best, least = size, _points(samples, length, size)
    while size < min(largest, _power_of_two(samples + length - 1)):
        size *= 2
        points = _points(samples, length, size)
        if points < least:
            best, least = size, points
    return best


def response_spectrum(response: Tensor, size: int) -> Tensor:
    """Spectrum of a response ``[channels, length]``, for :func:`convolve`: ``[channels, size/2 + 1]``."""
    return torch.fft.rfft(response, n=size)


@opaque
def convolve(audio: Tensor, past: Tensor, spectrum: Tensor, mix: Tensor | None = None) -> Tensor:
    """Linear convolution of a block with a fixed response, or the mix ``(1 − mix)·audio + mix·convolved``.

    audio: ``[batch, channels, samples]``, any number of samples.
    past: the ``length − 1`` samples before the block, ``[batch, channels, length − 1]``; zeros at the start.
    spectrum: :func:`response_spectrum` of a response of ``length`` samples, one row per channel or one for
    all, of any even size from ``length`` up; :func:`fft_size` finds the fastest.
    mix: broadcastable to ``[batch, 1, samples]``; left out, the result is the convolved signal alone.

    Returns ``[batch, channels, samples]``. Differentiable in audio, past and mix; nothing but the arguments is
    kept for the backward pass.
    """
    mix = audio.new_ones(()) if mix is None else mix
    return _Convolve.apply(audio, past, mix.expand(audio.shape[0], 1, audio.shape[-1]), spectrum)


class _Convolve(torch.autograd.Function):
    """The adjoint of convolution is correlation: ∂x[n] = Σ_k h[k]·∂wet[n + k], which is the same computation
    with the spectrum conjugated and the block looking ahead in place of back."""

    @staticmethod
    def forward(ctx: Any, audio: Tensor, past: Tensor, mix: Tensor, spectrum: Tensor) -> Tensor:
        ctx.save_for_backward(audio, past, mix, spectrum)
        output = torch.empty_like(audio, memory_format=torch.contiguous_format)
        for span, wet in _wet(audio, past, spectrum):
            torch.lerp(audio[..., span], wet, mix[..., span], out=output[..., span])
        return output

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            return differentiable_gradients(_plainly, ctx.saved_tensors, ctx.needs_input_grad, (grad_output,))
        audio, past, mix, spectrum = ctx.saved_tensors
        for_audio, for_past, for_mix, _ = ctx.needs_input_grad
        grad_audio = grad_past = grad_mix = None
        if for_mix:
            grad_mix = torch.empty_like(mix, memory_format=torch.contiguous_format)
            for span, wet in _wet(audio, past, spectrum):
                difference = torch.sub(wet, audio[..., span])
                grad_mix[..., span] = difference.mul_(grad_output[..., span]).sum(1, keepdim=True)
        if for_audio or for_past:
            # Each sample's gradient looks ``length − 1`` samples ahead; behind the end there is nothing.
            before = past.shape[-1] if for_past else 0
            grad_wet = pad(grad_output * mix, (before, 0))
            grad = torch.empty_like(grad_wet)
            for span, block in _blocks(grad_wet, spectrum.conj(), past.shape[-1] + 1, grad.shape[-1], 0):
                grad[..., span] = block
            grad_past = grad[..., :before] if for_past else None
            grad_audio = torch.addcmul(grad[..., before:] + grad_output, grad_output, mix, value=-1)
        return grad_audio, grad_past, grad_mix, None


def _plainly(audio: Tensor, past: Tensor, mix: Tensor, spectrum: Tensor) -> tuple[Tensor]:
    """The forward pass in operations that autograd knows."""
    wet = torch.cat((audio[..., :0], *(block for _, block in _wet(audio, past, spectrum))), dim=-1)
    return (torch.lerp(audio, wet, mix),)


def _wet(audio: Tensor, past: Tensor, spectrum: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """The convolved block, in pieces."""
    length = past.shape[-1] + 1
    return _blocks(torch.cat((past, audio), dim=-1), spectrum, length, audio.shape[-1], length - 1)


def _blocks(
    signal: Tensor, spectrum: Tensor, length: int, samples: int, offset: int
) -> Iterator[tuple[slice, Tensor]]:
    """Circular convolutions of overlapping blocks; each yields its valid samples, which begin at ``offset``.

    The blocks lie ``size − length + 1`` samples apart; what ``signal`` lacks at its end counts as zeros. Many
    blocks share a call, because on the CPU a call of the FFT costs about as much as three transforms.
    """
    size = 2 * (spectrum.shape[-1] - 1)
    step = size - length + 1
    count = -(-samples // step)
    together = max(1, POINTS_AT_ONCE // (size * signal.shape[0] * signal.shape[1]))
    for first in range(0, count, together):
        number = min(together, count - first)
        needed = (number - 1) * step + size
        stretch = signal[..., first * step : first * step + needed]
        if number > 1 and stretch.shape[-1] < needed:
            stretch = pad(stretch, (0, needed - stretch.shape[-1]))
        frames = stretch.unfold(-1, size, step) if number > 1 else stretch.unsqueeze(-2)
        transformed = torch.fft.rfft(frames, n=size).mul_(spectrum.unsqueeze(-2))
        result = torch.fft.irfft(transformed, n=size)
        for index in range(number):
            start = (first + index) * step
            stop = min(start + step, samples)
            yield slice(start, stop), result[..., index, offset : offset + stop - start]


def _power_of_two(number: int) -> int:
    """The smallest power of two that is not below ``number``."""
    return 1 << (number - 1).bit_length() if number > 1 else 1


def _points(samples: int, length: int, size: int) -> int:
    return -(-samples // (size - length + 1)) * size
