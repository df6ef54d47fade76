"""Signals while C code, or code with locks of its own, must not be left by an exception."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from djgraph.errors import Terminated

_AGAIN = 0.02  # seconds until a signal that was lost is sent once more


@contextlib.contextmanager
def held(kinds: tuple[int, ...] | None = None) -> Iterator[Callable[[], None]]:
    """Signals with a handler in Python are only noted in here; what is yielded hands them to their handlers.

    An exception that a handler raises (KeyboardInterrupt, SystemExit) inside a function that C code calls back is
    printed and lost, and the C code goes on as if nothing were. Call what is yielded where an exception may rise; the
    end of the ``with`` block does the same, after an error, too. kinds: the signals; all that have such a handler where
    left out. Python handles signals in the main thread alone: in others nothing happens here.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    noted: list[tuple[int, FrameType | None]] = []
    before: dict[int, Callable[[int, FrameType | None], object]] = {}
    for kind in signal.valid_signals() if kinds is None else kinds:
        handler = signal.getsignal(kind)
        if callable(handler):  # neither the system's own, nor ignored, nor set by C code
            before[kind] = handler

    def hand_on() -> None:
        while noted:
            number, frame = noted.pop(0)
            before[number](number, frame)

    try:
        for kind in before:
            signal.signal(kind, lambda number, frame: noted.append((number, frame)))
        yield hand_on
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        hand_on()


@contextlib.contextmanager
def insistent() -> Iterator[None]:
    """A signal whose exception gets lost is sent once more, until it is heard.

    Python's handlers run between any two instructions, those of a finaliser or of a weak reference's callback among
    them; what is raised there (KeyboardInterrupt, :class:`djgraph.errors.Terminated`) is printed and forgotten.
    """
    before = sys.unraisablehook

    def lost(unraisable: Any) -> None:
        kind = unraisable.exc_type
        if not issubclass(kind, KeyboardInterrupt | Terminated):
            before(unraisable)
            return
        number = signal.SIGINT if issubclass(kind, KeyboardInterrupt) else unraisable.exc_value.code - 128
        again = threading.Timer(_AGAIN, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()

    sys.unraisablehook = lost
    try:
        yield
    finally:
        sys.unraisablehook = before
