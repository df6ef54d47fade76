"""State-variable filters in series, one signal on each lane: all of them on a tile before the next tile is read.

The formulas are those of :mod:`djgraph.simd.state_variable`, with a factor r on g: with S = r·sin(π·f), C = cos(π·f)
and D = q·(C² + S²) + S·C,

g/d = S·C·q/D    g²/d = S²·q/D    1 − 1/d = g²/d + k·g/d    1/d = C²·q/D

A section's output is high·x + (band − high)·k·v1 + (low − high)·v2, so with equal weights of 1 it is x, bit for bit.
What a sample needs of its controls, its *shape*, is these three factors and g/d, g²/d and 1 − 1/d. Sections whose
controls all rest have one shape, computed once for a group of signals; others have one at each sample, computed for a
tile before it is filtered.

Inputs: the audio, seven controls of each section, and a mix where there is one.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from djgraph.simd.functions import cosine, exponential, fill, sine, where_greater
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, peek, store, zeros
from djgraph.simd.recursion import Kernel
from djgraph.simd.state_variable import HIGHEST, limited, of_cutoff, pull_back, step
from djgraph.simd.tile import (
    ADDRESS,
    FRAMES,
    GRADIENT,
    HOP,
    TILE,
    Stretch,
    collect,
    draw,
    gather,
    read_state,
    row_size,
    scatter,
    write_state,
)

CONTROLS = 7
"""Of a section: cutoff, ratio, q, low, band, high, gain."""
PLAIN, BELL, LOW_SHELF, HIGH_SHELF = range(4)
"""What a section's gain does: :data:`djgraph.dsp.svf_series.TURNS`."""
PER_DECIBEL = math.log(10) / 40
"""Of the natural logarithm of a = 10^(gain/40), for each dB."""
SHAPE = 6
"""Numbers of a shape: g/d, g²/d, 1 − 1/d, and the factors of x, v1 and v2."""
STEEPEST = math.tan(math.pi * HIGHEST)
"""The largest g."""

# Rows of a tile of the forward pass. Behind them lie constant inputs and the shapes of sections at rest, on all lanes.
_AUDIO, _OUT, _SHAPES, _MOVING, _MIX, _ROWS = 0, 1, 2, 8, 15, 16


@part
def _coefficients(f, ratio, q, like):
    """S, C, k, g/d, g²/d and 1 − 1/d."""
    c = cosine(f)
    s, highest = sine(f) * ratio, fill(like, STEEPEST) * c
    s = where_greater(s, highest, highest, s)
    product, square = s * c, s * s
    total = q * (c * c + square) + product
    inverse = fill(like, 1.0) / (q * total)
    k = inverse * total
    scaled = inverse * q * q
    second, third = product * scaled, square * scaled
    return s, c, k, second, third, third + k * second


@part
def _turned(turns, gain, given, like):
    """√a, and what the gain makes of a section's ratio, q, low, band and high."""
    ratio, q, low, band, high = given
    root = fill(like, 1.0)
    if turns != PLAIN:
        root = exponential(gain * fill(like, 0.5 * PER_DECIBEL))
        a = root * root
        if turns == BELL:
            q, band = q * a, band * a * a
        elif turns == LOW_SHELF:
            ratio, low, band = ratio / root, low * a * a, band * a
        else:
            ratio, band, high = ratio * root, band * a, high * a * a
    return root, (ratio, q, low, band, high)


@part
def _turned_back(turns, root, bent, gradients, like):
    """The gradient of the gain, and those of what was given, from those of what was made of it."""
    ratio, q, low, band, high = bent
    of_ratio, of_q, of_low, of_band, of_high = gradients
    of_gain = zeros(like)
    if turns != PLAIN:
        half, two, a = fill(like, 0.5), fill(like, 2.0), root * root
        if turns == BELL:
            of_gain = of_q * q + two * of_band * band
            of_q, of_band = of_q * a, of_band * a * a
        elif turns == LOW_SHELF:
            of_gain = two * of_low * low + of_band * band - half * of_ratio * ratio
            of_ratio, of_low, of_band = of_ratio / root, of_low * a * a, of_band * a
        else:
            of_gain = two * of_high * high + of_band * band + half * of_ratio * ratio
            of_ratio, of_band, of_high = of_ratio * root, of_band * a, of_high * a * a
        of_gain = of_gain * fill(like, PER_DECIBEL)
    return of_gain, (of_ratio, of_q, of_low, of_band, of_high)


