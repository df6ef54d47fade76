"""How parts of compiled code are compiled: lowered, linked into what calls them, never run by themselves."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba")

from numba import njit
from numba.core.codegen import JITCodeLibrary

from djgraph.simd.jit import kept, part
from djgraph.simd.parts import PartLibrary


@part
def _scaled(x, factor):
    return x * factor + 1.0


@part
def _scaled_twice(x, factor):
    return _scaled(_scaled(x, factor), factor)


@part
def _fills(array, value):
    for i in range(len(array)):
        array[i] = _scaled_twice(value, 2.0)


def _library(function):
    (result,) = function.overloads.values()
    return result.library


def test_a_part_has_no_machine_code_and_what_calls_it_has():
    @njit
    def outer(array, value):
        _fills(array, value)

    found = np.zeros(5)
    outer(found, 3.0)
    np.testing.assert_array_equal(found, (3 * 2 + 1) * 2 + 1)
    whole = _library(outer)
    assert type(whole) is JITCodeLibrary
    assert whole.codegen._engine.is_symbol_defined(outer.overloads[outer.signatures[0]].fndesc.llvm_func_name)
    for one in (_fills, _scaled_twice, _scaled):
        assert type(_library(one)) is PartLibrary
        name = one.overloads[one.signatures[0]].fndesc.llvm_cpython_wrapper_name
        assert not whole.codegen._engine.is_symbol_defined(name)


def test_two_callers_share_a_part_and_each_type_has_its_own():
    @part
    def difference(x, y):
        return x - y

    @njit
    def forwards(x, y):
        return difference(x, y)

    @njit
    def backwards(x, y):
        return difference(y, x)

    assert forwards(5, 3) == 2
    assert backwards(5.5, 3.0) == -2.5
    assert backwards(5, 3) == -2
    assert len(difference.signatures) == 2  # integers and float64


def test_python_cannot_call_a_part():
    @njit
    def outer(x):
        return _scaled(x, 2.0)

    outer(1.0)
    with pytest.raises(KeyError):
        _scaled(1.0, 2.0)


def test_a_part_that_raises_is_heard_of_in_python():
    @part
    def checked(x):
        if x < 0:
            raise ValueError("below 0")
        return x

    @njit
    def outer(x):
        return checked(x)

    assert outer(1.0) == 1.0
    with pytest.raises(ValueError, match="below 0"):
        outer(-1.0)


def test_code_that_is_kept_has_its_parts_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))

    def make():
        @kept
        def outer(x):
            return _scaled_twice(x, 0.5)

        return outer

    first, again = make(), make()
    assert first(2.0) == again(2.0) == 2.0
    assert sum(again.stats.cache_hits.values()) == 1
