"""Control curves of frames with positions, at every sample, and the adjoint of that.

The formulas are those of :mod:`djgraph.dsp.placed`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from djgraph.simd.jit import kept, part
from djgraph.simd.threads import over_rows

STRETCH = 1024
"""Samples whose corners are added up at a time, in double precision."""


def read(values: NDArray, positions: NDArray, samples: int, start: int, half: float, out: NDArray) -> None:
    """The curves from sample ``start`` on: ``[curves, frames]`` → ``out``, ``[curves, samples]``.

    positions: of the frames, ``[frames]``, int64, ascending. samples: of the clip, where the box that rounds corners
    becomes narrow; half: half its width in samples, 0 for none.
    """
    kernel = _reader()
    over_rows(
        lambda rows: kernel(values[rows], positions, samples, start, half, out[rows]), len(values), out.size
    )


def collect(
    gradient: NDArray, positions: NDArray, samples: int, start: int, half: float, out: NDArray
) -> None:
    """Adds, from the gradients of :func:`read`'s curves, those of its values to ``out``, ``[curves, frames]``."""
    kernel = _collector()
    over_rows(
        lambda rows: kernel(gradient[rows], positions, samples, start, half, out[rows]),
        len(gradient),
        gradient.size,
    )


@part
def _count_until(positions, place):
    """How many frames lie at or before a place."""
    low, high = 0, len(positions)
    while low < high:
        middle = (low + high) // 2
        if positions[middle] <= place:
            low = middle + 1
        else:
            high = middle
    return low


@part
def _bend(place, position, samples, half):
    """How much a sample gets of the change of slope at a frame."""
    width = min(half, float(min(place, samples - 1 - place)))
    distance = float(abs(place - position))
    if width <= distance:
        return 0.0
    return (width - distance) * (width - distance) / (4 * width)


@part
def _touched(position, start, stop, half):
    """The samples among ``start…stop−1`` that a corner may touch: first, last + 1."""
    reach = math.ceil(half)
    return max(start, position - reach), min(stop, position + reach + 1)


@part
def _read(values, positions, samples, start, half, out):
    count, stop = len(positions), start + len(out)
    frame = _count_until(positions, start) - 1
    place = start
    while place < stop:
        end = stop if frame == count - 1 else min(stop, positions[frame + 1])
        if frame < 0 or frame == count - 1:
            held = values[max(frame, 0)]
            for i in range(place - start, end - start):
                out[i] = held
        else:
            left, right = values[frame], values[frame + 1]
            # A whole number, exact in float64, so that a sample's weight does not depend on where reading began.
            since = float(place - positions[frame])
            step = 1.0 / (positions[frame + 1] - positions[frame])
            for i in range(end - place):
                weight = (since + np.int32(i)) * step  # 32 bits: vectors have no other conversion to float64
                out[place - start + i] = left * (1 - weight) + right * weight
        place, frame = end, frame + 1
    if half > 0:
        _round_corners(values, positions, samples, start, half, out)


@part
def _round_corners(values, positions, samples, start, half, out):
    """Where frames are close, a sample has a corner for each in its box: their sum is rounded, not each of them."""
    count, stop = len(positions), start + len(out)
    added = np.empty(min(STRETCH, len(out)))
    for begin in range(start, stop, STRETCH):
        end = min(begin + STRETCH, stop)
        first = _count_until(positions, begin - half)
        if first == count or positions[first] >= end - 1 + half:
            continue
        added[: end - begin] = 0
        for k in range(first, count):
            if positions[k] >= end - 1 + half:
                break
            bend = 0.0
            if k + 1 < count:
                bend += (np.float64(values[k + 1]) - values[k]) / (positions[k + 1] - positions[k])
            if k > 0:
                bend -= (np.float64(values[k]) - values[k - 1]) / (positions[k] - positions[k - 1])
            low, high = _touched(positions[k], begin, end, half)
            for place in range(low, high):
                added[place - begin] += bend * _bend(place, positions[k], samples, half)
        for i in range(end - begin):
            out[begin - start + i] += added[i]


@njit(error_model="numpy", fastmath={"reassoc", "contract"})
def _sums(gradient, since, step):
    """Sums of a segment's gradient, all of it and times the weight of the frame to its right."""
    total, right = 0.0, 0.0
    for i in range(len(gradient)):
        total += gradient[i]
        right += gradient[i] * ((since + np.int32(i)) * step)
    return total, right


@part
def _collect(gradient, positions, samples, start, half, out):
    count, stop = len(positions), start + len(gradient)
    frame = _count_until(positions, start) - 1
    place = start
    while place < stop:
        end = stop if frame == count - 1 else min(stop, positions[frame + 1])
        piece = gradient[place - start : end - start]
        if frame < 0 or frame == count - 1:
            total, _ = _sums(piece, 0.0, 0.0)
            out[max(frame, 0)] += total
        else:
            since = float(place - positions[frame])
            total, right = _sums(piece, since, 1.0 / (positions[frame + 1] - positions[frame]))
            out[frame] += total - right
            out[frame + 1] += right
        place, frame = end, frame + 1
    if half > 0:
        for k in range(_count_until(positions, start - half), count):
            if positions[k] >= stop - 1 + half:
                break
            low, high = _touched(positions[k], start, stop, half)
            total = 0.0
            for place in range(low, high):
                total += gradient[place - start] * _bend(place, positions[k], samples, half)
            if k + 1 < count:
                after = total / (positions[k + 1] - positions[k])
                out[k + 1] += after
                out[k] -= after
            if k > 0:
                before = total / (positions[k] - positions[k - 1])
                out[k] -= before
                out[k - 1] += before


@lru_cache(maxsize=1)
def _reader() -> Callable[..., None]:
    @kept
    def read_placed(values, positions, samples, start, half, out):
        for row in range(len(values)):
            _read(values[row], positions, samples, start, half, out[row])

    return read_placed


@lru_cache(maxsize=1)
def _collector() -> Callable[..., None]:
    @kept
    def collect_placed(gradient, positions, samples, start, half, out):
        for row in range(len(gradient)):
            _collect(gradient[row], positions, samples, start, half, out[row])

    return collect_placed
