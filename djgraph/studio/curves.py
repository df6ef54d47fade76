"""A project's lanes and recipes as one automation, and as frames for the player."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

import numpy as np

from djgraph.automation import Automation, Curve, Moment, Point, TempoMap, Term, recipes, template
from djgraph.automation.times import Ruler
from djgraph.errors import InputError, did_you_mean
from djgraph.layout import ParameterLayout, measures
from djgraph.playing import Course
from djgraph.studio.project import Clip, Lane, LanePoint, Project

KEPT = 256
"""Recipes on a timeline whose points are remembered."""
KEPT_LANES = 2000
_curves: OrderedDict[int, tuple[Lane, ParameterLayout, Curve]] = OrderedDict()
_made: OrderedDict[Any, tuple[ParameterLayout, dict[str, list[Point]]]] = OrderedDict()


def automation_of(project: Project, layout: ParameterLayout, seconds: float) -> Automation:
    """What the controls do: values at rest, then recipes, then lanes, of which the last that names a control counts.

    Lanes and values of controls that the graph does not have rest, and values beyond a range that has become smaller
    stop at its end, for a graph may be edited. Raises DJGraphError for recipes that it cannot play there.
    """
    curves = [
        Curve((name,), (Point(Moment.parse(0), _within(layout, name, value)),), unit="plain")
        for name, value in project.values.items()
        if name in layout
    ]
    moved = clip_points(project, layout, seconds)
    curves += [Curve((control,), tuple(points), unit="plain") for control, points in moved.items()]
    curves += [_curve(lane, layout) for lane in project.lanes if lane.control in layout]
    last = {curve.targets[0]: curve for curve in curves}
    return Automation(
        tuple(last.values()),
        identifier(project.name),
        " ".join(project.name.split()),
        tempo=project.clock,
        beats_per_bar=project.beats_per_bar,
    )


def playable(project: Project, resting: tuple[Clip, ...]) -> Project:
    """A project without some recipes, which its graph cannot play."""
    if not resting:
        return project
    return project.model_copy(update={"clips": tuple(c for c in project.clips if c not in resting)})


def identifier(name: str) -> str:
    """A name as files have them, of one for people."""
    word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:60]
    return word if re.match(r"[a-z]", word) else f"project_{word}".rstrip("_")


def course_of(project: Project, layout: ParameterLayout, samples: int, sample_rate: int) -> Course:
    """The same as frames: those that ``djgraph render`` would play."""
    if not samples:
        return Course.steady(layout, tempo=project.clock.bpm(0.0))
    auto = automation_of(project, layout, samples / sample_rate)
    frames = auto.render_exact(layout, samples=samples, sample_rate=sample_rate)
    return Course(layout, frames.params, frames.positions, frames.tempo)


def _curve(lane: Lane, layout: ParameterLayout) -> Curve:
    """A lane as a curve; those of lanes that did not change are not made again."""
    known = _curves.get(id(lane))
    if known is not None and known[0] is lane and known[1] is layout:
        return known[2]
    name = lane.control
    points = tuple(Point(_beats(p.at), _within(layout, name, p.value), p.shape, p.bend) for p in lane.points)
    curve = Curve((name,), points, unit="plain")
    _curves[id(lane)] = lane, layout, curve
    while len(_curves) > KEPT_LANES:
        _curves.popitem(last=False)
    return curve


def _within(layout: ParameterLayout, name: str, value: float) -> float:
    control = layout[name].control
    return min(max(value, control.min), control.max)


def clip_points(project: Project, layout: ParameterLayout, seconds: float) -> dict[str, list[Point]]:
    """What the recipes on a timeline do, by control, in plain units at beats of the project; of a control that several
    move, one behind the other in order of their starts. Raises DJGraphError for what the graph cannot play there."""
    moved: dict[str, list[Point]] = {}
    for clip in sorted(project.clips, key=lambda clip: clip.start):
        for control, points in points_of_clip(clip, project, layout, seconds).items():
            before = moved.setdefault(control, [])
            # A recipe that begins before another one has ended takes over from there.
            begins = _beat(points[0])
            before[:] = [point for point in before if _beat(point) < begins] + points
    return moved


def base_of(control: str, project: Project, layout: ParameterLayout, seconds: float) -> tuple[LanePoint, ...]:
    """What moves a control now, its lane or recipes, as points of a lane; none where it rests."""
    lane = project.lane(control)
    if lane.points:
        return lane.points
    return lane_points(clip_points(project, layout, seconds).get(control, []), layout, control)


def lane_points(points: list[Point], layout: ParameterLayout, control: str) -> tuple[LanePoint, ...]:
    """Points at beats, as a lane has them; words in numbers."""
    own = layout[control].control
    words = {"min": own.min, "max": own.max, "default": own.default}
    words["neutral"] = own.default if own.neutral is None else own.neutral

    def number(value: float | str) -> float:
        if not isinstance(value, str):
            return float(value)
        return float(words[value]) if value in words else own.min + own.names.index(value)

    return tuple(
        LanePoint.model_validate({"at": _beat(p), "value": number(p.value), "shape": p.shape, "bend": p.bend})
        for p in points
    )


def points_of_clip(
    clip: Clip, project: Project, layout: ParameterLayout, seconds: float
) -> dict[str, list[Point]]:
    """By control, what a recipe does. Raises DJGraphError for one that there is not, and that the graph cannot play."""
    key = (
        clip.recipe,
        clip.start,
        clip.length,
        tuple(sorted(clip.settings.items(), key=lambda item: item[0])),
        project.tempo,
        seconds,
        id(layout),
    )
    if (known := _made.get(key)) is not None and known[0] is layout:
        return known[1]
    made = _points_of_clip(clip, project, layout, seconds)
    _made[key] = layout, made
    while len(_made) > KEPT:
        _made.popitem(last=False)
    return made


def _points_of_clip(
    clip: Clip, project: Project, layout: ParameterLayout, seconds: float
) -> dict[str, list[Point]]:
    # Names of installed recipes alone: a page may not name files.
    if clip.recipe not in (known := recipes()):
        raise InputError(f"there is no recipe {clip.recipe!r}{did_you_mean(clip.recipe, known)}")
    form, tempo = template(clip.recipe), project.clock
    declared = {argument.name for argument in form.arguments}
    said = {"start": f"{clip.start!r}beats", "length": f"{clip.length!r}beats"}
    unknown = set(clip.settings) - declared
    if unknown:
        raise InputError(
            f"recipe {clip.recipe} has no argument {min(unknown)!r}; it has {', '.join(sorted(declared))}"
        )
    auto = form.fill(**{key: value for key, value in said.items() if key in declared} | dict(clip.settings))
    return points_of(auto, layout, seconds, tempo)


def points_of(
    auto: Automation, layout: ParameterLayout, seconds: float, tempo: TempoMap
) -> dict[str, list[Point]]:
    """By control, what an automation does, in plain units at beats of a tempo. Raises AutomationError for what does not
    fit."""
    auto.check(layout, seconds, tempo)
    return course_points(auto, layout, seconds, tempo)


def course_points(
    auto: Automation, layout: ParameterLayout, seconds: float, clock: TempoMap
) -> dict[str, list[Point]]:
    """Any automation by control, in plain units at the beats of ``clock``; its own times count by its own tempo, if it
    has one. Values that are even in another unit than the control's own go in straight lines between their points."""
    ruler = Ruler(seconds, auto.tempo or clock, auto.beats_per_bar, auto.span)
    out: dict[str, list[Point]] = {}
    for curve in auto.resolve(layout).every_curve():
        for target in curve.targets:
            control = layout[target].control
            out[target] = [
                Point(
                    _beats(clock.beat(ruler.second(point.at))),
                    point.value
                    if isinstance(point.value, str)
                    else float(measures.plain(control, curve.measure, np.array([point.value]))[0]),
                    point.shape,
                    point.bend,
                )
                for point in curve.points
            ]
    return out


def _beat(point: Point) -> float:
    """Of a point that lies at one."""
    return max(0.0, float(point.at.terms[0].amount))


def _beats(beat: float) -> Moment:
    return Moment((Term(round(beat, 9), "beats"),))
