"""Storages behind URLs, by fsspec: S3, Google Cloud, SFTP, HTTP, memory and what else it knows."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from djgraph.errors import DJGraphError


class Remote:
    """See :class:`djgraph.storage.Storage`. Only the URL that was given is used, none that stands in a file."""

    def __init__(self, url: str, error: type[DJGraphError]) -> None:
        self.where = url
        self.error = error
        self._opened: tuple[int, Any, str] | None = None
        self.memory = "memory" in _protocols(self._place()[0])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}  # connections are a process's own

    def sizes(self, folder: str = "") -> dict[str, int]:
        fs, path = self._at(folder)
        with self._told(folder):
            fs.invalidate_cache()
            try:
                entries = fs.ls(path, detail=True)
            except FileNotFoundError:
                return {}
            return {
                str(entry["name"]).rstrip("/").rpartition("/")[2]: int(entry["size"] or 0)
                for entry in entries
                if entry["type"] == "file"
            }

    def read(self, name: str, limit: int) -> bytes:
        fs, path = self._at(name)
        with self._told(name):
            size = fs.size(path)
            if size is None or size > limit:
                raise self.error(
                    f"{self.shown(name)} is larger than the limit of {limit} bytes for such a file"
                )
            content = bytes(fs.cat_file(path, 0, limit + 1))
            if len(content) > limit:
                raise self.error(f"{self.shown(name)} is larger than it says")
            return content

    def part(self, name: str, start: int, stop: int) -> bytes:
        fs, path = self._at(name)
        with self._told(name):
            return bytes(fs.cat_file(path, start, stop))

    def open(self, name: str) -> BinaryIO:
        fs, path = self._at(name)
        with self._told(name):
            return cast(BinaryIO, fs.open(path, "rb"))

    def write(self, name: str, content: bytes) -> None:
        fs, path = self._at(name)
        with self._told(name):
            fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            fs.pipe_file(path, content)
            self._check(fs, path, name, len(content))

    def put(self, name: str, file: Path) -> None:
        fs, path = self._at(name)
        with self._told(name):
            fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            fs.put_file(str(file), path)
            self._check(fs, path, name, file.stat().st_size)

    def remove(self, name: str) -> None:
        fs, path = self._at(name)
        with self._told(name), contextlib.suppress(FileNotFoundError):
            fs.rm_file(path)

    def shown(self, name: str) -> str:
        return f"{self.where.rstrip('/')}/{name}" if name else self.where

    def _check(self, fs: Any, path: str, name: str, size: int) -> None:
        fs.invalidate_cache()
        there = fs.size(path)
        if there != size:
            raise self.error(f"{self.shown(name)} has {there} bytes after {size} were written to it")

    def _at(self, name: str) -> tuple[Any, str]:
        fs, root = self._place()
        return fs, f"{root.rstrip('/')}/{name}" if name else root

    def _place(self) -> tuple[Any, str]:
        """The file system and the path in it: opened once in each process, since a fork does not take connections."""
        if self._opened is None or self._opened[0] != os.getpid():
            try:
                import fsspec.core
            except ModuleNotFoundError as problem:
                if problem.name not in ("fsspec", "fsspec.core"):
                    raise
                raise self.error(
                    f'{self.where}: URLs need fsspec, which is not installed: pip install "djgraph[scale]"'
                ) from None
            with self._told(""):
                fs, root = fsspec.core.url_to_fs(self.where)
            self._opened = os.getpid(), fs, str(root)
        return self._opened[1:]

    @contextlib.contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """What file systems raise: each has errors of its own."""
        try:
            yield
        except DJGraphError:
            raise
        except FileNotFoundError as problem:
            raise self.error(f"{self.shown(name)} does not exist") from problem
        except Exception as problem:
            what = " ".join(str(problem).split()) or type(problem).__name__
            raise self.error(f"{self.shown(name)}: {what}") from problem


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
