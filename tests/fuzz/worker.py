"""Inputs to try, and the child process that they are tried in; one that hangs or dies is replaced by another."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LONGEST_WAIT = 300
"""Seconds until a child is given up that its own watchdog has not ended, from when it was ready."""


@dataclass(frozen=True)
class Case:
    """A folder of files, the one of them that is damaged, or a command line to run in it.

    files: path → content, None for a named pipe.
    """

    target: str
    files: Mapping[str, bytes | None]
    main: str = ""
    arguments: tuple[str, ...] = field(default=())


class Worker:
    """Tries cases one after the other."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (as long as this object)

    def run(self, case: Case, folder: Path) -> tuple[str, str]:
        """``("whole" | "refused" | "fault", why)``. folder: an empty one for the files."""
        for name, content in case.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                os.mkfifo(path)
            else:
                path.write_bytes(content)
        what = list(case.arguments) if case.target == "command" else str(folder / case.main)
        request = {"target": case.target, "folder": str(folder), "what": what}
        child = self._ready()
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(request) + "\n")
        child.stdin.flush()
        if not select.select([child.stdout], [], [], LONGEST_WAIT)[0]:
            child.kill()
        line = child.stdout.readline()
        if not line:
            code = child.wait()
            self._child = None
            self._said.seek(0)
            return "fault", f"the process hung or died (exit code {code}):\n{self._said.read()[-4000:]}"
        answer = json.loads(line)
        return answer["kind"], answer["why"]

    def _ready(self) -> subprocess.Popen[str]:
        if self._child is None:
            self._said.seek(0)
            self._said.truncate()
            script = Path(__file__).with_name("child.py")
            child = subprocess.Popen(
                [sys.executable, script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                text=True,
            )
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n", "the child process could not be started"
            self._child = child
        return self._child

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
        self._said.close()
