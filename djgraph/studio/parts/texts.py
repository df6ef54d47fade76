"""The graph's text: read, checked as one types, saved, and made what plays; and the graph's drawing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from djgraph.errors import InputError
from djgraph.graph.build import graphs_of
from djgraph.language.limits import FILE_BYTES
from djgraph.plugins import registry
from djgraph.studio.checking import drawing_of
from djgraph.studio.graph_file import Kept, digest_of, readable
from djgraph.studio.messages import Message
from djgraph.studio.project import Project
from djgraph.studio.reloading import Reloading, Wish
from djgraph.studio.session import Part, Session
from djgraph.studio.worker import Worker

LOOKED = 1.0
"""Seconds after which one looks whether the file has changed."""
Text = Annotated[str, Field(max_length=FILE_BYTES)]
Digest = Annotated[str, Field(max_length=64)]


class Save(Message):
    """Keep a text, and play it. over: the digest of the text that it was made from."""

    do: Literal["save_text"]
    text: Text
    over: Digest


class Fetch(Message):
    """Play what the file holds now."""

    do: Literal["fetch_text"]


class Texts(Part):
    """A graph with a file of its own is saved there, and what was there before is kept in a folder beside it; of one
    that ships with a package, or came without a file, the project keeps its copy, once it is what plays."""

    messages: ClassVar[tuple[type[Message], ...]] = (Save, Fetch)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        graph, project = session.mixer.graph, session.project
        known = {name: Path(path).absolute() for name, path in graphs_of(registry()).items()}
        path = None if graph.file is None else Path(graph.file).absolute()
        own = path is not None and path not in known.values() and path.is_file()
        if path is None and session.opened is not None:
            path = known.get(session.opened.origin.graph)  # what the project's copy was made of
        self._file = graph.file if own else None
        """Where parts of the graph are looked for; what the project keeps has no folder."""
        self._name = Path(graph.file).name if graph.file else f"{graph.name}.yaml"
        self._kept = Kept(path) if path is not None and own else None
        self._shipped = "" if path is None or own else readable(Kept(path)) or ""
        text = readable(self._kept) if self._kept is not None else project.graph or self._shipped
        self._text = self._played = text or ""
        self._disk: str | None = None  # what another editor has written, its digest
        self._last: dict[str, Any] = {"stage": "done", "wish": 0, "problems": [], "notes": []}
        self._drawings: dict[tuple[int, str, bool], dict[str, Any]] = {}
        self.worker = Worker()
        self._reloading = Reloading(session, self._ask, self._staged, self._taken)
        self._ended = threading.Event()
        self._watch: threading.Thread | None = None
        if self._kept is not None:
            self._watch = threading.Thread(target=self._look, name="djgraph graph file", daemon=True)
            self._watch.start()

    def handle(self, message: Save | Fetch) -> None:
        if isinstance(message, Fetch):
            if self._kept is None:
                raise InputError("this graph has no file of its own")
            self._text, self._disk = self._kept.read(), None
            self._tell()
            self._reloading.ask(self._text, self._file)
            return
        if self._kept is not None:
            self._write(message, self._kept)
        elif message.over != digest_of(self._text):
            raise InputError("the text has been saved by another page since; load that one, or save again")
        self._text, self._disk = message.text, None
        self._tell()
        self._reloading.ask(self._text, self._file)

    def changed(self) -> None:
        if self._kept is not None:
            return
        wanted = self.session.project.graph or self._shipped
        if wanted and wanted != self._played and wanted != self._text:  # undone, or the other version
            self._text = wanted
            self._tell()
            self._reloading.ask(wanted, self._file)

    def snapshot(self) -> dict[str, Any]:
        return {"text": self._about(), "reload": self._last}

    def let_go(self) -> None:
        """Who waits for an answer gets one; another server may ask another process."""
        worker, self.worker = self.worker, Worker()
        worker.close()

    def close(self) -> None:
        self._ended.set()
        self.worker.close()
        self._reloading.close()
        if self._watch is not None:
            self._watch.join(timeout=2)

    # ── For the server ──────────────────────────────────────────────────────────────────────────────────────

    def document(self) -> dict[str, Any]:
        """The text itself, and what there is to say of it. Who asks for it will have it checked."""
        threading.Thread(target=self.worker.begin, name="djgraph checks", daemon=True).start()
        return {**self._about(), "text": self._text}

    def check(self, text: str) -> dict[str, Any]:
        """What is wrong with a text. Raises DJGraphError where that cannot be told in time."""
        return self.worker.ask("check", text=text, file=self._file, args=dict(self.session.args))

    def drawing(self, theme: Literal["light", "dark"], unfold: bool) -> dict[str, Any]:
        """The graph that plays, drawn: see :func:`djgraph.studio.checking.drawing_of`. Raises DJGraphError."""
        graph = self.session.mixer.graph
        key = id(graph), theme, unfold
        if key not in self._drawings:
            if self._played:
                args = dict(self.session.args)
                said = {"text": self._played, "file": self._file, "args": args}
                made = self.worker.ask("draw", theme=theme, unfold=unfold, **said)
            else:
                made = drawing_of(graph, theme, unfold)
            self._drawings = {k: v for k, v in self._drawings.items() if k[0] == id(graph)} | {key: made}
        return self._drawings[key]

    # ── How ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _ask(self, what: str, **question: Any) -> dict[str, Any]:
        return self.worker.ask(what, **question)

    def _about(self) -> dict[str, Any]:
        return {
            "digest": digest_of(self._text),
            "name": self._name,
            "own": self._kept is not None,
            "there": bool(self._text),
            "played": digest_of(self._played),
            "disk": self._disk,
        }

    def _tell(self) -> None:
        self.session.tell({"event": "text", **self._about()})

    def _write(self, message: Save, kept: Kept) -> None:
        disk = readable(kept)
        if disk is not None and digest_of(disk) not in (message.over, digest_of(message.text)):
            self._disk = digest_of(disk) if disk != self._text else None
            self._tell()
            raise InputError(
                f"{kept.path.name} has been changed since it was read here; load it, or save over it"
            )
        kept.write(message.text)

    def _staged(self, event: dict[str, Any]) -> None:
        self._last = event
        self.session.tell({"event": "reload", **event})

    def _taken(self, wish: Wish) -> Project:
        """A text is what plays."""
        self._played = wish.text
        project = self.session.project
        copy = "" if self._kept is not None or wish.text == self._shipped else wish.text
        return project if project.graph == copy else project.model_copy(update={"graph": copy})

    def _look(self) -> None:
        """Tells where another editor has changed the file."""
        while not self._ended.wait(LOOKED):
            kept = self._kept
            if kept is None or not kept.changed():
                continue
            text = readable(kept)
            now = None if text is None or text == self._text else digest_of(text)
            if now != self._disk:
                self._disk = now
                self._tell()
