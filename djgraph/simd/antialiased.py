"""Curves without memory, anti-aliased by their antiderivatives: the formulas of :mod:`djgraph.dsp.antialiased`.

In float64, chunks of a row at a time, neighbouring samples on the lanes: no sample waits for another. What a mean needs
of its two ends is computed once for each v, and vectors at the end of a chunk are filled up, so that a sample is
computed in the same way wherever a block begins. The sine of the folding curve, of any argument, is taken one by one.

The derivatives of a mean between a and b are (mean − f(a))/(b − a) and (f(b) − mean)/(b − a), and those of its series
where a and b are close. For tanh log cosh v is |v| + log(1 + e^(−2|v|)) less a constant; with p = 1 − e^(−2|v|) the
second term is log(2 − p), and tanh |v| is p/(2 − p).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from djgraph.simd.delays import ADDRESS, STEP, Curves
from djgraph.simd.functions import approach, exponential, fill, where_greater
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import absolute, load, logarithm, peek, sign, store, width, zeros
from djgraph.simd.threads import over_rows

TANH, CLIPPED, FOLD = range(3)


LANES = width(8)
CHUNK = 256
"""Samples: all of a chunk's buffers stay in the first cache."""
PER_DECIBEL = math.log(10) / 20
"""Of the natural logarithm of an amplitude, for each dB."""


class Chunk(NamedTuple):
    """Buffers of a chunk. path: v, with the one in front. curved, bends: what :func:`_curve_chunk` makes of it. means:
    between neighbours. of_first, of_second: their derivatives."""

    path: NDArray
    curved: NDArray
    bends: NDArray
    means: NDArray
    of_first: NDArray
    of_second: NDArray


class Shape(NamedTuple):
    """kind: of the three. close: nearer inputs are taken as one place. knee, cubic: of the clipped polynomial.
    decibels: whether the drive is in dB."""

    kind: int
    close: float
    knee: float
    cubic: float
    decibels: bool


class Gradients(NamedTuple):
    """out, last: given. audio, drive: ``[signals, samples]``, written to. before: ``[signals]``, written to. But for
    ``out`` all are float64."""

    out: NDArray
    last: NDArray
    audio: NDArray
    drive: NDArray
    before: NDArray


def run_forward(
    audio: NDArray, drive: Curves, before: NDArray, shape: Shape, out: NDArray, last: NDArray
) -> None:
    """``[signals, samples]`` → ``out``. before, last: v in front of the first sample and at the last, ``[signals]``."""
    kernel = _forward()
    over_rows(
        lambda rows: kernel(rows.start, rows.stop, audio, drive, before, shape, out, last),
        len(audio),
        audio.size,
    )


def run_backward(audio: NDArray, drive: Curves, before: NDArray, shape: Shape, gradients: Gradients) -> None:
    """The adjoint of :func:`run_forward`, which needs nothing that it made."""
    kernel = _backward()
    over_rows(
        lambda rows: kernel(rows.start, rows.stop, audio, drive, before, shape, gradients),
        len(audio),
        audio.size,
    )


@part
def _gain_chunk(gains, like, curve, count, decibels):
    """The drive as a factor. curve: of a drive that moves its address, where the chunk's part begins, and 1; of one
    that rests with 0."""
    drive, place, move = curve
    for n in range(count):
        gains[n] = peek(like, drive, place + n * move)
    if decibels:
        for n in range(count, count + LANES):
            gains[n] = 0
        per_decibel = fill(gains, PER_DECIBEL)
        for n in range(0, count, LANES):
            store(gains, n, exponential(load(gains, n) * per_decibel))


@part
def _drive_chunk(path, audio, gains, row, at, count):
    """v = drive·x behind the v that is there, and a last vector filled up."""
    for n in range(count):
        path[n + 1] = gains[n] * audio[row, at + n]
    for n in range(count + 1, count + 1 + LANES):
        path[n] = path[count]


@part
def _curve_chunk(shape, chunk, count):
    """tanh v and log(1 + e^(−2|v|)) of all v of a chunk, which the means of tanh need."""
    path, curved, bends = chunk.path, chunk.curved, chunk.bends
    if shape.kind == TANH:
        two = fill(path, 2.0)
        for n in range(0, count + 1, LANES):
            v = load(path, n)
            lost = approach(two * absolute(v))  # 1 − e^(−2|v|), exact also where v is small
            rest = two - lost
            store(curved, n, sign(v) * lost / rest)
            store(bends, n, logarithm(rest))


