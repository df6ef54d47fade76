"""What a place to store files can do, and which one a path or a URL is."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO, Protocol

from djgraph.errors import DJGraphError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(://|::)")


class Storage(Protocol):
    """Files by name below one place; a name may have folders in it, parted by ``/``.

    where: as the user gave it; messages have :meth:`shown`, without keys. memory: it is in this process's memory, which
    no other process sees. error: the class that it was opened with, which all methods raise.
    """

    where: str
    memory: bool
    error: type[DJGraphError]

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Name → bytes of the files right in a folder; none where there is no such folder."""
        ...

    def read(self, name: str, limit: int) -> bytes:
        """All of a file of at most ``limit`` bytes."""
        ...

    def part(self, name: str, start: int, stop: int) -> bytes:
        """Bytes from ``start`` to before ``stop`` of a file."""
        ...

    def open(self, name: str) -> BinaryIO:
        """A file to read and seek in."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file. A kill in between may leave part of it where it is a URL: have another file, written last, say
        how long it is."""
        ...

    def put(self, name: str, file: Path) -> None:
        """Copy a file of this machine there, under ``name``; as :meth:`write`."""
        ...

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""
        ...

    def shown(self, name: str) -> str:
        """A file's path or URL, for messages; of ``""`` the place's own."""
        ...


def is_url(where: str | os.PathLike[str]) -> bool:
    """Whether it is a URL (``s3://…``), rather than a path of this machine."""
    return isinstance(where, str) and bool(_SCHEME.match(where))


def local_path(url: str, error: type[DJGraphError] = DJGraphError) -> Path | None:
    """The path that a URL stands for, as ``file://`` does; None for what this machine does not have as files. Raises
    ``error`` as :func:`open_storage` does."""
    from djgraph.storage.remote import Remote

    return Remote(url, error).local()


def open_storage(
    where: str | os.PathLike[str], error: type[DJGraphError] = DJGraphError, *, shared: bool = False
) -> Storage:
    """The place that a path or a URL names; nothing is made or read yet.

    shared: other processes are to see it, which one in this process's memory cannot be. Raises ``error`` for that, and
    for a URL that fsspec does not know, or whose package is not installed.
    """
    if not is_url(where):
        from djgraph.storage.folder import Folder

        return Folder(Path(where), error)
    from djgraph.storage.remote import Remote

    storage = Remote(str(where), error)
    if shared and storage.memory:
        raise error(
            f"{storage.shown('')} is in this process's memory, so other processes do not see it; use one worker"
        )
    return storage
