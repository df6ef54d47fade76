"""An Automation → YAML, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

from djgraph.atomic import write_text
from djgraph.automation.curves import EVERYWHERE, Curve, CurveSet, First, Point
from djgraph.automation.model import AUTOMATION
from djgraph.automation.table import BAR, COLUMNS, TEMPO
from djgraph.automation.times import Moment, Span, Term
from djgraph.errors import AutomationError, Problem, did_you_mean
from djgraph.language.limits import readable


def to_dict(auto: CurveSet) -> dict[str, Any]:
    """See :meth:`Automation.to_dict`."""
    document: dict[str, Any] = {"automation": 1, "name": auto.name}
    document |= {key: text for key in ("title", "description") if (text := _escaped(getattr(auto, key)))}
    if auto.tempo is not None:
        document["tempo"] = auto.tempo.plain()
    if auto.beats_per_bar != 4:
        document["beats_per_bar"] = auto.beats_per_bar
    if auto.span is not None:
        document["span"] = {"start": auto.span.start.plain(), "length": auto.span.length.plain()}
    document["curves"] = [
        {"first": [_curve(curve) for curve in item.curves]} if isinstance(item, First) else _curve(item)
        for item in auto.curves
    ]
    return document


def to_yaml(auto: CurveSet) -> str:
    """See :meth:`Automation.to_yaml`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedSeq

    def flow(value: Any, depth: int) -> Any:
        """Points and lists of names on one line each."""
        if isinstance(value, dict):
            return {key: flow(item, depth + (key == "points")) for key, item in value.items()}
        if isinstance(value, list):
            sequence = CommentedSeq(flow(item, depth) for item in value)
            if all(not isinstance(item, list | dict) for item in value):
                sequence.fa.set_flow_style()
            return sequence
        return value

    yaml = YAML()
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(flow(to_dict(auto), 0), stream)
    return stream.getvalue()


def to_json(auto: CurveSet) -> str:
    """See :meth:`Automation.to_json`."""
    return json.dumps(to_dict(auto), indent=1, ensure_ascii=False) + "\n"


def to_csv(auto: CurveSet) -> str:
    """See :meth:`Automation.to_csv`."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    if auto.tempo is not None:
        writer.writerows(
            (TEMPO, Term(beat, "beats"), repr(bpm), "" if ramp == "hold" else ramp, "")
            for (beat, bpm), ramp in zip(auto.tempo.points, auto.tempo.ramps)
        )
    if auto.beats_per_bar != 4:
        writer.writerow((BAR, "", auto.beats_per_bar, "", ""))
    for item in auto.curves:
        if (what := _beyond_csv(item)) is not None:
            hint = "auto.resolve(layout).to_csv() writes them as plain curves for one layout"
            if what == "units":
                hint = "from_params(layout, auto.render(…), …) makes straight lines of them"
            raise AutomationError(item.site.problem(f"CSV has no place for {what}", hint=hint))
        assert isinstance(item, Curve)
        for control in item.targets:
            for point in item.points:
                bend = "" if point.bend is None else repr(point.bend)
                shape = "" if point.shape == "linear" else point.shape
                writer.writerow((control, _absolute(point.at, auto.span), _plain(point.value), shape, bend))
    return file.getvalue()


def _beyond_csv(item: Curve | First) -> str | None:
    """What of a curve CSV cannot say, if anything."""
    if isinstance(item, First):
        return "alternatives"
    if item.optional:
        return "optional curves"
    if item.role:
        return "roles"
    if item.fader:
        return "faders"
    return None if item.measure == "plain" else "units"


def save(auto: CurveSet, path: str | os.PathLike[str]) -> None:
    """See :meth:`Automation.save`."""
    writers = {".yaml": to_yaml, ".yml": to_yaml, ".json": to_json, ".csv": to_csv}
    suffix = Path(path).suffix.lower()
    if suffix not in writers:
        guess = did_you_mean(suffix, writers) if suffix else ""
        raise AutomationError(Problem(f"{path}: an automation is written to {', '.join(writers)}{guess}"))
    values = sum(5 * len(curve.points) * len(curve.targets) + 4 for curve in auto.every_curve())
    text = writers[suffix](auto)
    if values > AUTOMATION.values or len(text.encode()) > AUTOMATION.file_bytes:
        limit = f"{readable(AUTOMATION.values)} values and {readable(AUTOMATION.file_bytes)} bytes"
        hint = "fewer breakpoints do: from_params(…, error=…) with a larger error"
        raise AutomationError(Problem(f"{path}: too large to be read again; the limit is {limit}", hint=hint))
    write_text(path, text, _Unwritable)


class _Unwritable(AutomationError):
    """The file cannot be written; the message is a text rather than a Problem."""

    def __init__(self, message: str) -> None:
        super().__init__(Problem(message))

    def __reduce__(self) -> Any:
        return type(self), (str(self),)


def _curve(curve: Curve) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if curve.fader:
        data["fader"] = curve.targets[0]
    elif curve.role:
        data["role"] = curve.role
        if curve.targets[0] != EVERYWHERE:
            data["of"] = curve.targets[0]
    else:
        data["control"] = curve.targets[0] if len(curve.targets) == 1 else list(curve.targets)
    if len(curve.points) == 1 and curve.points[0] == Point(Moment((Term(0.0),)), curve.points[0].value):
        data["value"] = _plain(curve.points[0].value)
    else:
        data["points"] = [_point(point) for point in curve.points]
    if curve.unit:
        data["unit"] = curve.unit
    if curve.optional:
        data["optional"] = True
    return data


def _point(point: Point) -> list[Any]:
    written: list[Any] = [point.at.plain(), _plain(point.value)]
    if point.shape != "linear" or point.bend is not None:
        written.append(point.shape)
    if point.bend is not None:
        written.append(_plain(point.bend))
    return written


def _absolute(moment: Moment, span: Span | None) -> float | str:
    """The same moment counted from the clip's start: what a span says, said with terms."""
    if span is None:
        return moment.plain()
    terms = list(span.start.terms)
    for term in moment.terms:
        terms += span.length.scaled(term.amount / 100) if term.unit == "%" else (term,)
    terms = [term for term in terms if term.amount] or [Term(0.0)]
    return Moment(tuple(_merged(terms))).plain()


def _merged(terms: list[Term]) -> list[Term]:
    """Neighbours of one unit as one."""
    merged = [terms[0]]
    for term in terms[1:]:
        if term.unit == merged[-1].unit:
            merged[-1] = Term(merged[-1].amount + term.amount, term.unit)
        else:
            merged.append(term)
    return merged


def _plain(value: float | str) -> float | int | str:
    """Whole numbers without a point."""
    if isinstance(value, str) or value != int(value) or abs(value) >= 1e15:
        return value
    return int(value)


def _escaped(text: str) -> str:
    """A dollar begins a reference."""
    return text.replace("$", "$$")


__all__ = ["save", "to_csv", "to_dict", "to_json", "to_yaml"]
