"""The command line. Importing it, and asking for help, loads neither torch nor any plugin."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from types import FrameType

from djgraph.cli.app import app
from djgraph.cli.streams import open_descriptors
from djgraph.errors import Terminated
from djgraph.signals import insistent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 an error, 2 wrong usage, 129, 130 and 143 for SIGHUP, Ctrl-C
    and SIGTERM."""
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            kind = getattr(signal, name, None)  # Windows has no terminal to hang up
            if kind is not None and signal.getsignal(kind) != signal.SIG_IGN:  # as nohup has it
                signal.signal(kind, _terminate)
    open_descriptors()
    try:
        with insistent():
            code = app(args=None if arguments is None else list(arguments), prog_name="djgraph")
    except SystemExit as stop:
        code = stop.code
    return code if isinstance(code, int) else int(code is not None)


def _terminate(number: int, frame: FrameType | None) -> None:
    # As an exception, so that temporary files are removed on the way out.
    raise Terminated(128 + number)


__all__ = ["app", "main"]
