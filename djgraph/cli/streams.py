"""Standard output and error for any program's text and any terminal: closed, in another encoding, or obedient."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, TextIO

from djgraph.text import printable

FALLBACK = "djgraph.fallback"
"""Name of the codec error handler that writes what an encoding lacks in ASCII."""

_ASCII = str.maketrans(
    {
        **dict.fromkeys("─━–−‐‑", "-"),
        **dict.fromkeys("→▸", ">"),
        **dict.fromkeys("←", "<"),
        **dict.fromkeys("“”", '"'),
        **dict.fromkeys("‘’", "'"),
        **dict.fromkeys("│┃", "|"),
        "…": "...",
        "×": "x",
        "·": ".",
        "—": "--",
        "≤": "<=",
        "≥": ">=",
        "±": "+-",
        "²": "^2",
        "½": "1/2",
        "°": " deg",
        "µ": "u",
        "μ": "u",
    }
)


def _fall_back(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_ASCII)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error(FALLBACK, _fall_back)


class Screen:
    """A text stream that shows what a terminal would otherwise obey; in everything else it is ``raw``."""

    def __init__(self, raw: TextIO, closed: bool = False) -> None:
        self.raw = raw
        self.nowhere = closed
        """There is no such stream; what is written is lost."""
        self.lost = False
        """Something was written though there is no such stream."""

    def write(self, text: str) -> int:
        self.lost = self.nowhere
        self.raw.write(printable(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # by which click goes around a stream of ASCII
            raise AttributeError(name)
        return getattr(self.raw, name)


_answers: ContextVar[TextIO | None] = ContextVar(
    "standard output, kept for the command's answer", default=None
)


@contextlib.contextmanager
def screens() -> Iterator[None]:
    """Inside, whatever is printed can be, and nothing that is printed is obeyed. Streams that are closed (a daemon,
    a program without a console) are taken for ``/dev/null``."""
    before = sys.stdout, sys.stderr
    token = _answers.set(None)
    with contextlib.ExitStack() as stack:
        sys.stdout = stack.enter_context(_screen(sys.stdout))
        sys.stderr = stack.enter_context(_screen(sys.stderr))
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before
            _answers.reset(token)


def keep_for_answer() -> None:
    """Until :func:`screens` ends, standard output takes only what goes to :func:`answers`: whatever else is printed, as
    by a plugin's effect that runs, goes to standard error. For answers that programs read."""
    if _answers.get() is None:
        _answers.set(sys.stdout)
        sys.stdout = sys.stderr


def answers() -> TextIO:
    """Where a command prints its answer: standard output."""
    return _answers.get() or sys.stdout


def nothing_to_print_to() -> bool:
    """Whether text was printed that nobody can have seen, because standard output is closed."""
    return bool(getattr(answers(), "lost", False))


def is_unicode(stream: Any) -> bool:
    """Whether a stream takes every character."""
    try:
        return codecs.lookup(stream.encoding or "utf-8").name.startswith("utf")
    except (AttributeError, LookupError):
        return True


def open_descriptors() -> None:
    """Let the numbers 0 to 2 stand for nothing where they are closed, so that no file that is opened becomes what a
    library prints to."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


@contextlib.contextmanager
def _screen(stream: TextIO | None) -> Iterator[Screen]:
    if isinstance(stream, Screen):
        yield stream
        return
    if stream is None or stream.closed:
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            yield Screen(nowhere, closed=True)
        return
    if not isinstance(stream, io.TextIOWrapper):
        yield Screen(stream)
        return
    errors = stream.errors
    stream.reconfigure(errors=FALLBACK)
    try:
        yield Screen(stream)
    finally:
        with contextlib.suppress(OSError, ValueError):  # a reader that went away has been told of already
            stream.reconfigure(errors=errors)
