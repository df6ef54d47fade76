"""The state-variable filter with its controls at every sample, one signal on each lane.

The formulas are those of :mod:`djgraph.dsp.state_variable`. With S = sin(π·f), C = cos(π·f) for a cutoff of f
cycles per sample, and g = S/C, k = 1/q, d = 1 + g·(g + k), one division makes all coefficients:

g/d = S·C·q/(q + S·C)    g²/d = S²·q/(q + S·C)    1 − 1/d = g²/d + k·g/d    1/d = C²·q/(q + S·C)

States grow by what is added to them, so that a low cutoff in single precision stays where it is.

Rows of a tile: x, cutoff, q, low, band, high | y | ∂y | ∂x, ∂cutoff, ∂q, ∂low, ∂band, ∂high | first, second state.
"""

from __future__ import annotations

import math
from functools import lru_cache

from djgraph.simd.functions import cosine, fill, sine, where_greater
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, store, zeros
from djgraph.simd.recursion import Kernel, backward_tiles, forward_tiles
from djgraph.simd.tile import row_size

_SIZES = (6, 1, 2)

HIGHEST = 0.49
"""Cycles per sample: cutoffs above are taken as this one."""


@part
def limited(cutoff, inverse_rate, like):
    """A cutoff in cycles per sample, within 0…``HIGHEST``."""
    f = cutoff * inverse_rate
    none, highest = zeros(like), fill(like, HIGHEST)
    f = where_greater(f, none, f, none)
    return where_greater(f, highest, highest, f)


@part
def coefficients(f, q, like):
    """k, g/d, g²/d and 1 − 1/d."""
    s, c = sine(f), cosine(f)
    product = s * c
    total = q + product
    inverse = fill(like, 1.0) / (q * total)
    k, over_total = inverse * total, inverse * q
    scaled = over_total * q
    second = product * scaled
    third = s * s * scaled
    return k, second, third, third + k * second


@part
def step(x, first, second, a2, a3, lost):
    """What one sample adds to the two states, half of it: the outputs are the states in the middle."""
    distance = x - second
    return a2 * distance - lost * first, a3 * distance + a2 * first


@part
def pull_back(x, second, v1, coefficients, of_outputs, from_states):
    """The gradients of one sample's x, g and less k's, and of the states before it.

    second: the second state before it. coefficients: g, k and 1/d. of_outputs: the gradients of v1 and v2.
    from_states: those of the states after it.
    """
    g, k, kept_share = coefficients
    of_v1, of_v2 = of_outputs
    from_first, from_second = from_states
    # The states after it are 2·v1 − first and 2·v2 − second; v2 = second + g·v1;
    # v1 = u/d with u = first + g·(x − second) and d = 1 + g·(g + k).
    of_v2 = of_v2 + from_second + from_second
    of_v1 = of_v1 + from_first + from_first + of_v2 * g
    of_u = of_v1 * kept_share
    loss = of_u * v1  # less the gradient of d
    of_x = of_u * g
    of_g = of_v2 * v1 + of_u * (x - second) - loss * (g + g + k)
    return of_x, of_g, loss * g, of_u - from_first, of_v2 - of_x - from_second


@part
def of_cutoff(of_g, g, cutoff, inverse_rate, like):
    """The gradient of a cutoff in Hz from that of g = tan(π·f); nothing beyond the limits."""
    none, one, highest = zeros(like), fill(like, 1.0), fill(like, HIGHEST)
    f = cutoff * inverse_rate
    of_f = of_g * (fill(like, math.pi) * inverse_rate) * (one + g * g)
    return where_greater(none, f, none, where_greater(f, highest, none, of_f))


@part
def _forward(tile, state, numbers, count, lanes):
    row = row_size(lanes)
    inverse_rate = fill(tile, numbers[0])
    first, second = load(state, 0), load(state, lanes)
    for t in range(count):
        at = t * lanes
        x, q = load(tile, at), load(tile, 2 * row + at)
        k, a2, a3, lost = coefficients(limited(load(tile, row + at), inverse_rate, tile), q, tile)
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        first, second = v1 + half_first, v2 + half_second
        low, band, high = load(tile, 3 * row + at), load(tile, 4 * row + at), load(tile, 5 * row + at)
        bandpass = k * v1
        store(tile, 6 * row + at, low * v2 + band * bandpass + high * (x - bandpass - v2))
    store(state, 0, first)
    store(state, lanes, second)


@part
def _trace(tile, state, numbers, count, lanes):
    """The states before each sample."""
    row = row_size(lanes)
    inverse_rate = fill(tile, numbers[0])
    first, second = load(state, 0), load(state, lanes)
    for t in range(count):
        at = t * lanes
        store(tile, 14 * row + at, first)
        store(tile, 15 * row + at, second)
        f = limited(load(tile, row + at), inverse_rate, tile)
        _, a2, a3, lost = coefficients(f, load(tile, 2 * row + at), tile)
        half_first, half_second = step(load(tile, at), first, second, a2, a3, lost)
        first, second = first + half_first + half_first, second + half_second + half_second


@part
def _backward(tile, state, adjoint, numbers, count, lanes):
    _trace(tile, state, numbers, count, lanes)
    row = row_size(lanes)
    inverse_rate, one, none = fill(tile, numbers[0]), fill(tile, 1.0), zeros(tile)
    from_first, from_second = load(adjoint, 0), load(adjoint, lanes)
    for t in range(count - 1, -1, -1):
        at = t * lanes
        x, cutoff, q = load(tile, at), load(tile, row + at), load(tile, 2 * row + at)
        f = limited(cutoff, inverse_rate, tile)
        first, second = load(tile, 14 * row + at), load(tile, 15 * row + at)
        k, a2, a3, lost = coefficients(f, q, tile)
        half_first, half_second = step(x, first, second, a2, a3, lost)
        v1, v2 = first + half_first, second + half_second
        g = sine(f) / cosine(f)
        low, band, high = load(tile, 3 * row + at), load(tile, 4 * row + at), load(tile, 5 * row + at)
        gradient = load(tile, 7 * row + at)
        bandpass = k * v1
        store(tile, 11 * row + at, gradient * v2)
        store(tile, 12 * row + at, gradient * bandpass)
        store(tile, 13 * row + at, gradient * (x - bandpass - v2))
        # y = high·x + (band − high)·k·v1 + (low − high)·v2
        of_band, of_v2 = gradient * (band - high), gradient * (low - high)
        of_x, of_g, less_of_k, from_first, from_second = pull_back(
            x, second, v1, (g, k, one - lost), (of_band * k, of_v2), (from_first, from_second)
        )
        store(tile, 8 * row + at, gradient * high + of_x)
        store(tile, 9 * row + at, of_cutoff(of_g, g, cutoff, inverse_rate, tile))
        store(tile, 10 * row + at, (none - of_band * v1 + less_of_k) * k * k)
    store(adjoint, 0, from_first)
    store(adjoint, lanes, from_second)


_forward_tiles = forward_tiles(_forward, *_SIZES)
_backward_tiles = backward_tiles(_backward, *_SIZES)


@lru_cache(maxsize=1)
def _compile_forward():
    @kept
    def state_variable_forward(*arguments):
        _forward_tiles(*arguments)

    return state_variable_forward


@lru_cache(maxsize=1)
def _compile_backward():
    @kept
    def state_variable_backward(*arguments):
        _backward_tiles(*arguments)

    return state_variable_backward


KERNEL = Kernel(*_SIZES, _compile_forward, _compile_backward)
