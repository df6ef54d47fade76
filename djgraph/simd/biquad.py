"""A biquad in the transposed direct form II, one signal on each lane.

y = b0·x + s1, then s1 = b1·x − a1·y + s2 and s2 = b2·x − a2·y.

Rows of a tile: x, b0, b1, b2, a1, a2 | y | ∂y | ∂x, ∂b0, ∂b1, ∂b2, ∂a1, ∂a2.
"""

from __future__ import annotations

from functools import lru_cache

from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, store, zeros
from djgraph.simd.recursion import Kernel, backward_tiles, forward_tiles
from djgraph.simd.tile import row_size

_SIZES = (6, 1, 2)


@part
def _forward(tile, state, numbers, count, lanes):
    row = row_size(lanes)
    first, second = load(state, 0), load(state, lanes)
    for t in range(count):
        at = t * lanes
        x = load(tile, at)
        y = load(tile, row + at) * x + first
        first = load(tile, 2 * row + at) * x - load(tile, 4 * row + at) * y + second
        second = load(tile, 3 * row + at) * x - load(tile, 5 * row + at) * y
        store(tile, 6 * row + at, y)
    store(state, 0, first)
    store(state, lanes, second)


@part
def _backward(tile, state, adjoint, numbers, count, lanes):
    _forward(tile, state, numbers, count, lanes)  # for the outputs; the states themselves are not needed
    row = row_size(lanes)
    none = zeros(tile)
    from_first, from_second = load(adjoint, 0), load(adjoint, lanes)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        x, y = load(tile, at), load(tile, 6 * row + at)
        of_y = load(tile, 7 * row + at) - load(tile, 4 * row + at) * from_first
        of_y = of_y - load(tile, 5 * row + at) * from_second
        of_x = load(tile, row + at) * of_y + load(tile, 2 * row + at) * from_first
        store(tile, 8 * row + at, of_x + load(tile, 3 * row + at) * from_second)
        store(tile, 9 * row + at, of_y * x)
        store(tile, 10 * row + at, from_first * x)
        store(tile, 11 * row + at, from_second * x)
        store(tile, 12 * row + at, none - from_first * y)
        store(tile, 13 * row + at, none - from_second * y)
        from_first, from_second = of_y, from_first
    store(adjoint, 0, from_first)
    store(adjoint, lanes, from_second)


_forward_tiles = forward_tiles(_forward, *_SIZES)
_backward_tiles = backward_tiles(_backward, *_SIZES)


@lru_cache(maxsize=1)
def _compile_forward():
    @kept
    def biquad_forward(*arguments):
        _forward_tiles(*arguments)

    return biquad_forward


@lru_cache(maxsize=1)
def _compile_backward():
    @kept
    def biquad_backward(*arguments):
        _backward_tiles(*arguments)

    return biquad_backward


KERNEL = Kernel(*_SIZES, _compile_forward, _compile_backward)
