"""A limiter that looks ahead, from peaks to the signal turned down, one signal on each lane.

The formulas are those of :mod:`djgraph.dsp.limiter`. Maxima and sums over the last N samples are found in stretches of
N samples (van Herk 1992; Gil, Werman 1993): a window is the end of one stretch and the beginning of the next. Nothing
is ever taken away from a sum, so no rounding adds up, and a sum of zeros is 0. What is late stands in rings, too.

The backward pass runs forward once more and keeps the line at the beginning of each segment. From the last segment to
the first it runs the segment again, records each sample, and runs through time backwards: the adjoint of a mean of the
last samples is the mean of the next ones, and that of a delay is a delay.

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

from djgraph.simd.follower import of_time, share_of
from djgraph.simd.functions import differs, exponential, fill, unknown, where_greater
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import absolute, load, logarithm, sign, store, width, zeros
from djgraph.simd.recursion import (
    TILE,
    Input,
    Stretch,
    addresses,
    draw_constants,
    gather_all,
    inputs_given,
    read_state,
    room_for_gradients,
    row_size,
    scatter,
    scatter_gradients,
    spans,
    write_state,
)
from djgraph.simd.threads import in_threads

_INPUTS = 5
_RECORDED = 5
"""Vectors of a sample that the backward pass records: late audio, late mix, mean, how far what is held lies above what
was let go, and how many samples ago the largest came."""
_SEGMENT = 32 * TILE
"""Samples that are recorded at a time: they stay in the CPU's cache."""
_CARRIED = 5
"""Vectors that a line keeps beside its rings."""
_NEEDED, _FIRST, _SECOND, _AUDIO, _CEILING, _MIX, _RINGS = range(7)
_BEGIN, _LENGTH, _COLUMN = range(3)
_MARGIN = 8
"""Roundings by which a ceiling is taken lower than it was computed: that of nobody else is above it then."""
_FAINT = 1e-30
"""dB. What is less is 0: a release would end among numbers below the normal ones, which are slow."""
_PER_NEPER = 20 / math.log(10)
"""dB of an amplitude for each 1 of its natural logarithm."""
_PER_DECIBEL = math.log(10) / 20


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