@part
def _held(v, knee, like):
    least = zeros(like) - knee
    v = where_greater(v, least, v, least)
    return where_greater(v, knee, knee, v)


@part
def _clipped(v, knee, cubic, like):
    held = _held(v, knee, like)
    return held - cubic * held * held * held


@part
def _sinc(h):
    return math.sin(h) / h if h != 0 else 1.0


@part
def _mean_chunk(shape, chunk, count):
    """The means between each v of a chunk and the next."""
    path, curved, bends, means = chunk.path, chunk.curved, chunk.bends, chunk.means
    one, half, close = fill(path, 1.0), fill(path, 0.5), fill(path, shape.close)
    if shape.kind == TANH:
        sixth = fill(path, 1 / 6)
        for n in range(0, count, LANES):
            a, b, of_a, of_b = load(path, n), load(path, n + 1), load(curved, n), load(curved, n + 1)
            distance = b - a
            near = absolute(distance)
            rise = (absolute(b) - absolute(a)) + (load(bends, n + 1) - load(bends, n))
            apart = rise / where_greater(close, near, one, distance)
            # The trapezoid, corrected by the slopes at its ends, 1 − tanh².
            joined = half * (of_a + of_b) * (one + sixth * distance * (of_b - of_a))
            store(means, n, where_greater(close, near, joined, apart))
    elif shape.kind == CLIPPED:
        knee, cubic = fill(path, shape.knee), fill(path, shape.cubic)
        for n in range(0, count, LANES):
            a, b = load(path, n), load(path, n + 1)
            distance = b - a
            near = absolute(distance)
            inverse = one / where_greater(close, near, one, distance)
            low, high = _held(a, knee, path), _held(b, knee, path)
            beyond = (absolute(b) - absolute(a)) - (absolute(high) - absolute(low))
            middle = half * (low + high)
            within = (high - low) * (middle * (one - half * cubic * (low * low + high * high)))
            joined = _clipped(half * (a + b), knee, cubic, path)
            store(means, n, where_greater(close, near, joined, (within + beyond) * inverse))
    else:
        for n in range(count):
            a, b = path[n], path[n + 1]
            means[n] = math.sin(0.5 * (a + b)) * _sinc(0.5 * (b - a))


@part
def _slope_chunk(shape, chunk, count):
    """The derivatives of the means in both ends."""
    path, curved, means, of_first, of_second = (
        chunk.path, chunk.curved, chunk.means, chunk.of_first, chunk.of_second,
    )  # fmt: skip
    one, half, close, none = fill(path, 1.0), fill(path, 0.5), fill(path, shape.close), zeros(path)
    if shape.kind == TANH:
        quarter, sixth, share = fill(path, 0.25), fill(path, 1 / 6), fill(path, 1 / 24)
        two, four = fill(path, 2.0), fill(path, 4.0)
        for n in range(0, count, LANES):
            of_a, of_b, mean = load(curved, n), load(curved, n + 1), load(means, n)
            distance = load(path, n + 1) - load(path, n)
            near, square = absolute(distance), distance * distance
            inverse = one / where_greater(close, near, one, distance)
            # tanh in the middle of two that are close, and its first and third derivative.
            middle = half * (of_a + of_b)
            value = middle * (one + quarter * (one - middle * middle) * square)
            first = one - value * value
            third = first * (four * value * value - two * first)
            even, odd = half * (first + share * third * square), none - sixth * value * first * distance
            store(of_first, n, where_greater(close, near, even - odd, (mean - of_a) * inverse))
            store(of_second, n, where_greater(close, near, even + odd, (of_b - mean) * inverse))
    elif shape.kind == CLIPPED:
        knee, cubic, three = fill(path, shape.knee), fill(path, shape.cubic), fill(path, 3.0)
        for n in range(0, count, LANES):
            a, b, mean = load(path, n), load(path, n + 1), load(means, n)
            distance, middle = b - a, half * (a + b)
            near = absolute(distance)
            inverse = one / where_greater(close, near, one, distance)
            inner = half * (one - three * cubic * middle * middle)
            even = where_greater(absolute(middle), knee, none, inner)
            before, after = _clipped(a, knee, cubic, path), _clipped(b, knee, cubic, path)
            store(of_first, n, where_greater(close, near, even, (mean - before) * inverse))
            store(of_second, n, where_greater(close, near, even, (after - mean) * inverse))
    else:
        for n in range(count):
            middle, h = 0.5 * (path[n] + path[n + 1]), 0.5 * (path[n + 1] - path[n])
            ratio = _sinc(h)
            slope = h * (h * h / 30 - 1 / 3) if abs(h) < 1e-3 else (math.cos(h) - ratio) / h
            even, odd = 0.5 * math.cos(middle) * ratio, 0.5 * math.sin(middle) * slope
            of_first[n], of_second[n] = even - odd, even + odd


