"""Three bands with fixed crossovers, weighted and added, one signal on each lane.

The formulas are those of :mod:`djgraph.dsp.three_bands`. Five filters of second order run one behind the other or
beside each other: two of the first crossover, and of the second one an all-pass for the low band and two for the rest.
Their coefficients are the same at all samples.

Numbers: g, k and 1/λ of the first crossover, then of the second. Rows of a tile: x, low, mid, high | y | ∂y | ∂x, ∂low,
∂mid, ∂high | two states of each filter.
"""

from __future__ import annotations

from functools import lru_cache

from djgraph.simd.chain import Linked, link_of
from djgraph.simd.functions import fill
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, store, zeros
from djgraph.simd.recursion import Kernel, backward_tiles, forward_tiles
from djgraph.simd.state_variable import pull_back, step
from djgraph.simd.tile import row_size

_SIZES = (4, 1, 10)


@part
def _coefficients(numbers, first, like):
    """k and 1/λ, g/d, g²/d and 1 − 1/d with d = 1 + g·(g + k), of the crossover whose numbers begin there."""
    g, k = numbers[first], numbers[first + 1]
    inverse = 1 / (1 + g * (g + k))
    step_size = (fill(like, g * inverse), fill(like, g * g * inverse), fill(like, g * (g + k) * inverse))
    return fill(like, k), fill(like, numbers[first + 2]), step_size


@part
def _of_a_filter(numbers, first, like):
    """g, k and 1/d of that crossover, for :func:`pull_back`."""
    g, k = numbers[first], numbers[first + 1]
    return fill(like, g), fill(like, k), fill(like, 1 / (1 + g * (g + k)))


@part
def _filter(x, state, step_size):
    """The outputs of the two integrators, and the states after the sample."""
    half_first, half_second = step(x, state[0], state[1], step_size[0], step_size[1], step_size[2])
    v1, v2 = state[0] + half_first, state[1] + half_second
    return v1, v2, (v1 + half_first, v2 + half_second)


@part
def _sample(x, states, here, after):
    """One sample through all filters.

    states: of the five, ``(first, second)`` each. here, after: the crossovers' coefficients. Returns the bands, what
    the four filters behind the first one are given (the second highpass of each crossover, the low band's all-pass and
    what both crossovers share), the first integrator of each filter, and the states after the sample.
    """
    a, b, c, d, e = states
    k, share, step_size = here
    k_next, share_next, next_size = after
    a1, v2, a = _filter(x, a, step_size)
    highpass, whole = x - k * a1 - v2, x - (k + k) * a1
    b1, v2, b = _filter(highpass, b, step_size)
    below = whole - share * (highpass - k * b1 - v2)
    c1, _, c = _filter(below, c, next_size)
    low = below - (k_next + k_next) * c1
    d1, v2, d = _filter(whole, d, next_size)
    above = whole - k_next * d1 - v2
    e1, v2, e = _filter(above, e, next_size)
    high = share_next * (above - k_next * e1 - v2)
    mid = whole - (k_next + k_next) * d1 - low - high
    return (low, mid, high), (highpass, whole, below, above), (a1, b1, c1, d1, e1), (a, b, c, d, e)


@part
def _load_states(source, begin, stride):
    """Five pairs, ``stride`` numbers from one state to the next."""
    return (
        (load(source, begin), load(source, begin + stride)),
        (load(source, begin + 2 * stride), load(source, begin + 3 * stride)),
        (load(source, begin + 4 * stride), load(source, begin + 5 * stride)),
        (load(source, begin + 6 * stride), load(source, begin + 7 * stride)),
        (load(source, begin + 8 * stride), load(source, begin + 9 * stride)),
    )


@part
def _store_states(target, begin, stride, states):
    a, b, c, d, e = states
    store(target, begin, a[0])
    store(target, begin + stride, a[1])
    store(target, begin + 2 * stride, b[0])
    store(target, begin + 3 * stride, b[1])
    store(target, begin + 4 * stride, c[0])
    store(target, begin + 5 * stride, c[1])
    store(target, begin + 6 * stride, d[0])
    store(target, begin + 7 * stride, d[1])
    store(target, begin + 8 * stride, e[0])
    store(target, begin + 9 * stride, e[1])


