"""Low-frequency oscillators: what a cycle makes of levels, of delays and of the coefficients of all-passes.

Samples are worked on in stretches, in float64, neighbouring ones on the lanes of a vector. With φ the cycle:

    s(φ) = sin²(πφ), or the triangle 2·|φ|, φ wrapped to −½…½
    level: low + depth·s
    all-pass: (tan πf − 1)/(tan πf + 1) = (sin πf − cos πf)/(sin πf + cos πf), f = low·2^(depth·(s − ½))

A cycle is a number for each sample, one for all, or a straight line from the first sample on.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from djgraph.simd.delays import ADDRESS, STEP, Curves
from djgraph.simd.functions import cosine, exponential, fill, sine, where_greater
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import BYTES, absolute, floor, load, load_at, peek, put, sign, store, width, zeros
from djgraph.simd.threads import over_rows

STRETCH = 256
"""Samples of a stretch, a whole number of vectors: its buffers stay in the CPU's first cache."""
LANES = width(8)

SINE, TRIANGLE = range(2)
CYCLE, LOW, DEPTH = range(3)
"""The curves of a wave."""


class Wave(NamedTuple):
    """curves: cycle, low and depth, float64. hop: 0, or the cycle is two numbers, as many samples apart on a line.

    shape: SINE or TRIANGLE.
    """

    curves: Curves
    hop: int
    shape: int


class WaveGradients(NamedTuple):
    """``[signals, length of the curve]`` each, float64, added to."""

    cycle: NDArray
    low: NDArray
    depth: NDArray


def run_forward(wave: Wave, highest: float, output: NDArray) -> None:
    """Levels → ``output``, ``[signals, samples]``; coefficients of all-passes where highest, at which f is held, is
    not 0. Frequencies are over the sample rate."""
    kernel = _forward()
    over_rows(lambda rows: kernel(rows.start, rows.stop, wave, highest, output), len(output), output.size)


def run_backward(wave: Wave, highest: float, gradient: NDArray, gradients: WaveGradients) -> None:
    """The adjoint of :func:`run_forward`, which needs nothing that it made. gradient: of the output."""
    kernel = _backward()
    over_rows(
        lambda rows: kernel(rows.start, rows.stop, wave, highest, gradient, gradients),
        len(gradient),
        gradient.size,
    )


@part
def read_curve(curves, number, row, start, count, target):
    """A stretch of a curve → ``target``."""
    address, first = curves.table[number, ADDRESS], curves.offsets[number, row]
    lanes = BYTES // target.itemsize
    if curves.table[number, STEP]:
        whole = count - count % lanes
        for t in range(0, whole, lanes):
            store(target, t, load_at(target, address, first + start + t))
        for t in range(whole, count):
            target[t] = peek(target, address, first + start + t)
    else:
        one = fill(target, peek(target, address, first))
        for t in range(0, count, lanes):
            store(target, t, one)


@part
def read_cycle(wave, row, start, count, target):
    """A stretch of the cycle → ``target``."""
    if not wave.hop:
        read_curve(wave.curves, CYCLE, row, start, count, target)
        return
    address, first = wave.curves.table[CYCLE, ADDRESS], wave.curves.offsets[CYCLE, row]
    left = peek(target, address, first)
    rise = (peek(target, address, first + 1) - left) / wave.hop
    for t in range(LANES):
        target[t] = start + t
    place, step = load(target, 0), fill(target, float(LANES))
    for t in range(0, count, LANES):
        store(target, t, fill(target, left) + place * fill(target, rise))
        place = place + step


@part
def write(values, count, output, place):
    """A stretch → ``output``, of whatever type, from its number ``place`` on."""
    for t in range(count):
        put(output, place + t, values[t])


@part
def collect(values, start, count, step, row, gradient):
    """Adds a stretch's gradient of a curve to that of its samples, or of its one number."""
    if step:
        for t in range(count):
            gradient[row, start + t] += values[t]
        return
    total = 0.0
    for t in range(count):
        total += values[t]
    gradient[row, 0] += total


@part
def collect_cycle(values, start, count, wave, row, gradient):
    """The same of a cycle, which may be a line."""
    if not wave.hop:
        collect(values, start, count, wave.curves.table[CYCLE, STEP], row, gradient)
        return
    total, right = 0.0, 0.0
    for t in range(count):
        total += values[t]
        right += values[t] * (start + t)
    right /= wave.hop
    gradient[row, 0] += total - right
    gradient[row, 1] += right


