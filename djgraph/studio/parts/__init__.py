"""What a session can do, a module for each subject: its messages, what comes of them, and what a page has to know of it
when it opens. None knows another; all know the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from djgraph.studio.messages import Message
    from djgraph.studio.session import Session


class Part:
    """Base of all. messages: those it answers, each with a ``do`` of its own."""

    messages: ClassVar[tuple[type[Message], ...]] = ()

    def __init__(self, session: Session) -> None:
        self.session = session

    def handle(self, message: Any) -> None:
        """Do what a page says. Raises DJGraphError, and changes nothing, for what cannot be."""
        raise NotImplementedError

    def snapshot(self) -> dict[str, Any]:
        """What a page has to know when it opens, under keys of its own."""
        return {}

    def changed(self) -> None:
        """The project has changed, or the mixer."""

    def close(self) -> None:
        """The studio ends."""
