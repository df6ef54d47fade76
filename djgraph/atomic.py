"""Writing a file so that its name never shows half of it."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from djgraph.errors import DJGraphError
from djgraph.guard import refuse, wrote

_WRITERS = 100  # of one name at the same time, and .part files that stay because they cannot be locked


@contextlib.contextmanager
def atomic_writer(
    path: str | os.PathLike[str], error: type[DJGraphError] = DJGraphError
) -> Iterator[BinaryIO]:
    """A binary file for writing and seeking that takes its final name only once it is complete and on disk.

    The bytes go to a hidden ``.part`` file in the same folder. On a normal end that is flushed to the disk
    and renamed over ``path``, in one step; on any failure, an interrupt included, it is removed and a file
    that ``path`` named before is left as it was. What a kill leaves, the next write of that name takes away; a file
    that another process writes at the moment is locked, and left alone. A symbolic link is followed, an existing
    file's mode kept.

    Raises ``error`` where the folder does not exist, where ``path`` is something other than a file, and for
    what the system reports (permissions, a full disk), and within a command that has read the file; what the
    ``with`` block itself raises passes through.
    """
    with atomic_writers([path], error) as files:
        yield files[0]


@contextlib.contextmanager
def atomic_writers(
    paths: Sequence[str | os.PathLike[str]], error: type[DJGraphError] = DJGraphError
) -> Iterator[list[BinaryIO]]:
    """:func:`atomic_writer` for several files: all of them take their names, or none does.

    No name changes before all files are complete and on disk. Where one of the renames then fails, those before it are
    undone; for that, a file that is to be replaced is kept under a hidden name until all are done (a hard link; where
    the file system has none, what has been replaced stays replaced).
    """
    parts: list[_Part] = []
    with contextlib.ExitStack() as stack:
        try:
            for path in paths:
                refuse(path, error)
                check_target(path, error)
                with _said(path, error):
                    parts.append(_Part(path, stack))
                    parts[-1].take_mode()
                if any(part.target == parts[-1].target for part in parts[:-1]):
                    raise error(f"{path}: two of the files to write have this name")
            with _said(paths[0], error):
                yield [part.file for part in parts]
            for part in parts:
                with _said(part.path, error):
                    part.file.flush()
                    os.fsync(part.file.fileno())
            if (
                os.name != "posix"
            ):  # an open file cannot be renamed; elsewhere it stays locked until it has its name
                stack.close()
            _rename_all(parts, error)
        except BaseException:
            # On a full disk closing fails as well: what could not be flushed is given up.
            with contextlib.suppress(OSError):
                stack.close()
            for part in parts:
                with contextlib.suppress(OSError):
                    part.hidden.unlink()
            raise
    for part in parts:
        wrote(part.target)


class _Part:
    """A file that is being written, under its hidden name; ``stack`` closes it."""

    def __init__(self, path: str | os.PathLike[str], stack: contextlib.ExitStack) -> None:
        self.path = path
        self.target = Path(os.path.realpath(path))
        self.hidden, file = _part_file(self.target)
        self.file = stack.enter_context(file)
        self._new = True
        self._before: Path | None = None

    def take_mode(self) -> None:
        """Take the mode of the file that is going to be replaced."""
        if self.target.exists():
            os.chmod(self.hidden, stat.S_IMODE(self.target.stat().st_mode))

    def keep_before(self) -> None:
        """Keep the file that is going to be replaced under a second name, where the file system can."""
        self._new = not self.target.exists()
        if not self._new:
            before = hidden(self.target, f".{os.getpid()}.old")
            with contextlib.suppress(OSError):
                before.unlink(missing_ok=True)
                os.link(self.target, before)
                self._before = before

    def undo(self) -> None:
        """Bring back what was there before the rename."""
        with contextlib.suppress(OSError):
            if self._before is not None:
                os.replace(self._before, self.target)
            elif self._new:
                self.target.unlink()

    def forget_before(self) -> None:
        if self._before is not None:
            with contextlib.suppress(OSError):
                self._before.unlink(missing_ok=True)


def _rename_all(parts: Sequence[_Part], error: type[DJGraphError]) -> None:
    renamed: list[_Part] = []
    try:
        for part in parts:
            with _said(part.path, error):
                if len(parts) > 1:
                    part.keep_before()
                os.replace(part.hidden, part.target)
                renamed.append(part)
    except BaseException:
        for part in reversed(renamed):
            part.undo()
        raise
    finally:
        for part in parts:
            part.forget_before()


@contextlib.contextmanager
def _said(path: str | os.PathLike[str], error: type[DJGraphError]) -> Iterator[None]:
    """What the system reports, as ``error`` with the file's name."""
    try:
        yield
    except OSError as problem:
        raise error(_sentence(path, problem)) from problem


