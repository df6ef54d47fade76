"""No command destroys a file that it reads: a record of both kinds of files, kept while the command runs.

Whoever reads a file that a user names calls :func:`reading`; a command calls :func:`claim` for all that it is going
to write, before its work; :func:`djgraph.atomic.atomic_writer` asks :func:`refuse` last. Whichever comes second raises.
Outside a command (a program that uses djgraph) nothing is recorded and nothing refused.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from djgraph.errors import DJGraphError, InputError

StrPath = str | os.PathLike[str]

_FOLDS_CASE = sys.platform in ("win32", "darwin")


@dataclass
class _Record:
    """The files of one command, by the name that :func:`_real` gives them. Values: as the user wrote them."""

    read: dict[str, str] = field(default_factory=dict)
    claimed: dict[str, str] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    folders: list[tuple[Path, Path, Callable[[str], bool]]] = field(default_factory=list)
    """Folders below which inputs are looked for, those where they were found, and which names of files are taken."""
    inodes: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    """Of the files in ``read`` and ``claimed``: hard links are other names for the same file."""


_record: ContextVar[_Record | None] = ContextVar("files of the command", default=None)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Keep a record for what runs inside."""
    token = _record.set(_Record())
    try:
        yield
    finally:
        _record.reset(token)


def reading(path: StrPath) -> None:
    """Note that a file is read. InputError where the command is going to write it."""
    record = _record.get()
    if record is None:
        return
    name = _real(path)
    if name in record.written:  # the command's own work, read back
        return
    claimed = _same(record, record.claimed, name)
    if claimed is not None:
        raise InputError(f"{_told(claimed, path)} is one of the inputs; choose another name to write to")
    record.read.setdefault(name, str(path))
    _note(record, name)


def reading_folder(folder: StrPath, place: StrPath, takes: Callable[[str], bool]) -> None:
    """Note that inputs are looked for in a folder and below it, but not below ``place``, where they were found.

    takes: tells by the name of a file whether it is one.

    InputError where the command is going to write such a file, which would be read the next time.
    """
    record = _record.get()
    if record is None:
        return
    record.folders.append((Path(_real(folder)), Path(_real(place)), takes))
    for name, path in record.claimed.items():
        _refuse_new_input(record, name, path, InputError)


def claim(*paths: StrPath | None, error: type[DJGraphError] = InputError) -> None:
    """Say which files a command is going to write; None for those that were not asked for.

    Raises ``error`` where one of them is read, or where two are the same file.
    """
    record = _record.get()
    if record is None:
        return
    for path in paths:
        if path is None:
            continue
        refuse(path, error)
        name = _real(path)
        other = _same(record, record.claimed, name)
        if other is not None:
            raise error(f"two of the files to write have the same name: {_told(other, path)}")
        record.claimed[name] = str(path)
        _note(record, name)


def refuse(path: StrPath, error: type[DJGraphError] = InputError) -> None:
    """Raise ``error`` where the running command has read that file, or would take it for an input the next time."""
    record = _record.get()
    if record is None:
        return
    name = _real(path)
    read = _same(record, record.read, name)
    if read is not None and name not in record.written:
        raise error(f"{_told(str(path), read)} is one of the inputs; choose another name to write to")
    if name not in record.written:
        _refuse_new_input(record, name, path, error)


def _refuse_new_input(record: _Record, name: str, path: StrPath, error: type[DJGraphError]) -> None:
    parents = Path(name).parents
    for folder, place, takes in record.folders:
        if folder in parents and place not in parents[1:] and takes(Path(name).name):
            if Path(name).exists():
                raise error(f"{path} is one of the inputs; choose another name to write to")
            raise error(
                f"{path} lies in a folder of inputs under the name of one, so the next time it would be read;"
                " choose another name to write to"
            )


def wrote(path: StrPath) -> None:
    """Note that a file is the command's own work now."""
    record = _record.get()
    if record is not None:
        record.written.add(_real(path))


def written() -> bool:
    """Whether the running command has written a file."""
    record = _record.get()
    return record is not None and bool(record.written)


def _real(path: StrPath) -> str:
    """The file's one name: links followed, and the case of its letters left out where the system does not mind it."""
    try:
        name = os.path.realpath(path)
    except (OSError, ValueError):  # whoever opens it says what is wrong
        name = os.path.abspath(os.fspath(path).replace("\0", ""))
    name = os.path.normcase(name)
    return name.casefold() if _FOLDS_CASE else name


def _inode(name: str) -> tuple[int, int] | None:
    try:
        status = os.stat(name)
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if status.st_ino else None


def _note(record: _Record, name: str) -> None:
    inode = _inode(name)
    if inode is not None:
        record.inodes.setdefault(inode, []).append(name)


def _same(record: _Record, files: dict[str, str], name: str) -> str | None:
    """How the user wrote the one of ``files`` that ``name`` is, or None."""
    if name in files:
        return files[name]
    inode = _inode(name)
    others = record.inodes.get(inode, []) if inode is not None else []
    # A number is given to another file once the first is gone.
    return next((files[other] for other in others if other in files and _inode(other) == inode), None)


def _told(path: StrPath, other: StrPath) -> str:
    """A file by the name it was met by, and the other one it has."""
    if Path(path) == Path(other):
        return str(path)
    return f"{path} ({'the same file as ' if os.path.exists(path) else ''}{other})"
