"""Two bands that fit the analogue magnitudes, weighted and added, one signal on each lane.

The formulas are those of :mod:`djgraph.dsp.bands`, and the filters those of :mod:`djgraph.simd.state_variable`, with
g and k made by square roots instead of a tangent.

A tile is worked on in loops one behind the other: coefficients first, which no sample needs of another, so that their
roots and divisions overlap; then the recursion, whose samples wait for each other; on the way back the gradients of
coefficients first and that of the cutoff last. In one loop a CPU looks ahead over too few samples, and takes half as
long again.

Numbers: what makes h = ½·ω of a cutoff in Hz, and the coefficients of the fit. Rows of a tile: x, cutoff, low, high |
y | ∂y | ∂x, ∂cutoff, ∂low, ∂high | states of the first filter, of the second one | coefficients.
:mod:`djgraph.simd.sweep` has other rows: functions of both are told at which number of the tile each row begins.
"""

from __future__ import annotations

from functools import lru_cache

from djgraph.simd.functions import fill, inverse_root, reciprocal, where_greater
from djgraph.simd.jit import kept, part, part_for
from djgraph.simd.lanes import SIDE_BY_SIDE, load, load_several, root, store, zeros
from djgraph.simd.recursion import Kernel, backward_tiles, forward_tiles
from djgraph.simd.state_variable import pull_back, step
from djgraph.simd.tile import row_size

SECOND_ROOM, FOURTH_ROOM = 3, 4
"""Rows of coefficients: g, 1/d with d = 1 + g·(g + k), 1/λ, and k at order 4 (at order 2 it is 2)."""
_SECOND = (4, 1, 2, SECOND_ROOM)
_FOURTH = (4, 1, 4, FOURTH_ROOM)


@part
def positive(cutoff):
    """The cutoff, or 0 where it is less."""
    none = zeros(cutoff)
    return where_greater(cutoff, none, cutoff, none)


@part
def _finite(grown):
    """λ, or a number that is as good as endless: of a cutoff beyond all hearing its powers are no numbers any more."""
    endless = fill(grown, 1e30)
    return where_greater(grown, endless, endless, grown)


@part
def fits_second(numbers, like):
    """What makes h of a cutoff, and fit, on lanes. Read in front of loops: a loop that stores would read them again."""
    return fill(like, numbers[0]), fill(like, numbers[1])


@part
def fits_fourth(numbers, like):
    """The same, and curve."""
    return fill(like, numbers[0]), fill(like, numbers[1]), fill(like, numbers[2])


@part
def prepare_second(tile, room, row, cutoff, fits):
    """Coefficients of one sample: g = h/√λ with 1/λ = 1/(1 + fit·h²)."""
    scale, fit = fits
    one = fill(cutoff, 1.0)
    h = scale * positive(cutoff)
    of_share = inverse_root(_finite(one + fit * h * h))
    g = h * of_share
    store(tile, room, g)
    store(tile, room + row, reciprocal(one + g * (g + one + one)))
    store(tile, room + 2 * row, of_share * of_share)


@part
def prepare_fourth(tile, room, row, cutoff, fits):
    """Coefficients of one sample: g = h·λ^−¼ with 1/λ = 1/(1 + curve·h⁴), and k = √(2 + fit·g²)."""
    scale, fit, curve = fits
    one = fill(cutoff, 1.0)
    h = scale * positive(cutoff)
    square = h * h
    grown = _finite(one + curve * square * square)
    of_share = inverse_root(grown)
    g = h * inverse_root(grown * of_share)
    of_k = one + one + fit * g * g
    k = of_k * inverse_root(of_k)
    store(tile, room, g)
    store(tile, room + row, reciprocal(one + g * (g + k)))
    store(tile, room + 2 * row, of_share * of_share)
    store(tile, room + 3 * row, k)


@part
def over(g, k, inverse):
    """g/d, g²/d and 1 − 1/d: the coefficients of a step."""
    second = g * inverse
    third = g * second
    return second, third, third + k * second