@part
def _put_shape(tile, at, apart, f, given):
    """The shape of one sample, to rows ``apart`` from each other."""
    ratio, q, low, band, high = given
    _, _, k, second, third, lost = _coefficients(f, ratio, q, tile)
    store(tile, at, second)
    store(tile, at + apart, third)
    store(tile, at + 2 * apart, lost)
    store(tile, at + 3 * apart, high)
    store(tile, at + 4 * apart, (band - high) * k)
    store(tile, at + 5 * apart, low - high)


@part
def _shape_tile(tile, begins, steps, target, given, count, lanes):
    """The shapes of ``count`` samples. begins, steps: where the section's controls begin, and the way from a sample to
    the next. target: where to, and how far the rows are apart. given: 1/sample rate, and what the gain does."""
    to, apart = target
    rate, turns = given
    inverse_rate = fill(tile, rate)
    b0, b1, b2, b3, b4, b5, b6 = begins[0], begins[1], begins[2], begins[3], begins[4], begins[5], begins[6]
    s0, s1, s2, s3, s4, s5, s6 = steps[0], steps[1], steps[2], steps[3], steps[4], steps[5], steps[6]
    if turns == PLAIN:  # a choice inside the loop costs half as much again
        for t in range(count):
            f = limited(load(tile, b0 + t * s0), inverse_rate, tile)
            ratio, q = load(tile, b1 + t * s1), load(tile, b2 + t * s2)
            low, band, high = load(tile, b3 + t * s3), load(tile, b4 + t * s4), load(tile, b5 + t * s5)
            _put_shape(tile, to + t * lanes, apart, f, (ratio, q, low, band, high))
    else:
        for t in range(count):
            f = limited(load(tile, b0 + t * s0), inverse_rate, tile)
            ratio, q = load(tile, b1 + t * s1), load(tile, b2 + t * s2)
            low, band, high = load(tile, b3 + t * s3), load(tile, b4 + t * s4), load(tile, b5 + t * s5)
            _, bent = _turned(turns, load(tile, b6 + t * s6), (ratio, q, low, band, high), tile)
            _put_shape(tile, to + t * lanes, apart, f, bent)


@part
def _filter_tile(tile, state, at_state, places, shape, count, lanes):
    """Runs one section. places: rows of its input, of its output, and of the states before each sample, below 0 where
    nobody wants them. shape: where its shapes begin, how far their numbers are apart, and from sample to sample."""
    source, target, trace = places
    begin, apart, move = shape
    first, second = load(state, at_state), load(state, at_state + lanes)
    for t in range(count):
        at, now = t * lanes, begin + t * move
        if trace >= 0:
            store(tile, trace + at, first)
            store(tile, trace + row_size(lanes) + at, second)
        x = load(tile, source + at)
        a2, a3, lost = load(tile, now), load(tile, now + apart), load(tile, now + 2 * apart)
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        first, second = v1 + half_first, v2 + half_second
        of_v1, of_v2 = load(tile, now + 4 * apart), load(tile, now + 5 * apart)
        store(tile, target + at, load(tile, now + 3 * apart) * x + of_v1 * v1 + of_v2 * v2)
    store(state, at_state, first)
    store(state, at_state + lanes, second)


