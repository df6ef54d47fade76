"""What an effect's own code raised: where in its author's files that was, and what was probably meant."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from djgraph.effects.contract import Effect
from djgraph.errors import nearest, shorten

CALLERS = ("djgraph.effects.checks", "djgraph.host")
"""Packages that call effects' code: only what they called was an effect's doing."""
NOT_AUTHORS = frozenset({"djgraph", "torch", "builtins", "typing", "abc"})
"""Packages of the bases that every effect has."""


@dataclass(frozen=True)
class Place:
    """A line of an author's code."""

    file: str
    line: int
    function: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}, in {self.function}" + (f": {self.text}" if self.text else "")


def raised_at(effect: type[Effect], error: BaseException) -> Place | None:
    """The innermost line of the effect's own package, or of a base class's, in the traceback of what it raised.

    None where it was called by nobody who calls effects, or where no line of such a package is in it. Files within the
    folder of the process are told from there on.
    """
    packages = {_top(cls.__module__) for cls in effect.__mro__} - NOT_AUTHORS
    place = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(CALLERS):
            place = None
        elif _top(module) in packages:
            code = frame.f_code
            text = linecache.getline(code.co_filename, line, frame.f_globals).strip()
            place = Place(_from_here(code.co_filename), line, code.co_name, text)
    return place


def defined_at(effect: type[Effect], method: str) -> Place | None:
    """Where a method of an effect begins; None where it is not Python's."""
    code = getattr(getattr(effect, method, None), "__code__", None)
    return code and Place(_from_here(code.co_filename), code.co_firstlineno, method)


def meant(effect: type[Effect], error: BaseException) -> list[str]:
    """What an effect has of what it asked for in vain, in lines: controls and ports by name, settings as attributes."""
    if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str):
        controls = [control.id for control in effect.controls]
        ports = [port.name for port in effect.inputs]
        guess = nearest(error.args[0], [*controls, *ports])
        has = f"controls {_listed(controls)}, input ports {_listed(ports)}"
    elif isinstance(error, AttributeError) and isinstance(error.obj, effect.Settings):
        fields = list(effect.Settings.model_fields)
        guess = nearest(error.name or "", fields)
        has = f"settings {_listed(fields)}"
    else:
        return []
    return [f"it has: {has}", *([f"did you mean: {guess}"] if guess else [])]


def is_made(effect: Effect) -> bool:
    """Whether its ``__init__`` called that of its base, without which nothing of it works."""
    return {"_parameters", "settings", "environment", "_constants"} <= vars(effect).keys()


def said(error: BaseException) -> str:
    """An exception's message on one line, whatever its class does to make it."""
    try:
        return " ".join(str(error).split()) or "no message"
    except Exception:  # a stranger's __str__ may do anything
        return "(its message cannot be shown)"


def noted(error: BaseException) -> str:
    """The notes of an exception, behind its message: where a caller was when it came."""
    notes = [note for note in getattr(error, "__notes__", ()) if isinstance(note, str)]
    return f" ({', '.join(notes)})" if notes else ""


def _top(module: str) -> str:
    return module.partition(".")[0]


def _from_here(file: str) -> str:
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


def _listed(names: Sequence[str]) -> str:
    return shorten(names) or "none"