@part
def of_cutoff_second(tile, room, row, cutoff, fits):
    """The gradient of one sample's cutoff from those of g and 1/λ, which have taken the place of g and 1/d."""
    none, (scale, fit) = zeros(tile), fits
    of_g, of_share, share = load(tile, room), load(tile, room + row), load(tile, room + 2 * row)
    # dg/dh = share·√share; d share/dh = −2·fit·h·share²
    h = scale * positive(cutoff)
    of_h = of_g * share * root(share) - of_share * (fit + fit) * h * share * share
    return where_greater(none, cutoff, none, of_h * scale)


@part
def of_cutoff_fourth(tile, room, row, cutoff, fits):
    """The same at order 4."""
    none, (scale, _, curve) = zeros(tile), fits
    of_g, of_share, share = load(tile, room), load(tile, room + row), load(tile, room + 2 * row)
    # dg/dh = share^(5/4); d share/dh = −4·curve·h³·share²
    h = scale * positive(cutoff)
    grown = fill(tile, 4.0) * curve * h * h * h * share * share
    of_h = of_g * share * root(root(share)) - of_share * grown
    return where_greater(none, cutoff, none, of_h * scale)


@part
def run_second(tile, rows, state, count, lanes):
    """The recursion; rows: where x, low, high, y and the coefficients begin."""
    x_at, low_at, high_at, to, room = rows
    row, k = row_size(lanes), fill(tile, 2.0)
    first, second = load(state, 0), load(state, lanes)
    for t in range(count):
        at = t * lanes
        x = load(tile, x_at + at)
        a2, a3, lost = over(load(tile, room + at), k, load(tile, room + row + at))
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        first, second = v1 + half_first, v2 + half_second
        all_pass = v1 + v1 + v2 + v2 - x
        above = load(tile, room + 2 * row + at) * (v1 + v1 + v2 - x)
        low, high = load(tile, low_at + at), load(tile, high_at + at)
        store(tile, to + at, low * (all_pass - above) + high * above)
    store(state, 0, first)
    store(state, lanes, second)


@part
def run_fourth(tile, rows, state, count, lanes):
    """The same at order 4."""
    x_at, low_at, high_at, to, room = rows
    row = row_size(lanes)
    first, second = load(state, 0), load(state, lanes)
    third, fourth = load(state, 2 * lanes), load(state, 3 * lanes)
    for t in range(count):
        at = t * lanes
        x, k = load(tile, x_at + at), load(tile, room + 3 * row + at)
        a2, a3, lost = over(load(tile, room + at), k, load(tile, room + row + at))
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        first, second = v1 + half_first, v2 + half_second
        bandpass = k * v1
        highpass = x - bandpass - v2
        half_third, half_fourth = step(highpass, third, fourth, a2, a3, lost)
        w1, w2 = third + half_third, fourth + half_fourth
        third, fourth = w1 + half_third, w2 + half_fourth
        above = load(tile, room + 2 * row + at) * (highpass - k * w1 - w2)
        low, high = load(tile, low_at + at), load(tile, high_at + at)
        store(tile, to + at, low * (x - bandpass - bandpass - above) + high * above)
    store(state, 0, first)
    store(state, lanes, second)
    store(state, 2 * lanes, third)
    store(state, 3 * lanes, fourth)


