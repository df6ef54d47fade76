"""A lowpass or highpass with its cutoff set by a knob, one signal on each lane.

The formulas are those of :mod:`djgraph.dsp.sweep`, and the filters those of :mod:`djgraph.simd.bands`: the knob makes
the cutoff and the weight of the band that is taken away.

Numbers: three of :mod:`djgraph.simd.bands`, lowest cutoff, logarithm of highest over lowest, 1 for a lowpass and 0 for
a highpass, 1/fade. Rows of a tile: x, knob | y | ∂y | ∂x, ∂knob | states of the first filter, of the second one |
coefficients | left, cutoff, a weight of 1 | on the way back the gradients of that one and of left.
"""

from __future__ import annotations

from functools import lru_cache

from djgraph.simd.bands import (
    FOURTH_ROOM,
    SECOND_ROOM,
    fits_fourth,
    fits_second,
    of_cutoff_fourth,
    of_cutoff_second,
    prepare_fourth,
    prepare_second,
    return_fourth,
    return_second,
    run_fourth,
    run_second,
)
from djgraph.simd.chain import Linked, link_of
from djgraph.simd.functions import differs, exponential, fill, where_greater
from djgraph.simd.jit import kept, part, part_for
from djgraph.simd.lanes import SIDE_BY_SIDE, load, load_several, store
from djgraph.simd.recursion import Kernel, backward_tiles, forward_tiles
from djgraph.simd.tile import row_size

_SECOND = (2, 1, 2)
_FOURTH = (2, 1, 4)


@part
def _law(numbers, like):
    """What a knob means, on lanes: lowest cutoff, span, 1 for a lowpass, 1/fade."""
    return fill(like, numbers[3]), fill(like, numbers[4]), fill(like, numbers[5]), fill(like, numbers[6])


@part
def _cutoff(knob, law):
    return law[0] * exponential(law[1] * knob)


@part
def _left(knob, law):
    """1 − u, of which the square is the weight of what is taken away: u is how far the knob is from wide open, over the
    fade, at most 1."""
    one, lowpass = fill(knob, 1.0), law[2]
    u = (lowpass + (one - lowpass - lowpass) * knob) * law[3]
    return one - where_greater(u, one, one, u)


@part
def _rests(tile, begin, count, lanes):
    """Whether all samples of a row are the same."""
    first, same = load(tile, begin), 1
    while same < count and not differs(load(tile, begin + same * lanes), first):
        same += 1
    return same == count


@part
def _fill_row(tile, begin, value, count, lanes):
    """Writes the lanes of one sample to all of a row."""
    for t in range(count):
        store(tile, begin + t * lanes, value)


@part
def _sides(one, left, numbers):
    """Where the rows of low and high begin, of a weight of 1 and of the one of what is taken away."""
    if numbers[5] > 0:
        return one, left
    return left, one


@part
def _of_knob(knob, cutoff, of_cutoff, of_weight, law):
    """The gradient of the knob. Where the fade ends it is 0 from both sides."""
    one, lowpass = fill(knob, 1.0), law[2]
    slope = (lowpass + lowpass - one) * (law[3] + law[3])
    return of_cutoff * cutoff * law[1] + of_weight * slope * _left(knob, law)


def _prepared(prepare, fits_of, coefficients):
    """Makes of the knob the rows of an order's coefficients, and behind them left, cutoff and a weight of 1.

    That is most of the work, so a knob at rest is worked on once.
    """

    @part_for(prepare)
    def prepared(tile, room, numbers, count, lanes):
        row, several = row_size(lanes), load_several(tile, 0)
        fits, law = fits_of(numbers, several), _law(numbers, several)
        left = room + coefficients * row
        distinct = 1 if _rests(tile, row, count, lanes) else count
        for t in range(0, distinct, SIDE_BY_SIDE):  # a row has room for what lies behind the last sample
            at = t * lanes
            knob = load_several(tile, row + at)
            cutoff, kept = _cutoff(knob, law), _left(knob, law)
            prepare(tile, room + at, row, cutoff, fits)
            store(tile, left + at, kept * kept)
            store(tile, left + row + at, cutoff)
        if distinct < count:
            for k in range(coefficients + 2):
                _fill_row(tile, room + k * row, load(tile, room + k * row), count, lanes)
        _fill_row(tile, left + 2 * row, fill(tile, 1.0), count, lanes)

    return prepared


