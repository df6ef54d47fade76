"""A project's lanes and recipes as one automation, and as frames for the player."""

from __future__ import annotations

import numpy as np

from djgraph.automation import Automation, Curve, Moment, Point, Term, template
from djgraph.automation.times import Ruler
from djgraph.errors import InputError
from djgraph.layout import ParameterLayout, measures
from djgraph.playing import Course
from djgraph.studio.project import Clip, Project


def automation_of(
    project: Project, layout: ParameterLayout, inputs: tuple[str, ...], seconds: float
) -> Automation:
    """What the controls do: values at rest, then recipes, then lanes, of which the last that names a control counts.

    Raises DJGraphError for recipes that the graph cannot play there and lanes of controls that it does not have.
    """
    curves = [
        Curve((name,), (Point(Moment.parse(0), value),), unit="plain")
        for name, value in project.values.items()
        if name in layout
    ]
    moved: dict[str, list[Point]] = {}
    for clip in sorted(project.clips, key=lambda clip: clip.start):
        for control, points in _points(clip, project, layout, inputs, seconds).items():
            moved.setdefault(control, []).extend(points)
    curves += [Curve((control,), tuple(points), unit="plain") for control, points in moved.items()]
    curves += [
        Curve(
            (lane.control,),
            tuple(Point(_beats(p.at), p.value, p.shape, p.bend) for p in lane.points),
            unit="plain",
        )
        for lane in project.lanes
        if lane.control in layout
    ]
    last = {curve.targets[0]: curve for curve in curves}
    return Automation(
        tuple(last.values()), project.name, tempo=project.clock, beats_per_bar=project.beats_per_bar
    )


def course_of(
    project: Project, layout: ParameterLayout, inputs: tuple[str, ...], samples: int, sample_rate: int
) -> Course:
    """The same as frames: those that ``djgraph render`` would play."""
    if not samples:
        return Course.steady(layout)
    auto = automation_of(project, layout, inputs, samples / sample_rate)
    frames = auto.render_exact(layout, samples=samples, sample_rate=sample_rate)
    return Course(layout, frames.params, frames.positions)


def _points(
    clip: Clip, project: Project, layout: ParameterLayout, inputs: tuple[str, ...], seconds: float
) -> dict[str, list[Point]]:
    """By control, what a recipe does, in plain units at beats of the project."""
    form, tempo = template(clip.recipe), project.clock
    declared = {argument.name for argument in form.arguments}
    said = {"start": f"{clip.start!r}beats", "length": f"{clip.length!r}beats"}
    said |= dict(zip(("a", "b"), inputs))
    unknown = set(clip.settings) - declared
    if unknown:
        raise InputError(
            f"recipe {clip.recipe} has no argument {min(unknown)!r}; it has {', '.join(sorted(declared))}"
        )
    auto = form.fill(**{key: value for key, value in said.items() if key in declared} | dict(clip.settings))
    auto.check(layout, seconds, tempo)
    ruler = Ruler(seconds, tempo, auto.beats_per_bar, auto.span)
    out: dict[str, list[Point]] = {}
    for curve in auto.resolve(layout).every_curve():
        for target in curve.targets:
            control = layout[target].control
            out[target] = [
                Point(
                    _beats(tempo.beat(ruler.second(point.at))),
                    point.value
                    if isinstance(point.value, str)
                    else float(measures.plain(control, curve.measure, np.array([point.value]))[0]),
                    point.shape,
                    point.bend,
                )
                for point in curve.points
            ]
    return out


def _beats(beat: float) -> Moment:
    return Moment((Term(round(beat, 9), "beats"),))
