"""A graph's own file: read, watched, and written so that what was there before is kept."""

from __future__ import annotations

import contextvars
import hashlib
import os
import time
from pathlib import Path

from djgraph.atomic import atomic_writer, write_text
from djgraph.errors import DocumentError, InputError
from djgraph.language.limits import GRAPH
from djgraph.language.load import read_text

BEFORE = ".djgraph-before"
"""The folder beside a graph's file where what it was before is kept."""
KEPT = 50
"""Copies of a file that are kept, the newest."""


def digest_of(text: str) -> str:
    """What tells one text from another."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Kept:
    """The file of a graph. Raises DocumentError for one that cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = self._signature()

    def read(self) -> str:
        """Its text as it is now."""
        self._seen = self._signature()
        return read_text(self.path, GRAPH)

    def changed(self) -> bool:
        """Whether it may have changed since it was last read or written here, or last asked for."""
        now = self._signature()
        before, self._seen = self._seen, now
        return now != before

    def write(self, text: str) -> Path | None:
        """Put a text in its place, whole or not at all; the copy of what was there, or None where it was the same.
        Raises InputError for what the system refuses."""
        # An editor writes what it has read; the rule that no command does is not meant for it.
        return contextvars.Context().run(self._write, text)

    def _write(self, text: str) -> Path | None:
        copy = None
        try:
            before = self.path.read_bytes()
        except FileNotFoundError:
            before = None
        except OSError as error:
            raise InputError(f"{self.path.name}: cannot be read: {error.strerror or error}") from error
        if before == text.encode():
            return None
        if before is not None:
            copy = self._copy(before)
        write_text(self.path, text, InputError)
        self._seen = self._signature()
        return copy

    def _copy(self, before: bytes) -> Path:
        folder = self.path.parent / BEFORE
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: cannot be made: {error.strerror or error}") from error
        now = time.time_ns()
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now // 10**9))
        copy = folder / f"{self.path.stem}.{stamp}-{now % 10**9:09d}{self.path.suffix}"
        with atomic_writer(copy, InputError) as file:
            file.write(before)
        mine = sorted(
            one for one in folder.iterdir() if one.name.startswith(f"{self.path.stem}.") and one.is_file()
        )
        for old in mine[:-KEPT]:
            old.unlink(missing_ok=True)
        return copy

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def readable(kept: Kept) -> str | None:
    """Its text, or None where it cannot be read now."""
    try:
        return kept.read()
    except DocumentError:
        return None
