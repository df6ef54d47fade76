"""Curves without memory, anti-aliased by their antiderivatives: the formulas of :mod:`djgraph.dsp.antialiased`.

One sample after another in float64. A logarithm and an exponential are taken once for each sample: what a mean needs
of the sample before is known. The derivatives of a mean between a and b are (mean − f(a))/(b − a) and
(f(b) − mean)/(b − a), and those of its series where a and b are close.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

from numpy.typing import NDArray

from djgraph.simd.delays import ADDRESS, STEP, Curves
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import peek
from djgraph.simd.threads import over_rows

TANH, CLIPPED, FOLD = range(3)


class Shape(NamedTuple):
    """kind: of the three. close: nearer inputs are taken as one place. knee, cubic: of the clipped polynomial."""

    kind: int
    close: float
    knee: float
    cubic: float


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
def _bend(kind, v):
    """log(1 + e^(−2|v|)), of tanh's antiderivative."""
    return math.log1p(math.exp(-2 * abs(v))) if kind == TANH else 0.0


@part
def _clipped(v, knee, cubic):
    held = min(max(v, -knee), knee)
    return held - cubic * held * held * held


@part
def _sinc(h):
    return math.sin(h) / h if h != 0 else 1.0


@part
def _mean(kind, close, knee, cubic, a, b, bend_a, bend_b):
    distance, middle = b - a, 0.5 * (a + b)
    if kind == FOLD:
        return math.sin(middle) * _sinc(0.5 * distance)
    if abs(distance) < close:
        if kind == CLIPPED:
            return _clipped(middle, knee, cubic)
        value = math.tanh(middle)
        return value - value * (1 - value * value) * distance * distance / 12
    if kind == TANH:
        return (abs(b) - abs(a)) / distance + (bend_b - bend_a) / distance
    low, high = min(max(a, -knee), knee), min(max(b, -knee), knee)
    within = (high - low) / distance
    beyond = ((abs(b) - abs(a)) - (abs(high) - abs(low))) / distance
    return within * (0.5 * (low + high) * (1 - 0.5 * cubic * (low * low + high * high))) + beyond


@part
def _slopes(kind, close, knee, cubic, a, b, mean):
    """The derivatives of a mean in a and b."""
    distance, middle = b - a, 0.5 * (a + b)
    if kind == FOLD:
        h = 0.5 * distance
        ratio = _sinc(h)
        slope = h * (h * h / 30 - 1 / 3) if abs(h) < 1e-3 else (math.cos(h) - ratio) / h
        even, odd = 0.5 * math.cos(middle) * ratio, 0.5 * math.sin(middle) * slope
        return even - odd, even + odd
    if abs(distance) < close:
        if kind == CLIPPED:
            even = 0.5 * (1 - 3 * cubic * middle * middle) if abs(middle) <= knee else 0.0
            return even, even
        value = math.tanh(middle)
        first = 1 - value * value
        third = first * (4 * value * value - 2 * first)
        even, odd = 0.5 * (first + third * distance * distance / 24), -value * first * distance / 6
        return even - odd, even + odd
    if kind == TANH:
        return (mean - math.tanh(a)) / distance, (math.tanh(b) - mean) / distance
    return (mean - _clipped(a, knee, cubic)) / distance, (_clipped(b, knee, cubic) - mean) / distance


@lru_cache(maxsize=1)
def _forward() -> Any:
    @kept
    def antialiased_forward(first, stop, audio, drive, before, shape, out, last):
        kind, close, knee, cubic = shape.kind, shape.close, shape.knee, shape.cubic
        address, step, offsets = drive.table[0, ADDRESS], drive.table[0, STEP], drive.offsets
        for row in range(first, stop):
            a = before[row]
            bend_a = _bend(kind, a)
            for n in range(audio.shape[1]):
                b = peek(before, address, offsets[0, row] + n * step) * audio[row, n]
                bend_b = _bend(kind, b)
                out[row, n] = _mean(kind, close, knee, cubic, a, b, bend_a, bend_b)
                a, bend_a = b, bend_b
            last[row] = a

    return antialiased_forward


@lru_cache(maxsize=1)
def _backward() -> Any:
    @kept
    def antialiased_backward(first, stop, audio, drive, before, shape, gradients):
        kind, close, knee, cubic = shape.kind, shape.close, shape.knee, shape.cubic
        address, step, offsets = drive.table[0, ADDRESS], drive.table[0, STEP], drive.offsets
        given, of_audio, of_drive = gradients.out, gradients.audio, gradients.drive
        for row in range(first, stop):
            a = before[row]
            bend_a = _bend(kind, a)
            later = 0.0  # what the mean at a sample hands back to its own v
            for n in range(audio.shape[1]):
                b = peek(before, address, offsets[0, row] + n * step) * audio[row, n]
                bend_b = _bend(kind, b)
                mean = _mean(kind, close, knee, cubic, a, b, bend_a, bend_b)
                of_a, of_b = _slopes(kind, close, knee, cubic, a, b, mean)
                total = later + of_a * given[row, n]
                if n:
                    of_audio[row, n - 1] = total * peek(before, address, offsets[0, row] + (n - 1) * step)
                    of_drive[row, n - 1] = total * audio[row, n - 1]
                else:
                    gradients.before[row] = total
                later = of_b * given[row, n]
                a, bend_a = b, bend_b
            total = later + gradients.last[row]
            n = audio.shape[1] - 1
            if n >= 0:
                of_audio[row, n] = total * peek(before, address, offsets[0, row] + n * step)
                of_drive[row, n] = total * audio[row, n]
            else:
                gradients.before[row] = total

    return antialiased_backward
