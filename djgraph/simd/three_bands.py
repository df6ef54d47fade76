"""Three bands with fixed crossovers, weighted and added, one signal on each lane.

The formulas are those of :mod:`djgraph.dsp.three_bands`. Five filters of second order run one behind the other or
beside each other: two of the first crossover, and of the second one an all-pass for the low band and two for the rest.
Their coefficients are the same at all samples.

Numbers: g, k and 1/λ of the first crossover, then of the second. Rows of a tile: x, low, mid, high | y | ∂y | ∂x, ∂low,
∂mid, ∂high | two states of each filter.
"""

from __future__ import annotations

from functools import lru_cache

from djgraph.simd.functions import fill
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, store, zeros
from djgraph.simd.recursion import Kernel, backward_tiles, forward_tiles, row_size
from djgraph.simd.state_variable import pull_back, step

_SIZES = (4, 1, 10)


@part
def _coefficients(numbers, first, like):
    """g, k, 1/λ, and 1/d, g/d, g²/d and 1 − 1/d with d = 1 + g·(g + k), of the crossover whose numbers begin there."""
    g, k = numbers[first], numbers[first + 1]
    inverse = 1 / (1 + g * (g + k))
    return (
        fill(like, g),
        fill(like, k),
        fill(like, numbers[first + 2]),
        fill(like, inverse),
        fill(like, g * inverse),
        fill(like, g * g * inverse),
        fill(like, g * (g + k) * inverse),
    )


@part
def _filter(x, first, second, a2, a3, lost):
    """The outputs of the two integrators, and the states after the sample."""
    half_first, half_second = step(x, first, second, a2, a3, lost)
    v1, v2 = first + half_first, second + half_second
    return v1, v2, v1 + half_first, v2 + half_second


@part
def _forward(tile, state, numbers, count, lanes):
    row = row_size(lanes)
    _, k, share, _, a2, a3, lost = _coefficients(numbers, 0, tile)
    _, k_next, share_next, _, b2, b3, lost_next = _coefficients(numbers, 3, tile)
    a_first, a_second = load(state, 0), load(state, lanes)
    b_first, b_second = load(state, 2 * lanes), load(state, 3 * lanes)
    c_first, c_second = load(state, 4 * lanes), load(state, 5 * lanes)
    d_first, d_second = load(state, 6 * lanes), load(state, 7 * lanes)
    e_first, e_second = load(state, 8 * lanes), load(state, 9 * lanes)
    for t in range(count):
        at = t * lanes
        x = load(tile, at)
        v1, v2, a_first, a_second = _filter(x, a_first, a_second, a2, a3, lost)
        bandpass = k * v1
        highpass = x - bandpass - v2
        whole = x - bandpass - bandpass
        v1, v2, b_first, b_second = _filter(highpass, b_first, b_second, a2, a3, lost)
        below = whole - share * (highpass - k * v1 - v2)
        v1, v2, c_first, c_second = _filter(below, c_first, c_second, b2, b3, lost_next)
        low = below - (k_next + k_next) * v1
        v1, v2, d_first, d_second = _filter(whole, d_first, d_second, b2, b3, lost_next)
        bandpass = k_next * v1
        highpass = whole - bandpass - v2
        whole = whole - bandpass - bandpass
        v1, v2, e_first, e_second = _filter(highpass, e_first, e_second, b2, b3, lost_next)
        high = share_next * (highpass - k_next * v1 - v2)
        of_low, of_mid, of_high = load(tile, row + at), load(tile, 2 * row + at), load(tile, 3 * row + at)
        store(tile, 4 * row + at, of_low * low + of_mid * (whole - low - high) + of_high * high)
    store(state, 0, a_first)
    store(state, lanes, a_second)
    store(state, 2 * lanes, b_first)
    store(state, 3 * lanes, b_second)
    store(state, 4 * lanes, c_first)
    store(state, 5 * lanes, c_second)
    store(state, 6 * lanes, d_first)
    store(state, 7 * lanes, d_second)
    store(state, 8 * lanes, e_first)
    store(state, 9 * lanes, e_second)


@part
def _trace(tile, state, numbers, count, lanes):
    """The states before each sample."""
    row = row_size(lanes)
    _, k, share, _, a2, a3, lost = _coefficients(numbers, 0, tile)
    _, k_next, _, _, b2, b3, lost_next = _coefficients(numbers, 3, tile)
    a_first, a_second = load(state, 0), load(state, lanes)
    b_first, b_second = load(state, 2 * lanes), load(state, 3 * lanes)
    c_first, c_second = load(state, 4 * lanes), load(state, 5 * lanes)
    d_first, d_second = load(state, 6 * lanes), load(state, 7 * lanes)
    e_first, e_second = load(state, 8 * lanes), load(state, 9 * lanes)
    for t in range(count):
        at = t * lanes
        store(tile, 10 * row + at, a_first)
        store(tile, 11 * row + at, a_second)
        store(tile, 12 * row + at, b_first)
        store(tile, 13 * row + at, b_second)
        store(tile, 14 * row + at, c_first)
        store(tile, 15 * row + at, c_second)
        store(tile, 16 * row + at, d_first)
        store(tile, 17 * row + at, d_second)
        store(tile, 18 * row + at, e_first)
        store(tile, 19 * row + at, e_second)
        x = load(tile, at)
        v1, v2, a_first, a_second = _filter(x, a_first, a_second, a2, a3, lost)
        highpass = x - k * v1 - v2
        whole = x - (k + k) * v1
        v1, v2, b_first, b_second = _filter(highpass, b_first, b_second, a2, a3, lost)
        below = whole - share * (highpass - k * v1 - v2)
        _, _, c_first, c_second = _filter(below, c_first, c_second, b2, b3, lost_next)
        v1, v2, d_first, d_second = _filter(whole, d_first, d_second, b2, b3, lost_next)
        _, _, e_first, e_second = _filter(whole - k_next * v1 - v2, e_first, e_second, b2, b3, lost_next)


