"""Counts what a compiled recursion computes for one sample, by running its Python source on numbers that count."""

from __future__ import annotations

import sys
import types
from typing import Any

from numba.core.dispatcher import Dispatcher

from djgraph.dsp.recursion import Recursion

FREE = ("load", "load_several", "store", "fill", "zeros", "unknown", "row_size")
"""What moves numbers or makes constants."""


class Counted:
    """A number on all lanes: every operation on it counts."""

    def __init__(self, counter: list[int]) -> None:
        self.counter = counter

    def _one(self, *_: Any) -> Counted:
        self.counter[0] += 1
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = _one


def flops(recursion: Recursion, which: str) -> int:
    """For one sample of one signal; ``which`` is forward or backward. Elementary functions and choices count as one."""
    two, one = (_count(recursion, which, samples) for samples in (2, 1))
    return two - one


def flops_of_part(part: Dispatcher, **places: int) -> int:
    """Of one sample, in a function of a tile that ends with the samples and the lanes. places: of its arguments those
    that are several places in memory, and how many; what is computed of places does not count."""
    code = part.py_func.__code__
    names = code.co_varnames[: code.co_argcount - 2]
    given = [[0] * places[name] if name in places else 0 for name in names]
    two, one = (operations(part, *given, samples, 1) for samples in (2, 1))
    return two - one


def operations(part: Dispatcher, *arguments: Any) -> int:
    """Of one call."""
    counter = [0]
    _counting(part, counter)(*arguments)
    return counter[0]


def _count(recursion: Recursion, which: str, samples: int) -> int:
    counter = [0]
    tile = _source(recursion, which, counter)
    arguments: list[Any] = [[0.0] * 9, samples, 1]  # numbers, count, lanes
    tile(None, None, *([None] if which == "backward" else []), *arguments)
    return counter[0]


def _source(recursion: Recursion, which: str, counter: list[int]) -> Any:
    """The recursion's function of one tile, whose globals count."""
    compiled = getattr(recursion.kernel(), which)().py_func
    (tiles,) = (name for name in compiled.__code__.co_names if name.endswith("_tiles"))
    run = vars(sys.modules[compiled.__module__])[tiles].py_func
    cells = dict(zip(run.__code__.co_freevars, run.__closure__))
    return _counting(cells[which].cell_contents, counter)


def _counting(dispatcher: Dispatcher, counter: list[int]) -> Any:
    function = dispatcher.py_func
    names = dict(function.__globals__)
    for name in names.keys() & function.__code__.co_names:
        names[name] = _counted(name, names[name], counter)
    names |= {name: lambda *_: 1 for name in ("row_size",)}
    # What a factory gave to the function that it made.
    cells = zip(function.__code__.co_freevars, function.__closure__ or ())
    closure = tuple(types.CellType(_counted(name, cell.cell_contents, counter)) for name, cell in cells)
    return types.FunctionType(function.__code__, names, closure=closure)


def _counted(name: str, value: Any, counter: list[int]) -> Any:
    """What stands for a global or a variable of a closure. Samples that run side by side are counted one by one."""
    if name == "SIDE_BY_SIDE":
        return 1
    if name in FREE:
        return lambda *_: Counted(counter)
    if isinstance(value, Dispatcher):
        return _counting(value, counter)
    if callable(value):  # an intrinsic
        return lambda *_: Counted(counter)._one()
    return value
