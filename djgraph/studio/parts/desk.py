"""Hands on controls."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from djgraph.studio.messages import Message, Name, Number
from djgraph.studio.session import Part


class Hold(Message):
    """A hand is on a control: its value in plain units."""

    do: Literal["hold"]
    control: Name
    value: Number


class Release(Message):
    """The hand lets go; of all controls where none is named."""

    do: Literal["release"]
    control: Name | None = None


class Desk(Part):
    """A control without a lane stays where the hand leaves it; one with a lane stays held until it is given back."""

    messages: ClassVar[tuple[type[Message], ...]] = (Hold, Release)

    def handle(self, message: Hold | Release) -> None:
        session, hands = self.session, self.session.player.hands
        if isinstance(message, Hold):
            value = hands.hold(message.control, message.value)
            session.tell({"event": "held", "control": message.control, "value": value})
            return
        names = list(hands.held) if message.control is None else [message.control]
        held = {name: hands.held[name] for name in names if name in hands.held}
        moved = {name for name, _ in session.moving()}
        rest = {name: value for name, value in held.items() if name not in moved}
        if rest:
            project = session.project
            values = {**project.values, **rest}
            session.change(project.model_copy(update={"values": values}), f"move {', '.join(rest)}")
        for name in held:
            hands.release(name)
        session.tell({"event": "released", "controls": list(held)})

    def snapshot(self) -> dict[str, Any]:
        return {"held": dict(self.session.player.hands.held)}
