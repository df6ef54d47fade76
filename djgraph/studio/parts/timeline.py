"""Lanes of automation and recipes on the timeline; undo and redo."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from djgraph.automation import recipe, recipes
from djgraph.errors import DJGraphError, InputError
from djgraph.layout import ParameterLayout
from djgraph.layout.faders import find_tracks
from djgraph.studio.curves import lane_points, points_of_clip
from djgraph.studio.messages import Message
from djgraph.studio.project import Clip, Lane, Project
from djgraph.studio.session import Part, Session

ORDINALS = ("1st", "2nd", "3rd", *(f"{number}th" for number in range(4, 10)))
Gesture = Annotated[str, Field(max_length=100)]
Ids = Annotated[tuple[Annotated[int, Field(ge=1, le=10**9)], ...], Field(min_length=1, max_length=1000)]


class Draw(Message):
    """A lane as it is now. gesture: edits with the same name that follow one another are undone together."""

    do: Literal["draw"]
    lane: Lane
    gesture: Gesture = ""


class Edit(Message):
    """Several lanes as they are now, as one edit. what: it was, in words."""

    do: Literal["edit"]
    lanes: Annotated[tuple[Lane, ...], Field(min_length=1, max_length=1000)]
    what: Annotated[str, Field(min_length=1, max_length=100)]
    gesture: Gesture = ""


class Spot(BaseModel):
    """A recipe at its place. number: of one that is there, 0 for a new one. settings: its other arguments."""

    model_config = ConfigDict(extra="forbid")
    number: Annotated[int, Field(ge=0, le=10**9)] = 0
    recipe: Annotated[str, Field(min_length=1, max_length=200)]
    start: Annotated[float, Field(ge=0, le=1e7)]
    length: Annotated[float, Field(gt=0, le=1e6)]
    settings: dict[
        Annotated[str, Field(min_length=1, max_length=200)], float | Annotated[str, Field(max_length=200)]
    ] = Field(default_factory=dict, max_length=100)


class Place(Spot, Message):
    """A recipe on the timeline: a new one, or one that is there with other arguments."""

    do: Literal["place"]
    gesture: Gesture = ""


class Arrange(Message):
    """Several recipes, as one edit. what: it was, in words."""

    do: Literal["arrange"]
    clips: Annotated[tuple[Spot, ...], Field(min_length=1, max_length=1000)]
    what: Annotated[str, Field(min_length=1, max_length=100)]
    gesture: Gesture = ""


class Remove(Message):
    """Recipes go from the timeline."""

    do: Literal["remove"]
    numbers: Ids


class Unfold(Message):
    """Lanes in place of recipes, to be edited point by point."""

    do: Literal["unfold"]
    numbers: Ids


class Undo(Message):
    do: Literal["undo"]


class Redo(Message):
    do: Literal["redo"]


class Timeline(Part):
    messages: ClassVar[tuple[type[Message], ...]] = (Draw, Edit, Place, Arrange, Remove, Unfold, Undo, Redo)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._known: tuple[ParameterLayout, list[dict[str, Any]]] | None = None

    def handle(self, message: Draw | Edit | Place | Arrange | Remove | Unfold | Undo | Redo) -> None:
        session = self.session
        match message:
            case Draw():
                self._draw([message.lane], f"draw {message.lane.control}", message.gesture)
            case Edit():
                self._draw(message.lanes, message.what, message.gesture)
            case Place():
                what = f"change {message.recipe}" if message.number else f"add {message.recipe}"
                self._place((message,), what, message.gesture)
            case Arrange():
                self._place(message.clips, message.what, message.gesture)
            case Remove():
                project = session.project
                for number in message.numbers:
                    project = project.without_clip(self._clip(number).id)
                session.change(project, f"remove {_recipes(message.numbers)}")
            case Unfold():
                session.change(self._unfolded(message.numbers), f"make lanes of {_recipes(message.numbers)}")
            case Undo():
                session.go_back()
            case Redo():
                session.go_forth()

    def snapshot(self) -> dict[str, Any]:
        tracks = find_tracks(self.session.mixer.layout)
        return {
            "moving": dict(self.session.moving()),
            "recipes": self._recipes(),
            "clips": self._courses(),
            # What recipes may go from and to: a name, and where a track has several an ordinal.
            "tracks": [
                {
                    "value": track.names[0] if len(track.names) == 1 else ORDINALS[i],
                    "title": " and ".join(track.names),
                }
                for i, track in enumerate(tracks[: len(ORDINALS)])
            ],
        }

    def changed(self) -> None:
        self.session.tell({"event": "clips", "clips": self._courses()})

    def _draw(self, lanes: Iterable[Lane], what: str, gesture: str) -> None:
        lanes = tuple(lanes)
        for lane in lanes:
            control = self.session.mixer.layout[lane.control].control
            beyond = [p.value for p in lane.points if not control.min <= p.value <= control.max]
            if beyond:
                raise InputError(
                    f"{beyond[0]:g} is out of the range of {lane.control}: {control.min:g} … {control.max:g}"
                )
            if any(b.at < a.at for a, b in zip(lane.points, lane.points[1:])):
                raise InputError(f"the points of {lane.control} are not in order of time")
        self.session.change(self.session.project.with_lanes(lanes), what, gesture)

    def _place(self, spots: Iterable[Spot], what: str, gesture: str) -> None:
        project = self.session.project
        for spot in spots:
            if spot.number:
                self._clip(spot.number)
            number = spot.number or 1 + max((clip.id for clip in project.clips), default=0)
            more = spot.model_dump(include={"recipe", "start", "length", "settings"})
            project = project.with_clip(Clip(id=number, **more))
        self.session.change(project, what, gesture)

    def _clip(self, number: int) -> Clip:
        for clip in self.session.project.clips:
            if clip.id == number:
                return clip
        raise InputError(f"there is no recipe number {number} on the timeline")

    def _unfolded(self, numbers: Iterable[int]) -> Project:
        session, project = self.session, self.session.project
        layout = session.mixer.layout
        clips = sorted((self._clip(number) for number in numbers), key=lambda clip: clip.start)
        lanes: dict[str, Lane] = {}
        for clip in clips:
            for control, points in self._points(clip).items():
                old = lanes.get(control, project.lane(control)).points
                fresh = lane_points(points, layout, control)
                begin, end = fresh[0].at, fresh[-1].at
                kept = [p for p in old if p.at < begin], [p for p in old if p.at > end]
                lanes[control] = Lane(control=control, points=(*kept[0], *fresh, *kept[1]))
            project = project.without_clip(clip.id)
        return project.with_lanes(lanes.values())

    def _points(self, clip: Clip) -> Any:
        session = self.session
        return points_of_clip(clip, session.project, session.mixer.layout, session.seconds)

    def _courses(self) -> list[dict[str, Any]]:
        """What each recipe on the timeline does, to draw."""
        layout = self.session.mixer.layout
        return [
            {
                "id": clip.id,
                "lanes": {
                    control: [
                        p.model_dump(exclude_defaults=True) for p in lane_points(points, layout, control)
                    ]
                    for control, points in self._points(clip).items()
                },
            }
            for clip in self.session.project.clips
            if clip not in self.session.resting
        ]

    def _recipes(self) -> list[dict[str, Any]]:
        """The recipes that are installed, each with its arguments, and why this graph cannot play it, if so."""
        layout = self.session.mixer.layout
        if self._known is None or self._known[0] is not layout:
            self._known = layout, [_told(name, self._problem(name)) for name in recipes()]
        return self._known[1]

    def _problem(self, name: str) -> str | None:
        try:
            self._points(Clip(id=1, recipe=name, start=0.0, length=min(16.0, self._most_beats())))
        except DJGraphError as error:
            problems = getattr(error, "problems", ())
            return problems[0].message if problems else str(error)
        return None

    def _most_beats(self) -> float:
        return max(0.01, self.session.project.clock.beat(self.session.seconds))


def _recipes(numbers: Collection[int]) -> str:
    """In words."""
    return "a recipe" if len(numbers) == 1 else f"{len(numbers)} recipes"


def _told(name: str, problem: str | None) -> dict[str, Any]:
    found = recipe(name)
    arguments = [
        {"name": a.name, "default": a.default, "description": a.description} for a in found.arguments
    ]
    return {
        "name": name,
        "title": found.title or name,
        "description": found.description,
        "arguments": arguments,
        "problem": problem,
    }