@part
def _pull_tile(tile, adjoint, at_state, begins, steps, places, given, count, lanes):
    """The adjoint of a section. places: rows of its input, of the states before each sample, of the output's gradient,
    which is replaced by that of the input, and of the controls' gradients."""
    source, trace, gradients, controls = places
    rate, turns = given
    row, inverse_rate, one, none = row_size(lanes), fill(tile, rate), fill(tile, 1.0), zeros(tile)
    steepest = fill(tile, STEEPEST)
    b0, b1, b2, b3, b4, b5, b6 = begins[0], begins[1], begins[2], begins[3], begins[4], begins[5], begins[6]
    s0, s1, s2, s3, s4, s5, s6 = steps[0], steps[1], steps[2], steps[3], steps[4], steps[5], steps[6]
    from_first, from_second = load(adjoint, at_state), load(adjoint, at_state + lanes)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        cutoff, ratio, q = load(tile, b0 + t * s0), load(tile, b1 + t * s1), load(tile, b2 + t * s2)
        low, band, high = load(tile, b3 + t * s3), load(tile, b4 + t * s4), load(tile, b5 + t * s5)
        gain = load(tile, b6 + t * s6)
        root, bent = _turned(turns, gain, (ratio, q, low, band, high), tile)
        ratio, q, low, band, high = bent
        x, gradient = load(tile, source + at), load(tile, gradients + at)
        first, second = load(tile, trace + at), load(tile, trace + row + at)
        f = limited(cutoff, inverse_rate, tile)
        s, c, k, a2, a3, lost = _coefficients(f, ratio, q, tile)
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        bandpass = k * v1
        of_bandpass, of_v2 = gradient * (band - high), gradient * (low - high)
        of_x, of_g, less_of_k, from_first, from_second = pull_back(
            x, second, v1, (s / c, k, one - lost), (of_bandpass * k, of_v2), (from_first, from_second)
        )
        store(tile, gradients + at, gradient * high + of_x)
        # g = ratio·tangent up to the steepest, which has no gradient.
        tangent = sine(f) / cosine(f)
        of_g = where_greater(ratio * tangent, steepest, none, of_g)
        store(tile, controls + at, of_cutoff(of_g * ratio, tangent, cutoff, inverse_rate, tile))
        of_bent = (
            of_g * tangent,
            (none - of_bandpass * v1 + less_of_k) * k * k,
            gradient * v2,
            gradient * bandpass,
            gradient * (x - bandpass - v2),
        )
        of_gain, (of_ratio, of_q, of_low, of_band, of_high) = _turned_back(turns, root, bent, of_bent, tile)
        store(tile, controls + row + at, of_ratio)
        store(tile, controls + 2 * row + at, of_q)
        store(tile, controls + 3 * row + at, of_low)
        store(tile, controls + 4 * row + at, of_band)
        store(tile, controls + 5 * row + at, of_high)
        store(tile, controls + 6 * row + at, of_gain)
    store(adjoint, at_state, from_first)
    store(adjoint, at_state + lanes, from_second)


@part
def _mix_tile(tile, mix, count, lanes):
    """The output as a mix of the audio and of what the last section made.

    mix: where it begins, and the way from a sample to the next.
    """
    begin, move = mix
    target = row_size(lanes)
    for t in range(count):
        x, y = load(tile, t * lanes), load(tile, target + t * lanes)
        store(tile, target + t * lanes, x + load(tile, begin + t * move) * (y - x))


@part
def _unmix_tile(tile, wet, mix, places, count, lanes):
    """Its adjoint. wet: the row of what the last section made. places: rows of the gradient, which is replaced by that
    of ``wet``, of what goes to the audio past the sections, and of the mix's gradient."""
    gradients, direct, of_mix = places
    begin, move = mix
    for t in range(count):
        at = t * lanes
        gradient, share = load(tile, gradients + at), load(tile, begin + t * move)
        through = gradient * share
        store(tile, of_mix + at, gradient * (load(tile, wet + at) - load(tile, at)))
        store(tile, direct + at, gradient - through)
        store(tile, gradients + at, through)


@part
def _add_tile(tile, to, other, count, lanes):
    for t in range(count):
        store(tile, to + t * lanes, load(tile, to + t * lanes) + load(tile, other + t * lanes))


@part
def _read_constants(tile, slots, table, offsets, group, lanes):
    """Inputs that are one number, on lanes."""
    for k in range(len(table)):
        if table[k, HOP] and table[k, FRAMES] == 1:
            for lane in range(lanes):
                tile[slots + k * lanes + lane] = peek(
                    tile, table[k, ADDRESS], offsets[k, group * lanes + lane]
                )


@part
def _read(tile, to, square, table, offsets, k, here):
    """Input k, one that moves, on a stretch."""
    if table[k, HOP]:
        draw(tile, to, square, table[k, ADDRESS], offsets[k], table[k, HOP], table[k, FRAMES], here)
    else:
        gather(tile, to, square, table[k, ADDRESS], offsets[k], here)


