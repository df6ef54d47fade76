"""A studio begun: a project opened again where it was left, or made anew of what was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from djgraph.automation import Automation, TempoMap
from djgraph.errors import InputError
from djgraph.layout import ParameterLayout
from djgraph.mixer import compile_graph
from djgraph.studio.curves import lane_points, points_of
from djgraph.studio.keeping import Keep, Left
from djgraph.studio.opening import Opened, open_origin
from djgraph.studio.parts import PARTS
from djgraph.studio.project import Lane, Origin, Project
from djgraph.studio.session import Part, Session

if TYPE_CHECKING:
    from djgraph.rendering import Steps


def begin(
    keep: Keep,
    origin: Origin | None,
    automation: Automation | None = None,
    steps: Steps | None = None,
    parts: Iterable[type[Part]] = PARTS,
) -> Session:
    """Open what a folder keeps, or where it keeps nothing begin a project there.

    origin: what it is played with; of a project that there is, None leaves it as it was. automation: taken as the
    project's, what it had can be undone. Raises DJGraphError for what cannot be opened.
    """
    saved = keep.newest()
    project = Project() if saved is None else saved.project
    if origin is None:
        origin = project.origin
    if origin is None:
        raise InputError(f"{keep.folder} holds no project; say what to play, as djgraph studio GRAPH -i …")
    clock = None if saved is None else project.clock
    if clock is None and automation is not None and origin.tempo is None:
        clock = automation.tempo
    opened = open_origin(origin, project.graph, clock, steps)
    mixer = compile_graph(opened.graph, lowering=origin.lowering)
    placed = opened.synced is not None and opened.tempo is not None and not origin.clock
    if placed and opened.tempo is not None:
        origin = origin.model_copy(update={"clock": entries(opened.tempo)})
        project = project.model_copy(update={"tempo": origin.clock})
    fresh = saved is None
    project = (
        new_project(opened, automation, mixer.layout).model_copy(update={"origin": origin})
        if fresh
        else project.model_copy(update={"origin": origin})
    )
    target = None
    if origin.target:
        from djgraph.studio.target import load_target

        fitted, intervals = origin.fitted or None, origin.intervals or None
        target = load_target(origin.target, mixer.layout, mixer.graph.sample_rate, fitted, intervals)
    session = Session(mixer, opened.feed, project, tuple(parts), opened=opened, keep=keep)
    session.target = target
    session.folders = folders_of(origin)
    try:
        if saved is not None and automation is not None:
            loaded = with_automation(project, automation, mixer.layout, opened.seconds)
            session.change(loaded, f"load {automation.name or 'an automation'}")
        left = keep.left if saved is not None else Left()
        if left.seconds:
            session.seek(round(left.seconds * mixer.graph.sample_rate))
    except BaseException:
        session.close()
        raise
    return session


def folders_of(origin: Origin) -> tuple[Path, ...]:
    """The folders that were given, and those of files that were given. Folders of stems hold no mixes and no models."""
    files = [Path(name) for name in (*origin.inputs.values(), origin.target, origin.set) if name]
    folders = [Path(name) for name in origin.folders]
    return tuple(dict.fromkeys([*folders, *(path.parent for path in files if path.is_file())]))


def new_project(opened: Opened, automation: Automation | None, layout: ParameterLayout) -> Project:
    """What a project begins with. Raises AutomationError for an automation that does not fit the graph."""
    plan, origin = opened.plan, opened.origin
    automation = plan.automation if automation is None and plan is not None else automation
    tempo = opened.tempo
    if tempo is None and origin.tempo is not None:
        tempo = TempoMap(origin.tempo[0])
    if tempo is None and automation is not None:
        tempo = automation.tempo
    title = opened.graph.title or opened.graph.name if plan is None else plan.title or plan.name
    project = Project(name=title[:200], origin=origin)
    if tempo is not None:
        project = project.model_copy(update={"tempo": entries(tempo)})
    if automation is None:
        return project
    return with_automation(project, automation, layout, opened.seconds, keep_tempo=tempo is not None)


def with_automation(
    project: Project,
    automation: Automation,
    layout: ParameterLayout,
    seconds: float,
    keep_tempo: bool = False,
) -> Project:
    """A project with an automation in place of its lanes, recipes and values. Raises AutomationError for one that does
    not fit the graph. keep_tempo: it is played at the project's tempo, not at its own."""
    own = automation.tempo
    if own is not None and not keep_tempo:
        project = project.model_copy(update={"tempo": entries(own)})
    points = points_of(automation, layout, seconds, project.clock)
    lanes, values = [], {}
    for control, several in points.items():
        made = lane_points(several, layout, control)
        if len(made) == 1:
            values[control] = made[0].value
        else:
            lanes.append(Lane(control=control, points=made))
    changes = {
        "lanes": tuple(lanes),
        "values": values,
        "clips": (),
        "beats_per_bar": automation.beats_per_bar,
    }
    return project.model_copy(update=changes)


def entries(tempo: TempoMap) -> tuple[tuple[float, float, str], ...]:
    """A tempo as a project has it."""
    return tuple((beat, bpm, ramp) for (beat, bpm), ramp in zip(tempo.points, tempo.ramps, strict=True))
