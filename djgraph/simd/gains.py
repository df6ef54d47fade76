"""Gains of chains of effects on lanes, applied to spectra, and their gradients.

A chain is a product of factors. A ratio is Σ above[r]·curve[r] over Σ below[r]·curve[r], with weights for each frame
and fixed curves along the bins; a table is any gain, ``[frames, bins]`` in memory.
"""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import NDArray

from djgraph.simd.jit import inlined, part
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


class Chains(NamedTuple):
    """Chains of factors and what these are made of.

    starts: the first factor of each chain, and one number more; factors: ``[factors, FACTOR_COLUMNS]``. weights, and
    totals for their gradients: ``[rows, items, frames]`` with a vector's length of frames behind the last. curves:
    ``[rows, bins]`` in the order of ``fft.Tables.bins``. work: room of :func:`work_size`. All are C-contiguous.
    """

    starts: NDArray
    factors: NDArray
    weights: NDArray
    totals: NDArray
    curves: NDArray
    work: NDArray


def work_size(factors: int, lanes: int) -> int:
    """Numbers of working memory for a chain of that many factors."""
    return (3 * factors + 3) * BLOCK * lanes


# A sum is a tuple: the row of its first weight, how many there are, and the row of its first curve. A block is a
# tuple of bins, its first and the one after its last. Values of a block stand in ``work`` from some place on.


@part
def _above(factors, f):
    return factors[f, ABOVE], factors[f, ABOVE_RANK], factors[f, ABOVE_CURVES]


@part
def _below(factors, f):
    return factors[f, BELOW], factors[f, BELOW_RANK], factors[f, BELOW_CURVES]


@part
def _place(weights, row, frames):
    """Where the frames' weights of a row begin, and the step to the next row."""
    _, items, count = weights.shape
    return (row * items + frames.item) * count + frames.first, items * count


@part
def _weighted(weights, curves, work, total, frames, block, into, lanes):
    """``work[into…]`` = Σ weights[r]·curves[r], the sum ``total``, on the bins of a block."""
    row, rank, curve = total
    at, step = _place(weights, row, frames)
    (low, high), bins = block, curves.shape[1]
    first = load(weights, at)
    line = curve * bins
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
        line = (curve + r) * bins
        for m in range(low, high):
            place = into + (m - low) * lanes
            store(work, place, load(work, place) + weight * splat(curves, line + m))


@part
def _factor(chains, f, frames, order, block, into, under, lanes):
    """``work[into…]`` = a factor's gain on the bins of a block; ``work[under…]`` = what is below, for a ratio."""
    factors, weights, curves, work = chains.factors, chains.weights, chains.curves, chains.work
    low, high = block
    if factors[f, KIND] == TABLE:
        step = factors[f, TABLE_FRAME]
        start = frames.item * factors[f, TABLE_ITEM] + (frames.first - factors[f, TABLE_FIRST]) * step
        for lane in range(lanes):
            begin = start + min(lane, frames.valid - 1) * step
            for m in range(low, high):
                place = into + (m - low) * lanes + lane
                work[place] = peek(work, factors[f, ADDRESS], begin + order[m])
        return
    _weighted(weights, curves, work, _above(factors, f), frames, block, into, lanes)
    if factors[f, BELOW_RANK]:
        _weighted(weights, curves, work, _below(factors, f), frames, block, under, lanes)
        for m in range(high - low):
            i, j = into + m * lanes, under + m * lanes
            # Not times 1/below: equal sums have to give exactly 1.
            store(work, i, load(work, i) / load(work, j))


@inlined
def gain_of(chains, chain, frames, order, block, lanes):
    """``work[0…]`` = a chain's gain on the bins of a block."""
    work, (low, high) = chains.work, block
    begin, end, size = chains.starts[chain], chains.starts[chain + 1], BLOCK * lanes
    for f in range(begin, end):
        into = 0 if f == begin else size
        _factor(chains, f, frames, order, block, into, 2 * size, lanes)
        if f > begin:
            for i in range(0, (high - low) * lanes, lanes):
                store(work, i, load(work, i) * load(work, size + i))


