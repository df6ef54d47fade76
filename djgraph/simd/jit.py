"""How functions are compiled, and what tells that the code on disk is out of date."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import event

from djgraph.simd.disk import CodeCache, warn_once
from djgraph.simd.parts import PartCompiler

part = partial(
    njit, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=PartCompiler
)()
"""Compiles a function that only other compiled functions call, which takes a third less time.

Arguments that belong together come as named tuples. An array that is taken out of one is counted as one more reference,
so that is done before a loop, not in it; and a function that is called for every few bins gets the arrays themselves,
since a tuple is handed over as all of its fields. A literal argument has a type of its own: the function is compiled
once more for it.
"""


inlined = partial(
    njit,
    error_model="numpy",
    no_cpython_wrapper=True,
    no_cfunc_wrapper=True,
    pipeline_class=PartCompiler,
    forceinline=True,
)()
"""A part of a few lines that several parts share, without the cost of a call for every few bins."""


def part_for(other: Any) -> Callable[[Any], Any]:
    """Compiles a closure as a part, under a name of its own: that of another part, which it calls.

    Numba tells closures of one name apart by a number that counts within a process. Code from disk has the numbers of
    the process that compiled it, and of two functions of one name and number the linker keeps the first: so names have
    to be different.
    """

    def compile_part(function: Any) -> Any:
        called = other.py_func
        function.__qualname__ += f".{called.__module__}.{called.__qualname__}"
        return part(function)

    return compile_part


def kept(function: Any) -> Any:
    """Compiles a function that Python calls, without Python's lock, and keeps it on disk where there is a place to."""
    compiled = njit(error_model="numpy", nogil=True)(function)
    try:
        compiled._cache = CodeCache(function, stamp())
    except (RuntimeError, OSError, ValueError) as problem:
        # Neither the package's folder nor the user's cache can be written to, or has a name that is not UTF-8.
        warn_once(
            "place", f"compiled code can be kept nowhere; NUMBA_CACHE_DIR names a folder for it ({problem})"
        )
    return compiled


@lru_cache(maxsize=1)
def stamp() -> str:
    """A hash of all sources of this package.

    For a function that it has on disk Numba looks whether its own file has changed, not at what it calls.
    """
    text = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        text.update(file.read_bytes())
    return text.hexdigest()


class _Watch(event.Listener):
    """Compiling a function compiles what it calls: the outermost one counts."""

    def __init__(self, begun: Callable[[], object], done: Callable[[], object]) -> None:
        self._begun, self._done, self._depth = begun, done, 0

    def on_start(self, happened: event.Event) -> None:
        self._depth += 1
        if self._depth == 1:
            self._begun()

    def on_end(self, happened: event.Event) -> None:
        self._depth -= 1
        if not self._depth:
            self._done()


@contextmanager
def watched(begun: Callable[[], object], done: Callable[[], object]) -> Iterator[None]:
    """As :func:`djgraph.simd.compiling`."""
    watch = _Watch(begun, done)
    event.register("numba:compile", watch)
    try:
        yield
    finally:
        event.unregister("numba:compile", watch)
