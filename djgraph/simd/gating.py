"""A gate from what is heard to the signal turned down, one signal on each lane.

The formulas are those of :mod:`djgraph.dsp.gating`: level, two thresholds, hold, attack and release, gain.

Rows of a tile: audio, heard, threshold, hysteresis, attack, hold, release, range | out | ∂out | a gradient of each of
the eight | level in dB, switch before the sample, what is held, and how far it was open before the sample.
States: level, switch, samples that the hold counts down from ``MOST``, how far it is open.
Numbers: milliseconds of a sample, the sample rate, the time in ms in which the level falls, softness in dB.
"""

from __future__ import annotations

import math
from functools import lru_cache

from djgraph.simd.follower import of_time, rate_of, share_of
from djgraph.simd.functions import approach, differs, exponential, fill, unknown, where_greater
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import absolute, load, logarithm, store, zeros
from djgraph.simd.recursion import Kernel, backward_tiles, forward_tiles
from djgraph.simd.tile import row_size

_SIZES = (8, 1, 4)
MOST = float(2**23)
"""Samples that a hold can count: single precision has all whole numbers up to there."""
_QUIETEST = 1e-6
"""Of :data:`djgraph.dsp.levels.QUIETEST`."""
_FAINT = 1e-30
"""What is smaller is 0: a decay would end among numbers below the normal ones, which are slow."""
_PER_NEPER = 20 / math.log(10)
"""dB of an amplitude for each 1 of its natural logarithm."""
_PER_DECIBEL = math.log(10) / 20


@part
def _loudness(level, heard, window, like):
    """The peak of what is heard, which falls by the share ``window`` of its distance, and the same in dB."""
    faint, quietest, none = fill(like, _FAINT), fill(like, _QUIETEST), zeros(like)
    x = absolute(heard)
    level = where_greater(x, level, x, level + window * (x - level))
    level = where_greater(level, faint, level, none)
    audible = where_greater(level, quietest, level, quietest)
    return level, logarithm(audible) * fill(like, _PER_NEPER)


@part
def _switched(switch, decibels, threshold, hysteresis, like):
    one, none = fill(like, 1.0), zeros(like)
    kept_or_closed = where_greater(threshold - hysteresis, decibels, none, switch)
    return where_greater(decibels, threshold, one, kept_or_closed)


@part
def _counted(left, switch, like):
    """The count after a sample: ``MOST`` where the switch is on, else one less, down to 0."""
    one, none = fill(like, 1.0), zeros(like)
    less = left - one
    less = where_greater(less, none, less, none)
    return where_greater(switch, none, fill(like, MOST), less)


@part
def _moved(opened, share, target, like):
    """How far it is open after a sample."""
    faint, none = fill(like, _FAINT), zeros(like)
    after = opened + share * (target - opened)
    return where_greater(after, faint, after, none)


@part
def _forward(tile, state, numbers, count, lanes):
    row, one, none = row_size(lanes), fill(tile, 1.0), zeros(tile)
    step, rate = fill(tile, numbers[0]), fill(tile, numbers[1])
    window = approach(rate_of(fill(tile, numbers[2]), step, tile))
    most, thousand, to_nepers = fill(tile, MOST), fill(tile, 1000.0), fill(tile, _PER_DECIBEL)
    level, switch = load(state, 0), load(state, lanes)
    left, opened = load(state, 2 * lanes), load(state, 3 * lanes)
    attack, hold, release = unknown(tile), unknown(tile), unknown(tile)
    rise, longest, fall = none, none, none
    for t in range(count):
        at = t * lanes
        level, decibels = _loudness(level, load(tile, row + at), window, tile)
        switch = _switched(switch, decibels, load(tile, 2 * row + at), load(tile, 3 * row + at), tile)
        left = _counted(left, switch, tile)
        now = load(tile, 5 * row + at)
        if differs(now, hold):
            hold, longest = now, now * rate / thousand
        target = where_greater(most - left, longest, none, one)
        now = load(tile, 4 * row + at)
        rise, attack = share_of(now, rise, attack, step, tile), now
        now = load(tile, 6 * row + at)
        fall, release = share_of(now, fall, release, step, tile), now
        opened = _moved(opened, where_greater(target, none, rise, fall), target, tile)
        gain = exponential(load(tile, 7 * row + at) * (opened - one) * to_nepers)
        store(tile, 8 * row + at, load(tile, at) * gain)
    store(state, 0, level)
    store(state, lanes, switch)
    store(state, 2 * lanes, left)
    store(state, 3 * lanes, opened)


