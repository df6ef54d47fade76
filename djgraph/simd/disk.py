"""Compiled code on disk: checked before it is believed, and never needed.

Numba keeps an index and a file for each signature, as plain pickles, and raises whatever a damaged one makes the
pickle raise; a flipped bit in the machine code it runs. Here each signature has one file, which begins with the sum
of what follows and is written whole or not at all, so two processes cannot mix theirs up. What is damaged, foreign
or cannot be read or written is as good as not there: the code is compiled anew, and a warning says so once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import stat
import warnings
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps

from djgraph.atomic import atomic_writer
from djgraph.errors import DJGraphError

_BEGINNING = b"djgraph compiled code 1\n"
_SUM = hashlib.sha256().digest_size
_LARGEST = 64 << 20  # bytes; the largest of ours has less than one in a hundred of that
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class _Unfit(Exception):
    """A file is there and is not to be used; says why."""


class CodeCache(FunctionCache):
    """What Numba asks for the compiled code of one function, and gives it to.

    stamp: a hash of all that the function calls, which Numba itself does not look at. RuntimeError where there is
    no folder to keep anything in.
    """

    def __init__(self, function: Any, stamp: str) -> None:
        super().__init__(function)
        self._stamp = (numba.__version__, llvmlite.__version__, stamp, self._impl.locator.get_source_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The code for a signature, or None where it has to be compiled."""
        target_context.refresh()
        path, key = self._place(sig, target_context.codegen())
        try:
            payload = _read(path)
            # Only now: what passes was written whole by djgraph, in a file that no other user could have written.
            written, code = pickle.loads(payload) if payload is not None else (None, None)
            return self._impl.rebuild(target_context, code) if written == key else None
        except Exception as problem:  # an unpickler may raise anything, and none of it matters
            reason = str(problem) if isinstance(problem, (_Unfit, OSError)) else f"damaged: {problem!r:.200}"
            warn_once("read", f"{path} is not used, and its code is compiled anew: {reason}")
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code for a signature; whatever was there is replaced."""
        if not self._impl.check_cachable(data):
            return
        path, key = self._place(sig, data.codegen)
        try:
            payload = dumps((key, self._impl.reduce(data)))
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_writer(path) as file:
                if os.name == "posix":  # a umask may let others write, and then it would not be read again
                    mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                    os.fchmod(file.fileno(), (mode | stat.S_IRUSR | stat.S_IWUSR) & ~_OTHERS_WRITE)
                file.write(_BEGINNING + hashlib.sha256(payload).digest() + payload)
        except (DJGraphError, OSError, pickle.PicklingError) as problem:
            warn_once("write", f"compiled code is not kept, so the next start compiles again: {problem}")

    def flush(self) -> None:
        """Forget what is on disk."""
        for path in Path(self._cache_path).glob(f"{self._impl.filename_base}.*.nbc"):
            with contextlib.suppress(OSError):  # then it is compared with its sources when it is read
                path.unlink()

    def _place(self, sig: Any, codegen: Any) -> tuple[Path, Any]:
        """The file for a signature and a processor, and what has to stand in it: other sources overwrite it."""
        key = (*self._index_key(sig, codegen), self._stamp)
        name = hashlib.sha256(repr(key[:2]).encode()).hexdigest()[:16]
        return Path(self._cache_path) / f"{self._impl.filename_base}.{name}.nbc", key


def _read(path: Path) -> bytes | None:
    """What was kept in a file, None where there is none; _Unfit for a damaged one or one that others could write."""
    try:
        # Not to wait for the other end, should it be a pipe.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return None
    with open(number, "rb") as file:
        about = os.fstat(number)
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST:
            raise _Unfit("it is no file of djgraph's")
        if os.name == "posix":
            # Unpickling runs what the file says. Whoever owns the sources decides what runs here anyway.
            owners = {os.geteuid(), 0, os.stat(__file__).st_uid}
            if about.st_uid not in owners or about.st_mode & _OTHERS_WRITE:
                raise _Unfit("another user could have written it")
        data = file.read(_LARGEST)
    beginning, payload = data[: len(_BEGINNING)], data[len(_BEGINNING) + _SUM :]
    if beginning != _BEGINNING or data[len(_BEGINNING) :][:_SUM] != hashlib.sha256(payload).digest():
        raise _Unfit("it is damaged, or no file of djgraph's")
    return payload


_said: set[str] = set()


def warn_once(kind: str, text: str) -> None:
    """A RuntimeWarning, the first of its kind in this process."""
    if kind not in _said:
        _said.add(kind)
        warnings.warn(text, RuntimeWarning, stacklevel=2)
