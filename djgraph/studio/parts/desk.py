"""Hands on controls."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from djgraph.errors import InputError, did_you_mean
from djgraph.studio.messages import Message, Name, Number
from djgraph.studio.monitor import closed, silencing
from djgraph.studio.session import Part, Session


class Hold(Message):
    """A hand is on a control: its value in plain units."""

    do: Literal["hold"]
    control: Name
    value: Number


class Release(Message):
    """The hand lets go; of all controls where none is named."""

    do: Literal["release"]
    control: Name | None = None


class Listen(Message):
    """Strips and buses that are muted, and those that are heard alone: what one listens to, and no part of the mix."""

    do: Literal["listen"]
    muted: list[Name] = Field(default_factory=list, max_length=10_000)
    soloed: list[Name] = Field(default_factory=list, max_length=10_000)


class Desk(Part):
    """A control that nothing moves stays where a hand leaves it; one with a lane or a recipe goes back to that."""

    messages: ClassVar[tuple[type[Message], ...]] = (Hold, Release, Listen)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._muted: list[str] = []
        self._soloed: list[str] = []
        self._hands = session.player.hands

    def handle(self, message: Hold | Release | Listen) -> None:
        session, hands = self.session, self.session.player.hands
        if isinstance(message, Hold):
            value = hands.hold(message.control, message.value)
            session.tell({"event": "held", "control": message.control, "value": value})
            return
        if isinstance(message, Listen):
            self._listen(message.muted, message.soloed)
            return
        names = list(hands.held) if message.control is None else [message.control]
        held = {name: hands.held[name] for name in names if name in hands.held}
        moved = {name for name, _ in session.moving()} | set(session.player.course.moving)
        rest = {name: value for name, value in held.items() if name not in moved}
        if rest:
            project = session.project
            values = {**project.values, **rest}
            session.change(project.model_copy(update={"values": values}), f"move {', '.join(rest)}")
        for name in held:
            hands.release(name)
        session.released(list(held))

    def changed(self) -> None:
        if (hands := self.session.player.hands) is not self._hands:  # another mixer has taken over
            self._hands = hands
            graph = self.session.mixer.graph
            owners = [owner.name for owner in graph.owners if silencing(graph, owner.name)]
            self._listen(
                *([name for name in names if name in owners] for names in (self._muted, self._soloed))
            )

    def snapshot(self) -> dict[str, Any]:
        return {
            "held": dict(self.session.player.hands.held),
            "listening": {"muted": self._muted, "soloed": self._soloed},
        }

    def _listen(self, muted: list[str], soloed: list[str]) -> None:
        graph = self.session.mixer.graph
        owners = [owner.name for owner in graph.owners]
        for name in (*muted, *soloed):
            if name not in owners:
                raise InputError(f"there is no strip or bus {name!r}{did_you_mean(name, owners)}")
            if not silencing(graph, name):
                raise InputError(
                    f"{name} has no fader, and not all that feeds it has one: it cannot be muted"
                )
        self.session.player.hands.shut(closed(graph, muted, soloed))
        self._muted, self._soloed = list(dict.fromkeys(muted)), list(dict.fromkeys(soloed))
        self.session.tell({"event": "listening", "muted": self._muted, "soloed": self._soloed})