def run_backward(
    inputs: list[Input],
    state: NDArray,
    step: NDArray,
    plan: NDArray[np.int64],
    from_output: Input,
    from_state: NDArray,
    wanted: list[bool],
) -> tuple[list[NDArray | None], NDArray]:
    """Gradients of the inputs, ``[signals, samples or frames]`` or None, and of the first state."""
    signals, samples = len(state), from_output.frames
    lanes = width(state.itemsize)
    groups = -(-signals // lanes)
    given = inputs_given([*inputs, from_output], groups * lanes, lanes, samples)
    gradients = room_for_gradients(given, inputs, wanted, signals, state.dtype)
    first = np.empty_like(from_state)
    kernel = _backward()
    sums = np.empty(0)
    in_threads(
        lambda span: kernel(*span, given, state, step, from_state, first, sums, plan),
        spans(groups, lanes * samples),
    )
    return gradients, first


@part
def _vectors(plan):
    """How many there are in all rings."""
    return plan[_MIX, _BEGIN] + plan[_MIX, _LENGTH]


@part
def _last_column(plan):
    """That of what is let go."""
    return plan[_MIX, _COLUMN] + plan[_MIX, _LENGTH] - 1


@part
def _restore(rings, plan, low, places, state, forwards, lanes):
    """Rings from ``low`` on, which are next written at their first places: behind those stands the state."""
    for ring in range(low, _RINGS):
        begin, length, column = plan[ring, _BEGIN], plan[ring, _LENGTH], plan[ring, _COLUMN]
        places[ring] = 0
        for k in range(1, length):
            source = column + (k - 1 if forwards else length - 1 - k)
            store(rings, (begin + k) * lanes, load(state, source * lanes))


@part
def _save(rings, plan, low, places, state, forwards, lanes):
    """The way back, from rings that are next written at ``places``."""
    for ring in range(low, _RINGS):
        begin, length, column = plan[ring, _BEGIN], plan[ring, _LENGTH], plan[ring, _COLUMN]
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
def _added(rings, begin, length, place, total, value, lanes):
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
def _amplitude(decibels, like):
    """Of a ceiling; that of 0 dB is 1."""
    margin = fill(like, 1.0 - _MARGIN * np.finfo(like.dtype).eps)
    one, none = fill(like, 1.0), zeros(like)
    lower = exponential(decibels * fill(like, _PER_DECIBEL)) * margin
    # Where it is neither above nor below 0.
    below = where_greater(none, decibels, lower, one)
    return where_greater(decibels, none, lower, below)


@part
def _sweep(tile, line, record, start, count, lanes):
    """One tile of the limiter. start: of the tile in the record."""
    rings, carried, places, plan, numbers = line
    row, one, none, half = row_size(lanes), fill(tile, 1.0), zeros(tile), fill(tile, 0.5)
    step, faint = fill(tile, numbers[0]), fill(tile, _FAINT)
    per_neper, to_nepers = fill(tile, _PER_NEPER), fill(tile, _PER_DECIBEL)
    at_first, at_second = plan[_FIRST, _BEGIN], plan[_SECOND, _BEGIN]
    at_audio, at_ceiling, at_mix = plan[_AUDIO, _BEGIN], plan[_CEILING, _BEGIN], plan[_MIX, _BEGIN]
    length, first, second = plan[_NEEDED, _LENGTH], plan[_FIRST, _LENGTH], plan[_SECOND, _LENGTH]
    late, whole = plan[_AUDIO, _LENGTH], fill(tile, length)
    per_first, per_second = fill(tile, 1 / first), fill(tile, 1 / second)
    p, q, r, s = places[_NEEDED], places[_FIRST], places[_SECOND], places[_AUDIO]
    gone, most, winner = load(carried, 0), load(carried, lanes), load(carried, 2 * lanes)
    total, again = load(carried, 3 * lanes), load(carried, 4 * lanes)
    release, share, decibels, highest = unknown(tile), none, unknown(tile), none
    recording = len(record) > 0
    for t in range(count):
        at = t * lanes
        now = load(tile, 2 * row + at)
        if differs(now, decibels):
            decibels, highest = now, _amplitude(now, tile)
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
        mean, total, q = _added(rings, at_first, first, q, total, gone, lanes)
        smooth, again, r = _added(rings, at_second, second, r, again, mean * per_first, lanes)
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
            place = (start + t) * _RECORDED * lanes
            store(record, place, audio)
            store(record, place + lanes, mix)
            store(record, place + 2 * lanes, smooth)
            store(record, place + 3 * lanes, apart)
            store(record, place + 4 * lanes, back)
    places[_NEEDED], places[_FIRST], places[_SECOND] = p, q, r
    places[_AUDIO], places[_CEILING], places[_MIX] = s, s, s
    store(carried, 0, gone)
    store(carried, lanes, most)
    store(carried, 2 * lanes, winner)
    store(carried, 3 * lanes, total)
    store(carried, 4 * lanes, again)


@part
def _begin(line, state, lanes):
    """The line in front of the first sample."""
    rings, carried, places, plan, _ = line
    _restore(rings, plan, _NEEDED, places, state, True, lanes)
    _maxima(rings, plan[_NEEDED, _LENGTH], lanes)
    for ring in range(_FIRST, _AUDIO):
        _sums(rings, plan[ring, _BEGIN], plan[ring, _LENGTH], lanes)
    store(carried, 0, load(state, _last_column(plan) * lanes))
    for k in range(1, _CARRIED):
        store(carried, k * lanes, zeros(rings))


@part
def _swept(tile, square, line, given, group, span, record, output):
    """The tiles of a group in a span of samples. output: its address, or 0, and how many signals it has."""
    lanes, (start, stop), (to, signals) = given.lanes, span, output
    for at in range(start, stop, TILE):
        here = Stretch(group, lanes, at, min(TILE, stop - at))
        gather_all(tile, 0, 0, _INPUTS, square, given.table, given.offsets, here)
        _sweep(tile, line, record, at - start, here.samples, lanes)
        if to:
            scatter(tile, _INPUTS * row_size(lanes), square, to, given.samples, signals, here)


@part
def _copied(source, target):
    for k in range(len(source)):
        target[k] = source[k]


@part
def _back(tile, line, ends, record, at_record, here, samples):
    """One tile of the adjoint, whose line runs through time backwards. ends: the gradient of the last state. at_record:
    where the tile begins in the record."""
    rings, carried, places, plan, numbers = line
    _, lanes, start, count = here
    row, one, none, step = row_size(lanes), fill(tile, 1.0), zeros(tile), fill(tile, numbers[0])
    per_neper, to_nepers = fill(tile, _PER_NEPER), fill(tile, _PER_DECIBEL)
    at_first, at_second = plan[_FIRST, _BEGIN], plan[_SECOND, _BEGIN]
    at_audio, at_ceiling, at_mix = plan[_AUDIO, _BEGIN], plan[_CEILING, _BEGIN], plan[_MIX, _BEGIN]
    length, first, second = plan[_NEEDED, _LENGTH], plan[_FIRST, _LENGTH], plan[_SECOND, _LENGTH]
    late = plan[_AUDIO, _LENGTH]
    # Samples of which the last state has the mean, and what is let go.
    in_first, in_second = samples - first + 1, samples - second + 1
    per_first, per_second = fill(tile, 1 / first), fill(tile, 1 / second)
    p, q, r, s = places[_NEEDED], places[_FIRST], places[_SECOND], places[_AUDIO]
    from_gone, total, again = load(carried, 0), load(carried, lanes), load(carried, 2 * lanes)
    release, share, decibels, highest = unknown(tile), none, unknown(tile), none
    scratch = np.empty(2 * lanes, tile.dtype)
    for t in range(count - 1, -1, -1):
        n, at = start + t, t * lanes
        place = (at_record + t) * _RECORDED * lanes
        given = load(tile, 5 * row + at)
        audio, mix, smooth = load(record, place), load(record, place + lanes), load(record, place + 2 * lanes)
        apart = load(record, place + 3 * lanes)
        gain = exponential(none - mix * smooth * to_nepers)
        of_decibels = given * audio * gain * to_nepers
        store(rings, (at_audio + s) * lanes, given * gain)
        store(rings, (at_ceiling + s) * lanes, none)
        store(rings, (at_mix + s) * lanes, none - of_decibels * smooth)
        s = s + 1 if s + 1 < late else 0
        store(tile, 6 * row + at, load(rings, (at_audio + s) * lanes))
        store(tile, 10 * row + at, load(rings, (at_mix + s) * lanes))
        of_smooth = none - of_decibels * mix * per_second
        of_mean, again, r = _added(rings, at_second, second, r, again, of_smooth, lanes)
        if n >= in_second:
            of_mean = of_mean + load(ends, (plan[_SECOND, _COLUMN] + n - in_second) * lanes)
        of_gone, total, q = _added(rings, at_first, first, q, total, of_mean * per_first, lanes)
        if n >= in_first:
            of_gone = of_gone + load(ends, (plan[_FIRST, _COLUMN] + n - in_first) * lanes)
        of_gone = of_gone + from_gone
        now = load(tile, 3 * row + at)
        share, release = share_of(now, share, release, step, tile), now
        time_gradient = of_time(of_gone * apart, now, share, step, tile)
        store(tile, 9 * row + at, where_greater(apart, none, none, time_gradient))
        store(scratch, 0, where_greater(apart, none, of_gone, of_gone * share))
        store(scratch, lanes, load(record, place + 4 * lanes))
        from_gone = where_greater(apart, none, none, of_gone * (one - share))
        for lane in range(lanes):
            winner = p - int(scratch[lanes + lane])
            winner = winner + length if winner < 0 else winner
            rings[winner * lanes + lane] += scratch[lane]
        of_needed = load(rings, p * lanes)
        store(rings, p * lanes, none)
        p = p - 1 if p else length - 1
        now = load(tile, 2 * row + at)
        if differs(now, decibels):
            decibels, highest = now, _amplitude(now, tile)
        peak = load(tile, row + at)
        loud = absolute(peak)
        of_needed = where_greater(loud, highest, of_needed, none)
        loud = where_greater(loud, highest, loud, one)
        store(tile, 7 * row + at, of_needed * per_neper / loud * sign(peak))
        of_amplitude = load(rings, (at_ceiling + s) * lanes)
        store(tile, 8 * row + at, of_amplitude * highest * to_nepers - of_needed)
    places[_NEEDED], places[_FIRST], places[_SECOND] = p, q, r
    places[_AUDIO], places[_CEILING], places[_MIX] = s, s, s
    store(carried, 0, from_gone)
    store(carried, lanes, total)
    store(carried, 2 * lanes, again)


@part
def _begin_back(line, ends, samples, lanes):
    """The line behind the last sample, from the gradient of the last state."""
    rings, carried, places, plan, _ = line
    length = plan[_NEEDED, _LENGTH]
    for k in range(len(rings)):
        rings[k] = 0.0
    _restore(rings, plan, _AUDIO, places, ends, False, lanes)
    for k in range(length - 1):
        place = (samples - length + 1 + k) % length
        store(rings, place * lanes, load(ends, k * lanes))
    store(carried, 0, load(ends, _last_column(plan) * lanes))
    store(carried, lanes, zeros(rings))
    store(carried, 2 * lanes, zeros(rings))
    places[_NEEDED], places[_FIRST], places[_SECOND] = (samples - 1) % length, 0, 0


@part
def _end_back(state, line, ends, samples, lanes):
    """The gradient of the first state, which the means of samples before the first one reach, too."""
    rings, carried, places, plan, _ = line
    length = plan[_NEEDED, _LENGTH]
    for k in range(length - 1):
        store(state, k * lanes, load(rings, (1 + k) % length * lanes))
    store(state, _last_column(plan) * lanes, load(carried, 0))
    for ring in range(_FIRST, _AUDIO):
        begin, length, column = plan[ring, _BEGIN], plan[ring, _LENGTH], plan[ring, _COLUMN]
        total, place = load(carried, ring * lanes), places[ring]
        for k in range(length - 2, -1, -1):
            mean, total, place = _added(rings, begin, length, place, total, zeros(rings), lanes)
            if k >= samples:
                mean = mean + load(ends, (column + k - samples) * lanes)
            store(state, (column + k) * lanes, mean)
    _save(rings, plan, _AUDIO, places, state, False, lanes)


@part
def _new_line(plan, numbers, lanes, like):
    rings = np.empty(_vectors(plan) * lanes, like.dtype)
    return _Line(rings, np.empty(_CARRIED * lanes, like.dtype), np.empty(_RINGS, np.int64), plan, numbers)


@lru_cache(maxsize=1)
def _forward() -> Any:
    @kept
    def limit_forward(low, high, given, first, numbers, to, last, plan):
        lanes, dtype = given.lanes, first.dtype
        tile = np.empty((_INPUTS + 1) * row_size(lanes), dtype)
        square = np.empty(lanes * lanes, dtype)
        line = _new_line(plan, numbers, lanes, first)
        state = np.empty(first.shape[1] * lanes, dtype)
        record = np.empty(0, dtype)
        for group in range(low, high):
            read_state(state, first, group, lanes)
            draw_constants(tile, 0, _INPUTS, square, given.table, given.offsets, group, lanes)
            _begin(line, state, lanes)
            _swept(tile, square, line, given, group, (0, given.samples), record, (to[0], len(first)))
            _save(line.rings, plan, _NEEDED, line.places, state, True, lanes)
            store(state, _last_column(plan) * lanes, load(line.carried, 0))
            write_state(last, state, group, lanes)

    return limit_forward


@lru_cache(maxsize=1)
def _backward() -> Any:
    @kept
    def limit_backward(low, high, given, before, numbers, behind, first, sums, plan):
        table, offsets, lanes, samples = given.table, given.offsets, given.lanes, given.samples
        row, dtype, signals, states = row_size(lanes), behind.dtype, len(behind), behind.shape[1]
        tile = np.empty((2 * _INPUTS + 1) * row, dtype)
        square = np.empty(lanes * lanes, dtype)
        line, back = _new_line(plan, numbers, lanes, behind), _new_line(plan, numbers, lanes, behind)
        state, ends = np.empty(states * lanes, dtype), np.empty(states * lanes, dtype)
        none, record = np.empty(0, dtype), np.empty(min(samples, _SEGMENT) * _RECORDED * lanes, dtype)
        segments = -(-samples // _SEGMENT)
        rings = np.empty((segments, len(line.rings)), dtype)
        carried, places = (
            np.empty((segments, len(line.carried)), dtype),
            np.empty((segments, _RINGS), np.int64),
        )
        for group in range(low, high):
            read_state(state, before, group, lanes)
            read_state(ends, behind, group, lanes)
            draw_constants(tile, 0, _INPUTS, square, table, offsets, group, lanes)
            _begin(line, state, lanes)
            for number in range(segments):
                _copied(line.rings, rings[number])
                _copied(line.carried, carried[number])
                _copied(line.places, places[number])
                if number < segments - 1:
                    span = (number * _SEGMENT, (number + 1) * _SEGMENT)
                    _swept(tile, square, line, given, group, span, none, (0, signals))
            _begin_back(back, ends, samples, lanes)
            for number in range(segments - 1, -1, -1):
                begin, end = number * _SEGMENT, min(samples, (number + 1) * _SEGMENT)
                _copied(rings[number], line.rings)
                _copied(carried[number], line.carried)
                _copied(places[number], line.places)
                _swept(tile, square, line, given, group, (begin, end), record, (0, signals))
                for at in range(begin + (end - begin - 1) // TILE * TILE, begin - 1, -TILE):
                    here = Stretch(group, lanes, at, min(TILE, end - at))
                    gather_all(tile, 0, 0, _INPUTS, square, table, offsets, here)
                    gather_all(tile, _INPUTS * row, _INPUTS, 1, square, table, offsets, here)
                    _back(tile, back, ends, record, at - begin, here, samples)
                    begin_of_gradients = (_INPUTS + 1) * row
                    scatter_gradients(
                        tile, begin_of_gradients, _INPUTS, square, sums, table, samples, signals, here
                    )
            _end_back(state, back, ends, samples, lanes)
            write_state(first, state, group, lanes)

    return limit_backward