@part
def _backward(tile, state, adjoint, numbers, count, lanes):
    _trace(tile, state, numbers, count, lanes)
    row = row_size(lanes)
    g, k, share, inverse, a2, a3, lost = _coefficients(numbers, 0, tile)
    g_next, k_next, share_next, inverse_next, b2, b3, lost_next = _coefficients(numbers, 3, tile)
    here, after, none = (g, k, inverse), (g_next, k_next, inverse_next), zeros(tile)
    from_a, from_a2 = load(adjoint, 0), load(adjoint, lanes)
    from_b, from_b2 = load(adjoint, 2 * lanes), load(adjoint, 3 * lanes)
    from_c, from_c2 = load(adjoint, 4 * lanes), load(adjoint, 5 * lanes)
    from_d, from_d2 = load(adjoint, 6 * lanes), load(adjoint, 7 * lanes)
    from_e, from_e2 = load(adjoint, 8 * lanes), load(adjoint, 9 * lanes)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        x = load(tile, at)
        a_second, b_second = load(tile, 11 * row + at), load(tile, 13 * row + at)
        c_second, d_second = load(tile, 15 * row + at), load(tile, 17 * row + at)
        e_second = load(tile, 19 * row + at)
        # The same as forward, with a name for everything that a gradient needs.
        a1, v2, _, _ = _filter(x, load(tile, 10 * row + at), a_second, a2, a3, lost)
        highpass = x - k * a1 - v2
        whole = x - (k + k) * a1
        b1, v2, _, _ = _filter(highpass, load(tile, 12 * row + at), b_second, a2, a3, lost)
        below = whole - share * (highpass - k * b1 - v2)
        c1, _, _, _ = _filter(below, load(tile, 14 * row + at), c_second, b2, b3, lost_next)
        low = below - (k_next + k_next) * c1
        d1, v2, _, _ = _filter(whole, load(tile, 16 * row + at), d_second, b2, b3, lost_next)
        above = whole - k_next * d1 - v2
        e1, v2, _, _ = _filter(above, load(tile, 18 * row + at), e_second, b2, b3, lost_next)
        high = share_next * (above - k_next * e1 - v2)
        of_y, mid = load(tile, 5 * row + at), load(tile, 2 * row + at)
        store(tile, 7 * row + at, of_y * low)
        store(tile, 8 * row + at, of_y * (whole - (k_next + k_next) * d1 - low - high))
        store(tile, 9 * row + at, of_y * high)
        of_low, of_high = of_y * (load(tile, row + at) - mid), of_y * (load(tile, 3 * row + at) - mid)
        of_both = of_y * mid
        of_top = share_next * of_high
        of_above, _, _, from_e, from_e2 = pull_back(
            above, e_second, e1, after, (none - k_next * of_top, none - of_top), (from_e, from_e2)
        )
        of_above = of_above + of_top
        of_whole, _, _, from_d, from_d2 = pull_back(
            whole,
            d_second,
            d1,
            after,
            (none - k_next * (of_both + of_both + of_above), none - of_above),
            (from_d, from_d2),
        )
        of_below, _, _, from_c, from_c2 = pull_back(
            below, c_second, c1, after, (none - (k_next + k_next) * of_low, none), (from_c, from_c2)
        )
        of_below = of_below + of_low
        of_whole = of_whole + of_both + of_above + of_below
        of_top = none - share * of_below
        of_highpass, _, _, from_b, from_b2 = pull_back(
            highpass, b_second, b1, here, (none - k * of_top, none - of_top), (from_b, from_b2)
        )
        of_highpass = of_highpass + of_top
        of_x, _, _, from_a, from_a2 = pull_back(
            x,
            a_second,
            a1,
            here,
            (none - k * (of_whole + of_whole + of_highpass), none - of_highpass),
            (from_a, from_a2),
        )
        store(tile, 6 * row + at, of_x + of_whole + of_highpass)
    store(adjoint, 0, from_a)
    store(adjoint, lanes, from_a2)
    store(adjoint, 2 * lanes, from_b)
    store(adjoint, 3 * lanes, from_b2)
    store(adjoint, 4 * lanes, from_c)
    store(adjoint, 5 * lanes, from_c2)
    store(adjoint, 6 * lanes, from_d)
    store(adjoint, 7 * lanes, from_d2)
    store(adjoint, 8 * lanes, from_e)
    store(adjoint, 9 * lanes, from_e2)


_forward_tiles = forward_tiles(_forward, *_SIZES)
_backward_tiles = backward_tiles(_backward, *_SIZES)


@lru_cache(maxsize=1)
def _compile_forward():
    @kept
    def three_bands_forward(*arguments):
        _forward_tiles(*arguments)

    return three_bands_forward


@lru_cache(maxsize=1)
def _compile_backward():
    @kept
    def three_bands_backward(*arguments):
        _backward_tiles(*arguments)

    return three_bands_backward


KERNEL = Kernel(*_SIZES, _compile_forward, _compile_backward)
