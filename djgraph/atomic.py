"""Writing a file so that its name never shows half of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from djgraph.errors import DJGraphError
from djgraph.guard import refuse, wrote


@contextlib.contextmanager
def atomic_writer(
    path: str | os.PathLike[str], error: type[DJGraphError] = DJGraphError
) -> Iterator[BinaryIO]:
    """A binary file for writing and seeking that takes its final name only once it is complete and on disk.

    The bytes go to a hidden ``.part`` file in the same folder. On a normal end that is flushed to the disk
    and renamed over ``path``, in one step; on any failure, an interrupt included, it is removed and a file
    that ``path`` named before is left as it was. A symbolic link is followed, an existing file's mode kept.

    Raises ``error`` where the folder does not exist, where ``path`` is something other than a file, and for
    what the system reports (permissions, a full disk), and within a command that has read the file; what the
    ``with`` block itself raises passes through.
    """
    refuse(path, error)
    target = Path(os.path.realpath(path))
    check_target(path, error)
    part = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        # open() rather than tempfile.mkstemp, whose files only their owner may read.
        file = open(part, "xb+")  # noqa: SIM115 (closed below, before the rename)
    except OSError as problem:
        raise error(_sentence(path, problem)) from problem
    try:
        with file:
            if target.exists():
                os.chmod(part, stat.S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
        wrote(target)
    except BaseException as problem:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(problem, OSError):
            raise error(_sentence(path, problem)) from problem
        raise


def write_text(path: str | os.PathLike[str], text: str, error: type[DJGraphError] = DJGraphError) -> None:
    """Write UTF-8 text through :func:`atomic_writer`."""
    with atomic_writer(path, error) as file:
        file.write(text.encode())


def check_target(path: str | os.PathLike[str], error: type[DJGraphError] = DJGraphError) -> None:
    """Raise ``error`` where a file of that name cannot come to be; for finding out before hours of work."""
    target = Path(os.path.realpath(path))
    if not target.parent.exists():
        raise error(f"{path}: the folder {Path(path).parent} does not exist")
    if not target.parent.is_dir():
        raise error(f"{path}: {Path(path).parent} is not a folder")
    if target.is_dir():
        raise error(f"{path} is a folder; give the name of a file in it")
    if target.exists() and not target.is_file():  # a device, a pipe: renaming over it would destroy it
        raise error(f"{path} is not an ordinary file, so it is not replaced")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise error(f"{path}: no permission to write in {Path(path).parent}")


def _sentence(path: str | os.PathLike[str], problem: OSError) -> str:
    return f"{path}: cannot be written: {problem.strerror or problem}"
