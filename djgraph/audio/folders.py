"""Folders below a root: links followed, each folder once, and what could not be looked into."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from djgraph.audio.formats import SUFFIXES, is_foreign
from djgraph.errors import AudioFileError

_NO_TRACKS = frozenset({"lost+found"})  # of file systems; nobody but root may look into it


@dataclass
class Search:
    """What :func:`search` found.

    folders: in the order of their paths. unread: a sentence for every folder that may not be looked into. broken:
    symbolic links that lead nowhere.
    """

    folders: list[Path] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    broken: list[Path] = field(default_factory=list)


def search(
    root: Path, depth: int, wanted: Callable[[Path, list[str]], bool], limit: int | None = None
) -> Search:
    """Folders from ``root`` down, ``depth`` levels, that are wanted; there is no search below these.

    wanted: says it by a folder and the names of the files in it. Symbolic links to folders are followed after all
    that is really there, so that a folder is known by its own path where both are below the root, and each once,
    so that links in a circle end. Hidden folders are left out. limit: AudioFileError for more folders.
    """
    search = Search()
    seen = {_identity(os.stat(folder)) for folder in Path(os.path.realpath(root)).parents}
    links = [root]
    for link in links:  # which grows
        below = [link]
        for folder in below:  # as does this
            try:
                if (identity := _identity(os.stat(folder))) in seen:
                    continue
                seen.add(identity)
                with os.scandir(folder) as listed:
                    entries = sorted(listed, key=lambda entry: entry.name)
            except OSError as problem:
                search.unread.append(f"{folder} cannot be read: {problem.strerror or problem}")
                continue
            if limit is not None and len(seen) > limit:
                raise AudioFileError(
                    f"{root} has more than {limit} folders beneath it; name the one with the stems"
                )
            kinds = {entry.name: _kind(entry) for entry in entries}
            if wanted(folder, [name for name, kind in kinds.items() if kind != "folder"]):
                search.folders.append(folder)
                continue
            search.broken += [Path(folder, name) for name, kind in kinds.items() if kind == "broken"]
            if len(folder.relative_to(root).parts) < depth:
                for entry in entries:
                    name = entry.name
                    if kinds[name] == "folder" and not name.startswith(".") and name not in _NO_TRACKS:
                        (links if entry.is_symlink() else below).append(Path(folder, name))
    search.folders.sort(key=lambda folder: folder.relative_to(root).parts)
    return search


def has_parts(names: Iterable[str], parts: Iterable[str], foreign: bool = False) -> bool:
    """Whether one of a folder's files is named after one of some parts (lower case), as audio that is read, or, with
    ``foreign``, as audio that is not."""
    paths = (Path(name) for name in names)
    return any(
        path.stem.lower() in parts
        and (path.suffix.lower() in SUFFIXES or (foreign and is_foreign(path.name)))
        for path in paths
    )


def _identity(about: os.stat_result) -> tuple[int, int]:
    return about.st_dev, about.st_ino


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_symlink():
            entry.stat()
    except FileNotFoundError:
        return "broken"
    except OSError as problem:  # a link into a folder that may not be read may be one to a track
        return "folder" if isinstance(problem, PermissionError) else "broken"
    return "file"
