"""The adjoint of :mod:`djgraph.simd.limiter`.

It runs forward once more and keeps the line at the beginning of each segment. From the last segment to the first it
runs the segment again, records each sample, and runs through time backwards: the adjoint of a mean of the last samples
is the mean of the next ones, and that of a delay is a delay.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from djgraph.simd.follower import of_time, share_of
from djgraph.simd.functions import differs, exponential, fill, unknown, where_greater
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import absolute, load, sign, store, width, zeros
from djgraph.simd.limiter import (
    AUDIO,
    BEGIN,
    CEILING,
    COLUMN,
    FIRST,
    INPUTS,
    LENGTH,
    MIX,
    NEEDED,
    PER_DECIBEL,
    PER_NEPER,
    RECORDED,
    RINGS,
    SECOND,
    added,
    amplitude,
    begin_line,
    last_column,
    new_line,
    restore,
    save,
    swept,
)
from djgraph.simd.recursion import spans
from djgraph.simd.threads import in_threads
from djgraph.simd.tile import (
    TILE,
    Input,
    Stretch,
    draw_constants,
    gather_all,
    inputs_given,
    read_state,
    room_for_gradients,
    row_size,
    scatter_gradients,
    write_state,
)

SEGMENT = 32 * TILE
"""Samples that are recorded at a time: they stay in the CPU's cache."""


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
    per_neper, to_nepers = fill(tile, PER_NEPER), fill(tile, PER_DECIBEL)
    at_first, at_second = plan[FIRST, BEGIN], plan[SECOND, BEGIN]
    at_audio, at_ceiling, at_mix = plan[AUDIO, BEGIN], plan[CEILING, BEGIN], plan[MIX, BEGIN]
    length, first, second = plan[NEEDED, LENGTH], plan[FIRST, LENGTH], plan[SECOND, LENGTH]
    late = plan[AUDIO, LENGTH]
    # Samples of which the last state has the mean, and what is let go.
    in_first, in_second = samples - first + 1, samples - second + 1
    per_first, per_second = fill(tile, 1 / first), fill(tile, 1 / second)
    p, q, r, s = places[NEEDED], places[FIRST], places[SECOND], places[AUDIO]
    from_gone, total, again = load(carried, 0), load(carried, lanes), load(carried, 2 * lanes)
    release, share, decibels, highest = unknown(tile), none, unknown(tile), none
    scratch = np.empty(2 * lanes, tile.dtype)
    for t in range(count - 1, -1, -1):
        n, at = start + t, t * lanes
        place = (at_record + t) * RECORDED * lanes
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
        of_mean, again, r = added(rings, at_second, second, r, again, of_smooth, lanes)
        if n >= in_second:
            of_mean = of_mean + load(ends, (plan[SECOND, COLUMN] + n - in_second) * lanes)
        of_gone, total, q = added(rings, at_first, first, q, total, of_mean * per_first, lanes)
        if n >= in_first:
            of_gone = of_gone + load(ends, (plan[FIRST, COLUMN] + n - in_first) * lanes)
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
            decibels, highest = now, amplitude(now, tile)
        peak = load(tile, row + at)
        loud = absolute(peak)
        of_needed = where_greater(loud, highest, of_needed, none)
        loud = where_greater(loud, highest, loud, one)
        store(tile, 7 * row + at, of_needed * per_neper / loud * sign(peak))
        of_amplitude = load(rings, (at_ceiling + s) * lanes)
        store(tile, 8 * row + at, of_amplitude * highest * to_nepers - of_needed)
    places[NEEDED], places[FIRST], places[SECOND] = p, q, r
    places[AUDIO], places[CEILING], places[MIX] = s, s, s
    store(carried, 0, from_gone)
    store(carried, lanes, total)
    store(carried, 2 * lanes, again)