@part
def _rests(table, k):
    return table[k, HOP] != 0 and table[k, FRAMES] == 1


@part
def _place_controls(begins, steps, table, section, rows, slots, lanes):
    """Where the controls of a section lie: in rows from ``rows`` on, or, where they rest, in slots. Whether all do."""
    rest = True
    for j in range(CONTROLS):
        k = 1 + section * CONTROLS + j
        if _rests(table, k):
            begins[j], steps[j] = slots + k * lanes, 0
        else:
            begins[j], steps[j] = rows + j * row_size(lanes), lanes
            rest = False
    return rest


@part
def _read_controls(tile, rows, square, table, offsets, section, here):
    """Those that move."""
    for j in range(CONTROLS):
        k = 1 + section * CONTROLS + j
        if not _rests(table, k):
            _read(tile, rows + j * row_size(here.lanes), square, table, offsets, k, here)


@part
def _return(tile, row, square, sums, table, k, sizes, here):
    """Hands the gradient of input k back, where it is wanted. sizes: signals and samples."""
    gradient, hop, frames = table[k, GRADIENT], table[k, HOP], table[k, FRAMES]
    signals, samples = sizes
    if gradient and hop:
        collect(tile, row, square, sums, gradient, hop, frames, signals, here)
    elif gradient:
        scatter(tile, row, square, gradient, samples, signals, here)


@lru_cache(maxsize=1)
def _compile_forward():
    @kept
    def svf_series_forward(low, high, given, first, numbers, to, last, kept_states):
        table, offsets, lanes, samples = given.table, given.offsets, given.lanes, given.samples
        row, rate, states = row_size(lanes), numbers[0], first.shape[1]
        sections = states // 2
        mixed = 1 + CONTROLS * sections  # the input behind those of the sections, where there is one
        slots = _ROWS * row
        shapes = slots + len(table) * lanes
        tile = np.empty(shapes + sections * SHAPE * lanes, first.dtype)
        square = np.empty(lanes * lanes, first.dtype)
        state = np.empty(states * lanes, first.dtype)
        begins, steps = np.empty(CONTROLS, np.int64), np.empty(CONTROLS, np.int64)
        for group in range(low, high):
            read_state(state, first, group, lanes)
            _read_constants(tile, slots, table, offsets, group, lanes)
            for section in range(sections):
                if _place_controls(begins, steps, table, section, _MOVING * row, slots, lanes):
                    at = shapes + section * SHAPE * lanes
                    _shape_tile(
                        tile, begins, steps, (at, lanes), (rate, numbers[1 + section]), row // row, lanes
                    )
            for number in range(kept_states.shape[1]):
                at = number * TILE
                count = min(TILE, samples - at)
                here = Stretch(group, lanes, at, count)
                for k in range(states * lanes):
                    kept_states[group, number, k] = state[k]
                gather(tile, _AUDIO * row, square, table[0, ADDRESS], offsets[0], here)
                source = _AUDIO * row
                for section in range(sections):
                    shape = (shapes + section * SHAPE * lanes, lanes, 0 * lanes)
                    if not _place_controls(begins, steps, table, section, _MOVING * row, slots, lanes):
                        _read_controls(tile, _MOVING * row, square, table, offsets, section, here)
                        shape = (_SHAPES * row, row, lanes)
                        _shape_tile(
                            tile, begins, steps, (shape[0], row), (rate, numbers[1 + section]), count, lanes
                        )
                    places = (source, _OUT * row, -row)
                    _filter_tile(tile, state, 2 * section * lanes, places, shape, count, lanes)
                    source = _OUT * row
                if mixed < len(table):
                    mix = (slots + mixed * lanes, 0 * lanes)
                    if not _rests(table, mixed):
                        _read(tile, _MIX * row, square, table, offsets, mixed, here)
                        mix = (_MIX * row, lanes)
                    _mix_tile(tile, mix, count, lanes)
                scatter(tile, _OUT * row, square, to[0], samples, len(first), here)
            write_state(last, state, group, lanes)

    return svf_series_forward


