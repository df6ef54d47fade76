"""The recipes of a set's transitions as one automation: what each control does, from the first beat to the last.

A control that one transition moves stays where that leaves it, until another transition moves it, or brings a track to
its deck: then it begins anew, at its default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from djgraph.automation import Automation, Curve, Moment, Point, TempoMap, Term, template
from djgraph.automation.times import Ruler
from djgraph.effects.roles import Measure
from djgraph.errors import DJGraphError, SetError
from djgraph.graph.ir import Graph
from djgraph.language.site import Site
from djgraph.layout import ParameterLayout, measures
from djgraph.sets.plan import Transition

_DIGITS = 9
"""Decimals of a beat that are written: far below a sample."""


@dataclass(frozen=True)
class _Stretch:
    """What one transition does to a control: values at beats, as a curve's points, in a measure."""

    beats: tuple[float, ...]
    points: tuple[Point, ...]
    measure: Measure


def automation_of(
    graph: Graph,
    transitions: Sequence[Transition],
    inputs: Sequence[str],
    sites: Sequence[Site],
    tempo: TempoMap,
    seconds: float,
    name: str,
) -> Automation:
    """All that the controls do in a set. inputs: of the graph, the deck of each track. sites: where each transition is
    said. seconds: of the set. Raises SetError for recipes that the graph cannot play there."""
    layout = ParameterLayout.from_graph(graph)
    moved: list[dict[str, _Stretch]] = []
    for transition, site in zip(transitions, sites, strict=True):
        try:
            moved.append(_stretches(transition, inputs, layout, tempo, seconds))
        except DJGraphError as error:
            raise SetError(site.problem(str(error))) from None
    order = [n for n in layout.names if any(n in stretches for stretches in moved)]
    owners = _owners(graph, layout)
    alike: dict[tuple[object, ...], tuple[list[str], tuple[Point, ...], str]] = {}
    for control in order:
        points, unit = _course(control, moved, transitions, inputs, owners, layout)
        key = (unit, *((str(p.at), p.value, p.shape, p.bend) for p in points))
        alike.setdefault(key, ([], points, unit))[0].append(control)
    curves = tuple(Curve(tuple(names), points, unit=unit) for names, points, unit in alike.values())
    return Automation(curves, name, tempo=tempo)


def _stretches(
    transition: Transition, inputs: Sequence[str], layout: ParameterLayout, tempo: TempoMap, seconds: float
) -> dict[str, _Stretch]:
    """By control, what a transition does."""
    form = template(transition.recipe)
    said = {
        "a": inputs[transition.leaving],
        "b": inputs[transition.entering],
        "start": f"{transition.begin!r}beats",
        "length": f"{transition.length!r}beats",
    }
    declared = {argument.name for argument in form.arguments}
    auto = form.fill(**transition.settings, **{key: value for key, value in said.items() if key in declared})
    auto.check(layout, seconds, tempo)
    ruler = Ruler(seconds, tempo, auto.beats_per_bar, auto.span)
    out: dict[str, _Stretch] = {}
    for curve in auto.resolve(layout).every_curve():
        beats = tuple(round(tempo.beat(ruler.second(point.at)), _DIGITS) for point in curve.points)
        for target in curve.targets:
            out[target] = _Stretch(beats, curve.points, curve.measure)
    return out


def _owners(graph: Graph, layout: ParameterLayout) -> Mapping[str, str | None]:
    """By control, the input whose sound alone it works on; None where it is several's."""
    inputs = list(graph.inputs)
    heads = {column.name: column.name.partition(".")[0] for column in layout}
    return {
        column.name: inputs[column.part.track]
        if column.part is not None and column.part.track is not None
        else heads[column.name]
        if heads[column.name] in inputs
        else None
        for column in layout
    }


def _course(
    control: str,
    moved: Sequence[Mapping[str, _Stretch]],
    transitions: Sequence[Transition],
    inputs: Sequence[str],
    owners: Mapping[str, str | None],
    layout: ParameterLayout,
) -> tuple[tuple[Point, ...], str]:
    """A control's points over the whole set, and the unit they are in."""
    declared = layout.columns[layout.index(control)].control
    units = {stretches[control].measure for stretches in moved if control in stretches}
    unit: Measure = (
        units.pop() if len(units) == 1 else "amplitude" if measures.fits(declared, "amplitude") else "plain"
    )
    neutral = measures.said(declared, unit, declared.default)
    points: list[Point] = []
    for number, (transition, stretches) in enumerate(zip(transitions, moved)):
        begin = round(transition.begin, _DIGITS)
        mine = owners[control] in (None, inputs[transition.entering])
        if control in stretches:
            stretch = stretches[control]
            here = [
                replace(point, at=_beat(beat), value=_in(stretch.measure, unit, declared, point.value))
                for beat, point in zip(stretch.beats, stretch.points)
            ]
            heard = number > 0 or owners[control] != inputs[transition.entering]
            if not points and heard and stretch.beats[0] > 0 and here[0].value != neutral:
                # What was played before was not meant: it is as it rests until the transition begins.
                points.append(Point(_beat(0.0), neutral, "hold"))
            if points and stretch.beats[0] > begin and points[-1].value != here[0].value:
                here.insert(0, Point(_beat(begin), here[0].value, "hold"))
        elif mine and points and points[-1].value != neutral:
            here = [Point(_beat(begin), neutral, "hold")]
        else:
            continue
        if points:
            points[-1] = replace(points[-1], shape="hold", bend=None)
        points += here
    return _thinned(points), "" if unit == "plain" else unit


def _in(said: Measure, wanted: Measure, declared: object, value: float | str) -> float | str:
    """A value in another measure."""
    from djgraph.effects.control import Control

    if said == wanted or isinstance(value, str):
        return value
    assert isinstance(declared, Control)
    plain = float(measures.plain(declared, said, np.array(float(value))))
    return measures.said(declared, wanted, plain)


def _beat(beat: float) -> Moment:
    return Moment((Term(beat, "beats"),))


def _thinned(points: Sequence[Point]) -> tuple[Point, ...]:
    """Without points that change nothing: where the value has been held, and goes on being so."""
    kept: list[Point] = []
    for place, point in enumerate(points):
        if 0 < place < len(points) - 1:
            before, after = kept[-1], points[place + 1]
            if before.value == point.value == after.value:
                continue
        kept.append(point)
    return tuple(kept)
