"""Splits into a low and a high band with a cutoff at every sample, one signal on each lane.

The formulas are those of :mod:`djgraph.dsp.linkwitz_riley`, and its filters those of
:mod:`djgraph.simd.state_variable`.

Rows of a tile: x, cutoff | low, high | ∂low, ∂high | ∂x, ∂cutoff | states of the first filter, of the second one.
"""

from __future__ import annotations

import math
from functools import lru_cache

from djgraph.simd.functions import cosine, fill, sine
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, store, zeros
from djgraph.simd.recursion import Kernel, backward_tiles, forward_tiles
from djgraph.simd.state_variable import coefficients, limited, of_cutoff, pull_back, step
from djgraph.simd.tile import row_size

_SECOND = (2, 2, 2)
_FOURTH = (2, 2, 4)


@part
def _forward_second(tile, state, numbers, count, lanes):
    row = row_size(lanes)
    inverse_rate, q = fill(tile, numbers[0]), fill(tile, 0.5)
    first, second = load(state, 0), load(state, lanes)
    for t in range(count):
        at = t * lanes
        x = load(tile, at)
        f = limited(load(tile, row + at), inverse_rate, tile)
        _, a2, a3, lost = coefficients(f, q, tile)
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        first, second = v1 + half_first, v2 + half_second
        store(tile, 2 * row + at, v2)
        store(tile, 3 * row + at, v1 + v1 + v2 - x)
    store(state, 0, first)
    store(state, lanes, second)


@part
def _backward_second(tile, state, adjoint, numbers, count, lanes):
    row = row_size(lanes)
    inverse_rate, one = fill(tile, numbers[0]), fill(tile, 1.0)
    q, k = fill(tile, 0.5), fill(tile, 2.0)
    first, second = load(state, 0), load(state, lanes)
    for t in range(count):
        at = t * lanes
        store(tile, 8 * row + at, first)
        store(tile, 9 * row + at, second)
        f = limited(load(tile, row + at), inverse_rate, tile)
        _, a2, a3, lost = coefficients(f, q, tile)
        half_first, half_second = step(load(tile, at), first, second, a2, a3, lost)
        first, second = first + half_first + half_first, second + half_second + half_second
    from_first, from_second = load(adjoint, 0), load(adjoint, lanes)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        x, cutoff = load(tile, at), load(tile, row + at)
        first, second = load(tile, 8 * row + at), load(tile, 9 * row + at)
        f = limited(cutoff, inverse_rate, tile)
        _, a2, a3, lost = coefficients(f, q, tile)
        half_first, _ = step(x, first, second, a2, a3, lost)
        v1, g = first + half_first, sine(f) / cosine(f)
        of_low, of_high = load(tile, 4 * row + at), load(tile, 5 * row + at)
        of_x, of_g, _, from_first, from_second = pull_back(
            x,
            second,
            v1,
            (g, k, one - lost),
            (of_high + of_high, of_low + of_high),
            (from_first, from_second),
        )
        store(tile, 6 * row + at, of_x - of_high)
        store(tile, 7 * row + at, of_cutoff(of_g, g, cutoff, inverse_rate, tile))
    store(adjoint, 0, from_first)
    store(adjoint, lanes, from_second)


@part
def _forward_fourth(tile, state, numbers, count, lanes):
    row = row_size(lanes)
    inverse_rate, q = fill(tile, numbers[0]), fill(tile, math.sqrt(0.5))
    twice_k = fill(tile, 2 * math.sqrt(2.0))
    first, second = load(state, 0), load(state, lanes)
    third, fourth = load(state, 2 * lanes), load(state, 3 * lanes)
    for t in range(count):
        at = t * lanes
        x = load(tile, at)
        f = limited(load(tile, row + at), inverse_rate, tile)
        _, a2, a3, lost = coefficients(f, q, tile)
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        first, second = v1 + half_first, v2 + half_second
        half_third, half_fourth = step(v2, third, fourth, a2, a3, lost)
        low = fourth + half_fourth
        third, fourth = third + half_third + half_third, low + half_fourth
        store(tile, 2 * row + at, low)
        store(tile, 3 * row + at, x - twice_k * v1 - low)
    store(state, 0, first)
    store(state, lanes, second)
    store(state, 2 * lanes, third)
    store(state, 3 * lanes, fourth)