def _forward(prepared, run, coefficients):
    """A tile forward, of the coefficients and the recursion of an order."""

    @part_for(run)
    def forward(tile, state, numbers, count, lanes):
        row = row_size(lanes)
        room = 3 * row
        left = room + coefficients * row
        prepared(tile, room, numbers, count, lanes)
        low, high = _sides(left + 2 * row, left, numbers)
        run(tile, (row - row, low, high, 2 * row, room), state, count, lanes)

    return forward


def _backward(prepared, run_back, fits_of, of_cutoff, sizes):
    """Its adjoint. sizes: of the recursion's states, whose rows the coefficients lie behind, and of those."""
    states, coefficients = sizes

    @part_for(run_back)
    def backward(tile, state, adjoint, numbers, count, lanes):
        row, fits, law = row_size(lanes), fits_of(numbers, tile), _law(numbers, tile)
        room = (6 + states) * row
        left = room + coefficients * row
        of_left = left + 4 * row
        prepared(tile, room, numbers, count, lanes)
        low, high = _sides(left + 2 * row, left, numbers)
        to_low, to_high = _sides(left + 3 * row, of_left, numbers)
        rows = (row - row, low, high, 3 * row, 4 * row, to_low, to_high, 6 * row, room)
        run_back(tile, rows, state, adjoint, fits, count, lanes)
        for t in range(count):
            at = t * lanes
            knob, cutoff = load(tile, row + at), load(tile, left + row + at)
            gradient = of_cutoff(tile, room + at, row, cutoff, fits)
            weight = load(tile, of_left + at)
            store(tile, 5 * row + at, _of_knob(knob, cutoff, gradient, weight, law))

    return backward


_prepared_second = _prepared(prepare_second, fits_second, SECOND_ROOM)
_prepared_fourth = _prepared(prepare_fourth, fits_fourth, FOURTH_ROOM)
_forward_second = _forward(_prepared_second, run_second, SECOND_ROOM)
_forward_fourth = _forward(_prepared_fourth, run_fourth, FOURTH_ROOM)
_second_forward_tiles = forward_tiles(_forward_second, *_SECOND, SECOND_ROOM + 3)
_second_backward_tiles = backward_tiles(
    _backward(_prepared_second, return_second, fits_second, of_cutoff_second, (_SECOND[2], SECOND_ROOM)),
    *_SECOND,
    SECOND_ROOM + 5,
)
_fourth_forward_tiles = forward_tiles(_forward_fourth, *_FOURTH, FOURTH_ROOM + 3)
_fourth_backward_tiles = backward_tiles(
    _backward(_prepared_fourth, return_fourth, fits_fourth, of_cutoff_fourth, (_FOURTH[2], FOURTH_ROOM)),
    *_FOURTH,
    FOURTH_ROOM + 5,
)


_second_link, _fourth_link = link_of(_forward_second), link_of(_forward_fourth)


@lru_cache(maxsize=1)
def _compile_second_forward():
    @kept
    def sweep_2_forward(*arguments):
        _second_forward_tiles(*arguments)

    return sweep_2_forward


@lru_cache(maxsize=1)
def _compile_second_backward():
    @kept
    def sweep_2_backward(*arguments):
        _second_backward_tiles(*arguments)

    return sweep_2_backward


@lru_cache(maxsize=1)
def _compile_fourth_forward():
    @kept
    def sweep_4_forward(*arguments):
        _fourth_forward_tiles(*arguments)

    return sweep_4_forward


@lru_cache(maxsize=1)
def _compile_fourth_backward():
    @kept
    def sweep_4_backward(*arguments):
        _fourth_backward_tiles(*arguments)

    return sweep_4_backward


@lru_cache(maxsize=1)
def _compile_second_link():
    @kept
    def sweep_2_link(tile, state, numbers, count, lanes):
        _second_link(tile, state, numbers, count, lanes)

    return sweep_2_link


@lru_cache(maxsize=1)
def _compile_fourth_link():
    @kept
    def sweep_4_link(tile, state, numbers, count, lanes):
        _fourth_link(tile, state, numbers, count, lanes)

    return sweep_4_link


SECOND = Kernel(*_SECOND, _compile_second_forward, _compile_second_backward)
FOURTH = Kernel(*_FOURTH, _compile_fourth_forward, _compile_fourth_backward)
SECOND_LINK = Linked(_SECOND[0], _SECOND[2], SECOND_ROOM + 4, _compile_second_link)
FOURTH_LINK = Linked(_FOURTH[0], _FOURTH[2], FOURTH_ROOM + 4, _compile_fourth_link)
