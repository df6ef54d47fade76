"""Automation as CSV: one line for each breakpoint, with places for error messages."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from djgraph.errors import AutomationError, Position, Problem
from djgraph.language.scalars import resolve
from djgraph.language.source import Mark, Source
from djgraph.language.words import IDENTIFIER
from djgraph.tables import delimiter_of, with_points

COLUMNS = ("control", "time", "value", "shape", "bend")
TEMPO, BAR = "@tempo", "@beats_per_bar"
"""What stands for a control in the lines that hold the tempo (time in beats, BPM) and the beats of a bar."""
_KEYS = {"time": "at", "value": "value", "shape": "shape", "bend": "bend"}


def read_table(text: str, file: str) -> Source:
    """CSV → the document that says the same, whose parts know their line and column. Fields are parted by commas, or
    by semicolons or tabs; then numbers may have decimal commas.

    Raises AutomationError where the text is no such table.
    """
    sign = delimiter_of(text.partition("\n")[0])
    rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=sign)
    root = Mark(0, 0)
    data: dict[str, Any] = {"automation": 1, "curves": []}
    if IDENTIFIER.match(stem := Path(file).stem):
        data["name"] = stem
    curves: dict[str, int] = {}
    marks = root.children["curves"] = Mark(0, 0)
    lines = text.splitlines()
    try:
        header = [name.strip() for name in next(rows, [])]
        _check_header(header, file)
        for row in rows:
            line = rows.line_num - 1
            if not any(field.strip() for field in row):
                continue
            if len(row) > len(header):
                message = f"{len(row)} fields in a table of {len(header)} columns"
                raise AutomationError(Problem(message, Position(file, line + 1, 1)))
            starts = _starts(lines[line], len(row), sign)
            cells = {
                name: (_scalar(with_points(field.strip(), sign)), Mark(line, start))
                for name, field, start in zip(header, row, starts)
                if field.strip() or name == "control"
            }
            control, place = cells.pop("control")
            if control in (TEMPO, BAR):
                _tempo(data, root, str(control), cells, Position(file, line + 1, place.column + 1))
                continue
            if control not in curves:
                curves[control] = len(curves)
                data["curves"].append({"control": control, "points": []})
                mark = marks.children[curves[control]] = Mark(line, 0)
                mark.children |= {"control": place, "points": Mark(line, 0)}
                mark.keys |= {"control": (line, place.column), "points": (line, 0)}
            points = data["curves"][curves[control]]["points"]
            point = Mark(line, 0)
            marks.children[curves[control]].children["points"].children[len(points)] = point
            for name, (_, spot) in cells.items():
                point.children[_KEYS[name]] = spot
                point.keys[_KEYS[name]] = (line, spot.column)
            points.append({_KEYS[name]: value for name, (value, _) in cells.items()})
    except csv.Error as error:
        position = Position(file, max(rows.line_num, 1), 1)
        raise AutomationError(Problem(f"this is not CSV: {error}", position)) from None
    return Source(data, root, file)


def _check_header(header: list[str], file: str) -> None:
    for column, name in enumerate(header):
        if name not in COLUMNS:
            message = f"unknown column {name!r}"
            raise AutomationError(Problem(message, Position(file, 1, 1), allowed=COLUMNS, name=name))
        if name in header[:column]:
            raise AutomationError(Problem(f"two columns are called {name!r}", Position(file, 1, 1)))
    missing = [name for name in COLUMNS[:3] if name not in header]
    if missing:
        hint = f"the first line is {','.join(COLUMNS)}"
        message = f"the table lacks column {', '.join(map(repr, missing))}"
        raise AutomationError(Problem(message, Position(file, 1, 1), hint=hint))


def _tempo(
    data: dict[str, Any], root: Mark, control: str, cells: dict[str, tuple[Any, Mark]], place: Position
) -> None:
    missing = [
        name for name in ("time", "value") if name not in cells and (name == "value" or control == TEMPO)
    ]
    if missing:
        raise AutomationError(Problem(f"{control} needs a {missing[0]}", place))
    value, mark = cells["value"]
    if control == BAR:
        data["beats_per_bar"] = value
        root.children["beats_per_bar"] = mark
        return
    beat, at = cells["time"]
    entries = data.setdefault("tempo", [])
    tempo = root.children.setdefault("tempo", at)
    entry = tempo.children[len(entries)] = Mark(at.line, at.column)
    entry.children |= {0: at, 1: mark}
    entries.append([_beats(beat), value])
    if "shape" in cells:
        ramp, entry.children[2] = cells["shape"]
        entries[-1].append(ramp)


def _beats(value: Any) -> Any:
    """``64beats`` → 64: a tempo's time is in beats."""
    if isinstance(value, str):
        return _scalar(value.removesuffix("beats").removesuffix("beat").strip())
    return value


def _scalar(text: str) -> Any:
    try:
        return resolve(text)
    except ValueError:
        return text


def _starts(line: str, count: int, delimiter: str) -> list[int]:
    """The columns at which fields begin; all at 0 where quotes make that hard to say."""
    if '"' in line:
        return [0] * count
    starts, at = [], 0
    for field in line.split(delimiter):
        starts.append(at + len(field) - len(field.lstrip()))
        at += len(field) + 1
    return (starts + [0] * count)[:count]
