"""Two bands that fit the analogue magnitudes, weighted and added, one signal on each lane.

The formulas are those of :mod:`djgraph.dsp.bands`, and the filters those of :mod:`djgraph.simd.state_variable`, with
g and k made by square roots instead of a tangent.

Numbers: what makes h = ½·ω of a cutoff in Hz, and the coefficients of the fit. Rows of a tile: x, cutoff, low, high |
y | ∂y | ∂x, ∂cutoff, ∂low, ∂high | states of the first filter, of the second one.
"""

from __future__ import annotations

from functools import lru_cache

from djgraph.simd.functions import fill, where_greater
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, root, store, zeros
from djgraph.simd.recursion import Kernel, backward_tiles, forward_tiles, row_size
from djgraph.simd.state_variable import pull_back, step

_SECOND = (4, 1, 2)
_FOURTH = (4, 1, 4)


@part
def positive(cutoff, like):
    """The cutoff, or 0 where it is less."""
    none = zeros(like)
    return where_greater(cutoff, none, cutoff, none)


@part
def of_second(cutoff, scale, fit, like):
    """g, 1/λ = 1/(1 + fit·h²): g = h/√λ."""
    one = fill(like, 1.0)
    h = scale * cutoff
    share = one / (one + fit * h * h)
    return h * root(share), share


@part
def of_fourth(cutoff, scale, fit, curve, like):
    """g, k and 1/λ = 1/(1 + curve·h⁴): g = h·λ^−¼, k = √(2 + fit·g²)."""
    one = fill(like, 1.0)
    h = scale * cutoff
    square = h * h
    share = one / (one + curve * square * square)
    g = h * root(root(share))
    return g, root(one + one + fit * g * g), share


@part
def over(g, k, like):
    """1/d with d = 1 + g·(g + k), and g/d, g²/d, 1 − 1/d: the coefficients of a step."""
    one = fill(like, 1.0)
    inverse = one / (one + g * (g + k))
    second = g * inverse
    third = g * second
    return inverse, second, third, third + k * second


@part
def _forward_second(tile, state, numbers, count, lanes):
    row = row_size(lanes)
    scale, fit, k = fill(tile, numbers[0]), fill(tile, numbers[1]), fill(tile, 2.0)
    first, second = load(state, 0), load(state, lanes)
    for t in range(count):
        at = t * lanes
        x = load(tile, at)
        g, share = of_second(positive(load(tile, row + at), tile), scale, fit, tile)
        _, a2, a3, lost = over(g, k, tile)
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        first, second = v1 + half_first, v2 + half_second
        all_pass = v1 + v1 + v2 + v2 - x
        above = share * (v1 + v1 + v2 - x)
        low, high = load(tile, 2 * row + at), load(tile, 3 * row + at)
        store(tile, 4 * row + at, low * (all_pass - above) + high * above)
    store(state, 0, first)
    store(state, lanes, second)


@part
def _backward_second(tile, state, adjoint, numbers, count, lanes):
    row = row_size(lanes)
    scale, fit, k = fill(tile, numbers[0]), fill(tile, numbers[1]), fill(tile, 2.0)
    none = zeros(tile)
    first, second = load(state, 0), load(state, lanes)
    for t in range(count):
        at = t * lanes
        store(tile, 10 * row + at, first)
        store(tile, 11 * row + at, second)
        g, _ = of_second(positive(load(tile, row + at), tile), scale, fit, tile)
        _, a2, a3, lost = over(g, k, tile)
        half_first, half_second = step(load(tile, at), first, second, a2, a3, lost)
        first, second = first + half_first + half_first, second + half_second + half_second
    from_first, from_second = load(adjoint, 0), load(adjoint, lanes)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        x, cutoff = load(tile, at), load(tile, row + at)
        low, high = load(tile, 2 * row + at), load(tile, 3 * row + at)
        first, second = load(tile, 10 * row + at), load(tile, 11 * row + at)
        held = positive(cutoff, tile)
        g, share = of_second(held, scale, fit, tile)
        inverse, a2, a3, lost = over(g, k, tile)
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        highpass = v1 + v1 + v2 - x  # turned
        above = share * highpass
        of_y = load(tile, 5 * row + at)
        store(tile, 8 * row + at, of_y * (highpass + v2 - above))
        store(tile, 9 * row + at, of_y * above)
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
        store(tile, 6 * row + at, of_x - of_highpass)
        # dg/dh = share·√share; d share/dh = −2·fit·h·share²
        h = scale * held
        of_h = of_g * share * root(share) - (of_above * highpass) * (fit + fit) * h * share * share
        store(tile, 7 * row + at, where_greater(none, cutoff, none, of_h * scale))
    store(adjoint, 0, from_first)
    store(adjoint, lanes, from_second)


