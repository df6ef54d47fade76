"""A recipe's name, a path, text or a dict → an Automation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from djgraph.automation.automation import Automation
from djgraph.automation.bind import at_point
from djgraph.automation.curves import EVERYWHERE, Curve, First, Point
from djgraph.automation.model import (
    AUTOMATION,
    AutomationHeader,
    AutomationModel,
    CurveModel,
    FirstModel,
    PointModel,
)
from djgraph.automation.table import read_table
from djgraph.automation.times import Moment, Span, Term
from djgraph.errors import AutomationError, Problem, option
from djgraph.language.faults import explain
from djgraph.language.fields import CONCRETE
from djgraph.language.fold import in_file_order
from djgraph.language.load import Graphs, problem, read, read_text
from djgraph.language.site import Site
from djgraph.language.source import Source, plain
from djgraph.language.substitute import Budget, Substitution

Loadable = str | os.PathLike[str] | Mapping[str, Any]


@dataclass(frozen=True)
class Argument:
    """An argument of an automation file. default None: it is required."""

    name: str
    default: Any
    description: str = ""


@dataclass(frozen=True)
class Template:
    """An automation file before its arguments are in place."""

    source: Source
    model: AutomationModel

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """The file's arguments in order."""
        return tuple(Argument(name, a.default, a.description) for name, a in self.model.args.items())

    def fill(self, **args: Any) -> Automation:
        """The automation with these arguments, and the defaults of the others."""
        root = Site(self.source)
        values = self._values(root, args)
        substitution = Substitution(values, root, Budget())
        written = {key: value for key, value in _mapping(self.source).items() if key != "args"}
        concrete = substitution.replace(written)
        if substitution.problems:
            raise AutomationError(*in_file_order(substitution.problems))
        site = replace(root, moves=substitution.moves)
        try:
            header = AutomationHeader.model_validate(concrete, context=CONCRETE)
        except ValidationError as error:
            raise AutomationError(
                *in_file_order(site.fault(fault) for fault in explain(error, AutomationHeader))
            ) from None
        auto = _automation(header, site)
        problems = [p for curve in auto.every_curve() for p in _backwards(curve, auto.beats_per_bar)]
        if problems:
            raise AutomationError(*in_file_order(problems))
        return auto

    def _values(self, root: Site, given: Mapping[str, Any]) -> dict[str, Any]:
        declared = {argument.name: argument.default for argument in self.arguments}
        site, problems = root.below("args"), []
        for name in given:
            if name not in declared:
                message = f"the automation has no argument {name!r}"
                problems.append(Problem(message, site.position(), allowed=tuple(declared), name=name))
        values = {**declared, **{name: plain(value).data for name, value in given.items()}}
        for name in declared:
            if values[name] is None:
                hint = option(name, f"djgraph.automation.load(…, {name}=…)", f"--set {name}=…")
                message = f"argument {name!r} needs a value: it has no default"
                problems.append(site.problem(message, name, key=True, hint=hint))
        if problems:
            raise AutomationError(*in_file_order(problems))
        return values


def load(source: Loadable, /, **args: Any) -> Automation:
    """Load an automation.

    source: the name of a recipe (``djgraph transitions`` lists them), the path of a YAML, JSON or CSV file, the
    text of one, or a mapping. args: values for the file's arguments: ``load("bass_swap", length="16beats")``.

    Raises DocumentError (AutomationError where the text as such is in order) that holds all problems found,
    with file, line and column.
    """
    return template(source).fill(**args)


def template(source: Loadable) -> Template:
    """Read an automation file without putting its arguments in place. Raises as :func:`load`."""
    data = _read(source)
    try:
        return Template(data, AutomationModel.model_validate(data.data))
    except ValidationError as error:
        raise AutomationError(
            *in_file_order(problem(data, fault) for fault in explain(error, AutomationModel))
        ) from None


def _read(source: Loadable) -> Source:
    if isinstance(source, os.PathLike) or (isinstance(source, str) and "\n" not in source):
        path = Path(source)
        if path.suffix.lower() == ".csv":
            return read_table(read_text(path, AUTOMATION), str(path))
    elif isinstance(source, str) and source.lstrip().startswith(("control,", "control;", "control\t")):
        return read_table(source, "<text>")
    recipes: Graphs = {}
    hint = None
    if isinstance(source, str) and "\n" not in source:
        from djgraph.plugins import registry

        installed = registry()
        recipes = {name: entry.path for name, entry in installed.recipes.items()}
        hint = installed.hint()
    return read(source, recipes, hint, AUTOMATION)


def _mapping(source: Source) -> Mapping[str, Any]:
    assert isinstance(source.data, dict)
    return source.data


def _automation(header: AutomationHeader, site: Site) -> Automation:
    span = None
    if header.span is not None:
        given = {"start": header.span.start, "length": header.span.length}
        span = Span(**{key: moment for key, moment in given.items() if moment is not None})
    curves = [_item(item, site.below("curves", i)) for i, item in enumerate(header.curves)]
    return Automation(
        tuple(curves),
        header.name,
        header.title,
        header.description,
        header.tempo,
        header.beats_per_bar,
        span,
        site,
    )


def _item(model: CurveModel | FirstModel, site: Site) -> Curve | First:
    if isinstance(model, CurveModel):
        return _curve(model, site)
    return First(tuple(_curve(curve, site.below("first", i)) for i, curve in enumerate(model.first)), site)


def _curve(model: CurveModel, site: Site) -> Curve:
    one = model.fader or model.of or EVERYWHERE
    targets = (one,) if model.control is None else tuple(model.control)
    if model.value is not None:
        points: tuple[Point, ...] = (Point(Moment((Term(0.0),)), model.value),)
    else:
        points = tuple(_point(point, model) for point in model.points)
    return Curve(
        targets, points, model.fader is not None, model.optional, model.role or "", model.unit or "", site
    )


def _point(point: PointModel, curve: CurveModel) -> Point:
    shape = curve.shape if point.shape is None else point.shape
    bend = point.bend
    if bend is None and (point.shape is None or point.shape == curve.shape):
        bend = curve.bend
    return Point(point.at, point.value, shape, bend)


def _backwards(curve: Curve, beats_per_bar: int) -> list[Problem]:
    """Points out of order, as far as that can be seen without a tempo and a duration."""
    problems = []
    for j, (before, after) in enumerate(zip(curve.points, curve.points[1:]), 1):
        first, second = before.at.only(beats_per_bar), after.at.only(beats_per_bar)
        if first is not None and second is not None and first[0] == second[0] and second[1] < first[1]:
            message = f"time runs backwards: {after.at} comes after {before.at} in the curve of {curve}"
            problems.append(at_point(curve, j, "at", message))
    return problems
