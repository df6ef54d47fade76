"""A limiter that looks ahead, from peaks to the signal turned down, one signal on each lane.

The formulas are those of :mod:`djgraph.dsp.limiter`. Maxima and sums over the last N samples are found in stretches of
N samples (van Herk 1992; Gil, Werman 1993): a window is the end of one stretch and the beginning of the next. Nothing
is ever taken away from a sum, so no rounding adds up, and a sum of zeros is 0. What is late stands in rings, too.

The adjoint is :mod:`djgraph.simd.limiter_adjoint`.

Rows of a tile: audio, peak, ceiling, release, mix | out, or ∂out | a gradient of each of the five.
Columns of a state: what the last samples needed, the last samples of what is let go, the last samples of its mean,
those of audio, of ceiling as an amplitude, and of mix, then what is let go.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from djgraph.simd.follower import share_of
from djgraph.simd.functions import differs, exponential, fill, unknown, where_greater
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import absolute, load, logarithm, store, width, zeros
from djgraph.simd.recursion import spans
from djgraph.simd.threads import in_threads
from djgraph.simd.tile import (
    TILE,
    Input,
    Stretch,
    addresses,
    draw_constants,
    gather_all,
    inputs_given,
    read_state,
    row_size,
    scatter,
    write_state,
)

INPUTS = 5
RECORDED = 5
"""Vectors of a sample that the backward pass records: late audio, late mix, mean, how far what is held lies above what
was let go, and how many samples ago the largest came."""
_CARRIED = 5
"""Vectors that a line keeps beside its rings."""
NEEDED, FIRST, SECOND, AUDIO, CEILING, MIX, RINGS = range(7)
BEGIN, LENGTH, COLUMN = range(3)
_MARGIN = 8
"""Roundings by which a ceiling is taken lower than it was computed: that of nobody else is above it then."""
_FAINT = 1e-30
"""dB. What is less is 0: a release would end among numbers below the normal ones, which are slow."""
PER_NEPER = 20 / math.log(10)
"""dB of an amplitude for each 1 of its natural logarithm."""
PER_DECIBEL = math.log(10) / 20


class _Line(NamedTuple):
    """A limiter between two samples. rings: of :func:`plan`. carried: vectors beside them. places: where each ring is
    next written. step: ms of a sample."""

    rings: NDArray
    carried: NDArray
    places: NDArray
    plan: NDArray
    step: NDArray


def plan(ahead: int, hold: int) -> NDArray[np.int64]:
    """Of each ring: where it begins, in vectors, its length in samples, and the first column of the state in it."""
    first = ahead // 2 + 1
    lengths = np.array((ahead + hold, first, ahead + 2 - first, *(ahead + 1,) * 3), np.int64)
    room = lengths * (3, 2, 2, 1, 1, 1) + (2, 1, 1, 0, 0, 0)
    return np.stack((np.cumsum(room) - room, lengths, np.cumsum(lengths - 1) - lengths + 1), axis=-1)


def run_forward(
    inputs: list[Input], state: NDArray, step: NDArray, plan: NDArray[np.int64], output: NDArray
) -> NDArray:
    """Limits whole rows; returns the last state.

    inputs: audio, peak, ceiling, release, mix. state: ``[signals, states]``. step: ms of a sample, ``[1]``. output:
    ``[signals, samples]``, written to.
    """
    signals, samples = output.shape
    lanes = width(state.itemsize)
    groups = -(-signals // lanes)
    given = inputs_given(inputs, groups * lanes, lanes, samples)
    last = np.empty_like(state)
    kernel = _forward()
    in_threads(
        lambda span: kernel(*span, given, state, step, addresses([output]), last, plan),
        spans(groups, lanes * samples),
    )
    return last


@part
def _vectors(plan):
    """How many there are in all rings."""
    return plan[MIX, BEGIN] + plan[MIX, LENGTH]


@part
def last_column(plan):
    """That of what is let go."""
    return plan[MIX, COLUMN] + plan[MIX, LENGTH] - 1


@part
def restore(rings, plan, low, places, state, forwards, lanes):
    """Rings from ``low`` on, which are next written at their first places: behind those stands the state."""
    for ring in range(low, RINGS):
        begin, length, column = plan[ring, BEGIN], plan[ring, LENGTH], plan[ring, COLUMN]
        places[ring] = 0
        for k in range(1, length):
            source = column + (k - 1 if forwards else length - 1 - k)
            store(rings, (begin + k) * lanes, load(state, source * lanes))


@part
def save(rings, plan, low, places, state, forwards, lanes):
    """The way back, from rings that are next written at ``places``."""
    for ring in range(low, RINGS):
        begin, length, column = plan[ring, BEGIN], plan[ring, LENGTH], plan[ring, COLUMN]
        for k in range(1, length):
            slot = places[ring] + k
            slot = slot if slot < length else slot - length
            target = column + (k - 1 if forwards else length - 1 - k)
            store(state, target * lanes, load(rings, (begin + slot) * lanes))


@part
def _sums(rings, begin, length, lanes):
    """The sums from each place of a stretch to its end, behind the stretch."""
    total = zeros(rings)
    store(rings, (begin + 2 * length) * lanes, total)
    for k in range(length - 1, 0, -1):
        total = total + load(rings, (begin + k) * lanes)
        store(rings, (begin + length + k) * lanes, total)


@part
def _maxima(rings, length, lanes):
    """The maxima from each place of a stretch to its end, and their places."""
    most, winner = zeros(rings), zeros(rings)
    store(rings, 2 * length * lanes, most)
    store(rings, (3 * length + 1) * lanes, winner)
    for k in range(length - 1, 0, -1):
        value = load(rings, k * lanes)
        winner = where_greater(value, most, fill(rings, k), winner)
        most = where_greater(value, most, value, most)
        store(rings, (length + k) * lanes, most)
        store(rings, (2 * length + 1 + k) * lanes, winner)


@part
def added(rings, begin, length, place, total, value, lanes):
    """The sum of the last ``length`` values, the sum of this stretch, and the next place."""
    total = total + value
    mean = total + load(rings, (begin + length + place + 1) * lanes)
    store(rings, (begin + place) * lanes, value)
    place += 1
    if place == length:
        _sums(rings, begin, length, lanes)
        place, total = 0, zeros(rings)
    return mean, total, place


@part
def amplitude(decibels, like):
    """Of a ceiling; that of 0 dB is 1."""
    margin = fill(like, 1.0 - _MARGIN * np.finfo(like.dtype).eps)
    one, none = fill(like, 1.0), zeros(like)
    lower = exponential(decibels * fill(like, PER_DECIBEL)) * margin
    # Where it is neither above nor below 0.
    below = where_greater(none, decibels, lower, one)
    return where_greater(decibels, none, lower, below)


@part
def _sweep(tile, line, record, start, count, lanes):
    """One tile of the limiter. start: of the tile in the record."""
    rings, carried, places, plan, numbers = line
    row, one, none, half = row_size(lanes), fill(tile, 1.0), zeros(tile), fill(tile, 0.5)
    step, faint = fill(tile, numbers[0]), fill(tile, _FAINT)
    per_neper, to_nepers = fill(tile, PER_NEPER), fill(tile, PER_DECIBEL)
    at_first, at_second = plan[FIRST, BEGIN], plan[SECOND, BEGIN]
    at_audio, at_ceiling, at_mix = plan[AUDIO, BEGIN], plan[CEILING, BEGIN], plan[MIX, BEGIN]
    length, first, second = plan[NEEDED, LENGTH], plan[FIRST, LENGTH], plan[SECOND, LENGTH]
    late, whole = plan[AUDIO, LENGTH], fill(tile, length)
    per_first, per_second = fill(tile, 1 / first), fill(tile, 1 / second)
    p, q, r, s = places[NEEDED], places[FIRST], places[SECOND], places[AUDIO]
    gone, most, winner = load(carried, 0), load(carried, lanes), load(carried, 2 * lanes)
    total, again = load(carried, 3 * lanes), load(carried, 4 * lanes)
    release, share, decibels, highest = unknown(tile), none, unknown(tile), none
    recording = len(record) > 0
    for t in range(count):
        at = t * lanes
        now = load(tile, 2 * row + at)
        if differs(now, decibels):
            decibels, highest = now, amplitude(now, tile)
        loud = absolute(load(tile, row + at))
        loud = where_greater(loud, highest, loud, highest)
        needed = logarithm(loud / highest) * per_neper
        store(rings, p * lanes, needed)
        here = fill(tile, p)
        winner = where_greater(most, needed, winner, here)
        most = where_greater(most, needed, most, needed)
        rest = load(rings, (length + p + 1) * lanes)
        held = where_greater(rest, most, rest, most)
        earlier = load(rings, (2 * length + 2 + p) * lanes) - whole
        back = here - where_greater(rest, most, earlier, winner)
        p += 1
        if p == length:
            _maxima(rings, length, lanes)
            p, most = 0, none
        now = load(tile, 3 * row + at)
        share, release = share_of(now, share, release, step, tile), now
        apart = held - gone
        gone = where_greater(apart, none, held, gone + share * apart)
        gone = where_greater(gone, faint, gone, none)
        mean, total, q = added(rings, at_first, first, q, total, gone, lanes)
        smooth, again, r = added(rings, at_second, second, r, again, mean * per_first, lanes)
        smooth = smooth * per_second
        store(rings, (at_audio + s) * lanes, load(tile, at))
        store(rings, (at_ceiling + s) * lanes, highest)
        store(rings, (at_mix + s) * lanes, load(tile, 4 * row + at))
        s = s + 1 if s + 1 < late else 0
        audio, ceiling = load(rings, (at_audio + s) * lanes), load(rings, (at_ceiling + s) * lanes)
        mix = load(rings, (at_mix + s) * lanes)
        out = audio * exponential(none - mix * smooth * to_nepers)
        # The means are as large as they must be but for their rounding, which this takes away. As torch.lerp.
        loud = absolute(audio)
        loud = where_greater(loud, ceiling, loud, ceiling)
        over = loud - ceiling
        bound = where_greater(half, mix, loud - mix * over, ceiling + over * (one - mix))
        out = where_greater(out, bound, bound, out)
        bound = none - bound
        store(tile, 5 * row + at, where_greater(bound, out, bound, out))
        if recording:
            place = (start + t) * RECORDED * lanes
            store(record, place, audio)
            store(record, place + lanes, mix)
            store(record, place + 2 * lanes, smooth)
            store(record, place + 3 * lanes, apart)
            store(record, place + 4 * lanes, back)
    places[NEEDED], places[FIRST], places[SECOND] = p, q, r
    places[AUDIO], places[CEILING], places[MIX] = s, s, s
    store(carried, 0, gone)
    store(carried, lanes, most)
    store(carried, 2 * lanes, winner)
    store(carried, 3 * lanes, total)
    store(carried, 4 * lanes, again)


@part
def begin_line(line, state, lanes):
    """The line in front of the first sample."""
    rings, carried, places, plan, _ = line
    restore(rings, plan, NEEDED, places, state, True, lanes)
    _maxima(rings, plan[NEEDED, LENGTH], lanes)
    for ring in range(FIRST, AUDIO):
        _sums(rings, plan[ring, BEGIN], plan[ring, LENGTH], lanes)
    store(carried, 0, load(state, last_column(plan) * lanes))
    for k in range(1, _CARRIED):
        store(carried, k * lanes, zeros(rings))


@part
def swept(tile, square, line, given, group, span, record, output):
    """The tiles of a group in a span of samples. output: its address, or 0, and how many signals it has."""
    lanes, (start, stop), (to, signals) = given.lanes, span, output
    for at in range(start, stop, TILE):
        here = Stretch(group, lanes, at, min(TILE, stop - at))
        gather_all(tile, 0, 0, INPUTS, square, given.table, given.offsets, here)
        _sweep(tile, line, record, at - start, here.samples, lanes)
        if to:
            scatter(tile, INPUTS * row_size(lanes), square, to, given.samples, signals, here)


@part
def new_line(plan, numbers, lanes, like):
    rings = np.empty(_vectors(plan) * lanes, like.dtype)
    return _Line(rings, np.empty(_CARRIED * lanes, like.dtype), np.empty(RINGS, np.int64), plan, numbers)


@lru_cache(maxsize=1)
def _forward() -> Any:
    @kept
    def limit_forward(low, high, given, first, numbers, to, last, plan):
        lanes, dtype = given.lanes, first.dtype
        tile = np.empty((INPUTS + 1) * row_size(lanes), dtype)
        square = np.empty(lanes * lanes, dtype)
        line = new_line(plan, numbers, lanes, first)
        state = np.empty(first.shape[1] * lanes, dtype)
        record = np.empty(0, dtype)
        for group in range(low, high):
            read_state(state, first, group, lanes)
            draw_constants(tile, 0, INPUTS, square, given.table, given.offsets, group, lanes)
            begin_line(line, state, lanes)
            swept(tile, square, line, given, group, (0, given.samples), record, (to[0], len(first)))
            save(line.rings, plan, NEEDED, line.places, state, True, lanes)
            store(state, last_column(plan) * lanes, load(line.carried, 0))
            write_state(last, state, group, lanes)

    return limit_forward