@lru_cache(maxsize=1)
def _compile_backward():
    @kept
    def svf_series_backward(low, high, given, kept_states, numbers, behind, first, sums):
        table, offsets, lanes, samples = given.table, given.offsets, given.lanes, given.samples
        inputs = len(table) - 1  # the last one is the output's gradient
        row, rate, states, signals = row_size(lanes), numbers[0], behind.shape[1], len(behind)
        sections = states // 2
        mixed = 1 + CONTROLS * sections
        # What goes into each section, and what the last one makes; the states before each sample; then the rest.
        traces = (sections + 1) * row
        gradients = traces + states * row
        direct, mixes, of_mix = gradients + row, gradients + 2 * row, gradients + 3 * row
        moving = gradients + 4 * row
        of_controls, moving_shapes = moving + CONTROLS * row, moving + 2 * CONTROLS * row
        slots = moving_shapes + SHAPE * row
        shapes = slots + len(table) * lanes
        tile = np.empty(shapes + sections * SHAPE * lanes, behind.dtype)
        square = np.empty(lanes * lanes, behind.dtype)
        state = np.empty(states * lanes, behind.dtype)
        adjoint = np.empty(states * lanes, behind.dtype)
        begins, steps = np.empty(CONTROLS, np.int64), np.empty(CONTROLS, np.int64)
        for group in range(low, high):
            read_state(adjoint, behind, group, lanes)
            _read_constants(tile, slots, table, offsets, group, lanes)
            for section in range(sections):
                if _place_controls(begins, steps, table, section, moving, slots, lanes):
                    at = shapes + section * SHAPE * lanes
                    _shape_tile(
                        tile, begins, steps, (at, lanes), (rate, numbers[1 + section]), row // row, lanes
                    )
            for number in range(kept_states.shape[1] - 1, -1, -1):
                at = number * TILE
                count = min(TILE, samples - at)
                here = Stretch(group, lanes, at, count)
                for k in range(states * lanes):
                    state[k] = kept_states[group, number, k]
                gather(tile, row - row, square, table[0, ADDRESS], offsets[0], here)
                for section in range(sections):
                    shape = (shapes + section * SHAPE * lanes, lanes, 0 * lanes)
                    if not _place_controls(begins, steps, table, section, moving, slots, lanes):
                        _read_controls(tile, moving, square, table, offsets, section, here)
                        shape = (moving_shapes, row, lanes)
                        _shape_tile(
                            tile, begins, steps, (shape[0], row), (rate, numbers[1 + section]), count, lanes
                        )
                    places = (section * row, (section + 1) * row, traces + 2 * section * row)
                    _filter_tile(tile, state, 2 * section * lanes, places, shape, count, lanes)
                gather(tile, gradients, square, table[inputs, ADDRESS], offsets[inputs], here)
                if mixed < inputs:
                    mix = (slots + mixed * lanes, 0 * lanes)
                    if not _rests(table, mixed):
                        _read(tile, mixes, square, table, offsets, mixed, here)
                        mix = (mixes, lanes)
                    _unmix_tile(tile, sections * row, mix, (gradients, direct, of_mix), count, lanes)
                    _return(tile, of_mix, square, sums, table, mixed, (signals, samples), here)
                for section in range(sections - 1, -1, -1):
                    if not _place_controls(begins, steps, table, section, moving, slots, lanes):
                        _read_controls(tile, moving, square, table, offsets, section, here)
                    rows = (section * row, traces + 2 * section * row, gradients, of_controls)
                    _pull_tile(
                        tile,
                        adjoint,
                        2 * section * lanes,
                        begins,
                        steps,
                        rows,
                        (rate, numbers[1 + section]),
                        count,
                        lanes,
                    )
                    for j in range(CONTROLS):
                        k = 1 + section * CONTROLS + j
                        _return(tile, of_controls + j * row, square, sums, table, k, (signals, samples), here)
                if mixed < inputs:
                    _add_tile(tile, gradients, direct, count, lanes)
                if table[0, GRADIENT]:
                    scatter(tile, gradients, square, table[0, GRADIENT], samples, signals, here)
            write_state(first, adjoint, group, lanes)

    return svf_series_backward


KERNEL = Kernel(1 + CONTROLS, 1, 2, _compile_forward, _compile_backward)
"""Of one section; the same code runs any number of them, as the state says."""
