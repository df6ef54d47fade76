"""How a project names its files of audio: within itself, beside itself, or from the root."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from djgraph.errors import InputError
from djgraph.guard import reading

_KEPT = re.compile(r"[^A-Za-z0-9._ ()+&,-]+")
LONGEST = 80
"""Characters of a name within a project."""


def check_files(files: Sequence[Path]) -> None:
    """Raise InputError for files that are not there, and note the others as read, so that none is written over."""
    for file in files:
        reading(file)
        if not file.is_file():
            raise InputError(f"{file} is not there, or is no file, so a project cannot refer to it")


def embedded_names(files: Sequence[Path]) -> dict[Path, str]:
    """``audio/…`` for each file: the names of its folder and its own, plain characters only, no two alike."""
    check_files(files)
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for file in files:
        stem = _plain(f"{file.parent.name} {file.stem}" if file.parent.name else file.stem) or "audio"
        suffix = f".{_plain(file.suffix.lower())[:12]}" if file.suffix else ""
        name, number = f"audio/{stem}{suffix}", 2
        while name.lower() in taken:
            name, number = f"audio/{stem} {number}{suffix}", number + 1
        taken.add(name.lower())
        names[file] = name
    return names


def referred(files: Sequence[Path], project: str | os.PathLike[str]) -> dict[Path, str]:
    """How a project file refers to each file: relative to its own folder where it lies in there or below, so that the
    folder can be moved; else by its whole path. Raises InputError for a name that is no text."""
    check_files(files)
    folder = Path(os.path.abspath(project)).parent
    names: dict[Path, str] = {}
    for file in files:
        whole = Path(os.path.abspath(file))
        name = whole.relative_to(folder).as_posix() if whole.is_relative_to(folder) else whole.as_posix()
        if not name.isprintable() or not _encodes(name):
            raise InputError(
                f"{file}: the name has characters that a project file cannot hold; rename it, or put the audio into "
                "the project (--embed)"
            )
        names[file] = name
    return names


def _plain(text: str) -> str:
    return _KEPT.sub("_", text).strip(" ._")[:LONGEST]


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
