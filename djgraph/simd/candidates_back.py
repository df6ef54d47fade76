"""The way back for one set of stems and many controls: gradients of faders and gains without a transform of a strip.

A strip is Σ wⱼ·Hⱼ, with a candidate's fader wⱼ and the spectra Hⱼ that all share (:mod:`djgraph.simd.candidates`). With
Y = M·Σ wⱼ·Hⱼ and pⱼ = Re(conj(Hⱼ)·∂Y), the gradient of the gain M is Σ wⱼ·pⱼ on every bin, and that of wⱼ is the sum
over all bins of M·pⱼ. That of Hⱼ is Σ wⱼ·M·∂Y over all candidates: it is transformed back once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from numpy.typing import NDArray

from djgraph.simd import fft, gains, rows, windowed
from djgraph.simd.candidates import (
    MOVED,
    OF_FADER,
    OF_GAINS,
    PADDING,
    PULLED,
    SCALED,
    Strip,
    combine,
    scaled,
)
from djgraph.simd.jit import inlined, kept, part
from djgraph.simd.lanes import load, splat, store, transpose, zeros
from djgraph.simd.program import ADD, ANALYSE, GRADIENT, SCALE, add


class Seeds(NamedTuple):
    """Gradients of results, ``[results, batch, channels, samples]`` flat, what they are multiplied by, ``[samples]``,
    and the window of what is transformed. re, im: the latest samples, ``[results, size, lanes]`` flat: rings, in which
    a sample keeps its place."""

    values: NDArray
    factor: NDArray
    batch: int
    channels: int
    window: NDArray
    re: NDArray
    im: NDArray


class Sums(NamedTuple):
    """Gradients that are added up. faders: of the weights, ``[frames, strips, hats, lanes]`` flat. re, im: of what all
    share, ``[frames, strips that want one, hats, size]`` flat, with the numbers of these ``strips``. square: room for
    ``[lanes, lanes]``."""

    faders: NDArray
    re: NDArray
    im: NDArray
    strips: NDArray
    square: NDArray


@part
def _run(operations, spectra, weights, chains, tables, tiling, memory, sums, block):
    slots, seeds = memory
    size, lanes = tiling.size, tiling.lanes
    room, strips = size * lanes + PADDING, len(spectra.counts)
    for frame in range(block.first, block.last):
        # Of weights of gains, an item is a frame, and frames are candidates.
        lane_frames = rows.Frames(frame, block.candidate, block.valid, False)
        for o in range(len(operations)):
            kind, a, b = operations[o, 0], operations[o, 1], operations[o, 2]
            c, d = operations[o, 3], operations[o, 4]
            if kind == ANALYSE and a >= strips:
                _listen(seeds, a - strips, tiling, block, frame)
                _window(slots.re, b * room, seeds.re, seeds.window, a - strips, tiling, frame)
                _window(slots.im, b * room, seeds.im, seeds.window, a - strips, tiling, frame)
                fft.forward(slots, b * room, size, lanes, tables)
            elif kind == SCALE:
                gains.apply(slots, b * room, c * room, d, chains, a, lane_frames, tables, lanes)
            elif kind == ADD:
                add(slots.re, b * room, a * room, c, size * lanes, lanes)
                add(slots.im, b * room, a * room, c, size * lanes, lanes)
            elif kind == GRADIENT:
                gains.gradients(slots, b * room, c * room, chains, a, lane_frames, tables, lanes)
            elif kind in (ANALYSE, SCALED, PULLED, MOVED):
                row = ((frame - block.first) * strips + a) * spectra.hats
                count = spectra.counts[a]
                strip = Strip(spectra.re, spectra.im, weights, row, count, size, lanes)
                if kind == ANALYSE:
                    combine(slots.re, b * room, spectra.re, row, weights, count, size, lanes)
                    combine(slots.im, b * room, spectra.im, row, weights, count, size, lanes)
                elif kind == SCALED:
                    scaled(slots, c * room, d, strip, chains, b, lane_frames, tables, lanes)
                elif kind == PULLED:
                    _pull(slots, c * room, strip, sums.faders, chains, b, d, lane_frames, tables)
                else:
                    _move(slots, b * room, strip, sums.faders)
            else:
                row = ((frame - block.first) * strips + sums.strips[a]) * spectra.hats
                count = spectra.counts[sums.strips[a]]
                strip = Strip(spectra.re, spectra.im, weights, row, count, size, lanes)
                target = ((frame - block.first) * len(sums.strips) + a) * spectra.hats * size
                _share(slots.re, b * room, sums.re, target, sums.square, strip)
                _share(slots.im, b * room, sums.im, target, sums.square, strip)


@part
def _listen(seeds, result, tiling, block, frame):
    """Reads what a frame has and the one before it had not."""
    size, hop, lanes, samples = tiling.size, tiling.hop, tiling.lanes, tiling.samples
    apart, turn = seeds.channels * samples, frame * hop % size
    start = frame * hop - size // 2
    for channel in range(seeds.channels):
        ring = seeds.re if channel == 0 else seeds.im
        begin = result * size * lanes
        source = (result * seeds.batch + block.candidate) * apart + channel * samples
        i = 0 if frame == 0 else size - hop
        while i < size:
            row, sample = (i + turn) % size, start + i
            place = begin + row * lanes
            whole = block.valid == lanes and i + lanes <= size and row + lanes <= size
            if whole and sample >= 0 and sample + lanes <= samples:
                transpose(seeds.values, source + sample, apart, ring, place, lanes)
                for r in range(lanes):
                    value = load(ring, place + r * lanes) * splat(seeds.factor, sample + r)
                    store(ring, place + r * lanes, value)
                i += lanes
                continue
            store(ring, place, zeros(ring))
            if 0 <= sample < samples:
                for lane in range(block.valid):
                    ring[place + lane] = seeds.values[source + lane * apart + sample] * seeds.factor[sample]
            i += 1


@part
def _window(values, at, ring, window, result, tiling, frame):
    size, lanes = tiling.size, tiling.lanes
    begin, turn = result * size * lanes, frame * tiling.hop % size
    for half in range(2):
        low, high = (0, size - turn) if half == 0 else (size - turn, size)
        first = begin + (turn if half == 0 else turn - size) * lanes
        for n in range(low, high):
            store(values, at + n * lanes, load(ring, first + n * lanes) * splat(window, n))


@part
def _pull(slots, there, strip, faders, chains, chain, wanted, frames, tables):
    """Gradients of a chain's weights and of a strip's fader, from that of a strip times the chain's gain, ``there``."""
    work, order, lanes = chains.work, tables.bins, strip.lanes
    count, size = chains.starts[chain + 1] - chains.starts[chain], gains.BLOCK * lanes
    last, apart = 3 * (count - 1) * size, (3 * count + 3) * size
    for low in range(0, len(order), gains.BLOCK):
        high = min(low + gains.BLOCK, len(order))
        _inner(slots, there, strip, tables, (low, high), work, 3 * count * size, apart)
        gains.factors_of(chains, chain, frames, order, (low, high), lanes)
        if wanted & OF_FADER:
            for j in range(strip.terms):
                total = zeros(work)
                for i in range(0, (high - low) * lanes, lanes):
                    value = load(work, last + i) * load(work, apart + j * size + i)
                    if count > 1:
                        value = value * load(work, last + 2 * size + i)
                    total = total + value
                place = (strip.row + j) * lanes
                store(faders, place, load(faders, place) + total)
        if wanted & OF_GAINS:
            gains.give_back(chains, chain, frames, order, (low, high), lanes)