@part
def return_second(tile, rows, state, adjoint, fits, count, lanes):
    """The way back through the recursion; rows: where x, low, high, ∂y, ∂x, ∂low, ∂high, states and coefficients begin.

    The gradients of g and 1/λ take the place of g and 1/d. fits: for order 4, which is called alike.
    """
    x_at, low_at, high_at, from_y, to_x, to_low, to_high, states, room = rows
    row, k = row_size(lanes), fill(tile, 2.0)
    first, second = load(state, 0), load(state, lanes)
    for t in range(count):
        at = t * lanes
        store(tile, states + at, first)
        store(tile, states + row + at, second)
        a2, a3, lost = over(load(tile, room + at), k, load(tile, room + row + at))
        half_first, half_second = step(load(tile, x_at + at), first, second, a2, a3, lost)
        first, second = first + half_first + half_first, second + half_second + half_second
    from_first, from_second = load(adjoint, 0), load(adjoint, lanes)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        x, low, high = load(tile, x_at + at), load(tile, low_at + at), load(tile, high_at + at)
        first, second = load(tile, states + at), load(tile, states + row + at)
        g, inverse, share = (
            load(tile, room + at),
            load(tile, room + row + at),
            load(tile, room + 2 * row + at),
        )
        a2, a3, lost = over(g, k, inverse)
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        highpass = v1 + v1 + v2 - x  # turned
        above = share * highpass
        of_y = load(tile, from_y + at)
        store(tile, to_low + at, of_y * (highpass + v2 - above))
        store(tile, to_high + at, of_y * above)
        of_sum, of_above = of_y * low, of_y * (high - low)
        of_highpass = of_sum + of_above * share
        of_x, of_g, _, from_first, from_second = pull_back(
            x,
            second,
            v1,
            (g, k, inverse),
            (of_highpass + of_highpass, of_highpass + of_sum),
            (from_first, from_second),
        )
        store(tile, to_x + at, of_x - of_highpass)
        store(tile, room + at, of_g)
        store(tile, room + row + at, of_above * highpass)
    store(adjoint, 0, from_first)
    store(adjoint, lanes, from_second)


@part
def return_fourth(tile, rows, state, adjoint, fits, count, lanes):
    """The same at order 4."""
    x_at, low_at, high_at, from_y, to_x, to_low, to_high, states, room = rows
    row, none, fit = row_size(lanes), zeros(tile), fits[1]
    first, second = load(state, 0), load(state, lanes)
    third, fourth = load(state, 2 * lanes), load(state, 3 * lanes)
    for t in range(count):
        at = t * lanes
        store(tile, states + at, first)
        store(tile, states + row + at, second)
        store(tile, states + 2 * row + at, third)
        store(tile, states + 3 * row + at, fourth)
        x, k = load(tile, x_at + at), load(tile, room + 3 * row + at)
        a2, a3, lost = over(load(tile, room + at), k, load(tile, room + row + at))
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        half_third, half_fourth = step(x - k * v1 - v2, third, fourth, a2, a3, lost)
        first, second = v1 + half_first, v2 + half_second
        third, fourth = third + half_third + half_third, fourth + half_fourth + half_fourth
    from_first, from_second = load(adjoint, 0), load(adjoint, lanes)
    from_third, from_fourth = load(adjoint, 2 * lanes), load(adjoint, 3 * lanes)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        x, low, high = load(tile, x_at + at), load(tile, low_at + at), load(tile, high_at + at)
        first, second = load(tile, states + at), load(tile, states + row + at)
        third, fourth = load(tile, states + 2 * row + at), load(tile, states + 3 * row + at)
        g, inverse = load(tile, room + at), load(tile, room + row + at)
        share, k = load(tile, room + 2 * row + at), load(tile, room + 3 * row + at)
        a2, a3, lost = over(g, k, inverse)
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        highpass = x - k * v1 - v2
        half_third, half_fourth = step(highpass, third, fourth, a2, a3, lost)
        w1, w2 = third + half_third, fourth + half_fourth
        twice = highpass - k * w1 - w2
        above = share * twice
        of_y = load(tile, from_y + at)
        store(tile, to_low + at, of_y * (x - (k + k) * v1 - above))
        store(tile, to_high + at, of_y * above)
        of_sum, of_above = of_y * low, of_y * (high - low)
        of_twice = of_above * share
        of_second_x, later_of_g, later_less_of_k, from_third, from_fourth = pull_back(
            highpass,
            fourth,
            w1,
            (g, k, inverse),
            (none - k * of_twice, none - of_twice),
            (from_third, from_fourth),
        )
        of_highpass = of_twice + of_second_x
        of_x, of_g, less_of_k, from_first, from_second = pull_back(
            x,
            second,
            v1,
            (g, k, inverse),
            (none - k * (of_sum + of_sum + of_highpass), none - of_highpass),
            (from_first, from_second),
        )
        store(tile, to_x + at, of_x + of_sum + of_highpass)
        # k = √(2 + fit·g²); what it is multiplied by here: −2·v1 of the sum, −v1 and −w1 of the highpasses
        of_k = less_of_k + later_less_of_k
        of_k = none - of_k - of_sum * (v1 + v1) - of_highpass * v1 - of_twice * w1
        store(tile, room + at, of_g + later_of_g + of_k * fit * g / k)
        store(tile, room + row + at, of_above * twice)
    store(adjoint, 0, from_first)
    store(adjoint, lanes, from_second)
    store(adjoint, 2 * lanes, from_third)
    store(adjoint, 3 * lanes, from_fourth)


