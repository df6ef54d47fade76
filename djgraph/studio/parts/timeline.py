"""Lanes of automation and recipes on the timeline; undo and redo."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from djgraph.errors import InputError
from djgraph.studio.messages import Message
from djgraph.studio.project import Lane
from djgraph.studio.session import Part


class Draw(Message):
    """A lane as it is now. gesture: edits with the same name that follow one another are undone together."""

    do: Literal["draw"]
    lane: Lane
    gesture: str = ""


class Undo(Message):
    do: Literal["undo"]


class Redo(Message):
    do: Literal["redo"]


class Timeline(Part):
    messages: ClassVar[tuple[type[Message], ...]] = (Draw, Undo, Redo)

    def handle(self, message: Draw | Undo | Redo) -> None:
        session = self.session
        match message:
            case Draw():
                lane, layout = message.lane, session.mixer.layout
                layout.index(lane.control)
                if any(b.at < a.at for a, b in zip(lane.points, lane.points[1:])):
                    raise InputError(f"the points of {lane.control} are not in order of time")
                session.change(session.project.with_lane(lane), f"draw {lane.control}", message.gesture)
            case Undo():
                session.go_back()
            case Redo():
                session.go_forth()

    def snapshot(self) -> dict[str, Any]:
        return {"moving": dict(self.session.moving())}
