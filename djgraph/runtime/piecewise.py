"""The curves of macros: many of straight lines at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class _Tables:
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
        x = torch.zeros(len(curves), longest, dtype=torch.float64)
        y = torch.zeros_like(x)
        for row, points in enumerate(curves):
            # Shorter curves go on flat beyond their last point; ``last`` keeps the lookup from going there.
            padded = [
                *points,
                *((points[-1][0] + extra + 1, points[-1][1]) for extra in range(longest - len(points))),
            ]
            x[row] = torch.tensor([point[0] for point in padded])
            y[row] = torch.tensor([point[1] for point in padded])
        self._tables = _Tables(x, y, torch.tensor([len(points) - 2 for points in curves]))

    def __call__(self, values: Tensor) -> Tensor:
        flat = values.reshape(len(values), -1)
        tables = self._tables
        x = tables.x.to(device=values.device, dtype=values.dtype)
        y = tables.y.to(device=values.device, dtype=values.dtype)
        return _Piecewise.apply(flat, x, y, tables.last.to(values.device)).view(values.shape)


class _Piecewise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, x: Tensor, y: Tensor, last: Tensor) -> Tensor:
        right = torch.searchsorted(x, values.contiguous(), right=True) - 1
        right = torch.minimum(right.clamp(min=0), last[:, None])
        left = torch.searchsorted(x, values.contiguous()) - 1
        left = torch.minimum(left.clamp(min=0), last[:, None])
        slopes = y.diff(dim=-1) / x.diff(dim=-1)
        ctx.save_for_backward((slopes.gather(-1, left) + slopes.gather(-1, right)) / 2)
        x0, x1 = x.gather(-1, right), x.gather(-1, right + 1)
        return torch.lerp(y.gather(-1, right), y.gather(-1, right + 1), (values - x0) / (x1 - x0))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (slopes,) = ctx.saved_tensors
        return gradient * slopes, None, None, None