@part
def _begin_back(line, ends, samples, lanes):
    """The line behind the last sample, from the gradient of the last state."""
    rings, carried, places, plan, _ = line
    length = plan[NEEDED, LENGTH]
    for k in range(len(rings)):
        rings[k] = 0.0
    restore(rings, plan, AUDIO, places, ends, False, lanes)
    for k in range(length - 1):
        place = (samples - length + 1 + k) % length
        store(rings, place * lanes, load(ends, k * lanes))
    store(carried, 0, load(ends, last_column(plan) * lanes))
    store(carried, lanes, zeros(rings))
    store(carried, 2 * lanes, zeros(rings))
    places[NEEDED], places[FIRST], places[SECOND] = (samples - 1) % length, 0, 0


@part
def _end_back(state, line, ends, samples, lanes):
    """The gradient of the first state, which the means of samples before the first one reach, too."""
    rings, carried, places, plan, _ = line
    length = plan[NEEDED, LENGTH]
    for k in range(length - 1):
        store(state, k * lanes, load(rings, (1 + k) % length * lanes))
    store(state, last_column(plan) * lanes, load(carried, 0))
    for ring in range(FIRST, AUDIO):
        begin, length, column = plan[ring, BEGIN], plan[ring, LENGTH], plan[ring, COLUMN]
        total, place = load(carried, ring * lanes), places[ring]
        for k in range(length - 2, -1, -1):
            mean, total, place = added(rings, begin, length, place, total, zeros(rings), lanes)
            if k >= samples:
                mean = mean + load(ends, (column + k - samples) * lanes)
            store(state, (column + k) * lanes, mean)
    save(rings, plan, AUDIO, places, state, False, lanes)


@lru_cache(maxsize=1)
def _backward() -> Any:
    @kept
    def limit_backward(low, high, given, before, numbers, behind, first, sums, plan):
        table, offsets, lanes, samples = given.table, given.offsets, given.lanes, given.samples
        row, dtype, signals, states = row_size(lanes), behind.dtype, len(behind), behind.shape[1]
        tile = np.empty((2 * INPUTS + 1) * row, dtype)
        square = np.empty(lanes * lanes, dtype)
        line, back = new_line(plan, numbers, lanes, behind), new_line(plan, numbers, lanes, behind)
        state, ends = np.empty(states * lanes, dtype), np.empty(states * lanes, dtype)
        none, record = np.empty(0, dtype), np.empty(min(samples, SEGMENT) * RECORDED * lanes, dtype)
        segments = -(-samples // SEGMENT)
        rings = np.empty((segments, len(line.rings)), dtype)
        carried, places = (
            np.empty((segments, len(line.carried)), dtype),
            np.empty((segments, RINGS), np.int64),
        )
        for group in range(low, high):
            read_state(state, before, group, lanes)
            read_state(ends, behind, group, lanes)
            draw_constants(tile, 0, INPUTS, square, table, offsets, group, lanes)
            begin_line(line, state, lanes)
            for number in range(segments):
                _copied(line.rings, rings[number])
                _copied(line.carried, carried[number])
                _copied(line.places, places[number])
                if number < segments - 1:
                    span = (number * SEGMENT, (number + 1) * SEGMENT)
                    swept(tile, square, line, given, group, span, none, (0, signals))
            _begin_back(back, ends, samples, lanes)
            for number in range(segments - 1, -1, -1):
                begin, end = number * SEGMENT, min(samples, (number + 1) * SEGMENT)
                _copied(rings[number], line.rings)
                _copied(carried[number], line.carried)
                _copied(places[number], line.places)
                swept(tile, square, line, given, group, (begin, end), record, (0, signals))
                for at in range(begin + (end - begin - 1) // TILE * TILE, begin - 1, -TILE):
                    here = Stretch(group, lanes, at, min(TILE, end - at))
                    gather_all(tile, 0, 0, INPUTS, square, table, offsets, here)
                    gather_all(tile, INPUTS * row, INPUTS, 1, square, table, offsets, here)
                    _back(tile, back, ends, record, at - begin, here, samples)
                    at_gradients = (INPUTS + 1) * row
                    scatter_gradients(tile, at_gradients, INPUTS, square, sums, table, samples, signals, here)
            _end_back(state, back, ends, samples, lanes)
            write_state(first, state, group, lanes)

    return limit_backward
