"""s[n] = A[n]·s[n−1] + u[n] with 2×2 matrices, one signal on each lane.

Rows of a tile: u₁, u₂, a₁₁, a₁₂, a₂₁, a₂₂ | s₁, s₂ | ∂s₁, ∂s₂ | ∂u₁, ∂u₂, ∂a₁₁, ∂a₁₂, ∂a₂₁, ∂a₂₂ | s₁[n−1], s₂[n−1].
"""

from __future__ import annotations

from functools import lru_cache

from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, store
from djgraph.simd.recursion import Kernel, backward_tiles, forward_tiles
from djgraph.simd.tile import row_size

_SIZES = (6, 2, 2)


@part
def _forward(tile, state, numbers, count, lanes):
    row = row_size(lanes)
    first, second = load(state, 0), load(state, lanes)
    for t in range(count):
        at = t * lanes
        one = load(tile, 2 * row + at) * first + load(tile, 3 * row + at) * second + load(tile, at)
        other = load(tile, 4 * row + at) * first + load(tile, 5 * row + at) * second + load(tile, row + at)
        first, second = one, other
        store(tile, 6 * row + at, first)
        store(tile, 7 * row + at, second)
    store(state, 0, first)
    store(state, lanes, second)


@part
def _backward(tile, state, adjoint, numbers, count, lanes):
    row = row_size(lanes)
    for k in range(2):
        store(tile, (16 + k) * row, load(state, k * lanes))
    _forward(tile, state, numbers, count, lanes)
    for t in range(1, count):
        for k in range(2):
            store(tile, (16 + k) * row + t * lanes, load(tile, (6 + k) * row + (t - 1) * lanes))
    from_first, from_second = load(adjoint, 0), load(adjoint, lanes)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        first, second = load(tile, 16 * row + at), load(tile, 17 * row + at)
        one, other = load(tile, 8 * row + at) + from_first, load(tile, 9 * row + at) + from_second
        store(tile, 10 * row + at, one)
        store(tile, 11 * row + at, other)
        store(tile, 12 * row + at, one * first)
        store(tile, 13 * row + at, one * second)
        store(tile, 14 * row + at, other * first)
        store(tile, 15 * row + at, other * second)
        from_first = load(tile, 2 * row + at) * one + load(tile, 4 * row + at) * other
        from_second = load(tile, 3 * row + at) * one + load(tile, 5 * row + at) * other
    store(adjoint, 0, from_first)
    store(adjoint, lanes, from_second)


_forward_tiles = forward_tiles(_forward, *_SIZES)
_backward_tiles = backward_tiles(_backward, *_SIZES)


@lru_cache(maxsize=1)
def _compile_forward():
    @kept
    def matrix_recursion_forward(*arguments):
        _forward_tiles(*arguments)

    return matrix_recursion_forward


@lru_cache(maxsize=1)
def _compile_backward():
    @kept
    def matrix_recursion_backward(*arguments):
        _backward_tiles(*arguments)

    return matrix_recursion_backward


KERNEL = Kernel(*_SIZES, _compile_forward, _compile_backward)
