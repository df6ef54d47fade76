"""Gains of chains of effects on lanes, applied to spectra, and their gradients.

A chain is a product of factors. A ratio is Σ above[r]·curve[r] over Σ below[r]·curve[r], with weights for each frame
and fixed curves along the bins; a table is any gain, ``[frames, bins]`` in memory. ``weights`` is ``[rows, items,
frames]``, ``row_step`` and ``item_step`` apart; ``curves`` is ``[rows, bins]`` in the order of ``fft.Tables.bins``.
"""

from __future__ import annotations

from djgraph.simd.jit import part
from djgraph.simd.lanes import load, peek, poke, splat, store, zeros

# Columns of the table of factors. A ratio's: rows of weights and of curves. A table's: its address, the steps in
# numbers from item to item and from frame to frame, the frame that it begins with, and where its gradient goes (0:
# nowhere).
KIND, ABOVE, ABOVE_RANK, BELOW, BELOW_RANK, ABOVE_CURVES, BELOW_CURVES = range(7)
ADDRESS, TABLE_ITEM, TABLE_FRAME, TABLE_FIRST, TABLE_GRADIENT = range(1, 6)
FACTOR_COLUMNS = 7
RATIO, TABLE = 0, 1
BLOCK = 32
"""Bins at a time: the gains of a chain's factors on them fit the first level of the cache."""


def work_size(factors: int, lanes: int) -> int:
    """Numbers of working memory for a chain of that many factors."""
    return (3 * factors + 3) * BLOCK * lanes


@part
def _weighted(weights, at, step, rank, curves, row, bins, low, high, work, into, lanes):
    """``work[into…]`` = Σ weights[r]·curves[row + r] on bins ``low…high−1``."""
    first = load(weights, at)
    line = row * bins
    if rank == 1:
        for m in range(low, high):
            store(work, into + (m - low) * lanes, first * splat(curves, line + m))
        return
    second = load(weights, at + step)
    if rank == 2:
        for m in range(low, high):
            value = first * splat(curves, line + m) + second * splat(curves, line + bins + m)
            store(work, into + (m - low) * lanes, value)
        return
    third = load(weights, at + 2 * step)
    for m in range(low, high):
        value = first * splat(curves, line + m) + second * splat(curves, line + bins + m)
        store(work, into + (m - low) * lanes, value + third * splat(curves, line + 2 * bins + m))
    for r in range(3, rank):
        weight = load(weights, at + r * step)
        line = (row + r) * bins
        for m in range(low, high):
            place = into + (m - low) * lanes
            store(work, place, load(work, place) + weight * splat(curves, line + m))


@part
def _factor(
    factors, f, weights, row_step, at, item, frame, valid, curves, order, low, high, work, into, under, lanes
):
    """``work[into…]`` = a factor's gain on bins ``low…high−1``; ``work[under…]`` = what is below, for a ratio."""
    bins = len(order)
    if factors[f, KIND] == TABLE:
        step = factors[f, TABLE_FRAME]
        start = item * factors[f, TABLE_ITEM] + (frame - factors[f, TABLE_FIRST]) * step
        for lane in range(lanes):
            begin = start + min(lane, valid - 1) * step
            for m in range(low, high):
                place = into + (m - low) * lanes + lane
                work[place] = peek(work, factors[f, ADDRESS], begin + order[m])
        return
    above = factors[f, ABOVE] * row_step + at
    rank = factors[f, ABOVE_RANK]
    _weighted(
        weights, above, row_step, rank, curves, factors[f, ABOVE_CURVES], bins, low, high, work, into, lanes
    )
    rank = factors[f, BELOW_RANK]
    if rank:
        below = factors[f, BELOW] * row_step + at
        row = factors[f, BELOW_CURVES]
        _weighted(weights, below, row_step, rank, curves, row, bins, low, high, work, under, lanes)
        for m in range(high - low):
            i, j = into + m * lanes, under + m * lanes
            store(
                work, i, load(work, i) / load(work, j)
            )  # not times 1/below: equal ones have to give exactly 1


@part
def apply(
    re, im, here, there, added, begin, end, factors, weights, row_step, item_step, item, frame, valid,
    curves, order, first, second, work, lanes,
):  # fmt: skip
    """Spectra ``there`` = those ``here`` times the product of factors ``begin…end−1``; ``added`` to what is there."""
    at, size = item * item_step + frame, BLOCK * lanes
    for low in range(0, len(order), BLOCK):
        high = min(low + BLOCK, len(order))
        for f in range(begin, end):
            into = 0 if f == begin else size
            _factor(
                factors, f, weights, row_step, at, item, frame, valid, curves, order, low, high, work, into, 2 * size,
                lanes,
            )  # fmt: skip
            if f > begin:
                for i in range(0, (high - low) * lanes, lanes):
                    store(work, i, load(work, i) * load(work, size + i))
        for m in range(low, high):
            gain = load(work, (m - low) * lanes)
            p, q = first[m] * lanes, second[m] * lanes
            _scale(re, here + p, there + p, gain, added)
            _scale(im, here + p, there + p, gain, added)
            if p != q:
                _scale(re, here + q, there + q, gain, added)
                _scale(im, here + q, there + q, gain, added)


