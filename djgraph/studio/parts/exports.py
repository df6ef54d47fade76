"""What goes out of a project: what takes long in a process of its own, with progress, ended when nobody wants it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from djgraph.errors import DJGraphError, InputError, did_you_mean
from djgraph.reading import parse_json
from djgraph.studio.exporting import FORMS, Job, What, export
from djgraph.studio.file_names import free_path, plain, written
from djgraph.studio.messages import WRONG, Message, Name
from djgraph.studio.opening import Opened
from djgraph.studio.session import Part, Session
from djgraph.studio.set_file import no_set

AT_HAND = ("automation", "set")
"""Exports that take no process of their own."""
AT_ONCE = 2
"""Exports that run at one time; others wait for their turn."""
ORDERED = 20
"""Exports that run or wait."""
REMEMBERED = 30
"""Exports that are over and still told of."""
PATIENCE = 5.0
"""Seconds that an export has to end when it is told to."""


class Export(Message):
    """Write a file. name: without ending, the project's where left out. form: the ending. outputs: of a mix, a file
    for each; none stands for the main one."""

    do: Literal["export"]
    what: What
    form: Annotated[str, Field(max_length=20)] = ""
    name: Annotated[str, Field(max_length=100)] = ""
    normalize: bool = False
    outputs: list[Name] = Field(default_factory=list, max_length=1000)


class Cancel(Message):
    """End an export; nothing of it stays."""

    do: Literal["cancel_export"]
    job: Annotated[int, Field(ge=1, le=10**9)]


@dataclass
class _Running:
    number: int
    job: Job
    state: str = "running"
    step: str = "waiting for its turn"
    share: float = 0.0
    files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    process: subprocess.Popen[str] | None = None

    def told(self) -> dict[str, Any]:
        """For a page."""
        return {
            "job": self.number,
            "what": self.job.what,
            "name": Path(self.job.path).name,
            "state": self.state,
            "step": self.step,
            "share": self.share,
            "files": self.files,
            "notes": self.notes,
            "problem": self.problem,
        }


class Exports(Part):
    """Files lie in ``exports/`` below the project's folder; what is there is never written over."""

    messages: ClassVar[tuple[type[Message], ...]] = (Export, Cancel)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._jobs: dict[int, _Running] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(AT_ONCE)

    def handle(self, message: Export | Cancel) -> None:
        if isinstance(message, Cancel):
            self._cancel(message.job)
            return
        keep, opened = self.session.keep, self.session.opened
        if keep is None or opened is None:
            raise InputError("this session is not kept in a folder")
        if message.what == "set" and (why := no_set(opened)):
            raise InputError(why)
        forms = FORMS[message.what]
        form = message.form or forms[0]
        if form not in forms:
            raise InputError(
                f"{message.what} is written as {', '.join(forms)}, not {form!r}{did_you_mean(form, forms)}"
            )
        outputs = self._outputs(message)
        with self._lock:
            if sum(job.state == "running" for job in self._jobs.values()) >= ORDERED:
                raise InputError(f"{ORDERED} exports are under way; wait for one, or end it")
            path = self._free(plain(message.name or self.session.project.name), message.what, form, outputs)
            now = self.session.project
            project = now.model_copy(update={"other": None, "origin": now.origin or opened.origin})
            job = Job(
                what=message.what,
                path=str(path),
                outputs=outputs,
                normalize=message.normalize,
                project=project,
            )
            running = _Running(max(self._jobs, default=0) + 1, job)
            self._jobs[running.number] = running
            over = [n for n, one in self._jobs.items() if one.state != "running"]
            for number in over[:-REMEMBERED]:
                del self._jobs[number]
        if message.what in AT_HAND:
            self._write(running, opened)
            return
        thread = threading.Thread(
            target=self._take_turn, args=(running,), name=f"djgraph export {running.number}", daemon=True
        )
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        self._tell(running)
        thread.start()

    def snapshot(self) -> dict[str, Any]:
        opened = self.session.opened
        can = [what for what in FORMS if opened is not None and (what != "set" or not no_set(opened))]
        return {
            "exports": {
                "jobs": [job.told() for job in self._jobs.values()],
                "files": self.files(),
                "forms": {what: list(FORMS[what]) for what in can},
            }
        }

    def files(self) -> list[dict[str, Any]]:
        """Those that lie there, the newest first."""
        found = []
        for path in self._listed():
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append({"name": path.name, "bytes": status.st_size, "at": status.st_mtime})
        return sorted(found, key=lambda file: -file["at"])

    def file(self, name: str) -> Path | None:
        """A file by its name; None for what does not lie there. No name leads out of the folder."""
        return next((path for path in self._listed() if path.name == name), None)

    def close(self) -> None:
        for number in list(self._jobs):
            self._cancel(number)
        for thread in self._threads:
            thread.join(PATIENCE + 1)

    def _listed(self) -> list[Path]:
        folder = None if self.session.keep is None else self.session.keep.exports
        if folder is None:
            return []
        try:
            paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
        except OSError:  # it is made with the first export, and may be taken away
            return []
        return [path for path in paths if path.is_file() and not path.is_symlink()]

    def _outputs(self, message: Export) -> tuple[str, ...]:
        """Those that are written. Raises InputError for ones that there are not."""
        known = list(self.session.mixer.graph.outputs)
        for name in message.outputs:
            if name not in known:
                raise InputError(
                    f"the graph has no output {name!r}{did_you_mean(name, known)}; it has: {', '.join(known)}"
                )
        return tuple(dict.fromkeys(message.outputs)) if message.what == "mix" else ()

    def _free(self, name: str, what: What, form: str, outputs: Sequence[str] = ()) -> Path:
        """A path at which nothing lies and nothing is being written, and beside it neither."""
        assert self.session.keep is not None
        running = [job.job for job in self._jobs.values() if job.state == "running"]
        taken = {one for job in running for one in written(Path(job.path), job.outputs)}
        tail = {"automation": ".automation", "set": ".set"}.get(what, "")
        if len(outputs) == 1 and outputs[0] != next(iter(self.session.mixer.graph.outputs)):
            tail = f".{outputs[0]}"
        return free_path(self.session.keep.exports, name, f"{tail}.{form}", outputs, taken)

    def _write(self, running: _Running, opened: Opened) -> None:
        """Here and now: it takes a moment."""
        try:
            done = export(running.job, opened=opened)
        except DJGraphError as error:
            self._fail(running, str(error))
        except Exception:
            self._fail(running, WRONG)
            raise
        else:
            running.state, running.files = "done", [path.name for path in done.files]
            self._tell(running)

    def _take_turn(self, running: _Running) -> None:
        with self._turns:
            if running.state != "running":
                return
            try:
                self._run(running)
            except OSError as error:  # a full disk, no more processes
                self._fail(running, f"it could not be started: {error.strerror or error}")

    def _fail(self, running: _Running, problem: str) -> None:
        running.state, running.problem = "failed", problem
        self._tell(running)

    def _run(self, running: _Running) -> None:
        with tempfile.TemporaryDirectory(prefix="djgraph-export-") as folder:
            file = Path(folder) / "job.json"
            file.write_text(running.job.model_dump_json(), "utf-8")
            command = [sys.executable, "-m", "djgraph.studio.exporting", str(file)]
            with self._lock:
                if running.state != "running":
                    return
                running.process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    encoding="utf-8",
                )
            process = running.process
            assert process.stdout is not None
            assert process.stderr is not None
            faults: list[str] = []
            drain = threading.Thread(
                target=lambda err: faults.extend(err), args=(process.stderr,), daemon=True
            )
            drain.start()
            for line in process.stdout:
                self._hear(running, line)
            code = process.wait()
            drain.join(1)
            process.stdout.close()
        with self._lock:
            if running.state == "running":
                done = code == 0 and bool(running.files)
                running.state = "done" if done else "failed"
                if not done and not running.problem:
                    running.problem = faults[-1].strip() if faults else f"it ended with {code}"
        self._tell(running)

    def _hear(self, running: _Running, line: str) -> None:
        try:
            said = parse_json(line, f"export {running.number}", InputError).data
        except InputError:  # something that a library printed
            return
        if not isinstance(said, dict):
            return
        running.step = str(said.get("step", running.step))
        running.share = float(said.get("share", running.share))
        running.files = list(said.get("files", running.files))
        running.notes = list(said.get("notes", running.notes))
        running.problem = str(said.get("problem", running.problem))
        if running.state == "running" and "files" not in said:
            self._tell(running)

    def _cancel(self, number: int) -> None:
        with self._lock:
            running = self._jobs.get(number)
            if running is None or running.state != "running":
                return
            running.state = "cancelled"
            process = running.process
        if process is not None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
        self._tell(running)

    def _tell(self, running: _Running) -> None:
        event: dict[str, Any] = {"event": "export", "export": running.told()}
        if running.state != "running":
            event["files"] = self.files()
        self.session.tell(event)
