"""Lanes that a fit or a model proposes, shown as ghosts until they are taken: all, some controls, or a region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from djgraph.automation import Automation, TempoMap
from djgraph.errors import InputError, did_you_mean
from djgraph.layout import ParameterLayout
from djgraph.playing import Run
from djgraph.studio.curves import base_of, course_of, course_points, lane_points
from djgraph.studio.project import Lane, LanePoint, Project
from djgraph.studio.recording import recorded
from djgraph.studio.target import Band

PER_SECOND = 50.0
"""Moments a second at which a part of a curve is read."""
SPLICE = 5e-4
"""Largest error of a part that is put into a lane, as a share of the control's travel."""


@dataclass(frozen=True)
class Proposal:
    """number: counts a session's proposals. source: whose it is, in words. lanes: in the project's beats, by control.
    whole: whether controls without a lane are proposed to stand at their default. region: what it is about, in beats.
    report: what is known of it, as plain data."""

    number: int
    source: str
    kind: str
    lanes: Mapping[str, Lane]
    bands: Mapping[str, Band] = field(default_factory=dict)
    whole: bool = False
    region: tuple[float, float] | None = None
    report: Mapping[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """What pages know of it at once; the curves they fetch."""
        return {
            "number": self.number,
            "source": self.source,
            "kind": self.kind,
            "controls": list(self.lanes),
            "region": self.region,
            "report": dict(self.report),
        }

    def drawn(self) -> dict[str, Any]:
        """Its curves, and the bands in which they lie."""
        return {
            "number": self.number,
            "lanes": {
                name: [point.model_dump(exclude_defaults=True) for point in lane.points]
                for name, lane in self.lanes.items()
            },
            "bands": {name: _drawn(band.fewer()) for name, band in self.bands.items()},
        }


def lanes_of(
    found: Automation, layout: ParameterLayout, seconds: float, clock: TempoMap, start: float = 0.0
) -> dict[str, Lane]:
    """What an automation of a part of the clip says, as lanes. start: of the part, in seconds."""
    straight = TempoMap([[0.0, 60.0, "hold"]])  # a beat a second: the part's own times
    lanes = {}
    for name, points in course_points(found, layout, seconds, straight).items():
        moved = [
            point.model_copy(update={"at": round(max(0.0, clock.beat(start + point.at)), 9)})
            for point in lane_points(points, layout, name)
        ]
        lanes[name] = Lane(control=name, points=tuple(moved))
    return lanes


def taken(
    project: Project,
    proposal: Proposal,
    layout: ParameterLayout,
    samples: int,
    sample_rate: int,
    controls: Iterable[str] | None = None,
    region: tuple[float, float] | None = None,
) -> Project:
    """A project with what is proposed.

    controls: these alone, or all. region: between two beats, with what the lanes say outside of it; with what the
    proposal says at its ends where there is none. Raises InputError for a control of which nothing is proposed.
    """
    wanted = _wanted(proposal, layout, controls)
    if region is None:
        return _all_of(project, proposal, layout, samples / sample_rate, wanted, controls is None)
    clock = project.clock
    first, last = (int(min(samples, max(0, round(clock.seconds(b) * sample_rate)))) for b in region)
    if last <= first:
        raise InputError("the region is empty")
    moved = project.with_lanes(wanted.values())
    course = course_of(moved, layout, samples, sample_rate)
    count = max(2, int((last - first) / sample_rate * PER_SECOND) + 2)
    places = np.unique(np.linspace(first, last, count).astype(np.int64))
    rows = np.stack([course.row(int(place)) for place in places])
    lanes = []
    for name in wanted:
        index = layout.index(name)
        base = base_of(name, project, layout, samples / sample_rate)
        if not base:
            rest = project.values.get(name, layout[name].control.default)
            base = (LanePoint(at=0.0, value=rest, shape="hold" if layout[name].control.held else "linear"),)
        run = Run(name, places.tolist(), rows[:, index].astype(float).tolist())
        points = recorded(base, run, layout[name].control, clock, sample_rate, SPLICE)
        lanes.append(Lane(control=name, points=points))
    return project.with_lanes(lanes)


def _wanted(proposal: Proposal, layout: ParameterLayout, controls: Iterable[str] | None) -> dict[str, Lane]:
    if controls is None:
        return {name: lane for name, lane in proposal.lanes.items() if name in layout}
    wanted = {}
    for name in controls:
        if name not in layout:
            raise InputError(f"there is no control {name!r}{did_you_mean(name, layout.names)}")
        if name in proposal.lanes:
            wanted[name] = proposal.lanes[name]
        elif proposal.whole:
            wanted[name] = _resting(name, layout)
        else:
            raise InputError(f"nothing is proposed for {name}")
    return wanted


def _all_of(
    project: Project,
    proposal: Proposal,
    layout: ParameterLayout,
    seconds: float,
    wanted: dict[str, Lane],
    all_: bool,
) -> Project:
    """Lanes in place of what the project says; with all of a whole proposal also what stands elsewhere goes home."""
    if not (all_ and proposal.whole):
        return project.with_lanes(wanted.values())
    bare = project.model_copy(
        update={
            "lanes": tuple(lane for lane in project.lanes if lane.control not in layout),
            "values": {name: value for name, value in project.values.items() if name not in layout},
        }
    )
    others = [name for name in layout.names if name not in wanted]
    moved = [name for name in others if base_of(name, bare, layout, seconds)] if bare.clips else []
    return bare.with_lanes([*wanted.values(), *(_resting(name, layout) for name in moved)])


def _resting(name: str, layout: ParameterLayout) -> Lane:
    return Lane(control=name, points=(LanePoint(at=0.0, value=layout[name].control.default),))


def _drawn(band: Band) -> dict[str, Any]:
    return {
        "seconds": band.seconds.round(4).tolist(),
        "low": [float(f"{value:.6g}") for value in band.low],
        "high": [float(f"{value:.6g}") for value in band.high],
        "told": band.told.astype(int).tolist(),
    }
