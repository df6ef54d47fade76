"""Compiled code for one set of stems and many controls: lanes hold candidates, where elsewhere they hold frames.

A strip behind a fader is, on a frame, the sum over control frames j of the fader's value there times the strip times
the hat function of j. No candidate changes the latter: they are transformed once, and a candidate's spectrum is a sum
of few of them, each times a number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from numpy.typing import NDArray

from djgraph.simd import fft, gains, rows, windowed
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, splat, store, transpose, zeros
from djgraph.simd.program import ADD, ANALYSE, SCALE, add

# Operations beside those of :mod:`djgraph.simd.program`:
# SCALED: strip, chain, slot, whether it is added: a strip times a chain of gains, without a slot for it alone.
# PULLED: strip, chain, slot with the gradient of what came out, of what one is wanted: those of gains and fader.
# MOVED: strip, slot with its gradient: that of its fader.
SCALED, PULLED, MOVED = 5, 6, 7
# Of what a gradient is wanted: one of these, or their sum.
OF_GAINS, OF_FADER = 1, 2
PADDING = 256
"""Numbers between slots, so that not all of their places share the same few lines of the cache."""


class Spectra(NamedTuple):
    """Transformed once, ``[frames, strips, hats, size]`` flat; ``counts``: how many hats each strip has."""

    re: NDArray
    im: NDArray
    counts: NDArray
    hats: int


class Strip(NamedTuple):
    """A strip on a frame: from ``row`` on ``terms`` spectra, and as many weights of all lanes."""

    re: NDArray
    im: NDArray
    weights: NDArray
    row: int
    terms: int
    size: int
    lanes: int


class Output(NamedTuple):
    """Results, ``[results, batch, channels, samples]`` flat, with their sizes, and the window of what comes out. re,
    im: what overlaps, ``[results, size, lanes]`` flat: a ring, in which a sample keeps its place."""

    values: NDArray
    batch: int
    channels: int
    window: NDArray
    re: NDArray
    im: NDArray


class Block(NamedTuple):
    """``valid`` candidates from ``candidate`` on, on frames ``first…last−1``; ends: the clip's last is among them."""

    candidate: int
    valid: int
    first: int
    last: int
    ends: bool


@part
def _analyse(audio, tables, tiling, frames, slots, room, square, spectra, places):
    size, lanes = tiling.size, tiling.lanes
    for source in range(len(places)):
        windowed.analyse(slots, 0, room, tiling, frames, tables, audio, source)
        _give(slots.re, square, spectra.re, places, source, size, lanes)
        _give(slots.im, square, spectra.im, places, source, size, lanes)


@part
def _give(values, square, target, places, source, size, lanes):
    """A lane's spectrum to its place; −1: to none."""
    for k in range(0, size, lanes):
        transpose(values, k * lanes, lanes, square, k, size)
    for lane in range(lanes):
        place = places[source, lane]
        if place >= 0:
            for k in range(0, size, lanes):
                store(target, place + k, load(square, lane * size + k))


@part
def _run(operations, spectra, weights, chains, tables, tiling, slots, output, block):
    size, lanes = tiling.size, tiling.lanes
    room, strips = size * lanes + PADDING, len(spectra.counts)
    for frame in range(block.first, block.last):
        # Of weights of gains, an item is a frame, and frames are candidates.
        lane_frames = rows.Frames(frame, block.candidate, block.valid, False)
        for o in range(len(operations)):
            kind, a, b = operations[o, 0], operations[o, 1], operations[o, 2]
            c, d = operations[o, 3], operations[o, 4]
            if kind == ANALYSE:
                row = ((frame - block.first) * strips + a) * spectra.hats
                count = spectra.counts[a]
                combine(slots.re, b * room, spectra.re, row, weights, count, size, lanes)
                combine(slots.im, b * room, spectra.im, row, weights, count, size, lanes)
            elif kind == SCALED:
                row = ((frame - block.first) * strips + a) * spectra.hats
                strip = Strip(spectra.re, spectra.im, weights, row, spectra.counts[a], size, lanes)
                scaled(slots, c * room, d, strip, chains, b, lane_frames, tables, lanes)
            elif kind == SCALE:
                gains.apply(slots, b * room, c * room, d, chains, a, lane_frames, tables, lanes)
            elif kind == ADD:
                add(slots.re, b * room, a * room, c, size * lanes, lanes)
                add(slots.im, b * room, a * room, c, size * lanes, lanes)
            else:
                fft.backward(slots, b * room, size, lanes, tables)
                done = size if block.ends and frame == block.last - 1 else tiling.hop
                _overlap(slots.re, b * room, output.re, a, tiling, output, frame)
                _write(output.re, a, 0, tiling, output, block, frame, done)
                if output.channels == 2:
                    _overlap(slots.im, b * room, output.im, a, tiling, output, frame)
                    _write(output.im, a, 1, tiling, output, block, frame, done)