@part
def _forward(tile, state, numbers, count, lanes):
    row = row_size(lanes)
    here, after = _coefficients(numbers, 0, tile), _coefficients(numbers, 3, tile)
    states = _load_states(state, 0, lanes)
    for t in range(count):
        at = t * lanes
        bands, _, _, states = _sample(load(tile, at), states, here, after)
        low, mid, high = load(tile, row + at), load(tile, 2 * row + at), load(tile, 3 * row + at)
        store(tile, 4 * row + at, low * bands[0] + mid * bands[1] + high * bands[2])
    _store_states(state, 0, lanes, states)


@part
def _backward(tile, state, adjoint, numbers, count, lanes):
    row = row_size(lanes)
    here, after = _coefficients(numbers, 0, tile), _coefficients(numbers, 3, tile)
    states = _load_states(state, 0, lanes)
    for t in range(count):
        at = t * lanes
        _store_states(tile, 10 * row + at, row, states)
        _, _, _, states = _sample(load(tile, at), states, here, after)
    k, share, _ = here
    k_next, share_next, _ = after
    first, second, none = _of_a_filter(numbers, 0, tile), _of_a_filter(numbers, 3, tile), zeros(tile)
    from_a, from_b, from_c, from_d, from_e = _load_states(adjoint, 0, lanes)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        x, before = load(tile, at), _load_states(tile, 10 * row + at, row)
        bands, given, middles, _ = _sample(x, before, here, after)
        highpass, whole, below, above = given
        a1, b1, c1, d1, e1 = middles
        of_y, mid = load(tile, 5 * row + at), load(tile, 2 * row + at)
        store(tile, 7 * row + at, of_y * bands[0])
        store(tile, 8 * row + at, of_y * bands[1])
        store(tile, 9 * row + at, of_y * bands[2])
        of_low, of_high = of_y * (load(tile, row + at) - mid), of_y * (load(tile, 3 * row + at) - mid)
        of_both = of_y * mid
        of_top = share_next * of_high
        of_above, _, _, e_first, e_second = pull_back(
            above, before[4][1], e1, second, (none - k_next * of_top, none - of_top), from_e
        )
        of_above = of_above + of_top
        of_whole, _, _, d_first, d_second = pull_back(
            whole,
            before[3][1],
            d1,
            second,
            (none - k_next * (of_both + of_both + of_above), none - of_above),
            from_d,
        )
        of_below, _, _, c_first, c_second = pull_back(
            below, before[2][1], c1, second, (none - (k_next + k_next) * of_low, none), from_c
        )
        of_below = of_below + of_low
        of_whole = of_whole + of_both + of_above + of_below
        of_top = none - share * of_below
        of_highpass, _, _, b_first, b_second = pull_back(
            highpass, before[1][1], b1, first, (none - k * of_top, none - of_top), from_b
        )
        of_highpass = of_highpass + of_top
        of_x, _, _, a_first, a_second = pull_back(
            x,
            before[0][1],
            a1,
            first,
            (none - k * (of_whole + of_whole + of_highpass), none - of_highpass),
            from_a,
        )
        store(tile, 6 * row + at, of_x + of_whole + of_highpass)
        from_a, from_b, from_c = (a_first, a_second), (b_first, b_second), (c_first, c_second)
        from_d, from_e = (d_first, d_second), (e_first, e_second)
    _store_states(adjoint, 0, lanes, (from_a, from_b, from_c, from_d, from_e))


_forward_tiles = forward_tiles(_forward, *_SIZES)
_link = link_of(_forward)
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


@lru_cache(maxsize=1)
def _compile_link():
    @kept
    def three_bands_link(tile, state, numbers, count, lanes):
        _link(tile, state, numbers, count, lanes)

    return three_bands_link


KERNEL = Kernel(*_SIZES, _compile_forward, _compile_backward)
LINK = Linked(_SIZES[0], _SIZES[2], 1, _compile_link)
