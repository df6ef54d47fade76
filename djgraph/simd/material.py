"""Material read at positions that move: all signals of a track by the weights of each sample, neighbours on the lanes.

The formulas are those of :mod:`djgraph.dsp.material`. Weights are computed for a sample, used for all signals, and
forgotten; the adjoints compute them again. Material lies wherever it is: rows of memory by their addresses. What a
sample reads depends on nothing but its position and rate, so that neither blocks nor windows nor threads change a bit.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from djgraph.simd.delays import ADDRESS, STEP, Curves
from djgraph.simd.functions import fill
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, load_at, peek, store, zeros
from djgraph.simd.sinc_lanes import lanes_of, ramp, total, windowed_sinc, windowed_sinc_slope
from djgraph.simd.threads import SMALL, in_threads
from djgraph.simd.windowed_sinc import WIDEST

PIECE = 4096
"""Samples of a piece of work, at least: long enough that handing it out costs nothing."""
POSITION, RATE = range(2)
"""The curves."""


class Track(NamedTuple):
    """What is read, and where. addresses: of each signal's first sample, ``[items, signals]``.

    curves: position and rate. like: an empty array of the material's type.
    """

    addresses: NDArray[np.int64]
    length: int
    begins: int
    crossings: int
    curves: Curves
    like: NDArray


def read(track: Track, out: NDArray) -> None:
    """→ out, ``[items, signals, samples]``."""
    kernel = _read()
    _over_time(lambda item, start, stop: kernel(item, start, stop, *_flat(track), out), out.shape)


def read_adjoint_curves(track: Track, gradient: NDArray, of_position: NDArray, of_rate: NDArray) -> None:
    """The gradients of position and rate, ``[items, samples]``, float64. gradient: as out of :func:`read`."""
    kernel = _adjoint_curves()
    _over_time(
        lambda item, start, stop: kernel(item, start, stop, *_flat(track), gradient, of_position, of_rate),
        gradient.shape,
    )


def read_adjoint_material(track: Track, gradient: NDArray, of_material: NDArray) -> None:
    """The gradient of the material, ``[items, signals, length]``, is added to.

    Positions may come back to where they were: so threads share signals, not time.
    """
    kernel = _adjoint_material()
    items, signals = gradient.shape[:2]
    threads = torch.get_num_threads() if gradient.size >= SMALL else 1
    parts = min(signals, max(1, math.ceil(threads / max(1, items))))
    jobs = [
        (item, signals * one // parts, signals * (one + 1) // parts)
        for item in range(items)
        for one in range(parts)
    ]
    in_threads(lambda job: kernel(*job, *_flat(track), gradient, of_material), jobs)


def _flat(track: Track) -> tuple[Any, ...]:
    return (
        track.addresses,
        track.length,
        track.begins,
        track.crossings,
        *track.curves,
        track.like,
    )


def _over_time(work: Any, shape: tuple[int, ...]) -> None:
    """``work(item, start, stop)`` on pieces of the samples of all items."""
    items, signals, samples = shape
    if not items * signals * samples:
        return
    threads = torch.get_num_threads() if items * signals * samples >= SMALL else 1
    piece = samples if threads == 1 else max(PIECE, math.ceil(items * samples / (8 * threads)))
    jobs = [
        (item, start, min(start + piece, samples))
        for item in range(items)
        for start in range(0, samples, piece)
    ]
    in_threads(lambda job: work(*job), jobs)


@part
def _stretch(rate):
    """How far the kernel is stretched. NaN, which is greater than nothing, stretches nothing."""
    magnitude = abs(rate)
    if not magnitude > 1.0:
        return 1.0
    return min(magnitude, WIDEST)


@part
def _place(table, offsets, item, n, like):
    """Position and stretch of a sample."""
    position = peek(like, table[POSITION, ADDRESS], offsets[POSITION, item] + n * table[POSITION, STEP])
    rate = peek(like, table[RATE, ADDRESS], offsets[RATE, item] + n * table[RATE, STEP])
    return position, rate


@part
def _heard(position, reach, length):
    """Whether any of the material lies within the kernel; a position that is no number hears nothing."""
    return position > -reach - 1.0 and position < length + reach


@part
def _write_weights(weights, reach, fraction, vectors, stretch, shrink):
    """h((j + 1 − reach − fraction)/stretch)/stretch for j = 0, 1, … → ``weights``.

    Whole numbers are counted by themselves: a fraction taken from 16 and more would lose its last digits in float32.
    """
    narrow, squeezed = fill(weights, 1.0 / stretch), fill(weights, shrink)
    tap, step = ramp(weights) + fill(weights, 1.0 - reach), fill(weights, float(lanes_of(weights)))
    nearer = fill(weights, fraction)
    for v in range(vectors):
        store(weights, v * lanes_of(weights), narrow * windowed_sinc((tap - nearer) * narrow, squeezed))
        tap = tap + step


@part
def _write_slopes(weights, slopes, reach, fraction, vectors, stretch, shrink):
    """The same, of the derivatives in position, and in stretch."""
    lanes, none = lanes_of(weights), zeros(weights)
    narrow, squeezed = fill(weights, 1.0 / stretch), fill(weights, shrink)
    tap, step = ramp(weights) + fill(weights, 1.0 - reach), fill(weights, float(lanes_of(weights)))
    nearer = fill(weights, fraction)
    for v in range(vectors):
        x = (tap - nearer) * narrow
        value, slope = windowed_sinc_slope(x, squeezed)
        outer = narrow * narrow
        store(weights, v * lanes, none - outer * slope)
        store(slopes, v * lanes, none - outer * (value + x * slope))
        tap = tap + step


@part
def _copied(line, like, address, begin, count, length):
    """Samples of the material from ``begin`` on → ``line``; silence beyond its ends."""
    for j in range(count):
        at = begin + j
        line[j] = peek(like, address, at) if at >= 0 and at < length else like.dtype.type(0.0)


@lru_cache(maxsize=1)
def _read() -> Any:
    @kept
    def read_material(item, start, stop, addresses, length, begins, crossings, table, offsets, like, out):
        signals, lanes = addresses.shape[1], lanes_of(like)
        doubles = np.empty(0)
        room = 2 * math.ceil(crossings * WIDEST) + lanes
        weights, line = np.empty(room, like.dtype), np.empty(room, like.dtype)
        shrink, none = 1.0 / (crossings * crossings), zeros(like)
        for n in range(start, stop):
            position, rate = _place(table, offsets, item, n, doubles)
            stretch = _stretch(rate)
            reach = math.ceil(crossings * stretch)
            position -= begins
            if not _heard(position, reach, length):
                for s in range(signals):
                    out[item, s, n] = 0.0
                continue
            whole = np.floor(position)
            fraction, at = position - whole, int(whole)
            if fraction == 0.0 and stretch == 1.0:
                for s in range(signals):
                    inside = at >= 0 and at < length
                    out[item, s, n] = peek(like, addresses[item, s], at) if inside else 0.0
                continue
            vectors = (2 * reach + lanes - 1) // lanes
            _write_weights(weights, reach, fraction, vectors, stretch, shrink)
            begin = at - reach + 1
            # Sums begin with zeros, and not with the first product: so all ways round alike.
            if begin < 0 or begin + vectors * lanes > length:
                for s in range(signals):
                    _copied(line, like, addresses[item, s], begin, vectors * lanes, length)
                    sum_ = none
                    for v in range(vectors):
                        sum_ = sum_ + load(line, v * lanes) * load(weights, v * lanes)
                    out[item, s, n] = total(sum_)
            elif vectors == 2:
                w0, w1 = load(weights, 0), load(weights, lanes)
                for s in range(signals):
                    place = addresses[item, s]
                    sum_ = none + load_at(like, place, begin) * w0
                    out[item, s, n] = total(sum_ + load_at(like, place, begin + lanes) * w1)
            elif vectors == 3:
                w0, w1, w2 = load(weights, 0), load(weights, lanes), load(weights, 2 * lanes)
                for s in range(signals):
                    place = addresses[item, s]
                    sum_ = none + load_at(like, place, begin) * w0
                    sum_ = sum_ + load_at(like, place, begin + lanes) * w1
                    out[item, s, n] = total(sum_ + load_at(like, place, begin + 2 * lanes) * w2)
            else:
                for s in range(signals):
                    sum_ = none
                    for v in range(vectors):
                        taken = load_at(like, addresses[item, s], begin + v * lanes)
                        sum_ = sum_ + taken * load(weights, v * lanes)
                    out[item, s, n] = total(sum_)

    return read_material


@lru_cache(maxsize=1)
def _adjoint_curves() -> Any:
    @kept
    def read_material_adjoint_curves(
        item, start, stop, addresses, length, begins, crossings, table, offsets, like, gradient,
        of_position, of_rate,
    ):  # fmt: skip
        signals, lanes = addresses.shape[1], lanes_of(like)
        doubles = np.empty(0)
        room = 2 * math.ceil(crossings * WIDEST) + lanes
        moved, widened = np.empty(room, like.dtype), np.empty(room, like.dtype)
        line, heard = np.empty(room, like.dtype), np.empty(room, like.dtype)
        shrink = 1.0 / (crossings * crossings)
        for n in range(start, stop):
            position, rate = _place(table, offsets, item, n, doubles)
            stretch = _stretch(rate)
            reach = math.ceil(crossings * stretch)
            position -= begins
            of_position[item, n] = 0.0
            of_rate[item, n] = 0.0
            if not _heard(position, reach, length):
                continue
            whole = np.floor(position)
            at = int(whole)
            vectors = (2 * reach + lanes - 1) // lanes
            _write_slopes(moved, widened, reach, position - whole, vectors, stretch, shrink)
            begin = at - reach + 1
            inner = begin >= 0 and begin + vectors * lanes <= length
            for v in range(vectors):
                store(heard, v * lanes, zeros(heard))
            for s in range(signals):
                amount, address = fill(heard, gradient[item, s, n]), addresses[item, s]
                if inner:
                    for v in range(vectors):
                        taken = amount * load_at(like, address, begin + v * lanes)
                        store(heard, v * lanes, load(heard, v * lanes) + taken)
                else:
                    _copied(line, like, address, begin, vectors * lanes, length)
                    for v in range(vectors):
                        store(heard, v * lanes, load(heard, v * lanes) + amount * load(line, v * lanes))
            by_position, by_stretch = zeros(heard), zeros(heard)
            for v in range(vectors):
                by_position = by_position + load(heard, v * lanes) * load(moved, v * lanes)
                by_stretch = by_stretch + load(heard, v * lanes) * load(widened, v * lanes)
            of_position[item, n] = total(by_position)
            if abs(rate) > 1.0 and abs(rate) <= WIDEST:
                turned = total(by_stretch)
                of_rate[item, n] = turned if rate > 0.0 else -turned

    return read_material_adjoint_curves


@lru_cache(maxsize=1)
def _adjoint_material() -> Any:
    @kept
    def read_material_adjoint_material(
        item, first, last, addresses, length, begins, crossings, table, offsets, like, gradient, of_material
    ):
        samples, lanes = gradient.shape[2], lanes_of(like)
        doubles = np.empty(0)
        room = 2 * math.ceil(crossings * WIDEST) + lanes
        weights = np.empty(room, like.dtype)
        shrink = 1.0 / (crossings * crossings)
        for n in range(samples):
            position, rate = _place(table, offsets, item, n, doubles)
            stretch = _stretch(rate)
            reach = math.ceil(crossings * stretch)
            position -= begins
            if not _heard(position, reach, length):
                continue
            whole = np.floor(position)
            at = int(whole)
            vectors = (2 * reach + lanes - 1) // lanes
            _write_weights(weights, reach, position - whole, vectors, stretch, shrink)
            begin = at - reach + 1
            if begin >= 0 and begin + vectors * lanes <= length:
                for s in range(first, last):
                    target = of_material[item, s]
                    amount = fill(weights, gradient[item, s, n])
                    for v in range(vectors):
                        place = begin + v * lanes
                        store(target, place, load(target, place) + amount * load(weights, v * lanes))
            else:
                for s in range(first, last):
                    for j in range(max(0, -begin), min(2 * reach, length - begin)):
                        of_material[item, s, begin + j] += gradient[item, s, n] * weights[j]

    return read_material_adjoint_material