@inlined
def _inner(slots, there, strip, tables, block, work, whole, apart):
    """``work[apart…]`` = Re(conj(Hⱼ)·∂Y) for one hat after another, over k and size − k, and ``work[whole…]`` their
    sum, times the weights, on the bins of a block."""
    re, im, first, second = slots.re, slots.im, tables.first, tables.second
    heard_re, heard_im, weights = strip.re, strip.im, strip.weights
    lanes, step, (low, high) = strip.lanes, gains.BLOCK * strip.lanes, block
    for m in range(low, high):
        p, q, place = first[m], second[m], (m - low) * lanes
        a, b = load(re, there + p * lanes), load(im, there + p * lanes)
        c, d = load(re, there + q * lanes), load(im, there + q * lanes)
        total = zeros(work)
        for j in range(strip.terms):
            here = (strip.row + j) * strip.size
            inner = a * splat(heard_re, here + p) + b * splat(heard_im, here + p)
            if p != q:
                inner = inner + (c * splat(heard_re, here + q) + d * splat(heard_im, here + q))
            store(work, apart + j * step + place, inner)
            total = total + load(weights, (strip.row + j) * lanes) * inner
        store(work, whole + place, total)


@part
def _move(slots, at, strip, faders):
    """The gradient of a strip's fader from that of the strip."""
    re, im, heard_re, heard_im = slots.re, slots.im, strip.re, strip.im
    lanes, size = strip.lanes, strip.size
    for j in range(strip.terms):
        here, place = (strip.row + j) * size, (strip.row + j) * lanes
        for low in range(0, size, gains.BLOCK):
            total, other = zeros(faders), zeros(faders)
            for k in range(low, min(low + gains.BLOCK, size)):
                total = total + load(re, at + k * lanes) * splat(heard_re, here + k)
                other = other + load(im, at + k * lanes) * splat(heard_im, here + k)
            store(faders, place, load(faders, place) + (total + other))


