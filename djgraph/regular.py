"""Opening ordinary files only: a named pipe that nobody writes to would hold a program for ever."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class NotRegular(Exception):
    """Says what a name stands for that is no ordinary file."""


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """An ordinary file, opened for reading; so is what the shell has opened: ``/dev/stdin``, ``<(command)``.

    Raises NotRegular for a named pipe, a device or a socket, and what :func:`open` raises.
    """
    name = os.fspath(path)
    kind = stat.S_IFMT(os.stat(name).st_mode)
    if kind in _KINDS and not _is_open_already(name):
        raise NotRegular(_KINDS[kind])
    return open(name, "rb")


def _is_open_already(name: str) -> bool:
    return name == "/dev/stdin" or os.path.dirname(os.path.abspath(name)) in ("/dev/fd", "/proc/self/fd")