@part
def apply(slots, here, there, added, chains, chain, frames, tables, lanes):
    """Spectra ``there`` = those ``here`` times a chain's gain; ``added`` to what is there."""
    re, im, work = slots.re, slots.im, chains.work
    order, first, second = tables.bins, tables.first, tables.second
    for low in range(0, len(order), BLOCK):
        high = min(low + BLOCK, len(order))
        gain_of(chains, chain, frames, order, (low, high), lanes)
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
def gradients(slots, here, there, chains, chain, frames, tables, lanes):
    """Gradients of a chain's weights and tables, from the spectra ``here`` that it is applied to and the gradient
    ``there`` of what comes out. Those of weights are added to ``totals``, those of tables written to their places.

    For Y = M·X the gradient of M is Re(conj(X)·∂Y), summed over k and size − k, which share M.
    """
    re, im, work = slots.re, slots.im, chains.work
    order, first, second = tables.bins, tables.first, tables.second
    product = 3 * (chains.starts[chain + 1] - chains.starts[chain]) * BLOCK * lanes
    for low in range(0, len(order), BLOCK):
        high = min(low + BLOCK, len(order))
        for m in range(low, high):
            p, q = first[m] * lanes, second[m] * lanes
            total = _inner(re, im, here + p, there + p)
            if p != q:
                total = total + _inner(re, im, here + q, there + q)
            store(work, product + (m - low) * lanes, total)
        factors_of(chains, chain, frames, order, (low, high), lanes)
        give_back(chains, chain, frames, order, (low, high), lanes)


@inlined
def factors_of(chains, chain, frames, order, block, lanes):
    """For each factor of a chain, on the bins of a block, in ``work``: its gain, what is below, and the product of all
    before it."""
    work, (low, high) = chains.work, block
    begin, end, size = chains.starts[chain], chains.starts[chain + 1], BLOCK * lanes
    for f in range(begin, end):
        mine = 3 * (f - begin) * size
        _factor(chains, f, frames, order, block, mine, mine + size, lanes)
        if f > begin:
            before = mine - 3 * size
            for i in range(0, (high - low) * lanes, lanes):
                value = load(work, before + i)
                if f > begin + 1:
                    value = value * load(work, before + 2 * size + i)
                store(work, mine + 2 * size + i, value)


@inlined
def give_back(chains, chain, frames, order, block, lanes):
    """Gradients of a chain's factors on the bins of a block, from that of their product, which stands behind what
    :func:`factors_of` left."""
    work, (low, high) = chains.work, block
    begin, end, size = chains.starts[chain], chains.starts[chain + 1], BLOCK * lanes
    count = end - begin
    product, other, scaled = 3 * count * size, (3 * count + 1) * size, (3 * count + 2) * size
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
        _give(chains, f, frames, order, block, other, mine, scaled, lanes)


@part
def _inner(re, im, here, there):
    return load(re, here) * load(re, there) + load(im, here) * load(im, there)


@part
def _give(chains, f, frames, order, block, gradient, mine, scaled, lanes):
    """A factor's gradient, at ``work[gradient…]``, to its weights or its table.

    mine: where its gain and what is below stand; scaled: room for a block.
    """
    factors, totals, curves, work = chains.factors, chains.totals, chains.curves, chains.work
    low, high = block
    if factors[f, KIND] == TABLE:
        address, step = factors[f, TABLE_GRADIENT], factors[f, TABLE_FRAME]
        if address:
            start = frames.item * factors[f, TABLE_ITEM] + (frames.first - factors[f, TABLE_FIRST]) * step
            for lane in range(frames.valid):
                for m in range(low, high):
                    place = gradient + (m - low) * lanes + lane
                    poke(work, address, start + lane * step + order[m], work[place])
        return
    if not factors[f, BELOW_RANK]:
        _collect(totals, curves, work, _above(factors, f), frames, block, gradient, lanes)
        return
    size = BLOCK * lanes
    for i in range(0, (high - low) * lanes, lanes):
        value = load(work, gradient + i) / load(work, mine + size + i)
        store(work, scaled + i, value)
        store(work, gradient + i, zeros(work) - value * load(work, mine + i))
    _collect(totals, curves, work, _above(factors, f), frames, block, scaled, lanes)
    _collect(totals, curves, work, _below(factors, f), frames, block, gradient, lanes)


@part
def _collect(totals, curves, work, total, frames, block, gradient, lanes):
    """Adds the gradient of the sum ``total``, at ``work[gradient…]``, to those of its weights."""
    row, rank, curve = total
    at, step = _place(totals, row, frames)
    low, high = block
    for r in range(rank):
        gathered = load(totals, at + r * step)
        line = (curve + r) * curves.shape[1]
        for m in range(low, high):
            gathered = gathered + load(work, gradient + (m - low) * lanes) * splat(curves, line + m)
        store(totals, at + r * step, gathered)