@part
def _wrapped(buffer, i, ahead):
    """Cycles within −½…½ on all lanes."""
    cycle = load(buffer, i) + fill(buffer, ahead)
    return cycle - floor(cycle + fill(buffer, 0.5))


@part
def swing(shape, buffer, i, ahead):
    """s on all lanes, ``ahead`` cycles ahead of ``buffer[i], …``."""
    x = absolute(_wrapped(buffer, i, ahead))
    if shape == TRIANGLE:
        return x + x
    half = sine(x)
    return half * half


@part
def swing_slope(shape, buffer, i, ahead):
    """Its derivative in the cycle."""
    x = _wrapped(buffer, i, ahead)
    if shape == TRIANGLE:
        return sign(x) + sign(x)
    away = absolute(x)
    return fill(buffer, 2 * math.pi) * sign(x) * sine(away) * cosine(away)


@lru_cache(maxsize=1)
def _forward() -> Any:
    @kept
    def swing_forward(first, stop, wave, highest, output):
        samples = output.shape[1]
        cycle, low, depth, values = np.zeros(STRETCH), np.zeros(STRETCH), np.zeros(STRETCH), np.zeros(STRETCH)
        for row in range(first, stop):
            for start in range(0, samples, STRETCH):
                count = min(STRETCH, samples - start)
                read_cycle(wave, row, start, count, cycle)
                read_curve(wave.curves, LOW, row, start, count, low)
                read_curve(wave.curves, DEPTH, row, start, count, depth)
                for i in range(0, count, LANES):
                    s = swing(wave.shape, cycle, i, 0.0)
                    if highest:
                        octaves = load(depth, i) * (s - fill(low, 0.5))
                        f = load(low, i) * exponential(octaves * fill(low, math.log(2)))
                        f = where_greater(fill(low, highest), f, f, fill(low, highest))
                        store(values, i, (sine(f) - cosine(f)) / (sine(f) + cosine(f)))
                    else:
                        store(values, i, load(low, i) + load(depth, i) * s)
                write(values, count, output, row * samples + start)

    return swing_forward


@lru_cache(maxsize=1)
def _backward() -> Any:
    @kept
    def swing_backward(first, stop, wave, highest, gradient, gradients):
        samples = gradient.shape[1]
        table = wave.curves.table
        of_cycle, of_low, of_depth = gradients
        cycle, low, depth, given = np.zeros(STRETCH), np.zeros(STRETCH), np.zeros(STRETCH), np.zeros(STRETCH)
        by_cycle, by_low, by_depth = np.zeros(STRETCH), np.zeros(STRETCH), np.zeros(STRETCH)
        for row in range(first, stop):
            for start in range(0, samples, STRETCH):
                count = min(STRETCH, samples - start)
                read_cycle(wave, row, start, count, cycle)
                read_curve(wave.curves, LOW, row, start, count, low)
                read_curve(wave.curves, DEPTH, row, start, count, depth)
                for t in range(count):
                    given[t] = gradient[row, start + t]
                for i in range(0, count, LANES):
                    s, g, wide = swing(wave.shape, cycle, i, 0.0), load(given, i), load(depth, i)
                    if highest:
                        ln2, half, top = fill(low, math.log(2)), fill(low, 0.5), fill(low, highest)
                        raised = exponential(wide * (s - half) * ln2)
                        f = load(low, i) * raised
                        none = zeros(low)
                        g = where_greater(f, top, none, g)
                        f = where_greater(top, f, f, top)
                        both = sine(f) + cosine(f)
                        g = g * fill(low, 2 * math.pi) / (both * both)
                        store(by_low, i, g * raised)
                        g = g * f * ln2
                        store(by_depth, i, g * (s - half))
                    else:
                        store(by_low, i, g)
                        store(by_depth, i, g * s)
                    store(by_cycle, i, g * wide * swing_slope(wave.shape, cycle, i, 0.0))
                collect_cycle(by_cycle, start, count, wave, row, of_cycle)
                collect(by_low, start, count, table[LOW, STEP], row, of_low)
                collect(by_depth, start, count, table[DEPTH, STEP], row, of_depth)

    return swing_backward