@part
def _backward_fourth(tile, state, adjoint, numbers, count, lanes):
    row = row_size(lanes)
    inverse_rate, one, none = fill(tile, numbers[0]), fill(tile, 1.0), zeros(tile)
    q, k = fill(tile, math.sqrt(0.5)), fill(tile, math.sqrt(2.0))
    first, second = load(state, 0), load(state, lanes)
    third, fourth = load(state, 2 * lanes), load(state, 3 * lanes)
    for t in range(count):
        at = t * lanes
        store(tile, 8 * row + at, first)
        store(tile, 9 * row + at, second)
        store(tile, 10 * row + at, third)
        store(tile, 11 * row + at, fourth)
        f = limited(load(tile, row + at), inverse_rate, tile)
        _, a2, a3, lost = coefficients(f, q, tile)
        half_first, half_second = step(load(tile, at), first, second, a2, a3, lost)
        half_third, half_fourth = step(second + half_second, third, fourth, a2, a3, lost)
        first, second = first + half_first + half_first, second + half_second + half_second
        third, fourth = third + half_third + half_third, fourth + half_fourth + half_fourth
    from_first, from_second = load(adjoint, 0), load(adjoint, lanes)
    from_third, from_fourth = load(adjoint, 2 * lanes), load(adjoint, 3 * lanes)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        x, cutoff = load(tile, at), load(tile, row + at)
        first, second = load(tile, 8 * row + at), load(tile, 9 * row + at)
        third, fourth = load(tile, 10 * row + at), load(tile, 11 * row + at)
        f = limited(cutoff, inverse_rate, tile)
        _, a2, a3, lost = coefficients(f, q, tile)
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        half_third, _ = step(v2, third, fourth, a2, a3, lost)
        g = sine(f) / cosine(f)
        of_high = load(tile, 5 * row + at)
        of_low = load(tile, 4 * row + at) - of_high
        of_v2, later_of_g, _, from_third, from_fourth = pull_back(
            v2,
            fourth,
            third + half_third,
            (g, k, one - lost),
            (none, of_low),
            (from_third, from_fourth),
        )
        of_v1 = none - (k + k) * of_high
        of_x, of_g, _, from_first, from_second = pull_back(
            x, second, v1, (g, k, one - lost), (of_v1, of_v2), (from_first, from_second)
        )
        store(tile, 6 * row + at, of_x + of_high)
        store(tile, 7 * row + at, of_cutoff(of_g + later_of_g, g, cutoff, inverse_rate, tile))
    store(adjoint, 0, from_first)
    store(adjoint, lanes, from_second)
    store(adjoint, 2 * lanes, from_third)
    store(adjoint, 3 * lanes, from_fourth)


_second_forward_tiles = forward_tiles(_forward_second, *_SECOND)
_second_backward_tiles = backward_tiles(_backward_second, *_SECOND)
_fourth_forward_tiles = forward_tiles(_forward_fourth, *_FOURTH)
_fourth_backward_tiles = backward_tiles(_backward_fourth, *_FOURTH)


@lru_cache(maxsize=1)
def _compile_second_forward():
    @kept
    def linkwitz_riley_2_forward(*arguments):
        _second_forward_tiles(*arguments)

    return linkwitz_riley_2_forward


@lru_cache(maxsize=1)
def _compile_second_backward():
    @kept
    def linkwitz_riley_2_backward(*arguments):
        _second_backward_tiles(*arguments)

    return linkwitz_riley_2_backward


@lru_cache(maxsize=1)
def _compile_fourth_forward():
    @kept
    def linkwitz_riley_4_forward(*arguments):
        _fourth_forward_tiles(*arguments)

    return linkwitz_riley_4_forward


@lru_cache(maxsize=1)
def _compile_fourth_backward():
    @kept
    def linkwitz_riley_4_backward(*arguments):
        _fourth_backward_tiles(*arguments)

    return linkwitz_riley_4_backward


SECOND = Kernel(*_SECOND, _compile_second_forward, _compile_second_backward)
FOURTH = Kernel(*_FOURTH, _compile_fourth_forward, _compile_fourth_backward)