@part
def _forward_fourth(tile, state, numbers, count, lanes):
    row = row_size(lanes)
    scale, fit, curve = fill(tile, numbers[0]), fill(tile, numbers[1]), fill(tile, numbers[2])
    first, second = load(state, 0), load(state, lanes)
    third, fourth = load(state, 2 * lanes), load(state, 3 * lanes)
    for t in range(count):
        at = t * lanes
        x = load(tile, at)
        g, k, share = of_fourth(positive(load(tile, row + at), tile), scale, fit, curve, tile)
        _, a2, a3, lost = over(g, k, tile)
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        first, second = v1 + half_first, v2 + half_second
        bandpass = k * v1
        highpass = x - bandpass - v2
        half_third, half_fourth = step(highpass, third, fourth, a2, a3, lost)
        w1, w2 = third + half_third, fourth + half_fourth
        third, fourth = w1 + half_third, w2 + half_fourth
        above = share * (highpass - k * w1 - w2)
        low, high = load(tile, 2 * row + at), load(tile, 3 * row + at)
        store(tile, 4 * row + at, low * (x - bandpass - bandpass - above) + high * above)
    store(state, 0, first)
    store(state, lanes, second)
    store(state, 2 * lanes, third)
    store(state, 3 * lanes, fourth)


@part
def _backward_fourth(tile, state, adjoint, numbers, count, lanes):
    row = row_size(lanes)
    scale, fit, curve = fill(tile, numbers[0]), fill(tile, numbers[1]), fill(tile, numbers[2])
    none, four = zeros(tile), fill(tile, 4.0)
    first, second = load(state, 0), load(state, lanes)
    third, fourth = load(state, 2 * lanes), load(state, 3 * lanes)
    for t in range(count):
        at = t * lanes
        store(tile, 10 * row + at, first)
        store(tile, 11 * row + at, second)
        store(tile, 12 * row + at, third)
        store(tile, 13 * row + at, fourth)
        x = load(tile, at)
        g, k, _ = of_fourth(positive(load(tile, row + at), tile), scale, fit, curve, tile)
        _, a2, a3, lost = over(g, k, tile)
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        half_third, half_fourth = step(x - k * v1 - v2, third, fourth, a2, a3, lost)
        first, second = v1 + half_first, v2 + half_second
        third, fourth = third + half_third + half_third, fourth + half_fourth + half_fourth
    from_first, from_second = load(adjoint, 0), load(adjoint, lanes)
    from_third, from_fourth = load(adjoint, 2 * lanes), load(adjoint, 3 * lanes)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        x, cutoff = load(tile, at), load(tile, row + at)
        low, high = load(tile, 2 * row + at), load(tile, 3 * row + at)
        first, second = load(tile, 10 * row + at), load(tile, 11 * row + at)
        third, fourth = load(tile, 12 * row + at), load(tile, 13 * row + at)
        held = positive(cutoff, tile)
        g, k, share = of_fourth(held, scale, fit, curve, tile)
        inverse, a2, a3, lost = over(g, k, tile)
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        highpass = x - k * v1 - v2
        half_third, half_fourth = step(highpass, third, fourth, a2, a3, lost)
        w1, w2 = third + half_third, fourth + half_fourth
        twice = highpass - k * w1 - w2
        above = share * twice
        of_y = load(tile, 5 * row + at)
        store(tile, 8 * row + at, of_y * (x - (k + k) * v1 - above))
        store(tile, 9 * row + at, of_y * above)
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
        store(tile, 6 * row + at, of_x + of_sum + of_highpass)
        # k = √(2 + fit·g²); what it is multiplied by here: −2·v1 of the sum, −v1 and −w1 of the highpasses
        of_k = less_of_k + later_less_of_k
        of_k = none - of_k - of_sum * (v1 + v1) - of_highpass * v1 - of_twice * w1
        of_g = of_g + later_of_g + of_k * fit * g / k
        # dg/dh = share^(5/4); d share/dh = −4·curve·h³·share²
        h = scale * held
        grown = four * curve * h * h * h * share * share
        of_h = of_g * share * root(root(share)) - of_above * twice * grown
        store(tile, 7 * row + at, where_greater(none, cutoff, none, of_h * scale))
    store(adjoint, 0, from_first)
    store(adjoint, lanes, from_second)
    store(adjoint, 2 * lanes, from_third)
    store(adjoint, 3 * lanes, from_fourth)


_second_forward_tiles = forward_tiles(_forward_second, *_SECOND)
_second_backward_tiles = backward_tiles(_backward_second, *_SECOND)
_fourth_forward_tiles = forward_tiles(_forward_fourth, *_FOURTH)
_fourth_backward_tiles = backward_tiles(_backward_fourth, *_FOURTH)


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


SECOND = Kernel(*_SECOND, _compile_second_forward, _compile_second_backward)
FOURTH = Kernel(*_FOURTH, _compile_fourth_forward, _compile_fourth_backward)
