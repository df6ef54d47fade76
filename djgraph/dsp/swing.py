"""Low-frequency oscillators: levels, delays and all-passes that swing with a cycle."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from djgraph import simd
from djgraph.dsp.checked import check_signal, checked_control, checked_rate
from djgraph.dsp.delays import as_curve, curves_in_memory
from djgraph.dsp.derivatives import Operation
from djgraph.dsp.frames import Curve, Frames, at_samples
from djgraph.dsp.operators import as_operator, operator
from djgraph.dsp.recursion import rows
from djgraph.errors import DJGraphError, did_you_mean

if TYPE_CHECKING:
    from djgraph.simd.swing import Wave

HIGHEST = 0.49
"""Of the sample rate: where the frequency of an all-pass is held."""


def sine(cycle: Tensor) -> Tensor:
    return torch.sin(math.pi * cycle).square()


def triangle(cycle: Tensor) -> Tensor:
    return 2 * (cycle - (cycle + 0.5).floor()).abs()


SHAPES: dict[str, Callable[[Tensor], Tensor]] = {"sine": sine, "triangle": triangle}
"""From 0 at cycle 0 to 1 at ½ and back. In the order of ``djgraph.simd.swing``'s numbers."""


def swing(
    cycle: Curve,
    low: Curve,
    depth: Curve,
    like: Tensor,
    *,
    shape: str = "sine",
    dtype: torch.dtype | None = None,
) -> Tensor:
    """``low + depth·s(cycle)``: a level, or a delay, that swings between ``low`` and ``low + depth``.

    shape: ``sine``, s = sin²(π·cycle), which is (1 − cos(2π·cycle))/2; or ``triangle``, s = 2·|cycle| with the cycle
    wrapped to −½ … ½. Both are 0 at whole numbers and 1 half-way between.

    All is computed in float64. cycle: in cycles, wrapped or not, as :func:`djgraph.dsp.cycles` returns it. like: the
    signal that it is for, ``[…, samples]``. cycle, low, depth: numbers, tensors of shape ``[…, 1]`` or ``[…, samples]``
    that broadcast to ``like``, or :class:`Frames`. dtype: of the result; that of ``like`` where left out.

    Returns ``[…, samples]``, with the leading sizes to which the three broadcast. Differentiable in all of them.
    DJGraphError where shapes do not fit, and for another shape of wave.
    """
    number = shape_number("swing", shape)
    return _made(
        "swing", ("cycle", "low", "depth"), (cycle, low, depth), like, number, 0.0, dtype or like.dtype
    )


def allpass_sweep(cycle: Curve, centre: Curve, octaves: Curve, like: Tensor, *, sample_rate: float) -> Tensor:
    """The coefficient a of an all-pass (a + z⁻¹)/(1 + a·z⁻¹) whose frequency swings, float64.

    At f = centre·2^(octaves·(sin²(π·cycle) − ½)) it turns the phase by 90°: a = (tan(πf/rate) − 1)/(tan(πf/rate) + 1).
    f is held below 0.49 of the sample rate, and has no gradient there.

    centre: in Hz, above 0. octaves: from the lowest frequency to the highest. cycle, like and what is returned are as
    those of :func:`swing`. DJGraphError where shapes do not fit.
    """
    rate = checked_rate(sample_rate)
    scaled = Frames(centre.values / rate, centre.hop) if isinstance(centre, Frames) else centre / rate
    curves = (cycle, scaled, octaves)
    return _made("allpass_sweep", ("cycle", "centre", "octaves"), curves, like, 0, HIGHEST, torch.float64)


def shape_number(kernel: str, shape: str) -> int:
    """DJGraphError for a shape that there is not."""
    if shape not in SHAPES:
        guess = did_you_mean(shape, SHAPES) if isinstance(shape, str) else ""
        raise DJGraphError(f"{kernel}: shape is {shape!r}; allowed: {', '.join(SHAPES)}{guess}")
    return list(SHAPES).index(shape)


