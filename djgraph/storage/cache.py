"""Files behind URLs as files of this machine: fetched whole when they are first needed, kept in a bounded folder."""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import json
import math
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import Field

from djgraph.atomic import atomic_writers, is_at, lock, write_text
from djgraph.errors import DJGraphError
from djgraph.reading import Stored, read_json
from djgraph.storage.remote import Remote, Version
from djgraph.storage.url import UrlPath

FOLDER, SIZE = "DJGRAPH_CACHE", "DJGRAPH_CACHE_GB"
"""Environment variables: the folder, and how large it may become."""
GB = 20.0
LARGEST = 8 << 30
"""Bytes of a file that is fetched."""
_CHUNK = 4 << 20
_TRIES = 3
_LOCKS = 64
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")


class Fetched(Stored):
    """What stands beside a file in the cache."""

    url: str
    bytes: Annotated[int, Field(ge=0)]
    sha256: str


def cache_folder() -> Path:
    """``DJGRAPH_CACHE``, or below the directory that the system has for such."""
    if said := os.environ.get(FOLDER):
        return Path(said)
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "djgraph" / "fetched"


@contextlib.contextmanager
def local(place: Path | UrlPath, error: type[DJGraphError]) -> Iterator[Path]:
    """A path to read a file by, within: a path itself, or where a file behind a URL lies once it has been fetched.

    It is read from the URL where this machine's cache has it not, whole, and takes its name there once all of it is on
    disk; while it is read here, no other process removes it. What the storage says of its content (size, ETag, time) is
    asked once a process (:func:`ask_anew`): another content is another file of the cache. What is in the cache is held
    against its checksum once a process, and fetched anew where it is damaged. Errors of type ``error``, and those that
    are raised within, name the URL.
    """
    if isinstance(place, Path):
        yield place
        return
    with _held(place, error) as path:
        try:
            yield path
        except DJGraphError as problem:
            if str(path) not in str(problem):
                raise
            raise type(problem)(str(problem).replace(str(path), str(place))) from problem


def note_of(place: UrlPath, kind: str, error: type[DJGraphError]) -> Path:
    """Where what was found out of a file's content is noted, for as long as that is the same: it stays when the file
    is removed. kind: what is noted, a word. Raises ``error``."""
    path = _path(remote_of(place, error).full(place.below), version_of(place, error), "")
    return cache_folder() / "notes" / path.parent.name / f"{path.name}.{kind}.json"


def note(path: Path, text: str, error: type[DJGraphError]) -> None:
    """Write a note. Raises ``error``."""
    with _said(path, error):
        path.parent.mkdir(parents=True, exist_ok=True)
    contextvars.Context().run(write_text, path, text, error)


def ask_anew(place: UrlPath) -> None:
    """Forget what the storage said of a file: it is asked again."""
    _versions.pop((place.root, place.below), None)


def remote_of(place: UrlPath, error: type[DJGraphError]) -> Remote:
    """The storage that a place lies in. ``error`` for one that no user gave."""
    if not place.given:
        raise error(f"{place} is named by a file, and URLs are opened that the user gives; give {place.root}")
    remote = _remotes.get(place.root)
    if remote is None or remote.error is not error:
        remote = _remotes[place.root] = Remote(place.root, error)
    return remote


def version_of(place: UrlPath, error: type[DJGraphError]) -> Version:
    """What the storage said of a file when this process first asked. Raises ``error``."""
    known = place.root, place.below
    if known not in _versions:
        _versions[known] = remote_of(place, error).version(place.below)
    return _versions[known]


_remotes: dict[str, Remote] = {}
_versions: dict[tuple[str, str], Version] = {}
_checked: set[Path] = set()
"""Of this process: storages by URL, what they said of files by URL and name, files of the cache that were held against
their sums."""


@contextlib.contextmanager
def _held(place: UrlPath, error: type[DJGraphError]) -> Iterator[Path]:
    remote, version = remote_of(place, error), version_of(place, error)
    path = _path(remote.full(place.below), version, place.name)
    for _ in range(_TRIES):
        with _said(path, error):
            file = _taken(path)
        if file is not None:
            with file:
                yield path
            return
        with _said(path, error), _alone(path):
            if (there := _taken(path)) is None:
                _fetch(remote, place, version, path)
            else:
                there.close()
    raise error(f"{path}, fetched from {place}, is removed as fast as it comes; let {SIZE} be larger")


