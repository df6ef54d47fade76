"""A compressor from level to gain, one signal on each lane.

The formulas are those of :mod:`djgraph.dsp.compressor`: level in dB, knee, attack and release, ratio, gain.

Rows of a tile: audio, power, threshold, ratio, knee, attack, release, makeup, mix | out | ∂out | a gradient of each of
the nine | states before each sample.
"""

from __future__ import annotations

import math
from functools import lru_cache

from djgraph.simd.follower import of_time, share_of
from djgraph.simd.functions import exponential, fill, unknown, where_greater
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, logarithm, store, zeros
from djgraph.simd.recursion import Kernel, backward_tiles, forward_tiles
from djgraph.simd.tile import row_size

_SIZES = (9, 1, 1)
_QUIETEST = 1e-12
"""Of :data:`djgraph.dsp.levels.QUIETEST`, as a power."""
_HARD = 1e-3
"""Of :data:`djgraph.dsp.levels.HARD`."""
_PER_NEPER = 10 / math.log(10)
"""dB of a power for each 1 of its natural logarithm."""
_PER_DECIBEL = math.log(10) / 20
"""Of the natural logarithm of an amplitude, for each dB."""


@part
def _measure(power, threshold, knee, like):
    """How far a power is above the threshold, bent by the knee, in dB; and where it lies in the knee, from 0 to 1."""
    none, one, quietest = zeros(like), fill(like, 1.0), fill(like, _QUIETEST)
    power = where_greater(power, quietest, power, quietest)
    over = logarithm(power) * fill(like, _PER_NEPER) - threshold
    knee = knee + fill(like, _HARD)
    half = fill(like, 0.5) * knee
    place = (over + half) / knee
    place = where_greater(place, none, place, none)
    place = where_greater(place, one, one, place)
    beyond = over - half
    return half * place * place + where_greater(beyond, none, beyond, none), place


@part
def _forward(tile, state, numbers, count, lanes):
    row, step, one = row_size(lanes), fill(tile, numbers[0]), fill(tile, 1.0)
    half, to_nepers = fill(tile, 0.5), fill(tile, _PER_DECIBEL)
    y = load(state, 0)
    attack, release, rise, fall = unknown(tile), unknown(tile), zeros(tile), zeros(tile)
    for t in range(count):
        at = t * lanes
        audio, mix = load(tile, at), load(tile, 8 * row + at)
        x, _ = _measure(load(tile, row + at), load(tile, 2 * row + at), load(tile, 4 * row + at), tile)
        now = load(tile, 5 * row + at)
        rise, attack = share_of(now, rise, attack, step, tile), now
        now = load(tile, 6 * row + at)
        fall, release = share_of(now, fall, release, step, tile), now
        y = y + where_greater(x, y, rise, fall) * (x - y)
        slope = one - one / load(tile, 3 * row + at)
        driven = audio * exponential((load(tile, 7 * row + at) - y * slope) * to_nepers)
        change = driven - audio
        # As torch.lerp: exact at both ends.
        dry = audio + mix * change
        wet = driven - change * (one - mix)
        store(tile, 9 * row + at, where_greater(half, mix, dry, wet))
    store(state, 0, y)


@part
def _backward(tile, state, adjoint, numbers, count, lanes):
    row, step, one, none = row_size(lanes), fill(tile, numbers[0]), fill(tile, 1.0), zeros(tile)
    half, to_nepers, per_neper = fill(tile, 0.5), fill(tile, _PER_DECIBEL), fill(tile, _PER_NEPER)
    quietest = fill(tile, _QUIETEST)
    y = load(state, 0)
    attack, release, rise, fall = unknown(tile), unknown(tile), none, none
    for t in range(count):
        at = t * lanes
        store(tile, 20 * row + at, y)
        x, _ = _measure(load(tile, row + at), load(tile, 2 * row + at), load(tile, 4 * row + at), tile)
        now = load(tile, 5 * row + at)
        rise, attack = share_of(now, rise, attack, step, tile), now
        now = load(tile, 6 * row + at)
        fall, release = share_of(now, fall, release, step, tile), now
        y = y + where_greater(x, y, rise, fall) * (x - y)
    from_y = load(adjoint, 0)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        audio, power, mix = load(tile, at), load(tile, row + at), load(tile, 8 * row + at)
        now = load(tile, 5 * row + at)
        rise, attack = share_of(now, rise, attack, step, tile), now
        now = load(tile, 6 * row + at)
        fall, release = share_of(now, fall, release, step, tile), now
        before = load(tile, 20 * row + at)
        x, place = _measure(power, load(tile, 2 * row + at), load(tile, 4 * row + at), tile)
        time = where_greater(x, before, attack, release)
        share = where_greater(x, before, rise, fall)
        y = before + share * (x - before)
        per_ratio = one / load(tile, 3 * row + at)
        gain = exponential((load(tile, 7 * row + at) - y * (one - per_ratio)) * to_nepers)
        given = load(tile, 10 * row + at)
        store(tile, 11 * row + at, given * ((one - mix) + mix * gain))
        store(tile, 19 * row + at, given * (audio * gain - audio))
        of_decibels = given * mix * audio * gain * to_nepers
        store(tile, 18 * row + at, of_decibels)
        store(tile, 14 * row + at, none - of_decibels * y * per_ratio * per_ratio)
        of_y = from_y - of_decibels * (one - per_ratio)
        time_gradient = of_time(of_y * (x - before), time, share, step, tile)
        store(tile, 16 * row + at, where_greater(x, before, time_gradient, none))
        store(tile, 17 * row + at, where_greater(x, before, none, time_gradient))
        from_y = of_y * (one - share)
        of_x = of_y * share
        store(tile, 15 * row + at, of_x * half * place * (one - place))
        of_level = of_x * place
        store(tile, 13 * row + at, none - of_level)
        loud = where_greater(power, quietest, power, one)
        of_power = of_level * per_neper / loud
        store(tile, 12 * row + at, where_greater(power, quietest, of_power, none))
    store(adjoint, 0, from_y)


_forward_tiles = forward_tiles(_forward, *_SIZES)
_backward_tiles = backward_tiles(_backward, *_SIZES)


@lru_cache(maxsize=1)
def _compile_forward():
    @kept
    def compress_forward(*arguments):
        _forward_tiles(*arguments)

    return compress_forward


@lru_cache(maxsize=1)
def _compile_backward():
    @kept
    def compress_backward(*arguments):
        _backward_tiles(*arguments)

    return compress_backward


KERNEL = Kernel(*_SIZES, _compile_forward, _compile_backward)
