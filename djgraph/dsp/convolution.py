"""Convolution with a long fixed response, block by block through the FFT (overlap-save)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from djgraph.dsp import partitioned
from djgraph.dsp.derivatives import Operation
from djgraph.dsp.history import latest
from djgraph.dsp.operators import Handles, operator

LARGEST_SIZE = 2**19
"""Larger transforms leave the cache and gain nothing, unless the response itself needs one."""
SMALLEST_SIZE = 2**12
"""Smaller transforms cost more in calls than in points: a response of one sample would be as well off with any size."""
SHORT = 8
"""Partitions that a block has at most to be convolved in partitions."""
POINTS_AT_ONCE = 2**22
"""Points that one batch of transforms holds (16 MB of float32): bounds memory for long and many signals."""


def fft_size(samples: int, length: int) -> int:
    """The power of two that convolves ``samples`` samples with a response of ``length`` samples the fastest.

    A transform yields ``size − length + 1`` samples; the size that needs the fewest points in all wins, the
    smaller one on a tie. It is at least :data:`SMALLEST_SIZE`, or what all samples fit into.
    """
    enough = _power_of_two(samples + length - 1)
    size = max(2, _power_of_two(length), min(SMALLEST_SIZE, enough))
    largest = max(LARGEST_SIZE, 4 * size)
    best, least = size, _points(samples, length, size)
    while size < min(largest, enough):
        size *= 2
        points = _points(samples, length, size)
        if points < least:
            best, least = size, points
    return best


def response_spectrum(response: Tensor, size: int) -> Tensor:
    """Spectrum of a response ``[channels, length]``, for :func:`convolve`: ``[channels, size/2 + 1]``."""
    return torch.fft.rfft(response, n=size)


def convolve(audio: Tensor, past: Tensor, spectrum: Tensor, mix: Tensor | None = None) -> Tensor:
    """Linear convolution of a block with a fixed response, or the mix ``(1 − mix)·audio + mix·convolved``.

    audio: ``[batch, channels, samples]``, any number of samples.
    past: the ``length − 1`` samples before the block, ``[batch, channels, length − 1]``; zeros at the start.
    spectrum: :func:`response_spectrum` of a response of ``length`` samples, one row per channel or one for
    all, of any even size from ``length`` up; :func:`fft_size` finds the fastest.
    mix: broadcastable to ``[batch, 1, samples]``; left out, the result is the convolved signal alone.

    Returns ``[batch, channels, samples]``. Differentiable in all arguments. The backward pass keeps the arguments
    and, where mix needs a gradient, the convolved signal, which would take as long to make again. A response that
    is learned (a spectrum that needs a gradient) is left to autograd, which keeps all blocks.
    """
    mix = audio.new_ones(()) if mix is None else mix
    mix = mix.expand(audio.shape[0], 1, audio.shape[-1])
    if torch.is_grad_enabled() and spectrum.requires_grad:
        return _plainly(audio, past, mix, spectrum)
    keep = torch.is_grad_enabled() and mix.requires_grad
    (output,) = Convolution(spectrum, keep)(audio, past, mix)
    return output


class Response:
    """A fixed response and its spectra, each computed once.

    make: the response ``[channels, length]`` for a number of channels, float64 on the CPU.
    identity: what says all about the response, in words, so that exported programs can be run where it was made
    again; without, they run in this process only.
    """

    def __init__(self, length: int, make: Callable[[int], Tensor], identity: str | None = None) -> None:
        self.length = length
        self._make, self._identity = make, identity
        self._spectra: dict[tuple[int, int, torch.dtype, torch.device], Tensor] = {}
        self._owner = f"a mixer with {identity or 'a convolution of its own'}"
        self._handle = _RESPONSES.add(self, identity)

    def convolve(self, audio: Tensor, past: Tensor, mix: Tensor) -> Tensor:
        """:func:`convolve` with this response. As one operator inside what torch.compile traces."""
        if torch.compiler.is_compiling():
            (output,) = _convolve_operator([audio, past, mix.contiguous()], [self._handle], self._owner)
            return output
        return convolve(audio, past, self.spectrum_for(audio), mix)

    def stream(
        self, audio: Tensor, state: Mapping[str, Tensor], mix: Tensor, start: int, owned: bool = False
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """:func:`convolve` in blocks: a block that begins at sample ``start``, and the state behind it.

        state: ``past``, as :func:`convolve` has it, before the first sample; then what this gave for the block before.
        Short blocks are convolved in partitions (:mod:`djgraph.dsp.partitioned`), whose state takes the place of
        ``past``; long ones and the first one by transforms as long as they are. Blocks of all lengths may follow
        each other. owned: the state may be written to.
        """
        size = partitioned.partition_size(self.length)
        short = start > 0 and audio.shape[-1] <= SHORT * size and self.length > 2 * size
        if not short or torch.compiler.is_compiling():
            past = state.get("past")
            if past is None:
                past = partitioned.past_of(state, start, self.length - 1)
            return self.convolve(audio, past, mix), {"past": latest(past, audio)}
        spectra = self._partitions_for(audio, size)
        if "line" not in state:
            state = partitioned.begin(state["past"], spectra, start)
        wet, after = partitioned.convolve_block(audio, state, spectra, start, owned)
        return torch.lerp(audio, wet, mix), after

    def _partitions_for(self, audio: Tensor, size: int) -> Tensor:
        key = (audio.shape[1], -size, audio.dtype, audio.device)
        if key not in self._spectra:
            with torch.inference_mode(False):
                spectra = partitioned.partitions(self._make(audio.shape[1]), size)
                self._spectra[key] = spectra.to(device=audio.device, dtype=audio.dtype.to_complex())
        return self._spectra[key]

    def spectrum_for(self, audio: Tensor) -> Tensor:
        """The spectrum that convolves a signal like this one the fastest."""
        size = fft_size(audio.shape[-1], self.length)
        key = (audio.shape[1], size, audio.dtype, audio.device)
        if key not in self._spectra:
            # A tensor made in inference mode could not be saved for a backward pass later.
            with torch.inference_mode(False):
                spectrum = response_spectrum(self._make(audio.shape[1]), size)
                self._spectra[key] = spectrum.to(device=audio.device, dtype=audio.dtype.to_complex())
        return self._spectra[key]

    def __getstate__(self) -> dict[str, Any]:
        return {"length": self.length, "_make": self._make, "_identity": self._identity}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["length"], state["_make"], state["_identity"])  # type: ignore[misc]


_RESPONSES = Handles()


class Convolution(Operation):
    """Audio, past and mix to the mix with the convolved signal.

    The adjoint of convolution is correlation: ∂x[n] = Σ_k h[k]·∂wet[n + k], which is the same computation
    with the spectrum conjugated and the block looking ahead in place of back. Kept is, where ``keep`` says so, the
    convolved signal less the audio (else nothing).
    """

    kept = 1

    def __init__(self, spectrum: Tensor, keep: bool) -> None:
        self._spectrum, self._keep = spectrum, keep

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        audio, past, mix = tensors
        output = torch.empty_like(audio, memory_format=torch.contiguous_format)
        kept = torch.empty_like(output) if self._keep else audio.new_empty(0)
        for span, wet in _wet(audio, past, self._spectrum):
            if self._keep:
                difference = torch.sub(wet, audio[..., span], out=kept[..., span])
                torch.addcmul(audio[..., span], difference, mix[..., span], out=output[..., span])
            else:
                torch.lerp(audio[..., span], wet, mix[..., span], out=output[..., span])
        return output, kept

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        audio, past, mix = tensors
        (grad_output,) = gradients
        for_audio, for_past, for_mix = needed
        grad_audio = grad_past = grad_mix = None
        if for_mix and kept and kept[0].numel():
            grad_mix = (kept[0] * grad_output).sum(1, keepdim=True)
        elif for_mix:
            grad_mix = torch.empty_like(mix, memory_format=torch.contiguous_format)
            for span, wet in _wet(audio, past, self._spectrum):
                difference = torch.sub(wet, audio[..., span])
                grad_mix[..., span] = difference.mul_(grad_output[..., span]).sum(1, keepdim=True)
        if for_audio or for_past:
            # Each sample's gradient looks ``length − 1`` samples ahead; behind the end there is nothing.
            before = past.shape[-1] if for_past else 0
            grad_wet = grad_output * mix
            silence = grad_wet.new_zeros(()).expand(*past.shape[:-1], before)
            grad = grad_wet.new_empty(*grad_wet.shape[:-1], before + grad_wet.shape[-1])
            parts = (silence, grad_wet)
            for span, block in _blocks(parts, self._spectrum.conj(), past.shape[-1] + 1, grad.shape[-1], 0):
                grad[..., span] = block
            grad_past = grad[..., :before] if for_past else None
            grad_audio = torch.addcmul(grad[..., before:] + grad_output, grad_output, mix, value=-1)
        return grad_audio if for_audio else None, grad_past, grad_mix

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor]:
        audio, past, mix = tensors
        return (_plainly(audio, past, mix, self._spectrum),)


def _with_spectrum(tensors: list[Tensor], numbers: list[int]) -> tuple[Operation, list[Tensor]]:
    audio, past, mix = tensors
    mix = mix.expand(audio.shape[0], 1, audio.shape[-1])
    return Convolution(_RESPONSES[numbers[0]].spectrum_for(audio), False), [audio, past, mix]


_convolve_operator = operator(
    "convolve", _with_spectrum, lambda tensors, numbers: [torch.empty_like(tensors[0])]
)


def _plainly(audio: Tensor, past: Tensor, mix: Tensor, spectrum: Tensor) -> Tensor:
    """The forward pass in operations that autograd knows."""
    wet = torch.cat((audio[..., :0], *(block for _, block in _wet(audio, past, spectrum))), dim=-1)
    return torch.lerp(audio, wet, mix)


def _wet(audio: Tensor, past: Tensor, spectrum: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """The convolved block, in pieces."""
    length = past.shape[-1] + 1
    return _blocks((past, audio), spectrum, length, audio.shape[-1], length - 1)


def _blocks(
    parts: tuple[Tensor, ...], spectrum: Tensor, length: int, samples: int, offset: int
) -> Iterator[tuple[slice, Tensor]]:
    """Circular convolutions of overlapping blocks of a signal that is given in parts.

    Each yields its valid samples, which begin at ``offset``. The blocks lie ``size − length + 1`` samples apart; what
    the signal lacks at its end counts as zeros. Many blocks share a call, because on the CPU a call of the FFT costs
    about as much as three transforms.
    """
    size = 2 * (spectrum.shape[-1] - 1)
    step = size - length + 1
    count = -(-samples // step)
    if not count:
        return
    missing = (count - 1) * step + size - sum(part.shape[-1] for part in parts)
    if missing > 0:
        parts = (*parts, parts[0].new_zeros(()).expand(*parts[0].shape[:-1], missing))
    blocks = torch.cat(parts, dim=-1).unfold(-1, size, step)
    together = max(1, POINTS_AT_ONCE // (size * blocks.shape[0] * blocks.shape[1]))
    for first in range(0, count, together):
        some = blocks[..., first : min(first + together, count), :]
        spectra, rows = torch.fft.rfft(some), spectrum.unsqueeze(-2)
        spectra = spectra * rows if spectrum.requires_grad else spectra.mul_(rows)
        result = torch.fft.irfft(spectra, n=size)
        for index, block in enumerate(result.unbind(-2)):
            start = (first + index) * step
            stop = min(start + step, samples)
            yield slice(start, stop), block[..., offset : offset + stop - start]


def _power_of_two(number: int) -> int:
    """The smallest power of two that is not below ``number``."""
    return 1 << (number - 1).bit_length() if number > 1 else 1


def _points(samples: int, length: int, size: int) -> int:
    return -(-samples // (size - length + 1)) * size
