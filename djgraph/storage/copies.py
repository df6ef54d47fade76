"""Files and folders behind URLs put where a program wants them on this machine, and what versions they are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from djgraph.errors import DJGraphError
from djgraph.storage.cache import local, remote_of, version_of
from djgraph.storage.remote import Remote, Version
from djgraph.storage.url import UrlPath

MOST = 10_000
"""Files of a folder."""


def put_there(place: UrlPath, target: Path, error: type[DJGraphError]) -> None:
    """Have a file, or a folder with all that is below it, at ``target``: through the cache of :func:`local`, as another
    name of the file there, or, where the disk is another one, as a copy. Raises ``error``."""
    for file in _files(place, error):
        path = target / file.below[len(place.below) :].lstrip("/") if file != place else target
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with local(file, error) as source:
                try:
                    os.link(source, path)
                except FileExistsError:
                    continue
                except OSError:
                    shutil.copyfile(source, path)
        except OSError as problem:
            raise error(f"{file} cannot be put at {path}: {problem.strerror or problem}") from problem


def put_about_there(place: UrlPath, target: Path, error: type[DJGraphError]) -> UrlPath | None:
    """Have what stands beside a file, a ``.json`` of its name, beside ``target``; None where there is none. Raises
    ``error``."""
    folder = place.beside
    if folder is None:
        return None
    about = folder / Path(place.name).with_suffix(".json").name
    if not remote_of(about, error).has(about.below):
        return None
    put_there(about, target.with_suffix(".json"), error)
    return about


def versions(place: UrlPath, error: type[DJGraphError]) -> list[tuple[str, Version]]:
    """Name and version of a file, or of all files of a folder: those that :func:`local` reads. Raises ``error``."""
    return [(str(file), version_of(file, error)) for file in _files(place, error)]


def lies_in(url: str, other: str, error: type[DJGraphError]) -> bool:
    """Whether a URL leads to another one's place, or below it."""
    inner, outer = (Remote(one, error).full("").rstrip("/") for one in (url, other))
    return f"{inner}/".startswith(f"{outer}/")


def _files(place: UrlPath, error: type[DJGraphError]) -> list[UrlPath]:
    """A file itself; all files of a folder."""
    remote = remote_of(place, error)
    if not remote.is_folder(place.below):
        return [place]
    files: list[UrlPath] = []
    below = [place]
    for folder in below:  # which grows
        for entry in remote.entries(folder.below):
            (below if entry.is_folder else files).append(folder / entry.name)
            if len(files) + len(below) > MOST:
                raise error(f"{place} has more than {MOST} files below it; name a folder of it")
    return files
