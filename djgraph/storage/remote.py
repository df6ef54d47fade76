"""Storages behind URLs, by fsspec: S3, Google Cloud, SFTP, HTTP, memory and what else it knows."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from djgraph.errors import DJGraphError
from djgraph.storage.url import shown_url, without_keys

_STAMPS = (
    *(
        "ETag",
        "etag",
        "VersionId",
        "generation",
        "checksum",
        "md5Hash",
        "Content-MD5",
        "Digest",
        "CRC",
        "blob_id",
    ),
    *("mtime", "LastModified", "last_modified", "Last-Modified", "modified", "updated", "created"),
)
"""What file systems call that by which a file's content is known, or the time of its last change."""


@dataclass(frozen=True)
class Version:
    """What a storage says of a file's content without reading it. size: bytes, where it is known."""

    size: int | None
    stamp: str


@dataclass(frozen=True)
class Entry:
    """What lies in a folder."""

    name: str
    is_folder: bool


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
            if size is not None and size > limit:
                raise self.error(
                    f"{self.shown(name)} is larger than the limit of {limit} bytes for such a file"
                )
            content = bytes(fs.cat_file(path, start=0, end=limit + 1))
            if len(content) > limit:
                raise self.error(f"{self.shown(name)} is larger than it says")
            return content

    def part(self, name: str, start: int, stop: int) -> bytes:
        fs, path = self._at(name)
        with self._told(name):
            return bytes(fs.cat_file(path, start=start, end=stop))

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

    def entries(self, folder: str = "") -> list[Entry]:
        """What lies right in a folder, by name; hidden files and folders are left out. The error for one that is not
        there, and for names that cannot be a file's here."""
        fs, path = self._at(folder)
        with self._told(folder):
            fs.invalidate_cache()
            found = []
            for entry in fs.ls(path, detail=True):
                full = str(entry["name"]).rstrip("/")
                name = full.rpartition("/")[2]
                if full == path.rstrip("/") or name.startswith(".") or not name:  # the folder's own mark
                    continue
                if "\\" in name or "\0" in name or len(name.encode("utf-8", "surrogatepass")) > 255:
                    raise self.error(
                        f"{self.shown(folder)} holds {name!a:.80}, which is no name of a file here"
                    )
                found.append(Entry(name, entry["type"] == "directory"))
            return sorted(found, key=lambda entry: entry.name)

    def has(self, name: str) -> bool:
        """Whether something has that name, as far as the storage says."""
        fs, path = self._at(name)
        with self._told(name):
            try:
                return bool(fs.exists(path))
            except PermissionError:  # what S3 says of what is not there to those who may not list what is
                return False

    def is_folder(self, name: str) -> bool:
        """Whether a folder has that name; of a web server, a page, which lists one. The error where nothing has."""
        fs, path = self._at(name)
        with self._told(name):
            about = fs.info(path)
            return bool(about["type"] == "directory" or about.get("mimetype") == "text/html")

    def version(self, name: str) -> Version:
        """Of a file, asked of the storage now."""
        fs, path = self._at(name)
        with self._told(name):
            fs.invalidate_cache()
            about = fs.info(path)
            if about["type"] == "directory":
                raise self.error(f"{self.shown(name)} is a folder, not a file")
            stamp = [f"{key} {about[key]}" for key in _STAMPS if about.get(key) is not None]
            return Version(None if about.get("size") is None else int(about["size"]), "; ".join(stamp))

    def chunks(self, name: str, size: int) -> Iterator[bytes]:
        """A file from its beginning to its end, in parts of at most ``size`` bytes."""
        with self.open(name) as file:
            while True:
                with self._told(name):
                    part = file.read(size)
                if not part:
                    return
                yield part

    def full(self, name: str) -> str:
        """The file system's protocols and a file's path in it: the same whichever URL leads there."""
        fs, path = self._at(name)
        return f"{','.join(_protocols(fs))}:{path}"

    def local(self) -> Path | None:
        """The path of this machine that it is, where the URL says one (``file://…``)."""
        fs, path = self._place()
        return Path(path) if "file" in _protocols(fs) else None

    def remove(self, name: str) -> None:
        fs, path = self._at(name)
        with self._told(name), contextlib.suppress(FileNotFoundError):
            fs.rm_file(path)

    def shown(self, name: str) -> str:
        where = shown_url(self.where)
        return f"{where.rstrip('/')}/{name}" if name else where

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
                    f'{shown_url(self.where)}: URLs need fsspec, which is not installed: pip install "djgraph[scale]"'
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
            what = without_keys(" ".join(str(problem).split()), self.where) or type(problem).__name__
            raise self.error(f"{self.shown(name)}: {what}") from problem


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
