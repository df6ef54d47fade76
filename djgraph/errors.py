"""Every error that djgraph raises on purpose, and how an error points into a file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

DocumentPath = tuple[str | int, ...]
"""Where a value stands in a document: ``("mixer", 0, "bus")``."""


class DJGraphError(Exception):
    """Base class of all errors that djgraph raises on purpose."""


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


class AudioFileError(DJGraphError):
    """An audio file or a folder of stems cannot be read or written."""


@dataclass(frozen=True)
class Position:
    """A place in a text file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a document.

    ``allowed`` lists what could stand there; ``name`` is the offending word, from which the nearest
    allowed one is suggested.
    """

    message: str
    position: Position | None = None
    path: DocumentPath = ()
    allowed: Sequence[str] = ()
    name: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        where = f"{self.position}: " if self.position else ""
        lines = [f"{where}{self.message}"]
        if self.path:
            lines.append(f"  at: {format_path(self.path)}")
        if self.allowed:
            lines.append(f"  allowed: {shorten(self.allowed)}")
        guess = nearest(self.name, self.allowed) if self.name is not None else None
        if guess is not None:
            lines.append(f"  did you mean: {guess}")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
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


def format_path(path: DocumentPath) -> str:
    """``("mixer", 0, "bus")`` → ``mixer[0].bus``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def nearest(name: str, options: Iterable[str]) -> str | None:
    """The option that ``name`` was probably meant to be, or None where nothing is close."""
    options = list(options)
    folded = {option.lower(): option for option in options}
    matches = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.55)
    return folded[matches[0]] if matches else None


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """A sentence to append to a message: the nearest option, or else what there is."""
    options = list(options)
    guess = nearest(name, options)
    if guess is not None:
        return f"; did you mean {guess!r}?"
    return f"; there is: {shorten(options)}" if options else ""


def shorten(options: Sequence[str], limit: int = 24) -> str:
    """A readable list that stays readable when there are hundreds of options."""
    if len(options) <= limit:
        return ", ".join(options)
    return ", ".join(list(options)[:limit]) + f", … ({len(options) - limit} more)"
