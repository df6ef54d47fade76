"""Attack and release with times that may move at every sample, one signal on each lane.

The formulas are those of :mod:`djgraph.dsp.follower`. A state moves by a share of its distance from the level, so that
a long time in single precision stays what it is.

Rows of a tile: level, attack, release | y | ∂y | ∂level, ∂attack, ∂release | states before each sample.
"""

from __future__ import annotations

from functools import lru_cache

from djgraph.simd.functions import approach, differs, fill, unknown, where_greater
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, store, zeros
from djgraph.simd.recursion import Kernel, backward_tiles, forward_tiles
from djgraph.simd.tile import row_size

_BRANCHING = (3, 1, 1)
_DECOUPLED = (3, 1, 2)

SHORTEST = 1e-6
"""Milliseconds: shorter times are taken as this one, whose share is 1."""


@part
def rate_of(time, step, like):
    """Samples are this share of a time constant; ``step`` is that of 1 ms."""
    shortest = fill(like, SHORTEST)
    return step / where_greater(time, shortest, time, shortest)


@part
def share_of(time, known, of, step, like):
    """The share of its distance that a state covers in a sample; ``known`` is that of the time ``of``.

    A time that stands still, as most do, costs a comparison.
    """
    if differs(time, of):
        return approach(rate_of(time, step, like))
    return known


@part
def of_time(of_share, time, share, step, like):
    """The gradient of a time from that of its share 1 − e^−(step/time)."""
    shortest, none = fill(like, SHORTEST), zeros(like)
    rate = step / where_greater(time, shortest, time, shortest)
    of_time_constant = none - of_share * (fill(like, 1.0) - share) * rate * rate / step
    return where_greater(time, shortest, of_time_constant, none)


@part
def _forward_branching(tile, state, numbers, count, lanes):
    row, step, y = row_size(lanes), fill(tile, numbers[0]), load(state, 0)
    attack, release, rise, fall = unknown(tile), unknown(tile), zeros(tile), zeros(tile)
    for t in range(count):
        at = t * lanes
        x = load(tile, at)
        now = load(tile, row + at)
        rise, attack = share_of(now, rise, attack, step, tile), now
        now = load(tile, 2 * row + at)
        fall, release = share_of(now, fall, release, step, tile), now
        y = y + where_greater(x, y, rise, fall) * (x - y)
        store(tile, 3 * row + at, y)
    store(state, 0, y)


@part
def _backward_branching(tile, state, adjoint, numbers, count, lanes):
    row, step, one, none = row_size(lanes), fill(tile, numbers[0]), fill(tile, 1.0), zeros(tile)
    store(tile, 8 * row, load(state, 0))
    _forward_branching(tile, state, numbers, count, lanes)
    for t in range(1, count):
        store(tile, 8 * row + t * lanes, load(tile, 3 * row + (t - 1) * lanes))
    from_y = load(adjoint, 0)
    attack, release, rise, fall = unknown(tile), unknown(tile), none, none
    for t in range(count - 1, -1, -1):
        at = t * lanes
        x, y = load(tile, at), load(tile, 8 * row + at)
        now = load(tile, row + at)
        rise, attack = share_of(now, rise, attack, step, tile), now
        now = load(tile, 2 * row + at)
        fall, release = share_of(now, fall, release, step, tile), now
        time = where_greater(x, y, attack, release)
        share = where_greater(x, y, rise, fall)
        gradient = load(tile, 4 * row + at) + from_y
        time_gradient = of_time(gradient * (x - y), time, share, step, tile)
        store(tile, 5 * row + at, gradient * share)
        store(tile, 6 * row + at, where_greater(x, y, time_gradient, none))
        store(tile, 7 * row + at, where_greater(x, y, none, time_gradient))
        from_y = gradient * (one - share)
    store(adjoint, 0, from_y)


