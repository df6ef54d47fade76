"""Spectra of two channels on lanes, compared with a target's bin by bin or band by band, and the gradient of that.

Both channels were transformed as one complex signal. ``sums`` holds vectors: those of :data:`SUMS` for one channel,
then for the other.
"""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import NDArray

from djgraph.simd.jit import part
from djgraph.simd.lanes import absolute, load, logarithm, root, sign, splat, store


class Measures(NamedTuple):
    """What is measured on the spectra of one transform.

    numbers: ``[measures, 4]``, floor² and the weights of convergence, log and linear. means: ``[measures, 2]``, the
    weights of log and linear over how many values their means are of. banks: ``[measures, bins]``, the first band that
    a bin is in, −1 where bins are compared. shares: ``[measures, bins, 2]``, of it and of the next band. bands: how
    many, ``[measures]``. units: ½ and 1. Bins are in the order of ``fft.Tables.bins``; all are C-contiguous.
    """

    numbers: NDArray
    means: NDArray
    banks: NDArray
    shares: NDArray
    bands: NDArray
    units: NDArray


class Compared(NamedTuple):
    """The mix's spectrum, the powers of the target's bins, and where gradients go.

    re, im: slots, of which the spectrum has the first. The gradient (M − N)/M·X of the distance is written to the one
    that begins at ``room``; that of the other terms to the one at ``rest``, or added to it where there are several
    measures. work: room for four vectors of each band, and of one band more.
    """

    re: NDArray
    im: NDArray
    wanted: NDArray
    room: int
    rest: int
    work: NDArray


SUMS = 4
"""Of one channel: (N − M)², N², |ln N − ln M|, |N − M|."""


@part
def _apart(re, im, p, q, half):
    """The bins of two real signals that were transformed as one complex signal: two numbers each."""
    a, b, c, d = load(re, p), load(im, p), load(re, q), load(im, q)
    return (a + c) * half, (b - d) * half, (b + d) * half, (c - a) * half


@part
def powers(slots, wanted, tables, units, lanes):
    """The powers of each bin of the first slot, of the one channel and of the other, to ``wanted``."""
    re, im, first, second, half = slots.re, slots.im, tables.first, tables.second, splat(units, 0)
    for k in range(len(first)):
        x, y, u, v = _apart(re, im, first[k] * lanes, second[k] * lanes, half)
        store(wanted, 2 * k * lanes, x * x + y * y)
        store(wanted, (2 * k + 1) * lanes, u * u + v * v)


@part
def _put(re, im, p, q, added, x, y, u, v):
    """The inverse of :func:`_apart`, but for a factor that is the caller's."""
    a, b, c, d = x - v, y + u, x + v, u - y
    if added:
        a, b, c, d = a + load(re, p), b + load(im, p), c + load(re, q), d + load(im, q)
    store(re, p, a)
    store(im, p, b)
    if p != q:
        store(re, q, c)
        store(im, q, d)


@part
def _magnitudes(x, y, wanted, at, floor):
    """Squares and roots, of the mix and of the target."""
    mix, target = x * x + y * y + floor, load(wanted, at) + floor
    return mix, target, root(mix), root(target)


@part
def _sum(sums, kind, value):
    store(sums, kind, load(sums, kind) + value)


