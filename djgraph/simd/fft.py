"""Fast Fourier transforms of as many complex signals as a vector has lanes, in place.

Radix 4, decimation in frequency on the way there and in time on the way back (Cooley and Tukey, 1965; Gentleman and
Sande, 1966). Frequencies stay in the order in which they come out, which the way back wants: nothing is sorted. A
stereo signal is one complex signal, left + i·right. A real gain that is the same for both channels, and so at k and
size − k, acts on it as on each channel, so the two spectra are never taken apart.

A slot holds one block ``[size, lanes]``; ``at`` is where it begins in ``re`` and ``im``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from djgraph.simd.jit import part
from djgraph.simd.lanes import load, splat, store

LEAF = 512
"""Points of a part that is finished before the next is begun: its data stays in the first level of the cache."""


class Tables(NamedTuple):
    """What a transform of ``size`` points needs.

    factors: the twiddle factors of all passes one after another, six numbers for each butterfly; starts: where each
    pass's begin. ``first`` and ``second`` are the places of the bins k and size − k (the same for 0 and size/2), and
    ``bins`` k, ascending by the first place.
    """

    factors: NDArray
    starts: NDArray
    first: NDArray
    second: NDArray
    bins: NDArray


class Slots(NamedTuple):
    """Real and imaginary parts of several blocks of frames or spectra, one after another."""

    re: NDArray
    im: NDArray


@lru_cache(maxsize=16)
def tables(size: int, dtype: str) -> Tables:
    """size: a power of two from 16 up."""
    factors: list[NDArray] = []
    points = size
    while points >= 8:
        turns = np.exp(-2j * np.pi * np.outer(np.arange(points // 4), (1, 2, 3)) / points)
        factors.append(np.stack((turns.real, turns.imag), axis=-1).reshape(-1))
        points //= 4
    starts = np.cumsum([0, *(len(part) for part in factors[:-1])])
    order = _order(size)
    place = np.argsort(order)
    first = np.flatnonzero(order <= size // 2)
    bins = order[first]
    return Tables(
        np.concatenate(factors).astype(dtype),
        starts,
        first,
        place[(size - bins) % size],
        bins,
    )


def _order(size: int) -> NDArray:
    """The frequency at each place."""
    if size <= 4:
        return np.arange(size)
    inner = _order(size // 4)
    return np.concatenate([4 * inner + part for part in range(4)])


@part
def forward(slots, at, size, lanes, tables):
    """Signals → spectra."""
    re, im, factors, starts = slots.re, slots.im, tables.factors, tables.starts
    points, level = size, 0
    while points > LEAF:
        for block in range(0, size, points):
            _apart(re, im, at + block * lanes, points, lanes, factors, starts[level])
        points //= 4
        level += 1
    leaf = points
    for begin in range(0, size, leaf):
        points, inner = leaf, level
        while points >= 8:
            for block in range(begin, begin + leaf, points):
                _apart(re, im, at + block * lanes, points, lanes, factors, starts[inner])
            points //= 4
            inner += 1
        _last(re, im, at + begin * lanes, leaf, points, lanes)


@part
def backward(slots, at, size, lanes, tables):
    """Spectra → signals, times size."""
    re, im, factors, starts = slots.re, slots.im, tables.factors, tables.starts
    smallest = size
    while smallest >= 8:
        smallest //= 4
    leaf, outer = size, 0
    while leaf > LEAF:
        leaf //= 4
        outer += 1
    for begin in range(0, size, leaf):
        _first(re, im, at + begin * lanes, leaf, smallest, lanes)
        points, level = 4 * smallest, len(starts) - 1
        while points <= leaf:
            for block in range(begin, begin + leaf, points):
                _together(re, im, at + block * lanes, points, lanes, factors, starts[level])
            points *= 4
            level -= 1
    points, level = 4 * leaf, outer - 1
    while points <= size:
        for block in range(0, size, points):
            _together(re, im, at + block * lanes, points, lanes, factors, starts[level])
        points *= 4
        level -= 1


@part
def _cross(re, im, i0, i1, i2, i3):
    """The transform of four points, real and imaginary parts by turns."""
    a0, b0 = load(re, i0), load(im, i0)
    a1, b1 = load(re, i1), load(im, i1)
    a2, b2 = load(re, i2), load(im, i2)
    a3, b3 = load(re, i3), load(im, i3)
    return _crossed(a0, b0, a1, b1, a2, b2, a3, b3)


@part
def _crossed(a0, b0, a1, b1, a2, b2, a3, b3):
    s0, t0 = a0 + a2, b0 + b2
    s1, t1 = a0 - a2, b0 - b2
    s2, t2 = a1 + a3, b1 + b3
    s3, t3 = a1 - a3, b1 - b3
    return s0 + s2, t0 + t2, s1 + t3, t1 - s3, s0 - s2, t0 - t2, s1 - t3, t1 + s3


@part
def _put(re, im, at, x, y):
    store(re, at, x)
    store(im, at, y)


@part
def _put_turned(re, im, at, x, y, factors, turn):
    """Writes x + i·y times a twiddle factor."""
    c, s = splat(factors, turn), splat(factors, turn + 1)
    _put(re, im, at, x * c - y * s, x * s + y * c)


@part
def _turned_back(re, im, at, factors, turn):
    """What is there, divided by a twiddle factor."""
    x, y = load(re, at), load(im, at)
    c, s = splat(factors, turn), splat(factors, turn + 1)
    return x * c + y * s, y * c - x * s


@part
def _apart(re, im, at, points, lanes, factors, start):
    """One pass forward: transforms of four points, then twiddle factors."""
    step = points // 4 * lanes
    for k in range(points // 4):
        i0 = at + k * lanes
        i1 = i0 + step
        i2 = i1 + step
        i3 = i2 + step
        turn = start + 6 * k
        x0, y0, x1, y1, x2, y2, x3, y3 = _cross(re, im, i0, i1, i2, i3)
        _put(re, im, i0, x0, y0)
        _put_turned(re, im, i1, x1, y1, factors, turn)
        _put_turned(re, im, i2, x2, y2, factors, turn + 2)
        _put_turned(re, im, i3, x3, y3, factors, turn + 4)


@part
def _together(re, im, at, points, lanes, factors, start):
    """One pass backward: twiddle factors the other way round, then transforms of four points.

    A transform backward is one forward with the second and the fourth result exchanged.
    """
    step = points // 4 * lanes
    for k in range(points // 4):
        i0 = at + k * lanes
        i1 = i0 + step
        i2 = i1 + step
        i3 = i2 + step
        turn = start + 6 * k
        a0, b0 = load(re, i0), load(im, i0)
        a1, b1 = _turned_back(re, im, i1, factors, turn)
        a2, b2 = _turned_back(re, im, i2, factors, turn + 2)
        a3, b3 = _turned_back(re, im, i3, factors, turn + 4)
        x0, y0, x1, y1, x2, y2, x3, y3 = _crossed(a0, b0, a1, b1, a2, b2, a3, b3)
        _put(re, im, i0, x0, y0)
        _put(re, im, i1, x3, y3)
        _put(re, im, i2, x2, y2)
        _put(re, im, i3, x1, y1)


@part
def _last(re, im, at, count, points, lanes):
    """Transforms of two or four points, forward."""
    if points == 2:
        _pairs(re, im, at, count, lanes)
        return
    for k in range(0, count, 4):
        i0 = at + k * lanes
        i1 = i0 + lanes
        i2 = i1 + lanes
        i3 = i2 + lanes
        x0, y0, x1, y1, x2, y2, x3, y3 = _cross(re, im, i0, i1, i2, i3)
        _put(re, im, i0, x0, y0)
        _put(re, im, i1, x1, y1)
        _put(re, im, i2, x2, y2)
        _put(re, im, i3, x3, y3)


@part
def _first(re, im, at, count, points, lanes):
    """Transforms of two or four points, backward: those forward with re and im exchanged."""
    _last(im, re, at, count, points, lanes)


@part
def _pairs(re, im, at, count, lanes):
    for k in range(0, count, 2):
        i0 = at + k * lanes
        i1 = i0 + lanes
        a0, b0 = load(re, i0), load(im, i0)
        a1, b1 = load(re, i1), load(im, i1)
        _put(re, im, i0, a0 + a1, b0 + b1)
        _put(re, im, i1, a0 - a1, b0 - b1)