def _path(full: str, version: Version, name: str) -> Path:
    key = hashlib.sha256(json.dumps([full, version.size, version.stamp]).encode()).hexdigest()[:40]
    suffix = _SUFFIX.search(name)
    return cache_folder() / key[:2] / f"{key}{suffix[0] if suffix else ''}"


def _taken(path: Path) -> BinaryIO | None:
    """The file, open, and not to be removed until it is closed. None where it is not there, or not whole."""
    try:
        file = open(path, "rb")  # noqa: SIM115 (the caller closes it)
    except FileNotFoundError:
        return None
    try:
        _share(file)
        if not is_at(file, path) or not (path in _checked or _is_whole(file, path)):
            file.close()
            return None
        with contextlib.suppress(OSError):  # another user's
            os.utime(path)  # those that were read last are kept
    except BaseException:
        file.close()
        raise
    _checked.add(path)
    return file


def _is_whole(file: BinaryIO, path: Path) -> bool:
    try:
        told = read_json(_beside(path), DJGraphError).read_as(Fetched)
    except DJGraphError:
        return False
    return os.fstat(file.fileno()).st_size == told.bytes and _sum(file) == told.sha256


def _sum(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while part := file.read(_CHUNK):
        digest.update(part)
    return digest.hexdigest()


def _fetch(remote: Remote, place: UrlPath, version: Version, path: Path) -> None:
    """Fetch a file; see :func:`local`."""
    most = min(LARGEST, _limit(remote.error))
    if version.size is not None and version.size > most:
        raise remote.error(
            f"{place} has {version.size} bytes; files of up to {most} are fetched ({SIZE} is what the cache may hold)"
        )
    _make_room(path.parent.parent, most if version.size is None else version.size, _limit(remote.error))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not within the record of files that a command reads and writes: the cache is neither.
    contextvars.Context().run(_write, remote, place, version, path, most)
    _checked.add(path)


def _write(remote: Remote, place: UrlPath, version: Version, path: Path, most: int) -> None:
    with atomic_writers([path, _beside(path)], remote.error) as (file, about):
        digest, size = hashlib.sha256(), 0
        for part in remote.chunks(place.below, _CHUNK):
            size += len(part)
            if size > most:
                raise remote.error(f"{place} has more than the {most} bytes that are fetched of a file")
            digest.update(part)
            file.write(part)
        if version.size not in (None, size):
            raise remote.error(f"{place} has {version.size} bytes, and {size} of them came")
        if remote.version(place.below) != version:
            raise remote.error(f"{place} has changed since it was first looked at; begin again")
        told = {"url": str(place), "bytes": size, "sha256": digest.hexdigest()}
        about.write((json.dumps(told) + "\n").encode("utf-8", "replace"))


def _make_room(folder: Path, size: int, limit: int) -> None:
    """Remove what was read longest ago until ``size`` more bytes fit. What others read now, or write, stays."""
    files = []
    for path in folder.glob("[0-9a-f][0-9a-f]/*"):
        with contextlib.suppress(OSError):  # removed by another process since
            about = path.stat()
            files.append((about.st_mtime, about.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, held, path in sorted(files):
        if total + size <= limit:
            return
        if path.suffix != ".json" and _removed(path):
            total -= held


def _removed(path: Path) -> bool:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        if lock(file) is False or not is_at(file, path):
            return False
        path.unlink()
        _beside(path).unlink(missing_ok=True)
        return True
    return False


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _limit(error: type[DJGraphError]) -> int:
    said = os.environ.get(SIZE, str(GB))
    try:
        limit = float(said)
    except ValueError:
        limit = math.nan
    if not 0 < limit < 1e9:
        raise error(f"{SIZE} is {said!r:.40}; expected gigabytes, above 0")
    return int(limit * 1e9)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time fetches what has this path (and some others)."""
    folder = path.parent.parent / "locks"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    number = int(path.name[:8], 16) % _LOCKS
    with open(folder / f"{number:02}", "ab") as file:
        with contextlib.suppress(ImportError, OSError):  # file systems without locks: two fetch the same
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _share(file: BinaryIO) -> None:
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.flock(file, fcntl.LOCK_SH)


@contextlib.contextmanager
def _said(path: Path, error: type[DJGraphError]) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise error(f"the cache {path.parent.parent}: {problem.strerror or problem}") from problem
