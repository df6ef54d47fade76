"""The curves of macros: many of straight lines at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from djgraph.dsp.resident import resident


@dataclass(frozen=True)
class _Points:
    x: Tensor
    y: Tensor
    last: Tensor


class PiecewiseLinear:
    """Several curves of straight lines at once: ``[curves, …]`` → ``[curves, …]``, exact at every point.

    At a point the gradient is the mean of the slopes on both sides, so that a macro resting on the corner
    between two halves (a filter knob) is pulled by both.
    """

    def __init__(self, curves: list[tuple[tuple[float, float], ...]]) -> None:
        longest = max(len(points) for points in curves)
        x = torch.zeros(len(curves), longest, dtype=torch.float64, device="cpu")
        y = torch.zeros_like(x)
        for row, points in enumerate(curves):
            # Shorter curves go on flat beyond their last point; ``last`` keeps the lookup from going there.
            padded = [
                *points,
                *((points[-1][0] + extra + 1, points[-1][1]) for extra in range(longest - len(points))),
            ]
            x[row] = torch.tensor([point[0] for point in padded], dtype=torch.float64, device="cpu")
            y[row] = torch.tensor([point[1] for point in padded], dtype=torch.float64, device="cpu")
        self._points = _Points(x, y, torch.tensor([len(points) - 2 for points in curves], device="cpu"))

    def __call__(self, values: Tensor) -> Tensor:
        flat = values.reshape(len(values), -1)
        tables = self._points
        x = resident(tables.x, values.device, values.dtype)
        y = resident(tables.y, values.device, values.dtype)
        function = _Piecewise if torch.compiler.is_compiling() else _PiecewiseForward
        return function.apply(flat, x, y, resident(tables.last, values.device)).view(values.shape)


class _Piecewise(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(values: Tensor, x: Tensor, y: Tensor, last: Tensor) -> Tensor:
        right = _segment(values, x, last, right=True)
        x0, x1 = x.gather(-1, right), x.gather(-1, right + 1)
        return torch.lerp(y.gather(-1, right), y.gather(-1, right + 1), (values - x0) / (x1 - x0))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient * _slopes(*ctx.saved_tensors), None, None, None


class _PiecewiseForward(_Piecewise):
    """With forward mode, at which torch.compile stops."""

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        return tangent * _slopes(*ctx.saved_tensors)


def _segment(values: Tensor, x: Tensor, last: Tensor, right: bool) -> Tensor:
    """The segment of each curve that a value lies in; at a point the one to its right or its left."""
    segment = torch.searchsorted(x, values.contiguous(), right=right) - 1
    return torch.minimum(segment.clamp(min=0), last[:, None])


@torch.no_grad()
def _slopes(values: Tensor, x: Tensor, y: Tensor, last: Tensor) -> Tensor:
    slopes = y.diff(dim=-1) / x.diff(dim=-1)
    left, right = (_segment(values, x, last, right=side) for side in (False, True))
    return (slopes.gather(-1, left) + slopes.gather(-1, right)) / 2
