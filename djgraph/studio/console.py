"""What a console shows of a graph: strips, buses and macros with their controls, as plain data for a page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from djgraph.graph.ir import Column, EffectNode, Graph, Owner
from djgraph.graph.links import links
from djgraph.layout import ParameterLayout


def console_of(graph: Graph, layout: ParameterLayout) -> dict[str, Any]:
    """The console of a graph: ``sections`` in document order, each with ``blocks`` of controls, and ``macros``.

    Every column of the layout stands in exactly one place: in the section whose node it moves, or among ``macros``.
    """
    placed: set[str] = set()
    sections = []
    for owner in graph.owners:
        blocks = _blocks(graph, layout, owner, placed)
        sections.append(
            {
                "name": owner.name,
                "kind": owner.kind,
                "width": graph.width(owner),
                "meter": owner.name in graph.taps,
                "to": sorted({link.target for link in links(graph) if link.source == owner.name}),
                "blocks": blocks,
            }
        )
    for name, node in graph.sources.items():
        columns = [column for column in layout if any(id_ == node.id for id_, _ in column.drives)]
        controls = [_control(layout, column) for column in columns if column.name not in placed]
        placed |= {column.name for column in columns}
        source = {
            "node": node.id,
            "effect": node.effect.type,
            "title": _title(node.effect.type),
            "controls": controls,
        }
        sections.append(
            {"name": name, "kind": "input", "width": "", "meter": False, "to": [], "blocks": [source]}
        )
    macros = [_control(layout, column) for column in layout if column.name not in placed]
    return {
        "name": graph.name,
        "title": graph.title or graph.name,
        "description": graph.description,
        "sample_rate": graph.sample_rate,
        "inputs": {name: list(stems) if stems else None for name, stems in graph.inputs.items()},
        "outputs": list(graph.outputs),
        "sections": sections,
        "macros": macros,
        "columns": [column.name for column in layout],
    }


def _blocks(graph: Graph, layout: ParameterLayout, owner: Owner, placed: set[str]) -> list[dict[str, Any]]:
    blocks = []
    for id_ in owner.nodes:
        node = graph.by_id[id_]
        if not isinstance(node, EffectNode):
            continue
        columns = [
            column
            for column in layout
            if column.kind in ("control", "send")
            and column.name not in placed
            and any(driven == id_ for driven, _ in column.drives)
        ]
        placed.update(column.name for column in columns)
        if columns:
            blocks.append(
                {
                    "node": id_,
                    "effect": node.effect.type,
                    "title": _title(owner.name_of(id_)),
                    "controls": [_control(layout, column) for column in columns],
                }
            )
    return blocks


def _control(layout: ParameterLayout, column: Column) -> dict[str, Any]:
    control = column.control
    return {
        "name": column.name,
        "column": layout.index(column.name),
        "label": control.label or _title(column.name.rsplit(".", 1)[-1]),
        "description": control.description,
        "kind": column.kind,
        "widget": widget_of(column),
        "role": column.role,
        "unit": control.unit,
        "amplitude": control.amplitude,
        "scale": control.scale,
        "exponent": control.exponent,
        "min": control.min,
        "max": control.max,
        "default": control.default,
        "neutral": control.default if control.neutral is None else control.neutral,
        "step": control.step,
        "choices": list(control.choices),
        "names": list(control.names),
        "line": None if column.position is None else column.position.line,
    }


def widget_of(column: Column) -> str:
    """What a control is on a console: ``fader``, ``knob``, ``bipolar``, ``switch``, ``button`` or ``steps``."""
    control = column.control
    positions = _positions(column)
    if positions == 2:
        return "button"
    if control.names or control.choices or 0 < positions <= 12:
        return "switch"
    if control.step is not None:
        return "steps"
    if column.role == "fader":
        return "fader"
    if control.neutral is not None and control.min < control.neutral < control.max:
        return "bipolar"
    return "knob"


def _positions(column: Column) -> int:
    """How many values a control of a grid may take; 0 for others."""
    control = column.control
    if control.choices:
        return len(control.choices)
    return 0 if control.step is None else int((control.max - control.min) / control.step + 1e-9) + 1


def _title(name: str) -> str:
    return name.replace("_", " ").replace(".", " ").strip().capitalize()


def names_of(console: dict[str, Any]) -> Iterable[str]:
    """The names of all controls that a console shows, in its order."""
    for section in console["sections"]:
        for block in section["blocks"]:
            yield from (control["name"] for control in block["controls"])
    yield from (control["name"] for control in console["macros"])