@part
def bins(compared, measures, m, tables, sums, with_gradient, lanes):
    """Measure ``m`` on bins: its sums, and the gradients of its terms where they are wanted."""
    re, im, wanted, room, rest = compared.re, compared.im, compared.wanted, compared.room, compared.rest
    first, second, means = tables.first, tables.second, measures.means
    added = len(measures.bands) > 1
    half, one, floor = splat(measures.units, 0), splat(measures.units, 1), splat(measures.numbers, 4 * m)
    of_log, of_linear = splat(means, 2 * m), splat(means, 2 * m + 1)
    with_log, with_linear = means[m, 0] > 0, means[m, 1] > 0
    for k in range(len(first)):
        p, q = first[k] * lanes, second[k] * lanes
        x, y, u, v = _apart(re, im, p, q, half)
        mix, target, a, b = _magnitudes(x, y, wanted, 2 * k * lanes, floor)
        mix_2, target_2, a_2, b_2 = _magnitudes(u, v, wanted, (2 * k + 1) * lanes, floor)
        d, d_2 = a - b, a_2 - b_2
        _sum(sums, 0, d * d)
        _sum(sums, lanes, target)
        _sum(sums, SUMS * lanes, d_2 * d_2)
        _sum(sums, (SUMS + 1) * lanes, target_2)
        if with_log:
            _sum(sums, 2 * lanes, half * absolute(logarithm(mix / target)))
            _sum(sums, (SUMS + 2) * lanes, half * absolute(logarithm(mix_2 / target_2)))
        if with_linear:
            _sum(sums, 3 * lanes, absolute(d))
            _sum(sums, (SUMS + 3) * lanes, absolute(d_2))
        if with_gradient:
            scale = one if p == q else half
            r, r_2 = scale / a, scale / a_2
            slope, slope_2 = (
                sign(d) * (of_linear + of_log / a) * r,
                sign(d_2) * (of_linear + of_log / a_2) * r_2,
            )
            d, d_2 = d * r, d_2 * r_2
            _put(re, im, room + p, room + q, False, x * d, y * d, u * d_2, v * d_2)
            _put(re, im, rest + p, rest + q, added, x * slope, y * slope, u * slope_2, v * slope_2)


@part
def bands(compared, measures, m, tables, sums, with_gradient, lanes):
    """The same on bands: weighted means of neighbouring bins' magnitudes."""
    re, im, wanted, room, rest = compared.re, compared.im, compared.wanted, compared.room, compared.rest
    first, second, means = tables.first, tables.second, measures.means
    added = len(measures.bands) > 1
    half, one, floor = splat(measures.units, 0), splat(measures.units, 1), splat(measures.numbers, 4 * m)
    of_log, of_linear = splat(means, 2 * m), splat(means, 2 * m + 1)
    banks, shares, many, work = measures.banks[m], measures.shares, measures.bands[m], compared.work
    share_of = 2 * m * len(first)  # where this measure's shares begin
    step = (many + 1) * lanes
    work[: 4 * step] = 0
    for k in range(len(first)):
        p, q = first[k] * lanes, second[k] * lanes
        x, y, u, v = _apart(re, im, p, q, half)
        _, _, a, b = _magnitudes(x, y, wanted, 2 * k * lanes, floor)
        _, _, a_2, b_2 = _magnitudes(u, v, wanted, (2 * k + 1) * lanes, floor)
        for which in range(2):
            share, at = splat(shares, share_of + 2 * k + which), (banks[k] + which) * lanes
            _sum(work, at, share * a)
            _sum(work, step + at, share * b)
            _sum(work, 2 * step + at, share * a_2)
            _sum(work, 3 * step + at, share * b_2)
    for channel in range(2):
        to = SUMS * channel * lanes
        for band in range(many):
            at = 2 * channel * step + band * lanes
            a, b = load(work, at), load(work, at + step)
            d = a - b
            _sum(sums, to, d * d)
            _sum(sums, to + lanes, b * b)
            _sum(sums, to + 2 * lanes, absolute(logarithm(a / b)))
            _sum(sums, to + 3 * lanes, absolute(d))
            store(work, at, d)
            store(work, at + step, sign(d) * (of_linear + of_log / a))
    if not with_gradient:
        return
    for k in range(len(first)):
        p, q = first[k] * lanes, second[k] * lanes
        x, y, u, v = _apart(re, im, p, q, half)
        scale = one if p == q else half
        r, r_2 = scale / root(x * x + y * y + floor), scale / root(u * u + v * v + floor)
        at = banks[k] * lanes
        low = splat(shares, share_of + 2 * k)
        high = splat(shares, share_of + 2 * k + 1)
        d = (low * load(work, at) + high * load(work, at + lanes)) * r
        slope = (low * load(work, at + step) + high * load(work, at + step + lanes)) * r
        at += 2 * step
        d_2 = (low * load(work, at) + high * load(work, at + lanes)) * r_2
        slope_2 = (low * load(work, at + step) + high * load(work, at + step + lanes)) * r_2
        _put(re, im, room + p, room + q, False, x * d, y * d, u * d_2, v * d_2)
        _put(re, im, rest + p, rest + q, added, x * slope, y * slope, u * slope_2, v * slope_2)