def _forward(prepare, run, fits_of):
    """A tile forward, of the coefficients and the recursion of an order."""

    @part_for(run)
    def forward(tile, state, numbers, count, lanes):
        row, fits = row_size(lanes), fits_of(numbers, load_several(tile, 0))
        for t in range(0, count, SIDE_BY_SIDE):  # a row has room for what lies behind the last sample
            at = t * lanes
            prepare(tile, 5 * row + at, row, load_several(tile, row + at), fits)
        run(tile, (row - row, 2 * row, 3 * row, 4 * row, 5 * row), state, count, lanes)

    return forward


def _backward(prepare, run_back, fits_of, of_cutoff, states):
    """Its adjoint; states: of the recursion, whose rows the coefficients lie behind."""

    @part_for(run_back)
    def backward(tile, state, adjoint, numbers, count, lanes):
        row, fits = row_size(lanes), fits_of(numbers, tile)
        room, several = (10 + states) * row, fits_of(numbers, load_several(tile, 0))
        for t in range(0, count, SIDE_BY_SIDE):
            at = t * lanes
            prepare(tile, room + at, row, load_several(tile, row + at), several)
        rows = (row - row, 2 * row, 3 * row, 5 * row, 6 * row, 8 * row, 9 * row, 10 * row, room)
        run_back(tile, rows, state, adjoint, fits, count, lanes)
        for t in range(count):
            at = t * lanes
            store(tile, 7 * row + at, of_cutoff(tile, room + at, row, load(tile, row + at), fits))

    return backward


_second_forward_tiles = forward_tiles(_forward(prepare_second, run_second, fits_second), *_SECOND)
_second_backward_tiles = backward_tiles(
    _backward(prepare_second, return_second, fits_second, of_cutoff_second, _SECOND[2]), *_SECOND
)
_fourth_forward_tiles = forward_tiles(_forward(prepare_fourth, run_fourth, fits_fourth), *_FOURTH)
_fourth_backward_tiles = backward_tiles(
    _backward(prepare_fourth, return_fourth, fits_fourth, of_cutoff_fourth, _FOURTH[2]), *_FOURTH
)


@lru_cache(maxsize=1)
def _compile_second_forward():
    @kept
    def two_bands_2_forward(*arguments):
        _second_forward_tiles(*arguments)

    return two_bands_2_forward


@lru_cache(maxsize=1)
def _compile_second_backward():
    @kept
    def two_bands_2_backward(*arguments):
        _second_backward_tiles(*arguments)

    return two_bands_2_backward


@lru_cache(maxsize=1)
def _compile_fourth_forward():
    @kept
    def two_bands_4_forward(*arguments):
        _fourth_forward_tiles(*arguments)

    return two_bands_4_forward


@lru_cache(maxsize=1)
def _compile_fourth_backward():
    @kept
    def two_bands_4_backward(*arguments):
        _fourth_backward_tiles(*arguments)

    return two_bands_4_backward


SECOND = Kernel(*_SECOND[:3], _compile_second_forward, _compile_second_backward)
FOURTH = Kernel(*_FOURTH[:3], _compile_fourth_forward, _compile_fourth_backward)
