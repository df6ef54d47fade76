"""From a layout's columns to the values of every node control, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from djgraph.dsp.curve import Timeline
from djgraph.effects import Control
from djgraph.graph.ir import Binding, Constant, Curve, EffectNode, Free, Graph


class ControlBank:
    """Maps params ``[batch, frames, columns]`` to rows ``[rows, batch, frames]``, one for each distinct binding.

    Rows are the columns, then what macros drive, then the constants; controls that are tied or equal share a row.
    Macro curves are applied frame by frame; the controls they drive lie on straight lines between frames, as any.
    """

    def __init__(self, graph: Graph) -> None:
        columns = {column.name: index for index, column in enumerate(graph.columns)}
        bindings = [b for node in graph.nodes if isinstance(node, EffectNode) for b in node.bindings.values()]
        curves = list(dict.fromkeys(b for b in bindings if isinstance(b, Curve)))
        constants = list(dict.fromkeys(b for b in bindings if isinstance(b, Constant)))
        self._row: dict[Binding, int] = {Free(name): index for name, index in columns.items()}
        distinct: list[Binding] = [*curves, *constants]
        for binding in distinct:
            self._row[binding] = len(self._row)
        self._sources = [columns[curve.column] for curve in curves]
        self._curves = PiecewiseLinear([curve.points for curve in curves]) if curves else None
        self._constants = torch.tensor([constant.value for constant in constants], dtype=torch.float64)

    def row(self, binding: Binding) -> int:
        return self._row[binding]

    def rows(self, params: Tensor) -> Tensor:
        """``[batch, frames, columns]`` → ``[rows, batch, frames]``."""
        columns = params.permute(2, 0, 1)
        parts = [columns]
        if self._curves is not None:
            parts.append(self._curves(columns[self._sources]))
        if len(self._constants):
            values = self._constants.to(device=params.device, dtype=params.dtype)
            parts.append(values[:, None, None].expand(-1, *params.shape[:2]))
        return torch.cat(parts) if len(parts) > 1 else columns.contiguous()


def smoothing_samples(control: Control, sample_rate: int) -> float:
    return control.smoothing * sample_rate / 1000


def read_control(control: Control, rows: Tensor, timeline: Timeline, sample_rate: int, hop: int) -> Tensor:
    """A control's values over the whole clip at its own rate: ``[n, frames]`` → ``[n, points]``."""
    if control.rate == "clip":
        return rows[..., :1]
    if control.rate == "frame":
        positions = torch.arange(0, timeline.samples + 1, hop, device=rows.device).clamp_(
            max=timeline.samples - 1
        )
        return timeline.read(rows, positions)
    return timeline.read_samples(rows, 0, timeline.samples, smoothing_samples(control, sample_rate))


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


def control_values(
    nodes: tuple[EffectNode, ...],
    bank: ControlBank,
    rows: Tensor,
    timeline: Timeline,
    sample_rate: int,
    hop: int,
) -> Mapping[str, Tensor]:
    """Controls of stacked nodes of one effect, ``[nodes·batch, 1, points]`` each, for a time effect."""
    values = {}
    for control in nodes[0].effect.controls:
        index = [bank.row(node.bindings[control.id]) for node in nodes]
        stacked = rows[index].flatten(0, 1)
        values[control.id] = read_control(control, stacked, timeline, sample_rate, hop).unsqueeze(1)
    return values