@part
def _backward(tile, state, adjoint, numbers, count, lanes):
    row, one, none = row_size(lanes), fill(tile, 1.0), zeros(tile)
    step, rate = fill(tile, numbers[0]), fill(tile, numbers[1])
    window = approach(rate_of(fill(tile, numbers[2]), step, tile))
    most, thousand, to_nepers = fill(tile, MOST), fill(tile, 1000.0), fill(tile, _PER_DECIBEL)
    softness = fill(tile, numbers[3])
    level, switch = load(state, 0), load(state, lanes)
    left, opened = load(state, 2 * lanes), load(state, 3 * lanes)
    attack, hold, release = unknown(tile), unknown(tile), unknown(tile)
    rise, longest, fall = none, none, none
    for t in range(count):
        at = t * lanes
        level, decibels = _loudness(level, load(tile, row + at), window, tile)
        store(tile, 18 * row + at, decibels)
        store(tile, 19 * row + at, switch)
        switch = _switched(switch, decibels, load(tile, 2 * row + at), load(tile, 3 * row + at), tile)
        left = _counted(left, switch, tile)
        now = load(tile, 5 * row + at)
        if differs(now, hold):
            hold, longest = now, now * rate / thousand
        target = where_greater(most - left, longest, none, one)
        store(tile, 20 * row + at, target)
        store(tile, 21 * row + at, opened)
        now = load(tile, 4 * row + at)
        rise, attack = share_of(now, rise, attack, step, tile), now
        now = load(tile, 6 * row + at)
        fall, release = share_of(now, fall, release, step, tile), now
        opened = _moved(opened, where_greater(target, none, rise, fall), target, tile)
    from_opened = load(adjoint, 3 * lanes)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        audio, depth, given = load(tile, at), load(tile, 7 * row + at), load(tile, 9 * row + at)
        target, before = load(tile, 20 * row + at), load(tile, 21 * row + at)
        now = load(tile, 4 * row + at)
        rise, attack = share_of(now, rise, attack, step, tile), now
        now = load(tile, 6 * row + at)
        fall, release = share_of(now, fall, release, step, tile), now
        share = where_greater(target, none, rise, fall)
        opened = _moved(before, share, target, tile)
        gain = exponential(depth * (opened - one) * to_nepers)
        store(tile, 10 * row + at, given * gain)
        of_decibels = given * audio * gain * to_nepers
        store(tile, 17 * row + at, of_decibels * (opened - one))
        of_opened = from_opened + of_decibels * depth
        time = where_greater(target, none, attack, release)
        time_gradient = of_time(of_opened * (target - before), time, share, step, tile)
        store(tile, 14 * row + at, where_greater(target, none, time_gradient, none))
        store(tile, 16 * row + at, where_greater(target, none, none, time_gradient))
        from_opened = of_opened * (one - share)
        # To the threshold that the sample was held against: the slope of a sigmoid in place of the switch's.
        decibels, on = load(tile, 18 * row + at), load(tile, 19 * row + at)
        threshold, apart = load(tile, 2 * row + at), load(tile, 3 * row + at)
        over = decibels - where_greater(on, none, threshold - apart, threshold)
        less = exponential(none - absolute(over / softness))
        of_threshold = of_opened * share * less / ((one + less) * (one + less) * softness)
        store(tile, 12 * row + at, none - of_threshold)
        store(tile, 13 * row + at, where_greater(on, none, of_threshold, none))
        store(tile, 11 * row + at, none)
        store(tile, 15 * row + at, none)
    for k in range(3):
        store(adjoint, k * lanes, none)
    store(adjoint, 3 * lanes, from_opened)


_forward_tiles = forward_tiles(_forward, *_SIZES)
_backward_tiles = backward_tiles(_backward, *_SIZES)


@lru_cache(maxsize=1)
def _compile_forward():
    @kept
    def gate_forward(*arguments):
        _forward_tiles(*arguments)

    return gate_forward


@lru_cache(maxsize=1)
def _compile_backward():
    @kept
    def gate_backward(*arguments):
        _backward_tiles(*arguments)

    return gate_backward


KERNEL = Kernel(*_SIZES, _compile_forward, _compile_backward)
