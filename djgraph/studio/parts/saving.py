"""The project saved as it is worked on, and older saves brought back."""

from __future__ import annotations

import threading
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from djgraph.errors import DJGraphError
from djgraph.studio.keeping import Left
from djgraph.studio.messages import Message
from djgraph.studio.project import Project
from djgraph.studio.session import Part, Session

QUIET = 1.0
"""Seconds without an edit after which there is a save."""
LATEST = 10.0
"""Seconds after an edit until which there is one, however many follow it."""
LEFT = 5.0
"""Seconds between notes of where one is."""


class Restore(Message):
    """Go back to an older save; what is there now stays a save, and can be returned to by undo, too."""

    do: Literal["restore"]
    number: Annotated[int, Field(ge=1, le=10**12)]


class KeepThis(Message):
    """Save now, under a note; such a save is never thinned out."""

    do: Literal["keep_save"]
    note: Annotated[str, Field(min_length=1, max_length=200)]


class Saves(Message):
    """Tell the saves that there are."""

    do: Literal["list_saves"]


class Rename(Message):
    """Another name for the project."""

    do: Literal["rename"]
    name: Annotated[str, Field(min_length=1, max_length=200)]


class Look(Message):
    """Which view is open, for the next time."""

    do: Literal["look"]
    view: Annotated[str, Field(max_length=50, pattern=r"^[a-z_-]*$")]


class Saving(Part):
    """A thread saves what was changed, once edits pause; nothing else waits for the disk."""

    messages: ClassVar[tuple[type[Message], ...]] = (Restore, KeepThis, Saves, Rename, Look)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._saved: Project | None = None
        self._state: dict[str, Any] = {"saved": None, "problem": None}
        self._edited = threading.Event()
        self._closed = threading.Event()
        self._writing = threading.Lock()
        self._view, self._left = "", Left()
        self._thread: threading.Thread | None = None
        if session.keep is not None:
            self._left = session.keep.left
            self._view = self._left.view
            self._thread = threading.Thread(target=self._run, name="djgraph saves", daemon=True)
            self._thread.start()

    def handle(self, message: Restore | KeepThis | Saves | Rename | Look) -> None:
        session = self.session
        match message:
            case Look():
                self._view = message.view
            case Rename():
                session.change(session.project.model_copy(update={"name": message.name}), "rename", "rename")
            case Saves() if session.keep is not None:
                session.tell({"event": "saves", "saves": session.keep.list()})
            case KeepThis() if session.keep is not None:
                self._save(message.note)
                session.tell({"event": "saves", "saves": session.keep.list()})
            case Restore() if session.keep is not None:
                self._save()
                old = session.keep.read(message.number)
                project = old.project.model_copy(update={"origin": session.project.origin})
                session.change(project, f"restore save {message.number}")
            case _:
                raise DJGraphError("this session is not kept in a folder")

    def snapshot(self) -> dict[str, Any]:
        keep = self.session.keep
        folder = None if keep is None else str(keep.folder)
        return {"saving": {**self._state, "folder": folder, "view": self._view}}

    def changed(self) -> None:
        self._edited.set()

    def close(self) -> None:
        self._closed.set()
        self._edited.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._tried(self._save)
            self._tried(self._leave)

    def _run(self) -> None:
        while not self._closed.is_set():
            if not self._edited.wait(LEFT):
                self._tried(self._leave)
                continue
            waited = 0.0
            while self._edited.is_set() and waited < LATEST and not self._closed.is_set():
                self._edited.clear()
                self._closed.wait(QUIET)
                waited += QUIET
            if not self._closed.is_set() and not self._tried(self._save):
                self._edited.set()  # again, when there may be room

    def _save(self, note: str = "") -> None:
        """Write the project as it is, unless that is what was written last."""
        keep, project = self.session.keep, self.session.project
        if keep is None:
            return
        with self._writing:
            if project == self._saved and not note:
                return
            save = keep.save(project, self.session.history.labels[0] or "", note)
            self._saved = project
        self._told({"saved": save.at, "number": save.number, "problem": None})

    def _leave(self) -> None:
        """Note where one is."""
        session = self.session
        left = Left(seconds=max(0.0, session.transport()["seconds"]), view=self._view)
        if session.keep is not None and left != self._left:
            session.keep.leave(left)
            self._left = left

    def _tried(self, write: Any) -> bool:
        try:
            write()
        except DJGraphError as error:
            self._told({"problem": str(error)})
            return False
        return True

    def _told(self, state: dict[str, Any]) -> None:
        self._state = {**self._state, **state}
        self.session.tell({"event": "saved", **self._state})
