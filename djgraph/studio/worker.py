"""Checks and drawings in a process of their own, with a deadline: a hostile text stalls neither pages nor sound."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from typing import IO, Any

from pydantic_core import from_json

from djgraph.errors import DJGraphError, InputError
from djgraph.studio.messages import WRONG

DEADLINE = 10.0
"""Seconds for a check or a drawing."""
STARTING = 120.0
"""Seconds until a process has read its libraries."""
LONGEST = 4000
"""Characters that are kept of a traceback."""
NICE = 15
"""How far it stands back behind the sound."""
# Nothing is imported before the path is the studio's own: a module in the folder that one works in is not taken.
_BEGIN = f"""
import os, sys
sys.path[:] = sys.argv[1:]
if hasattr(os, "nice"): os.nice({NICE})
from djgraph.studio.worker import serve
serve()
"""


class Worker:
    """Asks a process, which is started when it is first needed, and ended when a deadline passes. From any thread;
    questions wait for one another."""

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._lock = threading.Lock()
        self._closed = False

    def begin(self) -> None:
        """Start the process if it is not there, so that the first question need not wait for that."""
        with (
            self._lock,
            contextlib.suppress(InputError),
        ):  # told to whoever asks, and nobody where it is closed
            if not self._closed:
                self._started()

    def ask(self, what: str, **question: Any) -> dict[str, Any]:
        """``check`` or ``draw``, with the arguments of :func:`djgraph.studio.checking.findings` and ``drawn``. Raises
        DJGraphError for what is refused, what takes too long and what ends the process."""
        with self._lock:
            if self._closed:
                raise InputError("the studio ends")
            process = self._started()
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps({"do": what, **question}) + "\n")
                process.stdin.flush()
                line = self._answers.get(timeout=self._deadline)
            except queue.Empty:
                self._end()
                raise InputError(
                    f"the text took longer than {self._deadline:g} s to check, and was given up"
                ) from None
            except OSError:
                line = None
            if line is None:
                self._end()
                raise InputError("the process that checks has ended; it is started anew next time")
            answer: dict[str, Any] = from_json(line)
        if "wrong" in answer:
            logging.getLogger("djgraph").error("%s of a text failed: %s", what, answer["wrong"])
            raise DJGraphError(WRONG)
        if "refused" in answer:
            raise DJGraphError(answer["refused"])
        return answer

    def close(self) -> None:
        """End the process. One that is asked meanwhile is ended, too."""
        self._closed = True
        self._end()

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._answers = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BEGIN, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert self._process.stdout is not None
        reader = threading.Thread(
            target=_read, args=(self._process.stdout, self._answers), name="djgraph checks", daemon=True
        )
        reader.start()
        try:
            ready = self._answers.get(timeout=STARTING)
        except queue.Empty:
            ready = None
        if ready is None:
            self._end()
            raise InputError("the process that checks texts did not start")
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    _close(pipe)


def _read(pipe: IO[str], answers: queue.Queue[str | None]) -> None:
    """Every line, and None behind the last one."""
    with contextlib.suppress(OSError, ValueError):  # closed while it is read, by who has given the process up
        for line in pipe:
            answers.put(line)
    answers.put(None)


def _close(pipe: IO[str]) -> None:
    with contextlib.suppress(OSError):  # what was not sent yet has no reader
        pipe.close()


def serve() -> None:
    """What the process does: a question a line, an answer a line."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what plugins print is no answer
    from djgraph.plugins import registry
    from djgraph.studio import checking

    registry()
    does = {"check": checking.findings, "draw": checking.drawn}
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        answer = _answer(does, from_json(line))
        print(json.dumps(answer), file=answers, flush=True)


def _answer(does: Mapping[str, Any], question: dict[str, Any]) -> dict[str, Any]:
    what = question.pop("do")
    try:
        made: dict[str, Any] = does[what](**question)
        return made
    except DJGraphError as error:
        return {"refused": str(error)}
    except (RecursionError, MemoryError) as error:
        return {"refused": f"the text is too large to be understood ({type(error).__name__})"}
    except Exception:
        return {"wrong": traceback.format_exc()[-LONGEST:]}
