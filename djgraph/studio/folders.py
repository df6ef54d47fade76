"""The folders that were given on the command line: what a page may choose from, and nothing beside it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from djgraph.errors import InputError, did_you_mean

SOUND = (".wav", ".flac", ".mp3", ".ogg", ".aif", ".aiff", ".m4a", ".opus")
MODELS = (".safetensors",)
DEEP = 4
MOST = 500


def files_in(folders: Iterable[Path], suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Files of some kinds in folders and theirs, by the name that a page gets: the folder's, and the way in it. Links
    that lead elsewhere are left out; at most 500."""
    found: dict[str, Path] = {}
    for folder in dict.fromkeys(path.resolve() for path in folders):
        for path in _walk(folder, DEEP):
            if path.suffix.lower() not in suffixes or path.name.startswith("."):
                continue
            if not path.resolve().is_relative_to(folder) or not path.is_file():
                continue
            name = label = f"{folder.name or 'files'}/{path.relative_to(folder).as_posix()}"
            twins = 1
            while name in found:
                twins += 1
                name = f"{label} ({twins})"
            found[name] = path
            if len(found) >= MOST:
                return found
    return found


def file_named(name: str, folders: Iterable[Path], suffixes: tuple[str, ...]) -> Path:
    """The file that a page means. InputError for what is not among them."""
    found = files_in(folders, suffixes)
    if name not in found:
        raise InputError(
            f"{name!r} is not in a folder that was given on the command line{did_you_mean(name, found)}"
        )
    return found[name]


def _walk(folder: Path, deep: int) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return  # what cannot be listed offers nothing
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if deep > 1 and not entry.name.startswith("."):
                yield from _walk(Path(entry.path), deep - 1)
        else:
            yield Path(entry.path)