@part
def _forward_decoupled(tile, state, numbers, count, lanes):
    row, step = row_size(lanes), fill(tile, numbers[0])
    peak, y = load(state, 0), load(state, lanes)
    attack, release, rise, fall = unknown(tile), unknown(tile), zeros(tile), zeros(tile)
    for t in range(count):
        at = t * lanes
        x = load(tile, at)
        now = load(tile, row + at)
        rise, attack = share_of(now, rise, attack, step, tile), now
        now = load(tile, 2 * row + at)
        fall, release = share_of(now, fall, release, step, tile), now
        peak = where_greater(x, peak, x, peak + fall * (x - peak))
        y = y + rise * (peak - y)
        store(tile, 3 * row + at, y)
    store(state, 0, peak)
    store(state, lanes, y)


@part
def _backward_decoupled(tile, state, adjoint, numbers, count, lanes):
    row, step, one, none = row_size(lanes), fill(tile, numbers[0]), fill(tile, 1.0), zeros(tile)
    peak, y = load(state, 0), load(state, lanes)
    attack, release, rise, fall = unknown(tile), unknown(tile), none, none
    for t in range(count):
        at = t * lanes
        store(tile, 8 * row + at, peak)
        store(tile, 9 * row + at, y)
        x = load(tile, at)
        now = load(tile, row + at)
        rise, attack = share_of(now, rise, attack, step, tile), now
        now = load(tile, 2 * row + at)
        fall, release = share_of(now, fall, release, step, tile), now
        peak = where_greater(x, peak, x, peak + fall * (x - peak))
        y = y + rise * (peak - y)
    from_peak, from_y = load(adjoint, 0), load(adjoint, lanes)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        x, before, y = load(tile, at), load(tile, 8 * row + at), load(tile, 9 * row + at)
        now = load(tile, row + at)
        rise, attack = share_of(now, rise, attack, step, tile), now
        now = load(tile, 2 * row + at)
        fall, release = share_of(now, fall, release, step, tile), now
        peak = where_greater(x, before, x, before + fall * (x - before))
        gradient = load(tile, 4 * row + at) + from_y
        of_peak = gradient * rise + from_peak
        store(tile, 6 * row + at, of_time(gradient * (peak - y), attack, rise, step, tile))
        from_y = gradient * (one - rise)
        of_release = of_time(of_peak * (x - before), release, fall, step, tile)
        store(tile, 5 * row + at, where_greater(x, before, of_peak, of_peak * fall))
        store(tile, 7 * row + at, where_greater(x, before, none, of_release))
        from_peak = where_greater(x, before, none, of_peak * (one - fall))
    store(adjoint, 0, from_peak)
    store(adjoint, lanes, from_y)


_branching_forward_tiles = forward_tiles(_forward_branching, *_BRANCHING)
_branching_backward_tiles = backward_tiles(_backward_branching, *_BRANCHING)
_decoupled_forward_tiles = forward_tiles(_forward_decoupled, *_DECOUPLED)
_decoupled_backward_tiles = backward_tiles(_backward_decoupled, *_DECOUPLED)


@lru_cache(maxsize=1)
def _compile_branching_forward():
    @kept
    def branching_forward(*arguments):
        _branching_forward_tiles(*arguments)

    return branching_forward


@lru_cache(maxsize=1)
def _compile_branching_backward():
    @kept
    def branching_backward(*arguments):
        _branching_backward_tiles(*arguments)

    return branching_backward


@lru_cache(maxsize=1)
def _compile_decoupled_forward():
    @kept
    def decoupled_forward(*arguments):
        _decoupled_forward_tiles(*arguments)

    return decoupled_forward


@lru_cache(maxsize=1)
def _compile_decoupled_backward():
    @kept
    def decoupled_backward(*arguments):
        _decoupled_backward_tiles(*arguments)

    return decoupled_backward


BRANCHING = Kernel(*_BRANCHING, _compile_branching_forward, _compile_branching_backward)
DECOUPLED = Kernel(*_DECOUPLED, _compile_decoupled_forward, _compile_decoupled_backward)
