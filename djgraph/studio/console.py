"""What a console shows of a graph: strips, buses and macros with their controls, as plain data for a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from djgraph.effects.roles import FADER
from djgraph.graph.alike import groups
from djgraph.graph.ir import Column, EffectNode, Graph, Owner
from djgraph.graph.links import links
from djgraph.layout import ParameterLayout
from djgraph.studio.monitor import silencing

UP = ("resonance", "q", "gain", "drive", "feedback", "depth", "mix")
"""Controls that go with a frequency on a pad, the first that there is."""


def console_of(graph: Graph, layout: ParameterLayout) -> dict[str, Any]:
    """The console of a graph: ``sections`` in document order, each with ``blocks`` of controls, and ``macros``.

    Every column of the layout stands in exactly one place: in the section whose node it moves or after which it is
    called (``ch_1.mute``), or among ``macros``. ``alike`` is the first of the equal strips to which a section belongs.
    """
    placed: set[str] = set()
    connections = links(graph)
    alike = {name: first for first, names in groups(graph, connections).items() for name in names}
    faders = {column.part.owner for column in layout if column.part is not None and column.role == FADER}
    sections = [_source(layout, name, node, placed) for name, node in graph.sources.items()]
    for owner in graph.owners:
        sections.append(
            {
                "name": owner.name,
                "kind": owner.kind,
                "width": graph.width(owner),
                "meter": owner.name in graph.taps,
                "to": sorted({link.target for link in connections if link.source == owner.name}),
                "alike": alike.get(owner.name, owner.name),
                "group": owner.name.rpartition(".")[0],
                "mutes": owner.name in faders or bool(silencing(graph, owner.name)),
                "blocks": _blocks(graph, layout, owner, placed),
            }
        )
    named = {section["name"]: section for section in sections}
    macros = []
    for column in layout:
        if column.name in placed:
            continue
        owner_name, _, _ = column.name.rpartition(".")
        section = named.get(owner_name)
        if section is None:
            macros.append(_control(layout, column))
        else:
            section.setdefault("own", []).append(_control(layout, column))
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


def _source(layout: ParameterLayout, name: str, node: EffectNode, placed: set[str]) -> dict[str, Any]:
    """What plays an input."""
    columns = [column for column in layout if any(driven == node.id for driven, _ in column.drives)]
    columns = [column for column in columns if column.kind != "macro" and column.name not in placed]
    placed.update(column.name for column in columns)
    block = {
        "node": node.id,
        "effect": node.effect.type,
        "title": _title(node.effect.type),
        "controls": [_control(layout, column) for column in columns],
    }
    return {
        "name": name,
        "kind": "input",
        "width": "",
        "meter": False,
        "to": [],
        "alike": name,
        "group": "",
        "mutes": False,
        "blocks": [block] if columns else [],
    }


def _blocks(graph: Graph, layout: ParameterLayout, owner: Owner, placed: set[str]) -> list[dict[str, Any]]:
    """The effects of a strip or bus that have controls, and behind them its sends, together."""
    blocks, sends = [], []
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
        own = [column for column in columns if column.kind == "control"]
        name = owner.name_of(id_)
        sends += [
            {**_control(layout, column), "label": _title(name.removeprefix("send:")).replace("_", " ")}
            for column in columns
            if column.kind == "send"
        ]
        if own:
            blocks.append(
                {
                    "node": id_,
                    "effect": node.effect.type,
                    "title": _title(name),
                    "controls": [_control(layout, column) for column in own],
                    "pad": _pad(own),
                }
            )
    if sends:
        blocks.append({"node": "", "effect": "", "title": "Sends", "controls": sends, "pad": []})
    return blocks


def _pad(columns: Sequence[Column]) -> list[str]:
    """The two controls that a pad moves at once, a frequency across and what goes with it up, or x and y; or none."""
    places = [next((one.name for one in columns if one.control.id == axis), "") for axis in ("x", "y")]
    if all(places):
        return places
    across = [column for column in columns if column.control.unit == "Hz" and not column.control.held]
    if len(across) != 1:
        return []
    up = [
        column
        for column in columns
        if column is not across[0] and not column.control.held and column.control.id in UP
    ]
    return [across[0].name, up[0].name] if up else []


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
        "file": None
        if column.position is None
        else column.position.file.replace("\\", "/").rpartition("/")[2],
    }


def widget_of(column: Column) -> str:
    """What a control is on a console: ``fader``, ``knob``, ``bipolar``, ``switch``, ``button`` or ``steps``."""
    control = column.control
    positions = _positions(column)
    if positions == 2 or len(control.names) == 2:
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
        yield from (control["name"] for control in section.get("own", ()))
    yield from (control["name"] for control in console["macros"])
