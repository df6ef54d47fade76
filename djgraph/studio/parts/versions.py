"""Two versions of a project, A and B, between which one goes while it plays."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from djgraph.studio.messages import Message
from djgraph.studio.project import Project
from djgraph.studio.session import Part


class Switch(Message):
    """Go to a version; one that there is not begins as a copy of this one."""

    do: Literal["switch"]
    letter: Literal["A", "B"]


class Copy(Message):
    """The other version becomes what this one is."""

    do: Literal["copy"]


class Versions(Part):
    """The version that is not played is a part of the project, so that it is saved and edits of it can be undone."""

    messages: ClassVar[tuple[type[Message], ...]] = (Switch, Copy)

    def handle(self, message: Switch | Copy) -> None:
        session, project = self.session, self.session.project
        other = "B" if project.letter == "A" else "A"
        alone = project.model_copy(update={"other": None})
        if isinstance(message, Copy):
            copied = alone.model_copy(update={"letter": other})
            session.change(project.model_copy(update={"other": copied}), f"copy {project.letter} to {other}")
        elif message.letter != project.letter:
            there: Project = alone if project.other is None else project.other
            session.change(there.model_copy(update={"letter": other, "other": alone}), f"switch to {other}")

    def snapshot(self) -> dict[str, Any]:
        return {"has_other": self.session.project.other is not None}

    def changed(self) -> None:
        self.session.tell({"event": "versions", "has_other": self.session.project.other is not None})