def hidden(path: Path, tail: str) -> Path:
    """A hidden file's path beside ``path``: its name between a dot and ``tail``, cut where the system allows no longer
    ones (which it counts in bytes)."""
    name = os.fsencode(path.name)
    room = _longest_name(path.parent) - 1 - len(os.fsencode(tail))
    if len(name) > room:
        while room > 0 and name[room] & 0xC0 == 0x80:  # not within a character
            room -= 1
    return path.with_name(f".{os.fsdecode(name[:room])}{tail}")


def _longest_name(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # Windows; folders that are not there
        return 255


def _part_file(target: Path) -> tuple[Path, BinaryIO]:
    """A new hidden file beside ``target``, locked for as long as it is open, and its path."""
    number = 0
    while number < _WRITERS:
        part = hidden(target, f".{number}.part" if number else ".part")
        try:
            # open() rather than tempfile.mkstemp, whose files only their owner may read.
            file = open(part, "xb+")  # noqa: SIM115 (the caller closes it, before or after the rename)
        except FileExistsError:
            if not _remove_stale(part):
                number += 1
            continue
        # Another writer may have taken it for a stale one before it was locked.
        if lock(file) is not False and is_at(file, part):
            return part, file
        file.close()
        number += 1
    raise FileExistsError(f"{part.name} and {number - 1} others like it are in the way; remove them")


def _remove_stale(part: Path) -> bool:
    """Take away what a writer has left that was killed; False where one is alive, or it is something else."""
    try:
        if os.name != "posix":  # a file that is open cannot be removed here
            part.unlink()
            return True
        handle = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb+", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode) or not lock(file):
                return False
            if is_at(file, part):
                part.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def lock(file: BinaryIO | io.FileIO) -> bool | None:
    """Lock a file until it is closed; False where another process has, None where locks do not work."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


def is_at(file: BinaryIO | io.FileIO, path: Path) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))
    except OSError:
        return False


def write_text(path: str | os.PathLike[str], text: str, error: type[DJGraphError] = DJGraphError) -> None:
    """Write UTF-8 text through :func:`atomic_writer`.

    Bytes of a file name that is no UTF-8 become ``\\udcxx``, what JSON and YAML write for them in quotes.
    """
    with atomic_writer(path, error) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def check_target(path: str | os.PathLike[str], error: type[DJGraphError] = DJGraphError) -> None:
    """Raise ``error`` where a file of that name cannot come to be; for finding out before hours of work."""
    try:
        _check_target(path, error)
    except OSError as problem:  # a name that is too long, links that go round in a circle
        raise error(_sentence(path, problem)) from problem
    except ValueError as problem:  # a NUL in the name
        raise error(f"{str(path)!r} cannot be written: {problem}") from problem


def _check_target(path: str | os.PathLike[str], error: type[DJGraphError]) -> None:
    target = Path(os.path.realpath(path))
    if not target.parent.exists():
        raise error(f"{path}: the folder {Path(path).parent} does not exist")
    if not target.parent.is_dir():
        raise error(f"{path}: {Path(path).parent} is not a folder")
    with contextlib.suppress(FileNotFoundError):
        target.lstat()  # tells of a name that is too long
    if target.is_dir():
        raise error(f"{path} is a folder; give the name of a file in it")
    if target.exists() and not target.is_file():  # a device, a pipe: renaming over it would destroy it
        raise error(f"{path} is not an ordinary file, so it is not replaced")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise error(f"{path}: no permission to write in {Path(path).parent}")


def _sentence(path: str | os.PathLike[str], problem: OSError) -> str:
    return f"{path}: cannot be written: {problem.strerror or problem}"