def as_cycle(kernel: str, cycle: Curve, like: Tensor) -> tuple[Tensor, int]:
    """A cycle in float64, and 0, or the length in samples of the line that it is the two ends of."""
    tensor, hop = checked_control(kernel, "cycle", cycle, like, "like", torch.float64)
    if not isinstance(cycle, Frames):
        return tensor, 0
    if tensor.shape[-1] == 2 and hop >= like.shape[-1]:
        return tensor, hop
    return at_samples(tensor, hop, like.shape[-1]), 0


def _made(
    kernel: str,
    names: tuple[str, str, str],
    curves: tuple[Curve, Curve, Curve],
    like: Tensor,
    shape: int,
    highest: float,
    dtype: torch.dtype,
) -> Tensor:
    check_signal(kernel, "like", like)
    cycle, hop = as_cycle(kernel, curves[0], like)
    given = [cycle, *(as_curve(kernel, name, one, like) for name, one in zip(names[1:], curves[1:]))]
    if as_operator(like):
        numbers = [like.shape[-1], hop, shape, int(highest > 0), int(dtype == torch.float64)]
        return _operator(given, numbers)[0]
    operation = _Swing(like.shape[-1], hop, shape, highest, dtype)
    takes = all(map(simd.takes, given)) and dtype in (torch.float32, torch.float64)
    return (operation(*given) if takes else operation.plainly(given))[0]


class _Swing(Operation):
    """``(cycle, low, depth)`` → ``(level or coefficient,)``."""

    def __init__(self, samples: int, hop: int, shape: int, highest: float, dtype: torch.dtype) -> None:
        self.samples, self.hop, self.shape, self.highest, self.dtype = samples, hop, shape, highest, dtype

    def size(self, tensors: Sequence[Tensor]) -> tuple[int, ...]:
        """Of the result."""
        lead = torch.broadcast_shapes(*(tensor.shape[:-1] for tensor in tensors))
        return (*lead, self.samples)

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plainly(tensors)
        from djgraph.simd.swing import run_forward

        output = torch.empty(self.size(tensors), dtype=self.dtype, device="cpu")
        given = [tensor.detach().contiguous() for tensor in tensors]
        run_forward(self._wave(given, output.shape[:-1]), self.highest, rows(output))
        return (output,)

    def _wave(self, curves: Sequence[Tensor], lead: torch.Size) -> Wave:
        from djgraph.simd.swing import Wave

        return Wave(curves_in_memory(curves, lead), self.hop, self.shape)

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        if not all(map(simd.takes, tensors)):
            return self.plain_gradients(tensors, gradients, needed)
        from djgraph.simd.swing import WaveGradients, run_backward

        lead = gradients[0].shape[:-1]
        given = [tensor.detach().contiguous() for tensor in tensors]
        room = [one.new_zeros(*lead, one.shape[-1]) for one in given]
        run_backward(
            self._wave(given, lead),
            self.highest,
            rows(gradients[0].contiguous()),
            WaveGradients(*map(rows, room)),
        )
        return tuple(
            one.sum_to_size(tensor.shape) if need else None for one, tensor, need in zip(room, given, needed)
        )

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        cycle, low, depth = tensors
        s = list(SHAPES.values())[self.shape](at_samples(cycle, self.hop, self.samples))
        if self.highest:
            turn = torch.tan(math.pi * (low * 2 ** (depth * (s - 0.5))).clamp(max=self.highest))
            values = (turn - 1) / (turn + 1)
        else:
            values = low + depth * s
        return (values.expand(self.size(tensors)).to(self.dtype),)


def _arranged(tensors: list[Tensor], numbers: list[int]) -> tuple[_Swing, list[Tensor]]:
    samples, hop, shape, sweep, double = numbers
    return _Swing(samples, hop, shape, HIGHEST * sweep, torch.float64 if double else torch.float32), tensors


def _like(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
    operation, given = _arranged(tensors, numbers)
    return [given[0].new_empty(operation.size(given), dtype=operation.dtype)]


_operator = operator("swing", _arranged, _like, flops=(40, 90))
