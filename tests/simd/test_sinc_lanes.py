"""The kernel of decks on lanes, against the formula and finite differences; sums of lanes."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from scipy.special import i0

from djgraph.simd.lanes import load, store, width
from djgraph.simd.sinc_lanes import lanes_of, ramp, total, windowed_sinc, windowed_sinc_slope
from djgraph.simd.windowed_sinc import BETA, SINE, WINDOW

TYPES = pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 4e-7), (np.float64, 1e-14)])


def kernel(x, crossings):
    inside = np.maximum(0, 1 - (x / crossings) ** 2)
    return np.sinc(x) * (i0(BETA * np.sqrt(inside)) - 1) / (i0(BETA) - 1)


@njit
def _value(x, shrink, out):
    for at in range(0, len(x), lanes_of(x)):
        store(out, at, windowed_sinc(load(x, at), load(shrink, 0)))


@njit
def _slope(x, shrink, out, slopes):
    for at in range(0, len(x), lanes_of(x)):
        value, slope = windowed_sinc_slope(load(x, at), load(shrink, 0))
        store(out, at, value)
        store(slopes, at, slope)


@njit
def _sums(x, out):
    lanes = lanes_of(x)
    for row in range(len(out)):
        out[row] = total(load(x, row * lanes))
    store(x, 0, ramp(x))
    return lanes


def places(dtype, crossings):
    fine = np.random.default_rng(0).uniform(-crossings - 2, crossings + 2, 4096 - 64)
    near = np.concatenate((np.arange(-16, 16), 10.0 ** np.arange(-32, 0)))  # whole numbers, and next to 0
    return np.concatenate((fine, near)).astype(dtype)


@TYPES
@pytest.mark.parametrize("crossings", [1, 16, 64])
def test_the_kernel_is_the_formula(dtype, tolerance, crossings):
    x = places(dtype, crossings)
    shrink = np.full(width(x.itemsize), 1 / crossings**2, dtype)
    values, again, slopes = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    _value(x, shrink, values)
    _slope(x, shrink, again, slopes)
    exact = x.astype(np.float64)
    for got in (values, again):
        np.testing.assert_allclose(got, kernel(exact, crossings), rtol=0, atol=tolerance)
    step = 1e-5
    want = (kernel(exact + step, crossings) - kernel(exact - step, crossings)) / (2 * step)
    smooth = np.abs(np.abs(exact) - crossings) > 2 * step  # at its end the kernel has a corner
    np.testing.assert_allclose(slopes[smooth], want[smooth], rtol=0, atol=max(2e-8, 10 * tolerance))
    assert not values[np.abs(exact) >= crossings].any()
    whole = (exact == np.round(exact)) & (exact != 0)
    assert not values[whole].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_lanes(dtype):
    lanes = width(np.dtype(dtype).itemsize)
    x = np.random.default_rng(1).standard_normal(5 * lanes).astype(dtype)
    want, out = x.reshape(5, lanes).astype(np.float64).sum(-1), np.empty(5, dtype)
    assert _sums(x, out) == lanes
    np.testing.assert_allclose(out, want, rtol=0, atol=20 * np.finfo(dtype).eps)
    assert np.array_equal(x[:lanes], np.arange(lanes))


def test_series_are_one_where_the_kernel_is():
    assert SINE[0] == 1
    total_at_one = 0.0
    for coefficient in reversed(WINDOW):
        total_at_one = total_at_one + coefficient
    assert total_at_one == 1
