"""From a layout's columns to the values of every node control, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from djgraph.dsp.curve import Timeline
from djgraph.dsp.operators import Handles, recomputed
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


Span = tuple[int, int]
"""A stretch of the clip: its first sample, and the one after its last."""


def read_control(
    control: Control, rows: Tensor, timeline: Timeline, span: Span, sample_rate: int, hop: int
) -> Tensor:
    """A control's values at its own rate, ``[n, frames]`` → ``[n, points]``.

    Per-sample ones on the span, others on the whole clip.
    """
    if control.rate == "clip":
        return rows[..., :1]
    if control.rate == "frame":
        positions = torch.arange(0, timeline.samples + 1, hop, device=rows.device)
        return timeline.read(rows, positions.clamp_(max=timeline.samples - 1))
    return timeline.read_samples(rows, *span, smoothing_samples(control, sample_rate))


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
        function = _Piecewise if torch.compiler.is_compiling() else _PiecewiseForward
        return function.apply(flat, x, y, tables.last.to(values.device)).view(values.shape)


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
    found = torch.searchsorted(x, values.contiguous(), right=right) - 1
    return torch.minimum(found.clamp(min=0), last[:, None])


@torch.no_grad()
def _slopes(values: Tensor, x: Tensor, y: Tensor, last: Tensor) -> Tensor:
    slopes = y.diff(dim=-1) / x.diff(dim=-1)
    left, right = (_segment(values, x, last, right=side) for side in (False, True))
    return (slopes.gather(-1, left) + slopes.gather(-1, right)) / 2


class ControlReader:
    """Reads the controls of stacked nodes of one time effect over a whole clip.

    Nodes whose controls read one row of the bank (tied controls, one macro, one constant) share its curve.
    """

    def __init__(self, nodes: Sequence[EffectNode], bank: ControlBank, sample_rate: int, hop: int) -> None:
        self.controls = nodes[0].effect.controls
        self.sample_rate, self.hop = sample_rate, hop
        self._plans: list[tuple[list[int], list[int] | None]] = []
        for control in self.controls:
            rows = [bank.row(node.bindings[control.id]) for node in nodes]
            distinct = list(dict.fromkeys(rows))
            repeat = None if len(distinct) == len(rows) else [distinct.index(row) for row in rows]
            self._plans.append((distinct, repeat))
        self._nodes = len(nodes)
        self._handle = _READERS.add(self)

    def __call__(self, rows: Tensor, timeline: Timeline, span: Span | None = None) -> dict[str, Tensor]:
        """By control id ``[nodes·batch, 1, points]``, on the whole clip where no span is given.

        rows: ``[rows, batch, frames]`` of the bank.
        """
        if torch.compiler.is_compiling():
            numbers = [self._handle, timeline.samples, timeline.frames]
            values = _read_operator([rows], numbers) if self.controls else []
        else:
            values = self._read(rows, timeline, span or (0, timeline.samples))
        return {control.id: value for control, value in zip(self.controls, values)}

    def _read(self, rows: Tensor, timeline: Timeline, span: Span) -> list[Tensor]:
        made = []
        for control, (distinct, repeat) in zip(self.controls, self._plans):
            values = rows[distinct].flatten(0, 1)
            curve = read_control(control, values, timeline, span, self.sample_rate, self.hop)
            if repeat is not None:
                curve = curve.unflatten(0, (len(distinct), -1))[repeat].flatten(0, 1)
            made.append(curve.unsqueeze(1))
        return made

    def like(self, rows: Tensor, samples: int) -> list[Tensor]:
        points = {"sample": samples, "frame": 1 + samples // self.hop, "clip": 1}
        batch = self._nodes * rows.shape[1]
        return [rows.new_empty(batch, 1, points[control.rate]) for control in self.controls]


_READERS = Handles()


def _read(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
    return _READERS[numbers[0]]._read(tensors[0], Timeline(numbers[1], numbers[2]), (0, numbers[1]))


def _read_like(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
    return _READERS[numbers[0]].like(tensors[0], numbers[1])


_read_operator = recomputed("controls", _read, _read_like)