@lru_cache(maxsize=1)
def _forward() -> Any:
    @kept
    def antialiased_forward(first, stop, audio, drive, before, shape, out, last):
        address, move, offsets = drive.table[0, ADDRESS], drive.table[0, STEP], drive.offsets
        samples, size = audio.shape[1], CHUNK + 1 + LANES
        path, means = np.empty(size), np.empty(size)
        chunk, gains = Chunk(path, np.empty(size), np.empty(size), means, means, means), np.empty(size)
        for row in range(first, stop):
            path[0], place = before[row], offsets[0, row]
            if not move:
                _gain_chunk(gains, before, (address, place, move), CHUNK, shape.decibels)
            for at in range(0, samples, CHUNK):
                count = min(CHUNK, samples - at)
                if move:
                    _gain_chunk(gains, before, (address, place + at, move), count, shape.decibels)
                _drive_chunk(path, audio, gains, row, at, count)
                _curve_chunk(shape, chunk, count)
                _mean_chunk(shape, chunk, count)
                for n in range(count):
                    out[row, at + n] = means[n]
                path[0] = path[count]
            last[row] = path[0]

    return antialiased_forward


@lru_cache(maxsize=1)
def _backward() -> Any:
    @kept
    def antialiased_backward(first, stop, audio, drive, before, shape, gradients):
        address, move, offsets = drive.table[0, ADDRESS], drive.table[0, STEP], drive.offsets
        given, of_audio, of_drive = gradients.out, gradients.audio, gradients.drive
        of_before, decibels = gradients.before, shape.decibels
        samples, size = audio.shape[1], CHUNK + 1 + LANES
        path, of_first, of_second = np.empty(size), np.empty(size), np.empty(size)
        chunk = Chunk(path, np.empty(size), np.empty(size), np.empty(size), of_first, of_second)
        gains = np.empty(size)
        for row in range(first, stop):
            path[0], place = before[row], offsets[0, row]
            if not move:
                _gain_chunk(gains, before, (address, place, move), CHUNK, shape.decibels)
            later, gain = 0.0, 0.0  # what the mean at a sample hands back to its own v; the drive there
            for at in range(0, samples, CHUNK):
                count = min(CHUNK, samples - at)
                if move:
                    _gain_chunk(gains, before, (address, place + at, move), count, shape.decibels)
                _drive_chunk(path, audio, gains, row, at, count)
                _curve_chunk(shape, chunk, count)
                _mean_chunk(shape, chunk, count)
                _slope_chunk(shape, chunk, count)
                for n in range(at, at + count):
                    total = later + of_first[n - at] * given[row, n]
                    if n:
                        of_audio[row, n - 1] = total * gain
                        of_drive[row, n - 1] = (
                            total * audio[row, n - 1] * (gain * PER_DECIBEL if decibels else 1.0)
                        )
                    else:
                        of_before[row] = total
                    later, gain = of_second[n - at] * given[row, n], gains[n - at]
                path[0] = path[count]
            total = later + gradients.last[row]
            n = samples - 1
            if n >= 0:
                of_audio[row, n] = total * gain
                of_drive[row, n] = total * audio[row, n] * (gain * PER_DECIBEL if decibels else 1.0)
            else:
                of_before[row] = total

    return antialiased_backward
