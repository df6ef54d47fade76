"""Functions of vectors against NumPy, a lane at a time."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from djgraph.simd.functions import (
    approach,
    cosine,
    exponential,
    fill,
    inverse_root,
    reciprocal,
    sine,
    where_greater,
)
from djgraph.simd.lanes import SIDE_BY_SIDE, load, load_several, store, width, zeros

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


@njit
def _run(which, a, b, out, lanes):
    for at in range(0, len(a), lanes):
        x = load(a, at)
        if which == 0:
            store(out, at, sine(x))
        elif which == 1:
            store(out, at, cosine(x))
        elif which == 2:
            store(out, at, approach(x))
        elif which == 3:
            store(out, at, where_greater(x, load(b, at), x, load(b, at)))
        elif which == 4:
            store(out, at, fill(a, 0.25))
        else:
            store(out, at, exponential(x))


def run(which, a, b=None):
    out = np.empty_like(a)
    _run(which, a, a if b is None else b, out, width(a.itemsize))
    return out


@DTYPES
def test_sine_and_cosine_of_half_turns(dtype):
    x = np.linspace(0, 0.5, 1 << 12).astype(dtype)
    exact = x.astype("longdouble") * np.longdouble(np.pi)
    tiny = np.finfo(dtype).eps
    np.testing.assert_allclose(run(0, x), np.sin(exact).astype(dtype), rtol=4 * tiny)
    np.testing.assert_allclose(run(1, x), np.cos(exact).astype(dtype), atol=4 * tiny)


@DTYPES
def test_approach_is_exact_for_small_and_large_numbers(dtype):
    x = np.concatenate((np.zeros(1), np.geomspace(1e-30, 1e30, (1 << 12) - 2), [np.inf])).astype(dtype)
    want = -np.expm1(-x.astype("longdouble"))
    np.testing.assert_allclose(run(2, x), want.astype(dtype), rtol=4 * np.finfo(dtype).eps)


@DTYPES
def test_exponential(dtype):
    most = {"float32": 87.3, "float64": 708.0}[dtype]
    x = np.concatenate((np.zeros(1), np.linspace(-most, most, (1 << 12) - 1))).astype(dtype)
    want = np.exp(x.astype("longdouble"))
    np.testing.assert_allclose(run(5, x), want.astype(dtype), rtol=4 * np.finfo(dtype).eps)
    assert run(5, x)[0] == 1
    beyond = np.full(16, 1e4, dtype)
    assert np.isfinite(run(5, beyond)).all()
    assert (run(5, -beyond) > 0).all()


@DTYPES
def test_choices_and_numbers(dtype):
    a, b = np.random.default_rng(0).standard_normal((2, 64)).astype(dtype)
    np.testing.assert_array_equal(run(3, a, b), np.maximum(a, b))
    np.testing.assert_array_equal(run(4, a), np.full_like(a, 0.25))


@njit
def _inverses(a, roots, quotients, lanes):
    for at in range(0, len(a), lanes):
        store(roots, at, inverse_root(load(a, at)))
        store(quotients, at, reciprocal(load(a, at)))


@njit
def _inverses_side_by_side(a, roots, quotients, step):
    for at in range(0, len(a), step):
        store(roots, at, inverse_root(load_several(a, at)))
        store(quotients, at, reciprocal(load_several(a, at)))


@DTYPES
def test_inverses(dtype):
    x = np.concatenate((np.geomspace(1e-36, 1e36, 1 << 12), np.linspace(1, 4, 1 << 12))).astype(dtype)
    exact = x.astype("longdouble")
    alone, together = np.empty((2, 2, len(x)), dtype)
    _inverses(x, *alone, width(x.itemsize))
    np.testing.assert_allclose(alone[0], (1 / np.sqrt(exact)).astype(dtype), rtol=2 * np.finfo(dtype).eps)
    np.testing.assert_allclose(alone[1], (1 / exact).astype(dtype), rtol=2 * np.finfo(dtype).eps)
    # Several vectors at once are the same numbers.
    _inverses_side_by_side(x, *together, SIDE_BY_SIDE * width(x.itemsize))
    np.testing.assert_array_equal(together, alone)


@njit
def _side_by_side(a, out, step):
    x = load_several(a, 0)
    store(out, 0, exponential(zeros(x) - x) * fill(x, 2.0))


@DTYPES
def test_constants_as_wide_as_other_lanes(dtype):
    step = SIDE_BY_SIDE * width(np.dtype(dtype).itemsize)
    x = np.linspace(-1, 1, step).astype(dtype)
    out = np.empty(step, dtype)
    _side_by_side(x, out, step)
    np.testing.assert_allclose(out, 2 * np.exp(-x), rtol=8 * np.finfo(dtype).eps)
