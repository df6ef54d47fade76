"""A layout as JSON (and back), Markdown, CSV and rows of a table."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from typing import Any

from djgraph.arguments import is_real
from djgraph.effects.control import Control
from djgraph.effects.roles import FADER
from djgraph.errors import LayoutError, did_you_mean, shorten
from djgraph.graph.ir import Column, Part
from djgraph.reading import parse_json

VERSION = 1
"""Version of the JSON form, its key ``djgraph_layout``."""

HEADER = (
    "index",
    "name",
    "min",
    "max",
    "default",
    "neutral",
    "unit",
    "scale",
    "rate",
    "kind",
    "role",
    "description",
)
DRIVEN = 4
"""Controls that the description of a macro names."""

KINDS = ("control", "macro", "send", "switch")


def to_json(columns: Sequence[Column], indent: int | None) -> str:
    """See :meth:`ParameterLayout.to_json`."""
    rows = []
    for column in columns:
        row: dict[str, Any] = {"name": column.name, "kind": column.kind}
        row |= {"effect": column.effect, "drives": [list(drive) for drive in column.drives]}
        if column.part is not None:
            row["part"] = dataclasses.asdict(column.part)
        rows.append(row | {"control": dataclasses.asdict(column.control)})
    return json.dumps({"djgraph_layout": VERSION, "columns": rows}, indent=indent, ensure_ascii=False)


def from_json(text: str) -> list[Column]:
    """The columns of a layout written by :func:`to_json`; LayoutError that says what is wrong with the
    text."""
    document = parse_json(text, "<layout>", LayoutError).data
    if not isinstance(document, dict) or "djgraph_layout" not in document:
        raise LayoutError("this JSON is no parameter layout: it has no key 'djgraph_layout'")
    if document["djgraph_layout"] != VERSION:
        raise LayoutError(
            f"layout version {document['djgraph_layout']!r}: this djgraph reads version {VERSION}; "
            "a newer djgraph may have written it"
        )
    rows = document.get("columns")
    if not isinstance(rows, list):
        raise LayoutError("this JSON is no parameter layout: its 'columns' are no list")
    return [_column(row, f"columns[{i}]") for i, row in enumerate(rows)]


def rows_of(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """A mapping per column, keys as in ``HEADER``; neutral is None where there is none."""
    rows = []
    for index, column in enumerate(columns):
        c = column.control
        text = _about(column)
        cells = (
            index,
            column.name,
            float(c.min),
            float(c.max),
            float(c.default),
            None if c.neutral is None else float(c.neutral),
            c.unit,
            c.scale,
            c.rate,
            column.kind,
            column.role,
            text,
        )
        rows.append(dict(zip(HEADER, cells)))
    return rows


def _about(column: Column) -> str:
    """What a column is, in words: of a switch its positions, of a macro what it drives."""
    control = column.control
    text = control.description or control.label
    if control.names:
        positions = ", ".join(f"{control.min + n:g} {name}" for n, name in enumerate(control.names))
        return f"{text}: {positions}"
    if column.kind == "macro":
        return f"{text}; drives {shorten([f'{node}.{control}' for node, control in column.drives], DRIVEN)}"
    return text


def to_markdown(columns: Sequence[Column]) -> str:
    """A table in Markdown, one row per column."""
    lines = ["| " + " | ".join(HEADER) + " |", "|" + " --- |" * len(HEADER)]
    lines += ["| " + " | ".join(_cell(value) for value in row.values()) + " |" for row in rows_of(columns)]
    return "\n".join(lines) + "\n"


def to_csv(columns: Sequence[Column]) -> str:
    """Comma-separated values with a header line, in full precision; no neutral value is an empty field."""
    file = io.StringIO()
    writer = csv.DictWriter(file, HEADER, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows_of(columns))
    return file.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())


def _column(row: Any, where: str) -> Column:
    part = _part(row, where) if isinstance(row, dict) else None
    _keys(row, {"name", "kind", "effect", "drives", "control"}, where)
    fields = {field.name for field in dataclasses.fields(Control)}
    if isinstance(row["control"], dict):
        # Layouts that were written before there were these.
        row["control"] = {"amplitude": False, "names": [], "role": "", "below_rate": None, **row["control"]}
    _keys(row["control"], fields, f"{where}.control")
    control: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in row["control"].items()
    }
    for key in ("min", "max", "neutral", "exponent", "smoothing", "step", "below_rate", "default"):
        optional = key in ("neutral", "step", "below_rate")
        if not _is_number(control[key]) and not (optional and control[key] is None):
            raise LayoutError(f"{where}.control.{key} is {control[key]!r}; expected a number")
    if not (isinstance(control["choices"], tuple) and all(map(_is_number, control["choices"]))):
        raise LayoutError(f"{where}.control.choices is no list of numbers")
    if not (
        isinstance(control["aliases"], tuple) and all(isinstance(name, str) for name in control["aliases"])
    ):
        raise LayoutError(f"{where}.control.aliases is no list of names")
    if not (isinstance(control["names"], tuple) and all(isinstance(name, str) for name in control["names"])):
        raise LayoutError(f"{where}.control.names is no list of names")
    for key in ("unit", "scale", "rate", "label", "description", "gradient", "role", "id"):
        if not isinstance(control[key], str):
            raise LayoutError(f"{where}.control.{key} is {control[key]!r}; expected text")
    if not isinstance(control["amplitude"], bool):
        raise LayoutError(f"{where}.control.amplitude is {control['amplitude']!r}; expected true or false")
    if row["kind"] not in KINDS:
        raise LayoutError(f"{where}.kind is {row['kind']!r}; expected one of {', '.join(KINDS)}")
    drives = row["drives"]
    if not isinstance(drives, list) or not all(_is_pair(drive) for drive in drives):
        raise LayoutError(f"{where}.drives is no list of pairs of names")
    if not isinstance(row["name"], str) or not isinstance(row["effect"], str):
        raise LayoutError(f"{where}: name and effect are text")
    read = tuple((a, b) for a, b in drives)
    return Column(row["name"], Control(**control), row["kind"], row["effect"], read, part=part)


def _part(row: dict[str, Any], where: str) -> Part | None:
    """What a column says of its role, which is taken out of the row; layouts before 0.2 do not."""
    where = f"{where}.part"
    part = row.pop("part", None)
    fader = row.pop("fader", None)
    if part is None and isinstance(fader, dict):  # as layouts said before there were other roles
        part = {"role": FADER, "declared": False, "beside": "", **fader}
    if part is None:
        return None
    _keys(part, {field.name for field in dataclasses.fields(Part)}, where)
    track = part["track"]
    if not all(isinstance(part[key], str) for key in ("role", "owner", "beside")):
        raise LayoutError(f"{where}: role, owner and beside are text")
    if not (track is None or (type(track) is int and track >= 0)):
        raise LayoutError(f"{where}: track is a whole number from 0 or null")
    if not isinstance(part["declared"], bool):
        raise LayoutError(f"{where}: declared is true or false")
    return Part(**part)


def _keys(row: Any, expected: set[str], where: str) -> None:
    if not isinstance(row, dict):
        raise LayoutError(f"{where} is no mapping")
    for key in row:
        if key not in expected:
            raise LayoutError(f"{where} has an unknown key {key!r}{did_you_mean(key, sorted(expected))}")
    if missing := sorted(expected - set(row)):
        raise LayoutError(f"{where} lacks {', '.join(missing)}")


def _is_number(value: object) -> bool:
    return is_real(value)


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(name, str) for name in value)
