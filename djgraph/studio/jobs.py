"""Long work beside a studio: in a process of its own, told as it goes on, stopped when asked, crashes told in words."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from djgraph.errors import DJGraphError
from djgraph.studio.messages import WRONG

Tell = Callable[[dict[str, Any]], None]
Work = Callable[[Any, Path, Tell, Callable[[], bool]], dict[str, Any]]
"""Called in the process: what is to be done, a folder that both know, what to call with news, whether to stop. Returns
what is small of the result; files lie in the folder. A function of a module."""
POLITE = 10
"""How far the process stands behind the sound, as of os.nice."""
NAME = "djgraph job"
LAST = 3
"""Lines of a crash that are told."""
FRAME = (" ", "Traceback", f"Process {NAME}")
"""What lines that say where it happened begin with."""


class JobError(DJGraphError):
    """A job came to no end. kind: the name of the error's class, where the work itself raised it."""

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class Job:
    """One piece of work. news: is called with what the work tells. done: with its result and the folder, which is gone
    afterwards. failed: instead of that, or after it where it raises something. All on the job's own thread."""

    def __init__(
        self,
        work: Work,
        prepare: Callable[[Path, Callable[[], bool]], Any],
        news: Tell,
        done: Callable[[dict[str, Any], Path], None],
        failed: Callable[[JobError], None],
    ) -> None:
        """prepare: is called first, on the job's thread, with the folder and with what says whether to go on; returns
        what is to be done."""
        self._work, self._prepare, self._news = work, prepare, news
        self._done, self._failed = done, failed
        self._process: Any = None
        self._wire: Connection | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="djgraph job", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask it to come to an end; what it has found is kept."""
        self._stopping.set()
        with self._lock:
            if self._wire is not None:
                with contextlib.suppress(OSError):  # it has ended
                    self._wire.send("stop")

    def kill(self) -> None:
        """End it at once."""
        self._stopping.set()
        with self._lock:
            if self._process is not None and self._process.is_alive():
                self._process.kill()

    def close(self) -> None:
        """End it, and wait until it has."""
        self.kill()
        self._thread.join(timeout=10)

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="djgraph-"))
        try:
            try:
                spec = self._prepare(folder, lambda: not self._stopping.is_set())
                self._done(self._do(spec, folder), folder)
            except JobError as problem:
                self._failed(problem)
            except DJGraphError as problem:
                self._failed(JobError(str(problem), type(problem).__name__))
            except OSError as problem:  # a full disk, no more processes
                self._failed(JobError(f"the job broke off: {problem.strerror or problem}"))
            except Exception:
                # Whatever it was, no page waits for an end that does not come.
                logging.getLogger("djgraph").exception("a job failed")
                self._failed(JobError(WRONG))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _do(self, spec: Any, folder: Path) -> dict[str, Any]:
        # spawn: a fork of a process whose torch has threads may hang.
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(
            target=_begin, args=(self._work, spec, folder, there), name=NAME, daemon=True
        )
        with self._lock:
            if self._stopping.is_set():
                raise JobError("it was stopped before anything was found", "Stopped")
            process.start()
            self._process, self._wire = process, here
        there.close()
        wait = 0.0
        try:
            found = self._heard(here)
            wait = 5.0
        finally:
            process.join(timeout=wait)
            if process.is_alive():
                process.kill()
                process.join()
            with self._lock:
                self._wire = None
                here.close()
        if found is not None:
            return found
        if self._stopping.is_set():
            raise JobError("it was stopped before anything was found", "Stopped")
        raise JobError(_crash(process.exitcode, folder / "errors"))

    def _heard(self, wire: Connection) -> dict[str, Any] | None:
        """What the process returns; None where it ends without a word. Raises the JobError that it tells."""
        while True:
            try:
                what, told = wire.recv()
            except (EOFError, OSError):  # the other end is closed: it has ended
                return None
            if what == "failed":
                raise JobError(*told)
            if what == "done":
                found: dict[str, Any] = told
                return found
            self._news(told)


def _begin(work: Work, spec: Any, folder: Path, wire: Connection) -> None:
    """In the process."""
    log = os.open(folder / "errors", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.dup2(log, 2)
    sys.stdout = sys.stderr
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the studio, which then ends this
    if hasattr(os, "nice"):
        os.nice(POLITE)
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    stop, lock = threading.Event(), threading.Lock()

    def listen() -> None:
        try:
            while True:
                wire.recv()
                stop.set()
        except (EOFError, OSError):
            os._exit(1)  # the studio is gone

    threading.Thread(target=listen, daemon=True).start()

    def send(what: str, told: Any) -> None:
        with lock:
            wire.send((what, told))

    try:
        found = work(spec, folder, lambda news: send("news", news), stop.is_set)
    except DJGraphError as problem:
        send("failed", (str(problem), getattr(problem, "kind", "") or type(problem).__name__))
    except MemoryError:
        send("failed", ("the memory did not suffice: try a shorter region", "MemoryError"))
    else:
        send("done", found)


def _crash(code: int | None, log: Path) -> str:
    """What became of a process that ended without a word."""
    try:
        # Its own log, of whatever length: the end of it.
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        text = ""
    told = [line for line in text.splitlines() if line.strip() and not line.startswith(FRAME)]
    last = "; ".join(line.strip() for line in told[-LAST:])
    if code is not None and code < 0:
        what = f"the job was ended by signal {-code}"
        what += ", perhaps for want of memory" if code == -9 else ""
    else:
        what = "the job broke off"
    return f"{what}: {last}" if last else what
