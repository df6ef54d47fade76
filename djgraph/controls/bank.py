"""The bank of rows that all controls of a graph read: columns, what macros drive, constants, and grids kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from djgraph.controls.piecewise import PiecewiseLinear
from djgraph.dsp.resident import resident
from djgraph.effects import Control
from djgraph.graph.ir import Binding, Blend, Constant, EffectNode, Free, Graph, MacroCurve
from djgraph.layout.grid import Grid
from djgraph.layout.units import units_of

Read = Callable[[Tensor], Tensor]
"""Reads ``[…, frames]`` at some positions: ``[…, points]``."""


class Held:
    """Which of some rows are held from frame to frame; between the frames of all others lie straight lines."""

    def __init__(self, flags: Sequence[bool]) -> None:
        self._any, self._all = any(flags), all(flags)
        self._flags = torch.tensor(flags, dtype=torch.bool, device="cpu")

    def __repr__(self) -> str:
        return f"Held({self._flags.tolist()})"

    @property
    def some(self) -> bool:
        """Any is."""
        return self._any

    def read(self, rows: Tensor, lines: Read, hold: Read) -> Tensor:
        """rows: ``[rows, …, frames]``."""
        if not self._any:
            return lines(rows)
        if self._all:
            return hold(rows)
        flags = resident(self._flags, rows.device).view(-1, *[1] * (rows.ndim - 1))
        return torch.where(flags, hold(rows), lines(rows))


class ControlBank:
    """Maps params ``[batch, frames, columns]`` to rows ``[rows, batch, frames]``, one for each distinct binding.

    Rows are the columns, then what macros drive, then what switches blend, then the constants; controls that are
    tied or equal share a row.
    Macro curves are applied frame by frame; the controls they drive lie on straight lines between frames, as any.
    Controls with a step or choices read rows of their own, behind those: the same, snapped to what they may take.
    """

    @torch.inference_mode(False)
    def __init__(self, graph: Graph) -> None:
        columns = {column.name: index for index, column in enumerate(graph.columns)}
        nodes = [*graph.sources.values(), *(node for node in graph.nodes if isinstance(node, EffectNode))]
        bindings = [b for node in nodes for b in node.bindings.values()]
        blends = list(dict.fromkeys(b for b in bindings if isinstance(b, Blend)))
        parts = [curve for blend in blends for term in blend.terms for curve in term]
        curves = list(dict.fromkeys([*(b for b in bindings if isinstance(b, MacroCurve)), *parts]))
        constants = list(dict.fromkeys(b for b in bindings if isinstance(b, Constant)))
        self._row: dict[Binding, int] = {Free(name): index for name, index in columns.items()}
        distinct: list[Binding] = [*curves, *blends, *constants]
        for binding in distinct:
            self._row[binding] = len(self._row)
        self._sources = _index(columns[curve.column] for curve in curves)
        self._curves = PiecewiseLinear([curve.points for curve in curves]) if curves else None
        place = {curve: index for index, curve in enumerate(curves)}
        self._blends = [[_index(place[curve] for curve in term) for term in blend.terms] for blend in blends]
        self._constants = torch.tensor(
            [constant.value for constant in constants], dtype=torch.float64, device="cpu"
        )
        self._columns = {column.name: column.control for column in graph.columns}
        self._plain = len(self._row)
        self._snapped: dict[tuple[Binding, Control], int] = {}
        for node in nodes:
            for control in node.effect.controls:
                binding = node.bindings[control.id]
                if control.held or self._column_grid(binding):
                    self._snapped.setdefault((binding, control), self._plain + len(self._snapped))
        self._snap = _Snap(self._snapped, self._row, self._column_grid) if self._snapped else None

    def _column_grid(self, binding: Binding) -> Control | None:
        """The column that a control reads as it is, where that has a grid of its own."""
        column = self._columns[binding.column] if isinstance(binding, Free) else None
        return column if column is not None and column.held else None

    def row(self, node: EffectNode, control: Control) -> int:
        """The row that a node's control reads."""
        binding = node.bindings[control.id]
        return self._snapped.get((binding, control), self._row[binding])

    def held(self, rows: Sequence[int]) -> Held:
        """Which of these rows are held from frame to frame."""
        return Held([row >= self._plain for row in rows])

    def rows(self, params: Tensor) -> Tensor:
        """``[batch, frames, columns]`` → ``[rows, batch, frames]``."""
        columns = params.permute(2, 0, 1)
        parts = [columns]
        if self._curves is not None:
            curves = self._curves(_chosen(columns, self._sources))
            parts.append(curves)
            for terms in self._blends:
                products = [_chosen(curves, term).prod(0, keepdim=True) for term in terms]
                parts.append(torch.cat(products).sum(0, keepdim=True))
        if len(self._constants):
            values = resident(self._constants, params.device, params.dtype)
            parts.append(values[:, None, None].expand(-1, *params.shape[:2]))
        if self._snap is not None:
            parts.append(self._snap(torch.cat(parts)))
        return torch.cat(parts) if len(parts) > 1 else columns.contiguous()


def _index(rows: Iterable[int]) -> Tensor:
    return torch.tensor(list(rows), dtype=torch.int64, device="cpu")


def _chosen(values: Tensor, rows: Tensor) -> Tensor:
    """Some rows."""
    return values.index_select(0, resident(rows, values.device))


class _Snap:
    """Rows of the bank to the grids of the controls that read them: the column's, if it has one, and the effect's."""

    def __init__(
        self,
        wanted: Iterable[tuple[Binding, Control]],
        row: dict[Binding, int],
        column_grid: Callable[[Binding], Control | None],
    ) -> None:
        wanted = list(wanted)
        self._rows = torch.tensor([row[binding] for binding, _ in wanted], device="cpu")
        own = [control for _, control in wanted]
        columns = [column_grid(binding) or control for binding, control in wanted]
        self._grids: list[Grid] = [units_of(columns).grid, units_of(own).grid]
        if columns == own:
            del self._grids[0]
        passes = [control.gradient != "none" for control in own]
        self._passes = torch.tensor(passes, dtype=torch.float64, device="cpu")

    def __call__(self, rows: Tensor) -> Tensor:
        values = rows.index_select(0, resident(self._rows, rows.device)).movedim(0, -1)
        snapped = values.detach()
        for grid in self._grids:
            snapped = grid.to(values.device).snap(snapped)
        # The value is the snapped one, exactly; the gradient that of the value before, where the control has any.
        passes = resident(self._passes, values.device, values.dtype)
        return (snapped + (values - values.detach()) * passes).movedim(-1, 0)
