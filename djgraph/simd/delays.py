"""Delay lines that are read between samples: reading, and its adjoint.

A line is a row of memory: the past, then the block. The cubic through four neighbours is Catmull and Rom's, with
centred differences as slopes at its two middle points. Between the newest sample that may be read and the one before
it the fourth neighbour is missing: there it is the parabola through three.

Curves lie in memory as float64; a row of a table says where: the address, and 1 or 0 for a number at each sample or
one for all. ``offsets`` says where each signal's row begins. Sums are taken in float64, whatever the audio is in.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import peek
from djgraph.simd.threads import over_rows

# Columns of a table of curves.
ADDRESS, STEP = range(2)


class Curves(NamedTuple):
    """Curves for compiled code. table: ``[curves, 2]``; offsets: ``[curves, signals]``, in numbers."""

    table: NDArray[np.int64]
    offsets: NDArray[np.int64]


def read_forward(audio: NDArray, past: NDArray, delay: Curves, out: NDArray) -> None:
    """``[signals, samples]`` read ``delay`` samples late → ``out``. past: ``[signals, longest + 2]``."""
    kernel = _reader()
    over_rows(lambda rows: kernel(rows.start, rows.stop, audio, past, *delay, out), len(audio), audio.size)


def read_backward(
    audio: NDArray, past: NDArray, delay: Curves, gradient: NDArray, of_line: NDArray, of_delay: NDArray
) -> None:
    """The adjoint of :func:`read_forward`.

    of_line: ``[signals, longest + 2 + samples]``, float64, is added to. of_delay: ``[signals, samples]``, float64, is
    written to; empty where nobody wants it.
    """
    kernel = _read_adjoint()
    over_rows(
        lambda rows: kernel(rows.start, rows.stop, audio, past, *delay, gradient, of_line, of_delay),
        len(audio),
        audio.size,
    )


@part
def held(delay, shortest, longest):
    """A delay within its limits; NaN is the shortest one, since it becomes an address."""
    if not delay > shortest:
        return shortest
    return min(delay, longest)


@part
def value(line, at, edge, f):
    """The line ``f`` samples before ``line[at]``. edge: the sample behind ``at`` may not be read."""
    x0, x1, x2 = np.float64(line[at]), np.float64(line[at - 1]), np.float64(line[at - 2])
    newer = 3 * x0 - 3 * x1 + x2 if edge else np.float64(line[at + 1])
    c1 = 0.5 * (x1 - newer)
    c2 = newer - 2.5 * x0 + 2 * x1 - 0.5 * x2
    c3 = 1.5 * (x0 - x1) + 0.5 * (x2 - newer)
    return x0 + f * (c1 + f * (c2 + f * c3))


@part
def slope(line, at, edge, f):
    """Its derivative with respect to ``f``."""
    x0, x1, x2 = np.float64(line[at]), np.float64(line[at - 1]), np.float64(line[at - 2])
    newer = 3 * x0 - 3 * x1 + x2 if edge else np.float64(line[at + 1])
    c1 = 0.5 * (x1 - newer)
    c2 = newer - 2.5 * x0 + 2 * x1 - 0.5 * x2
    c3 = 1.5 * (x0 - x1) + 0.5 * (x2 - newer)
    return c1 + f * (2 * c2 + f * 3 * c3)


@part
def add(line, at, edge, f, amount):
    """The adjoint of ``value``: adds ``amount`` to the neighbours by their weights."""
    newer = f * (f * (1 - 0.5 * f) - 0.5)
    w0, w1, w2 = 1 + f * f * (1.5 * f - 2.5), f * (0.5 + f * (2 - 1.5 * f)), 0.5 * f * f * (f - 1)
    if edge:
        w0, w1, w2 = w0 + 3 * newer, w1 - 3 * newer, w2 + newer
    else:
        line[at + 1] += newer * amount
    line[at] += w0 * amount
    line[at - 1] += w1 * amount
    line[at - 2] += w2 * amount


@part
def joined(line, past, audio, row):
    """A signal's past and block → ``line``."""
    room = past.shape[1]
    for place in range(room):  # assigning to slices takes 4 s more to compile
        line[place] = past[row, place]
    for place in range(audio.shape[1]):
        line[room + place] = audio[row, place]


@lru_cache(maxsize=1)
def _reader() -> Any:
    @kept
    def read_delay_line(first, stop, audio, past, table, offsets, out):
        room, samples = past.shape[1], audio.shape[1]
        address, step = table[0, ADDRESS], table[0, STEP]
        like = np.empty(0)
        line = np.empty(room + samples, audio.dtype)
        for row in range(first, stop):
            # Of a long past a short block reads little: only that is brought together.
            low, high = room + samples, 0
            for n in range(samples):
                at = room + n - int(held(peek(like, address, offsets[0, row] + n * step), 0.0, room - 2.0))
                low, high = min(low, at - 2), max(high, at + 2)
            for place in range(low, min(high, room)):
                line[place] = past[row, place]
            for place in range(max(low, room), min(high, room + samples)):
                line[place] = audio[row, place - room]
            for n in range(samples):
                delay = held(peek(like, address, offsets[0, row] + n * step), 0.0, room - 2.0)
                whole = int(delay)
                out[row, n] = value(line, room + n - whole, whole == 0, delay - whole)

    return read_delay_line


@lru_cache(maxsize=1)
def _read_adjoint() -> Any:
    @kept
    def read_delay_line_adjoint(first, stop, audio, past, table, offsets, gradient, of_line, of_delay):
        room, samples = past.shape[1], audio.shape[1]
        address, step = table[0, ADDRESS], table[0, STEP]
        like = np.empty(0)
        line = np.empty(room + samples, audio.dtype)
        for row in range(first, stop):
            joined(line, past, audio, row)
            for n in range(samples):
                given = peek(like, address, offsets[0, row] + n * step)
                delay = held(given, 0.0, room - 2.0)
                whole = int(delay)
                at, edge, f, amount = (
                    room + n - whole,
                    whole == 0,
                    delay - whole,
                    np.float64(gradient[row, n]),
                )
                add(of_line[row], at, edge, f, amount)
                if len(of_delay):
                    inside = given == delay
                    of_delay[row, n] = amount * slope(line, at, edge, f) if inside else 0.0

    return read_delay_line_adjoint
