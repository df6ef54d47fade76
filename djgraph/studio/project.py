"""What a studio works on, as one value: a graph's text, lanes, recipes, the tempo. Every edit makes another value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, field_validator

from djgraph.arguments import FASTEST, SLOWEST
from djgraph.automation import SHAPES, TempoMap
from djgraph.reading import Stored

MOST_POINTS = 200_000
"""Of a lane: an hour of a hand that moves at every tick is 310,000, thinned to far fewer."""
Beat = Annotated[float, Field(ge=0, le=1e7)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Path = Annotated[str, Field(max_length=4096)]
Bpm = Annotated[float, Field(ge=SLOWEST, le=FASTEST)]
Argument = bool | int | float | Annotated[str, Field(max_length=4096)] | None
"""Of a graph, as far as the command line can say it."""


class LanePoint(Stored):
    """A breakpoint. at: in beats. value: in plain units. shape and bend: how it goes on from here."""

    at: Beat
    value: Annotated[float, Field(ge=-1e12, le=1e12)]
    shape: Literal["hold", "linear", "smooth", "exponential", "sine", "cosine"] = "linear"
    bend: Annotated[float, Field(ge=-240, le=240)] | None = None


class Lane(Stored):
    """The course of one control. points: in order of time."""

    control: Name
    points: Annotated[tuple[LanePoint, ...], Field(max_length=MOST_POINTS)] = ()


class Clip(Stored):
    """A recipe on the timeline. start, length: in beats. settings: its other arguments."""

    id: Annotated[int, Field(ge=1, le=10**9)]
    recipe: Name
    start: Beat
    length: Annotated[float, Field(gt=0, le=1e6)]
    settings: dict[Name, float | Annotated[str, Field(max_length=200)]] = Field(
        default_factory=dict, max_length=100
    )


class Origin(Stored):
    """What a project is played with, so that it opens again.

    graph: its name, or the path of its file. args: of it. set: instead, the path of a set file. inputs: a file or a
    folder of stems by input; where there are none, the demo's tracks. sync, key_lock, at, tempo: as ``djgraph render``
    has them; clock: the tempo at which tracks in sync were placed. target: a mix to compare with; fitted, intervals:
    what a fit found of it. lowering: as of :func:`djgraph.compile`. folders: of which a page may choose mixes and
    models, beside those of what is played. Paths are absolute.
    """

    graph: Path = "dj_mixer"
    args: dict[Name, Argument] = Field(default_factory=dict, max_length=1000)
    set: Path = ""
    inputs: dict[Name, Path] = Field(default_factory=dict, max_length=1000)
    sync: Literal["", "bar", "beat", "off"] = ""
    key_lock: bool = False
    at: Beat | None = None
    tempo: tuple[Bpm] | tuple[Bpm, Bpm] | None = None
    clock: Annotated[tuple[tuple[float, float, str], ...], Field(max_length=10_000)] = ()
    target: Path = ""
    fitted: Path = ""
    intervals: Path = ""
    lowering: Literal["studio", "causal"] = "studio"
    folders: Annotated[tuple[Path, ...], Field(max_length=100)] = ()


class Project(Stored):
    """All of it. origin: what it is played with. values: of controls that rest elsewhere than at their default. tempo:
    entries (beat, BPM, ramp). letter: which of two versions this is; other: the one that is not played."""

    project: Literal[1] = 1
    name: Annotated[str, Field(max_length=200)] = "untitled"
    graph: Annotated[str, Field(max_length=1 << 20)] = ""
    tempo: Annotated[tuple[tuple[float, float, str], ...], Field(min_length=1, max_length=10_000)] = (
        (0.0, 120.0, "hold"),
    )
    beats_per_bar: Annotated[int, Field(ge=1, le=32)] = 4
    loop: tuple[Beat, Beat] | None = None
    values: dict[Name, float] = Field(default_factory=dict, max_length=100_000)
    lanes: Annotated[tuple[Lane, ...], Field(max_length=100_000)] = ()
    clips: Annotated[tuple[Clip, ...], Field(max_length=10_000)] = ()
    origin: Origin | None = None
    letter: Literal["A", "B"] = "A"
    other: Project | None = None

    @field_validator("other")
    @classmethod
    def _alone(cls, other: Project | None) -> Project | None:
        if other is not None and other.other is not None:
            raise ValueError("there are two versions, no more")
        return other

    @property
    def clock(self) -> TempoMap:
        """Its tempo map. Raises InputError for one that cannot be."""
        return TempoMap([list(entry) for entry in self.tempo])

    def lane(self, control: str) -> Lane:
        """A control's lane; one without points where it has none."""
        return next((lane for lane in self.lanes if lane.control == control), Lane(control=control))

    def with_lane(self, lane: Lane) -> Project:
        """With a lane in place of the control's own, or at the end; one without points goes."""
        return self.with_lanes((lane,))

    def with_lanes(self, lanes: Iterable[Lane]) -> Project:
        """The same with several."""
        all_ = {one.control: one for one in self.lanes} | {lane.control: lane for lane in lanes}
        return self.model_copy(update={"lanes": tuple(one for one in all_.values() if one.points)})

    def with_clip(self, clip: Clip) -> Project:
        """With a recipe in place of the one that has its id, or at the end."""
        all_ = {one.id: one for one in self.clips} | {clip.id: clip}
        return self.model_copy(update={"clips": tuple(all_.values())})

    def without_clip(self, number: int) -> Project:
        """Without one recipe."""
        return self.model_copy(update={"clips": tuple(one for one in self.clips if one.id != number)})


assert set(LanePoint.model_fields["shape"].annotation.__args__) == set(SHAPES)  # type: ignore[union-attr]
