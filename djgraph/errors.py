"""Every error that djgraph raises on purpose, and how an error points into a file."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import takewhile

from djgraph.text import clip, clip_words, one_line, printable

_ON_COMMAND_LINE: ContextVar[bool] = ContextVar("_ON_COMMAND_LINE", default=False)

DocumentPath = tuple[str | int, ...]
"""Where a value stands in a document: ``("mixer", 0, "bus")``."""


MESSAGE = 32_000
"""Characters of the longest message of an error."""

_WORD = 1_000
"""Characters of a word without spaces, such as the name of a file."""

_PART = 2_000
"""Characters of the longest message of one problem, and of its hint."""

_KEY = 80
"""Characters of a key that a path shows."""

_NAME = 100
"""Characters of the longest name that a nearest one is looked for."""

_CANDIDATES = 500
_COMPARISONS = 12
_CLOSE = 0.55


@contextmanager
def on_command_line() -> Iterator[None]:
    """Within, messages name options as a shell wants them, not Python's arguments."""
    token = _ON_COMMAND_LINE.set(True)
    try:
        yield
    finally:
        _ON_COMMAND_LINE.reset(token)


def option(name: str, python: str | None = None, shell: str | None = None) -> str:
    """How whoever reads a message gives an argument: ``tempo=`` in Python, ``--tempo`` in a shell.

    python, shell: what to say instead.
    """
    if _ON_COMMAND_LINE.get():
        return shell or f"--{name}"
    return python or f"{name}="


class DJGraphError(Exception):
    """Base class of all errors that djgraph raises on purpose.

    As text it is fit for a terminal, whatever names it tells of: control characters are escaped, and what is
    too long to read is cut. ``args`` holds the message as it was given.
    """

    def __str__(self) -> str:
        return printable(clip_words(super().__str__(), MESSAGE, _WORD))


class Terminated(SystemExit):
    """A signal asked the program to end. No error, and not to be taken for one of a plugin's."""


class LayoutError(DJGraphError, ValueError):
    """A name, tensor or checkpoint does not fit a parameter layout."""


class InputError(DJGraphError, ValueError):
    """Audio or parameters handed to a mixer have the wrong names, shape or values."""


class EffectError(DJGraphError, TypeError):
    """An effect class breaks the effect contract."""


class PluginError(DJGraphError):
    """A plugin failed to load, or two plugins claim the same name."""


class CompileError(DJGraphError):
    """A compiler pass was asked for something impossible, or broke what a stage promises."""


class CorpusError(DJGraphError):
    """A corpus of transitions is half written, damaged, or of other settings than asked for."""


class CheckpointError(DJGraphError):
    """A checkpoint is damaged, of another model, or cannot be written."""


class DeviceError(DJGraphError):
    """A sound card, a MIDI port or a network address cannot be opened, or has gone."""


class AudioFileError(DJGraphError):
    """An audio file or a folder of stems cannot be read or written."""


@dataclass(frozen=True)
class Position:
    """A place in a text file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{one_line(self.file)}:{self.line}:{self.column}"


@dataclass(frozen=True, eq=False)
class Copy:
    """One of the copies that repeats and templates make of a piece of a document.

    values: the variables of the repeats around it, in words; empty where only templates are. all: every copy of
    that piece, which fills while the document is expanded.
    """

    values: str
    all: list[Copy]


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a document.

    ``allowed`` lists what could stand there; ``name`` is the offending word, from which the nearest
    allowed one is suggested. ``seeks`` is the kind of thing that it looks for and does not find, where only some pieces
    of a document bring any. ``copy`` is the copy that it was found in, until equal problems of several are told
    as one, in the hint.
    """

    message: str
    position: Position | None = None
    path: DocumentPath = ()
    allowed: Sequence[str] = ()
    name: str | None = None
    hint: str | None = None
    copy: Copy | None = field(default=None, repr=False, compare=False)
    seeks: str | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        where = f"{self.position}: " if self.position else ""
        lines = [f"{where}{printable(clip_words(self.message, _PART))}"]
        if self.path:
            lines.append(f"  at: {format_path(self.path)}")
        if self.allowed:
            lines.append(f"  allowed: {shorten(self.allowed)}")
        guess = nearest(self.name, self.allowed) if self.name is not None else None
        if guess is not None:
            lines.append(f"  did you mean: {one_line(guess)}")
        hints = [self.hint] if self.hint else []
        if self.copy is not None and self.copy.values:
            hints.append(f"here {self.copy.values}")
        if hints:
            lines.append(f"  hint: {one_line(clip_words('; '.join(hints), _PART))}")
        return "\n".join(lines)


class DocumentError(DJGraphError, ValueError):
    """A graph file is wrong. ``problems`` holds every problem found, in file order."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))

    def __reduce__(self) -> tuple[type[DocumentError], tuple[Problem, ...]]:
        return type(self), self.problems


class GraphError(DocumentError):
    """A document is well formed, but the mixer it describes is not possible."""


class AutomationError(DocumentError):
    """An automation is wrong, or does not fit the mixer or the clip it is for."""


class SetError(DocumentError):
    """A set is well formed, but its tracks cannot be played as it says."""


class MappingError(DocumentError):
    """A mapping of a MIDI controller is wrong, or does not fit the graph's controls."""


def format_path(path: DocumentPath) -> str:
    """``("mixer", 0, "bus")`` → ``mixer[0].bus``; long keys are cut."""
    text = ""
    for part in path:
        name = f"[{part}]" if isinstance(part, int) else one_line(clip(str(part), _KEY))
        text += f".{name}" if text and isinstance(part, str) else name
    return text


def nearest(name: str, options: Iterable[str]) -> str | None:
    """The option that ``name`` was probably meant to be, or None where nothing is close.

    However long and many they are, it takes some milliseconds: names of more than 100 characters are not compared, of
    many options only those of a similar length, and letter by letter only the few that share most letters.
    """
    if len(name) > _NAME:
        return None
    folded = {option.lower(): option for option in options if len(option) <= _NAME}
    name = name.lower()
    if name in folded:
        return folded[name]
    candidates: Iterable[str] = folded
    if len(folded) > _CANDIDATES:
        candidates = sorted(folded, key=lambda option: abs(len(option) - len(name)))[:_CANDIDATES]
    matcher = difflib.SequenceMatcher(b=name)
    bounds = []
    for option in candidates:
        matcher.set_seq1(option)
        if matcher.real_quick_ratio() >= _CLOSE and (bound := matcher.quick_ratio()) >= _CLOSE:
            begins_alike = sum(1 for _ in takewhile(bool, map(operator.eq, option, name)))
            bounds.append((bound, begins_alike, option))
    best: tuple[float, str] | None = None
    for bound, _, option in sorted(bounds, reverse=True)[:_COMPARISONS]:
        if best is not None and bound < best[0]:  # no ratio is above its bound
            break
        matcher.set_seq1(option)
        if (ratio := matcher.ratio()) >= _CLOSE:
            best = max(best or (0.0, ""), (ratio, option))
    return folded[best[1]] if best is not None else None


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """A sentence to append to a message: the nearest option, or else what there is."""
    options = list(options)
    guess = nearest(name, options)
    if guess is not None:
        return f"; did you mean {guess!r}?"
    return f"; there is: {shorten(options)}" if options else ""


def shorten(options: Sequence[str], limit: int = 24) -> str:
    """A readable list that stays readable when there are hundreds of options, or long ones."""
    shown = ", ".join(one_line(clip(option)) for option in options[:limit])
    return shown if len(options) <= limit else f"{shown}, … ({len(options) - limit} more)"