@part
def _scale(values, here, there, gain, added):
    if added:
        store(values, there, load(values, there) + load(values, here) * gain)
    else:
        store(values, there, load(values, here) * gain)


@part
def gradients(
    re, im, here, there, begin, end, factors, weights, totals, row_step, item_step, item, frame, valid,
    curves, order, first, second, work, lanes,
):  # fmt: skip
    """Gradients of a chain's weights and tables, from the spectra ``here`` that it is applied to and the gradient
    ``there`` of what comes out. Those of weights are added to ``totals``, those of tables written to their places.

    For Y = M·X the gradient of M is Re(conj(X)·∂Y), summed over k and size − k, which share M.
    """
    at, size, count = item * item_step + frame, BLOCK * lanes, end - begin
    product, other, scaled = 3 * count * size, (3 * count + 1) * size, (3 * count + 2) * size
    for low in range(0, len(order), BLOCK):
        high = min(low + BLOCK, len(order))
        for m in range(low, high):
            p, q = first[m] * lanes, second[m] * lanes
            total = _inner(re, im, here + p, there + p)
            if p != q:
                total = total + _inner(re, im, here + q, there + q)
            store(work, product + (m - low) * lanes, total)
        # For each factor its gain, what is below, and the product of all before it.
        for f in range(begin, end):
            mine = 3 * (f - begin) * size
            _factor(
                factors, f, weights, row_step, at, item, frame, valid, curves, order, low, high, work, mine,
                mine + size, lanes,
            )  # fmt: skip
            if f > begin:
                before = mine - 3 * size
                for i in range(0, (high - low) * lanes, lanes):
                    value = load(work, before + i)
                    if f > begin + 1:
                        value = value * load(work, before + 2 * size + i)
                    store(work, mine + 2 * size + i, value)
        # ``product``: the gradient times all factors behind the one at hand.
        for back in range(count):
            f = end - 1 - back
            mine = 3 * (f - begin) * size
            for i in range(0, (high - low) * lanes, lanes):
                behind = load(work, product + i)
                value = behind
                if f > begin:
                    value = value * load(work, mine + 2 * size + i)
                store(work, other + i, value)
                store(work, product + i, behind * load(work, mine + i))
            _give(
                factors, f, totals, row_step, at, item, frame, valid, curves, order, low, high, work, other, mine,
                scaled, lanes,
            )  # fmt: skip


@part
def _inner(re, im, here, there):
    return load(re, here) * load(re, there) + load(im, here) * load(im, there)


@part
def _give(
    factors, f, totals, row_step, at, item, frame, valid, curves, order, low, high, work, gradient, mine, scaled,
    lanes,
):  # fmt: skip
    """A factor's gradient, at ``work[gradient…]``, to its weights or its table."""
    bins = len(order)
    if factors[f, KIND] == TABLE:
        address, step = factors[f, TABLE_GRADIENT], factors[f, TABLE_FRAME]
        if address:
            start = item * factors[f, TABLE_ITEM] + (frame - factors[f, TABLE_FIRST]) * step
            for lane in range(valid):
                for m in range(low, high):
                    place = gradient + (m - low) * lanes + lane
                    poke(work, address, start + lane * step + order[m], work[place])
        return
    if not factors[f, BELOW_RANK]:
        above = factors[f, ABOVE] * row_step + at
        row, rank = factors[f, ABOVE_CURVES], factors[f, ABOVE_RANK]
        _collect(totals, above, row_step, rank, curves, row, bins, low, high, work, gradient, lanes)
        return
    size = BLOCK * lanes
    for i in range(0, (high - low) * lanes, lanes):
        value = load(work, gradient + i) / load(work, mine + size + i)
        store(work, scaled + i, value)
        store(work, gradient + i, zeros(work) - value * load(work, mine + i))
    above, below = factors[f, ABOVE] * row_step + at, factors[f, BELOW] * row_step + at
    row, rank = factors[f, ABOVE_CURVES], factors[f, ABOVE_RANK]
    _collect(totals, above, row_step, rank, curves, row, bins, low, high, work, scaled, lanes)
    row, rank = factors[f, BELOW_CURVES], factors[f, BELOW_RANK]
    _collect(totals, below, row_step, rank, curves, row, bins, low, high, work, gradient, lanes)


@part
def _collect(totals, at, step, rank, curves, row, bins, low, high, work, gradient, lanes):
    for r in range(rank):
        total = load(totals, at + r * step)
        line = (row + r) * bins
        for m in range(low, high):
            total = total + load(work, gradient + (m - low) * lanes) * splat(curves, line + m)
        store(totals, at + r * step, total)