@part
def _share(values, at, sums, target, square, strip):
    """Adds a strip's gradient times the weights, of all candidates together, to that of what they share."""
    weights, lanes = strip.weights, strip.lanes
    for k in range(0, strip.size, lanes):
        transpose(values, at + k * lanes, lanes, square, 0, lanes)
        for j in range(strip.terms):
            place, weight = target + j * strip.size + k, (strip.row + j) * lanes
            total = load(sums, place)
            for lane in range(lanes):
                total = total + splat(weights, weight + lane) * load(square, lane * lanes)
            store(sums, place, total)


@part
def _synthesise(sums, places, slots, room, square, tiling, frames, tables, audio):
    """Frames of what is shared, on lanes, transformed back and added to the targets; ``places`` ``[targets, lanes]``
    says where they are; −1: nowhere."""
    size, hop = tiling.size, tiling.hop
    behind = rows.Frames(frames.item, frames.first + frames.valid, 0, False)
    for target in range(len(places)):
        _take(sums.re, places[target], square, slots.re, size, tiling.lanes)
        _take(sums.im, places[target], square, slots.im, size, tiling.lanes)
        room.re[:] = 0
        room.im[:] = 0
        windowed.synthesise(slots, 0, room, tiling, frames, tables, audio, target)
        if not frames.ends:
            rows.write(room, tiling, behind, size - hop, audio, target, True)


@part
def _take(sums, places, square, values, size, lanes):
    for lane in range(lanes):
        place = places[lane]
        for k in range(0, size, lanes):
            store(square, lane * size + k, load(sums, place + k) if place >= 0 else zeros(square))
    for k in range(0, size, lanes):
        transpose(square, k, size, values, k * lanes, lanes)


@dataclass(frozen=True)
class _Entries:
    run: Callable[..., None]
    synthesise: Callable[..., None]


@lru_cache(maxsize=1)
def entries() -> _Entries:
    """run: a region's backward program on a block's frames. synthesise: frames of what is shared back to where the
    strips were read."""

    @kept
    def run(*arguments):
        _run(*arguments)

    @kept
    def synthesise(*arguments):
        _synthesise(*arguments)

    return _Entries(run, synthesise)
