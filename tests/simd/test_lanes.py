"""Vectors of numbers against NumPy, a lane at a time."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from numba import TypingError, njit
from numpy.typing import NDArray

from djgraph.simd.lanes import (
    BYTES,
    absolute,
    floor,
    load,
    load_at,
    logarithm,
    peek,
    pick,
    poke,
    put,
    root,
    sign,
    splat,
    store,
    store_at,
    transpose,
    width,
    zeros,
)

DTYPES = ["float32", "float64"]


def numbers(dtype: str, count: int, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).standard_normal(count).astype(dtype)


def lanes_of(dtype: str) -> int:
    return width(np.dtype(dtype).itemsize)


@njit
def _copy(source, at, target, to):
    store(target, to, load(source, at))


@njit
def _spread(source, at, target, to):
    store(target, to, splat(source, at))


@njit
def _clear(target, to):
    store(target, to, zeros(target))


@njit
def _arithmetic(a, b, out, lanes):
    x, y = load(a, 0), load(b, 0)
    store(out, 0, x + y)
    store(out, lanes, x - y)
    store(out, 2 * lanes, x * y)
    store(out, 3 * lanes, x / y)


@njit
def _polynomial(a, out):
    x, one = load(a, 0), splat(a, 0) / splat(a, 0)
    store(out, 0, (x * x + one) / (x * x - (one + one) * x + (one + one + one)))


@njit
def _move(like, source, at, target, to):
    poke(like, target, to, peek(like, source, at))


@njit
def _copy_at(like, source, at, target, to):
    store_at(like, target, to, load_at(like, source, at) * splat(like, 0))


@njit
def _transpose(source, at, step, target, to, to_step):
    transpose(source, at, step, target, to, to_step)


@njit
def _mixed(a, b, out):
    store(out, 0, load(a, 0) + load(b, 0))


def test_a_vector_is_as_wide_for_both_kinds_of_numbers() -> None:
    assert BYTES in (32, 64)
    assert width(4) * 4 == width(8) * 8 == BYTES


@pytest.mark.parametrize("dtype", DTYPES)
def test_load_and_store_anywhere_and_nothing_beside(dtype: str) -> None:
    lanes = lanes_of(dtype)
    source = numbers(dtype, 3 * lanes)
    for at, to in [(0, 0), (1, 3), (lanes + 1, 0), (2 * lanes, 2 * lanes), (5, lanes - 1)]:
        target = np.full(3 * lanes, 7, dtype)
        _copy(source, at, target, to)
        expected = np.full(3 * lanes, 7, dtype)
        expected[to : to + lanes] = source[at : at + lanes]
        np.testing.assert_array_equal(target, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_splat_and_zeros(dtype: str) -> None:
    lanes = lanes_of(dtype)
    source, target = numbers(dtype, 9), np.full(3 * lanes, 7, dtype)
    _spread(source, 4, target, lanes - 1)
    expected = np.full(3 * lanes, 7, dtype)
    expected[lanes - 1 : 2 * lanes - 1] = source[4]
    np.testing.assert_array_equal(target, expected)
    _clear(target, lanes + 2)
    expected[lanes + 2 : 2 * lanes + 2] = 0
    np.testing.assert_array_equal(target, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_operation_rounds_as_numpy_does(dtype: str) -> None:
    lanes = lanes_of(dtype)
    a, b, out = numbers(dtype, lanes, 1), numbers(dtype, lanes, 2), np.empty(4 * lanes, dtype)
    _arithmetic(a, b, out, lanes)
    for part, apply in zip(
        out.reshape(4, lanes), (operator.add, operator.sub, operator.mul, operator.truediv)
    ):
        np.testing.assert_array_equal(part, apply(a, b))


@pytest.mark.parametrize("dtype", DTYPES)
def test_operations_combine(dtype: str) -> None:
    lanes = lanes_of(dtype)
    a, out = numbers(dtype, lanes, 3), np.empty(lanes, dtype)
    _polynomial(a, out)
    x = a.astype("float64")
    np.testing.assert_allclose(
        out, (x * x + 1) / (x * x - 2 * x + 3), rtol=1e-5 if dtype == "float32" else 1e-14
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_division_by_zero_gives_what_ieee_says(dtype: str) -> None:
    lanes = lanes_of(dtype)
    a, b, out = np.ones(lanes, dtype), np.zeros(lanes, dtype), np.empty(4 * lanes, dtype)
    a[0] = 0
    _arithmetic(a, b, out, lanes)
    assert np.isnan(out[3 * lanes])
    assert np.isposinf(out[3 * lanes + 1 :]).all()


def test_vectors_of_different_numbers_do_not_mix() -> None:
    with pytest.raises(TypingError):
        _mixed(np.ones(16, "float32"), np.ones(16), np.ones(16))


@pytest.mark.parametrize("dtype", DTYPES)
def test_memory_behind_an_address(dtype: str) -> None:
    lanes = lanes_of(dtype)
    source, target, like = numbers(dtype, 3 * lanes, 4), np.full(3 * lanes, 7, dtype), np.full(1, 2, dtype)
    expected = target.copy()
    _move(like, source.ctypes.data, 5, target.ctypes.data, 1)
    expected[1] = source[5]
    np.testing.assert_array_equal(target, expected)
    # An address may lie before or behind the memory that is meant.
    size = like.itemsize
    _move(like, source.ctypes.data + 40 * size, -39, target.ctypes.data - 9 * size, 9)
    expected[0] = source[1]
    np.testing.assert_array_equal(target, expected)
    _copy_at(like, source.ctypes.data, 3, target.ctypes.data, lanes + 1)
    expected[lanes + 1 : 2 * lanes + 1] = 2 * source[3 : lanes + 3]
    np.testing.assert_array_equal(target, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_transpose_of_a_square_out_of_larger_tables(dtype: str) -> None:
    lanes = lanes_of(dtype)
    step, to_step = lanes + 3, lanes + 5
    source = numbers(dtype, (lanes + 2) * step, 5)
    target = np.full((lanes + 2) * to_step, 7, dtype)
    _transpose(source, step + 2, step, target, to_step + 4, to_step)
    expected = np.full((lanes + 2, to_step), 7, dtype)
    square = source.reshape(-1, step)[1 : lanes + 1, 2 : lanes + 2]
    expected[1 : lanes + 1, 4 : lanes + 4] = square.T
    np.testing.assert_array_equal(target.reshape(-1, to_step), expected)


@njit
def _functions(a, out, lanes):
    x = load(a, 0)
    store(out, 0, root(x))
    store(out, lanes, logarithm(x))
    store(out, 2 * lanes, absolute(x))
    store(out, 3 * lanes, sign(x))


@njit
def _floor_and_pick(a, out, lanes):
    store(out, 0, floor(load(a, 0)))
    for k in range(lanes):
        put(out, lanes + k, pick(a, lanes - 1 - k))


@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_of_one_vector(dtype: str) -> None:
    lanes, tiny = lanes_of(dtype), np.finfo(dtype).tiny
    half = np.array([0.5], dtype) ** 0.5
    edges = [
        1,
        tiny,
        np.finfo(dtype).max,
        *half,
        *np.nextafter(half, 1),
        *np.nextafter(half, 0),
        2,
        1e-12,
        np.e,
    ]
    values = np.concatenate([edges, np.exp(np.random.default_rng(0).uniform(-60, 60, 1000))]).astype(dtype)
    values = np.concatenate(
        [values, 1 + np.linspace(-1e-3, 1e-3, -len(values) % lanes + 4 * lanes).astype(dtype)]
    )
    for at in range(0, len(values), lanes):
        some, out = values[at : at + lanes], np.empty(4 * lanes, dtype)
        _functions(some, out, lanes)
        np.testing.assert_array_equal(out[:lanes], np.sqrt(some))
        exact = np.log(some.astype(np.longdouble))
        np.testing.assert_allclose(
            out[lanes : 2 * lanes], exact.astype(float), rtol=4 * np.finfo(dtype).eps, atol=0
        )
    signed = np.resize(np.array([-2.5, 0.0, -0.0, 3.0], dtype), lanes)
    out = np.empty(4 * lanes, dtype)
    _functions(signed, out, lanes)
    np.testing.assert_array_equal(out[2 * lanes :], [*np.abs(signed), *np.sign(signed)])


@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_numbers_below_and_single_numbers(dtype: str) -> None:
    lanes = lanes_of(dtype)
    values = np.resize(np.array([-2.5, -0.0, 3.0, 7.99], dtype), lanes)
    out = np.empty(2 * lanes, dtype)
    _floor_and_pick(values, out, lanes)
    np.testing.assert_array_equal(out, [*np.floor(values), *values[::-1]])
