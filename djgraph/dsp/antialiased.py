"""Curves without memory, such as a soft clipper, without the aliases that they make.

Each sample is the mean of the curve on the straight line from the sample before: the difference of the curve's
antiderivative over that of its argument (J. Parker, V. Zavalishin, E. Le Bivic: Reducing the Aliasing of Nonlinear
Waveshaping Using Continuous-Time Convolution, DAFx-16, 2016; S. Bilbao, F. Esqueda, J. Parker, V. Välimäki:
Antiderivative Antialiasing for Memoryless Nonlinearities, IEEE Signal Processing Letters 24(7), 2017).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from djgraph import simd
from djgraph.dsp.checked import check_signal, checked_state
from djgraph.dsp.delays import as_curve, curves_in_memory
from djgraph.dsp.derivatives import Operation
from djgraph.dsp.frames import Curve
from djgraph.dsp.levels import amplitude
from djgraph.dsp.operators import operator, run
from djgraph.dsp.recursion import rows
from djgraph.errors import DJGraphError, did_you_mean

if TYPE_CHECKING:
    from djgraph.simd.antialiased import Shape

CLOSE = 1e-3
"""Two inputs of tanh that are closer: its mean between them is taken from its Taylor series at the middle. The error of
the series (about 1e-14) and of the quotient of differences (about 1e-13) are both far below float32."""
CLOSE_CLIPPED = 1e-6
"""The same for the clipped polynomials. Their quotients have no cancellation; this only keeps the divisor from 0."""
CUBIC_KNEE, CUBIC = 1.5, 4 / 27


def antialiased(
    audio: Tensor, drive: Curve, before: Tensor | None = None, *, curve: str, decibels: bool = False
) -> tuple[Tensor, Tensor]:
    """A curve of v = drive·x, anti-aliased: y[n] is the curve's mean between v[n−1] and v[n].

    So y is half a sample late, and high frequencies of x are damped by cos(π·f/rate). The quotients are computed in
    float64, whatever the audio is in.

    audio: x, ``[…, samples]``, any number of samples from 0 up. drive: a factor: a number, a tensor of shape ``[…, 1]``
    or ``[…, samples]`` that broadcasts to the audio, or :class:`Frames`; with ``decibels`` its level in dB. before: v
    at the sample in front of the first, ``[…, 1]``, float64; None is 0. curve: ``tanh``; ``cubic``, w − 4/27·w³ with
    w = v clipped to ±1.5; ``hard``, v clipped to ±1; ``fold``, sin v.

    Returns y, and the ``before`` of the next block. Differentiable in all tensors. DJGraphError where shapes, types or
    devices do not fit, and for another curve.
    """
    check_signal("antialiased", "audio", audio)
    if curve not in MEANS:
        guess = did_you_mean(curve, MEANS) if isinstance(curve, str) else ""
        raise DJGraphError(f"antialiased: curve is {curve!r}; allowed: {', '.join(MEANS)}{guess}")
    before = checked_state("antialiased", before, audio, 1, dtype=torch.float64, name="before")
    given = (audio, before, as_curve("antialiased", "drive", drive, audio))
    numbers = [list(MEANS).index(curve), int(decibels)]
    bent, last = run(_Bent(curve, decibels), given, _operator, numbers)
    return bent, last


def _mean_tanh(a: Tensor, b: Tensor) -> Tensor:
    """``(F(b) − F(a))/(b − a)`` with F(v) = log cosh v = |v| + log(1 + e^(−2|v|)) − log 2.

    The first term is divided on its own: it grows with v, and its difference is exact, so that the quotient does not
    lose digits with loud inputs.
    """
    difference, middle = b - a, (a + b) / 2
    close = difference.abs() < CLOSE
    divisor = torch.where(close, 1.0, difference)
    bend = torch.log1p(torch.exp(-2 * b.abs())) - torch.log1p(torch.exp(-2 * a.abs()))
    apart = (b.abs() - a.abs()) / divisor + bend / divisor
    value = torch.tanh(middle)
    curvature = -2 * value * (1 - value.square())
    return torch.where(close, value + curvature * difference.square() / 24, apart)


def _mean_clipped(a: Tensor, b: Tensor, knee: float, cubic: float) -> Tensor:
    """Of ``w − cubic·w³``, w = v clipped to ±knee, which must be ±1 at the knees.

    The integral is that of the polynomial over the part within the knees, plus ±1 times the length of the rest.
    """
    difference, middle = b - a, ((a + b) / 2).clamp(-knee, knee)
    close = difference.abs() < CLOSE_CLIPPED
    divisor = torch.where(close, 1.0, difference)
    low, high = a.clamp(-knee, knee), b.clamp(-knee, knee)
    within = (high - low) / divisor
    beyond = ((b.abs() - a.abs()) - (high.abs() - low.abs())) / divisor
    polynomial = (low + high) / 2 * (1 - cubic * (low.square() + high.square()) / 2)
    return torch.where(close, middle - cubic * middle**3, within * polynomial + beyond)


def _mean_hard(a: Tensor, b: Tensor) -> Tensor:
    return _mean_clipped(a, b, 1.0, 0.0)


def _mean_cubic(a: Tensor, b: Tensor) -> Tensor:
    return _mean_clipped(a, b, CUBIC_KNEE, CUBIC)


def _mean_fold(a: Tensor, b: Tensor) -> Tensor:
    """``(cos a − cos b)/(b − a)``: as a product, sin of the middle times sin(d)/d with d half the distance, it has no
    cancellation."""
    return torch.sin((a + b) / 2) * torch.sinc((b - a) / (2 * math.pi))


MEANS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "tanh": _mean_tanh,
    "cubic": _mean_cubic,
    "hard": _mean_hard,
    "fold": _mean_fold,
}
"""Of each curve its mean between a and b, float64."""


class _Bent(Operation):
    """``(audio, before, drive)`` → ``(bent, last)``."""

    def __init__(self, curve: str, decibels: bool) -> None:
        self.curve, self.decibels = curve, decibels

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plainly(tensors)
        from djgraph.simd.antialiased import run_forward

        audio, before, drive = (tensor.detach().contiguous() for tensor in tensors)
        bent, last = torch.empty_like(audio), torch.empty_like(before)
        run_forward(
            rows(audio),
            curves_in_memory([drive], audio.shape[:-1]),
            before.view(-1).numpy(),
            self._shape(),
            rows(bent),
            last.view(-1).numpy(),
        )
        return bent, last

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plain_gradients(tensors, gradients, needed)
        from djgraph.simd.antialiased import Gradients, run_backward

        audio, before, drive = (tensor.detach().contiguous() for tensor in tensors)
        of_audio, of_drive = (torch.empty_like(audio, dtype=torch.float64) for _ in range(2))
        of_before = torch.empty_like(before)
        run_backward(
            rows(audio),
            curves_in_memory([drive], audio.shape[:-1]),
            before.view(-1).numpy(),
            self._shape(),
            Gradients(
                rows(gradients[0].contiguous()),
                gradients[1].contiguous().view(-1).numpy(),
                rows(of_audio),
                rows(of_drive),
                of_before.view(-1).numpy(),
            ),
        )
        return (
            of_audio.to(audio.dtype),
            of_before,
            of_drive.sum_to_size(drive.shape) if needed[2] else None,
        )

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        audio, before, drive = tensors
        driven = audio.double() * (amplitude(drive) if self.decibels else drive)
        path = torch.cat((before, driven), dim=-1)
        bent = MEANS[self.curve](path[..., :-1], path[..., 1:])
        return bent.to(audio.dtype), path[..., -1:].clone()

    def _shape(self) -> Shape:
        from djgraph.simd.antialiased import CLIPPED, FOLD, TANH, Shape

        return {
            "tanh": Shape(TANH, CLOSE, 1.0, 0.0, self.decibels),
            "cubic": Shape(CLIPPED, CLOSE_CLIPPED, CUBIC_KNEE, CUBIC, self.decibels),
            "hard": Shape(CLIPPED, CLOSE_CLIPPED, 1.0, 0.0, self.decibels),
            "fold": Shape(FOLD, 0.0, 1.0, 0.0, self.decibels),
        }[self.curve]


FLOPS = (26, 67)
"""Of compiled code for each sample of tanh, forward and backward."""

_operator = operator(
    "antialiased",
    lambda tensors, numbers: (_Bent(list(MEANS)[numbers[0]], bool(numbers[1])), tensors),
    lambda tensors, numbers: [torch.empty_like(tensor) for tensor in tensors[:2]],
    flops=FLOPS,
)
