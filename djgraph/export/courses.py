"""The courses of a mixer's controls and its tempo as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from djgraph.controls.bank import ControlBank
from djgraph.graph.ir import Binding, Blend, Constant, EffectNode, Free, Graph, MacroCurve
from djgraph.layout.grid import Grid
from djgraph.layout.units import units_of

Data = dict[str, Any]


def rows_of(bank: ControlBank, graph: Graph, params: torch.Tensor, places: Sequence[int]) -> list[Data]:
    """Every row of the bank: what it reads, and its course over the frames."""
    values = bank.rows(params.detach().cpu().float()[None])[:, 0].numpy()
    sources: dict[int, tuple[Binding, list[Grid], bool]] = {}
    columns = {column.name: index for index, column in enumerate(graph.columns)}
    held_columns = {column.name: column.control for column in graph.columns if column.control.held}
    for name, index in columns.items():
        sources[index] = Free(name), [], False
    for node in (*graph.sources.values(), *graph.nodes):
        if not isinstance(node, EffectNode):
            continue
        for control in node.effect.controls:
            row, binding = bank.row(node, control), node.bindings[control.id]
            column = held_columns.get(binding.column) if isinstance(binding, Free) else None
            held = control.held or column is not None
            grids = [units_of([one]).grid for one in dict.fromkeys((column or control, control)) if one.held]
            sources[row] = binding, grids if held else [], held
    rows = []
    for number in range(len(values)):
        if number not in sources:  # a curve that only a blend reads
            rows.append(_constant())
            continue
        binding, grids, held = sources[number]
        at, course = _course(values[number], places)
        rows.append(
            {
                "from": _source(binding, columns),
                "held": held or (number < len(columns) and graph.columns[number].control.held),
                "grids": [_grid(grid) for grid in grids],
                "at": at,
                "values": course,
            }
        )
    return rows


def _constant() -> Data:
    return {"from": {"value": 0}, "held": False, "grids": [], "at": [0], "values": [0]}


def _course(
    values: np.ndarray[Any, np.dtype[np.float32]], places: Sequence[int]
) -> tuple[list[int], list[float]]:
    """A row's frames without those that lie within a stretch of one value."""
    keep = np.ones(len(values), dtype=bool)
    if len(values) > 1:
        same = values[1:] == values[:-1]
        keep[1:-1] = ~(same[1:] & same[:-1])
        keep[-1] = not same[-1]
    chosen: list[int] = np.flatnonzero(keep).tolist()
    return [places[i] for i in chosen], [_short(values[i]) for i in chosen]


def _short(value: Any) -> float:
    """A single-precision number with as few digits as tell it from its neighbours."""
    return float(str(np.float32(value)))


def _source(binding: Binding, columns: Mapping[str, int]) -> Data:
    match binding:
        case Constant():
            return {"value": _short(binding.value)}
        case Free():
            return {"column": columns[binding.column]}
        case MacroCurve():
            return {"curve": _curve(binding, columns)}
        case Blend():
            return {"blend": [[_curve(curve, columns) for curve in term] for term in binding.terms]}
    raise TypeError(type(binding).__name__)


def _curve(curve: MacroCurve, columns: Mapping[str, int]) -> Data:
    return {"column": columns[curve.column], "points": [list(point) for point in curve.points]}


def _grid(grid: Grid) -> Data:
    if grid.stepped.numel():
        low, step, last, high = (float(one[0]) for one in (grid.low, grid.step, grid.last, grid.high))
        return {"low": low, "step": step, "last": last, "high": high}
    return {"values": grid.values[0].tolist(), "borders": grid.borders[0].tolist()}


def tempo_of(
    tempo: float | torch.Tensor | tuple[torch.Tensor, torch.Tensor] | None, places: Sequence[int]
) -> Data:
    if isinstance(tempo, tuple):
        tempo, own = tempo
        places = own.tolist()
    if isinstance(tempo, torch.Tensor) and tempo.numel() > 1:
        return {"at": list(places), "values": [float(one) for one in tempo.reshape(-1)]}
    assert tempo is not None
    return {"at": [0], "values": [float(tempo)]}