@part
def combine(values, at, spectra, row, weights, count, size, lanes):
    """``values[at…]`` = Σ weights[row + j]·spectra[row + j]: numbers of candidates times a spectrum of all."""
    first = load(weights, row * lanes)
    here = row * size
    if count == 1:
        for k in range(size):
            store(values, at + k * lanes, first * splat(spectra, here + k))
        return
    second = load(weights, (row + 1) * lanes)
    if count == 2:
        for k in range(size):
            value = first * splat(spectra, here + k) + second * splat(spectra, here + size + k)
            store(values, at + k * lanes, value)
        return
    third = load(weights, (row + 2) * lanes)
    for k in range(size):
        value = first * splat(spectra, here + k) + second * splat(spectra, here + size + k)
        store(values, at + k * lanes, value + third * splat(spectra, here + 2 * size + k))
    for j in range(3, count):
        weight, here = load(weights, (row + j) * lanes), (row + j) * size
        for k in range(size):
            place = at + k * lanes
            store(values, place, load(values, place) + weight * splat(spectra, here + k))


@part
def scaled(slots, there, added, strip, chains, chain, frames, tables, lanes):
    """Spectra ``there`` = a strip times a chain's gain, as :func:`djgraph.simd.gains.apply`; ``added`` to what is
    there."""
    re, im, work = slots.re, slots.im, chains.work
    order, first, second = tables.bins, tables.first, tables.second
    for low in range(0, len(order), gains.BLOCK):
        high = min(low + gains.BLOCK, len(order))
        gains.gain_of(chains, chain, frames, order, (low, high), lanes)
        for m in range(low, high):
            gain = load(work, (m - low) * lanes)
            p, q = first[m], second[m]
            _put(re, there + p * lanes, strip.re, strip, p, gain, added)
            _put(im, there + p * lanes, strip.im, strip, p, gain, added)
            if p != q:
                _put(re, there + q * lanes, strip.re, strip, q, gain, added)
                _put(im, there + q * lanes, strip.im, strip, q, gain, added)


@part
def _put(values, place, spectra, strip, k, gain, added):
    lanes, here = strip.lanes, strip.row * strip.size + k
    total = load(strip.weights, strip.row * lanes) * splat(spectra, here)
    for j in range(1, strip.terms):
        total = total + load(strip.weights, (strip.row + j) * lanes) * splat(spectra, here + j * strip.size)
    total = total * gain
    if added:
        total = total + load(values, place)
    store(values, place, total)


@part
def _overlap(values, at, sums, result, tiling, output, frame):
    size, lanes = tiling.size, tiling.lanes
    begin, turn = result * size * lanes, frame * tiling.hop % size
    for half in range(2):
        low, high = (0, size - turn) if half == 0 else (size - turn, size)
        first = begin + (turn if half == 0 else turn - size) * lanes
        for n in range(low, high):
            place = first + n * lanes
            store(sums, place, load(sums, place) + load(values, at + n * lanes) * splat(output.window, n))


@part
def _write(sums, result, channel, tiling, output, block, frame, done):
    """The first ``done`` samples of a frame, to which no later one adds, to the candidates; their places are 0
    again."""
    size, lanes, samples = tiling.size, tiling.lanes, tiling.samples
    begin, turn = result * size * lanes, frame * tiling.hop % size
    start = frame * tiling.hop - size // 2
    apart = output.channels * samples
    out = (result * output.batch + block.candidate) * apart + channel * samples
    i = 0
    while i < done:
        place, sample = begin + (i + turn) % size * lanes, start + i
        whole = block.valid == lanes and i + lanes <= done and (i + turn) % size + lanes <= size
        if whole and sample >= 0 and sample + lanes <= samples:
            transpose(sums, place, lanes, output.values, out + sample, apart)
            for row in range(lanes):
                store(sums, place + row * lanes, zeros(sums))
            i += lanes
            continue
        if 0 <= sample < samples:
            for lane in range(block.valid):
                output.values[out + lane * apart + sample] = sums[place + lane]
        store(sums, place, zeros(sums))
        i += 1


@dataclass(frozen=True)
class _Entries:
    analyse: Callable[..., None]
    run: Callable[..., None]


@lru_cache(maxsize=1)
def entries() -> _Entries:
    """analyse: frames of every source, on lanes, transformed, to where ``places`` ``[sources, lanes]`` says in the
    spectra; ``square`` is room for ``[lanes, size]``. run: a region's forward program on a block's frames, whose strips
    are sums of spectra, by ``weights`` ``[frames, strips, hats, lanes]``."""

    @kept
    def analyse(*arguments):
        _analyse(*arguments)

    @kept
    def run(*arguments):
        _run(*arguments)

    return _Entries(analyse, run)
