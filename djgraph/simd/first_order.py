"""y[n] = b0[n]·x[n] + b1[n]·x[n−1] − a1[n]·y[n−1], one signal on each lane.

Rows of a tile: x, b0, b1, a1 | y | ∂y | ∂x, ∂b0, ∂b1, ∂a1 | x[n−1], y[n−1].
"""

from __future__ import annotations

from functools import lru_cache

from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, store, zeros
from djgraph.simd.recursion import Kernel, backward_tiles, forward_tiles
from djgraph.simd.tile import row_size

_SIZES = (4, 1, 2)


@part
def _forward(tile, state, numbers, count, lanes):
    row = row_size(lanes)
    x_before, y_before = load(state, 0), load(state, lanes)
    for t in range(count):
        at = t * lanes
        x = load(tile, at)
        driven = load(tile, row + at) * x + load(tile, 2 * row + at) * x_before
        y_before = driven - load(tile, 3 * row + at) * y_before
        x_before = x
        store(tile, 4 * row + at, y_before)
    store(state, 0, x_before)
    store(state, lanes, y_before)


@part
def _backward(tile, state, adjoint, numbers, count, lanes):
    row = row_size(lanes)
    for k in range(2):
        store(tile, (10 + k) * row, load(state, k * lanes))
    _forward(tile, state, numbers, count, lanes)
    for t in range(1, count):
        store(tile, 10 * row + t * lanes, load(tile, (t - 1) * lanes))
        store(tile, 11 * row + t * lanes, load(tile, 4 * row + (t - 1) * lanes))
    from_x, from_y = load(adjoint, 0), load(adjoint, lanes)
    none = zeros(tile)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        x, x_before, y_before = load(tile, at), load(tile, 10 * row + at), load(tile, 11 * row + at)
        gradient = load(tile, 5 * row + at) + from_y
        store(tile, 6 * row + at, gradient * load(tile, row + at) + from_x)
        store(tile, 7 * row + at, gradient * x)
        store(tile, 8 * row + at, gradient * x_before)
        store(tile, 9 * row + at, none - gradient * y_before)
        from_x = gradient * load(tile, 2 * row + at)
        from_y = none - gradient * load(tile, 3 * row + at)
    store(adjoint, 0, from_x)
    store(adjoint, lanes, from_y)


_forward_tiles = forward_tiles(_forward, *_SIZES)
_backward_tiles = backward_tiles(_backward, *_SIZES)


@lru_cache(maxsize=1)
def _compile_forward():
    @kept
    def first_order_forward(*arguments):
        _forward_tiles(*arguments)

    return first_order_forward


@lru_cache(maxsize=1)
def _compile_backward():
    @kept
    def first_order_backward(*arguments):
        _backward_tiles(*arguments)

    return first_order_backward


KERNEL = Kernel(*_SIZES, _compile_forward, _compile_backward)
