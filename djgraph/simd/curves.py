"""Control curves at every sample: straight lines between frames, corners rounded, and the adjoint of that.

The formulas are those of :mod:`djgraph.dsp.curve`.
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


def read(
    values: NDArray, first: int, frames: int, samples: int, start: int, half: float, out: NDArray
) -> None:
    """The curves from sample ``start`` on: ``[curves, some frames]`` → ``out``, ``[curves, samples]``.

    ``values`` begins with frame ``first`` of ``frames``, at least 2, as ``samples``; ``half`` is half the width in
    samples of the box that rounds corners, 0 for none.
    """
    kernel = _reader()
    over_rows(
        lambda rows: kernel(values[rows], first, frames, samples, start, half, out[rows]),
        len(values),
        out.size,
    )


def collect(
    gradient: NDArray, first: int, frames: int, samples: int, start: int, half: float, out: NDArray
) -> None:
    """Adds, from the gradients of :func:`read`'s curves, those of its values to ``out``, ``[curves, some frames]``."""
    kernel = _collector()
    over_rows(
        lambda rows: kernel(gradient[rows], first, frames, samples, start, half, out[rows]),
        len(gradient),
        gradient.size,
    )


@part
def _segment(frame, frames, samples):
    """The first sample that lies on or behind a frame."""
    return -((-frame * (samples - 1)) // (frames - 1))


@part
def _bend(place, corner, frames, samples, half):
    """How much a sample gets of the bend at a frame."""
    width = min(half, float(min(place, samples - 1 - place)))
    distance = abs(place - corner * ((samples - 1) / (frames - 1)))
    if width <= distance:
        return 0.0
    return (width - distance) * (width - distance) / (4 * width)


@part
def _corners(start, stop, frames, samples, half):
    """The frames whose corners touch samples ``start…stop−1``: first, last + 1."""
    spacing = (samples - 1) / (frames - 1)
    return max(1, math.ceil((start - half) / spacing)), min(
        frames - 2, math.floor((stop - 1 + half) / spacing)
    ) + 1


@part
def _read(values, first, frames, samples, start, half, out):
    stop = start + len(out)
    frame = min(start * (frames - 1) // (samples - 1), frames - 2)
    place = start
    while place < stop:
        end = stop if frame == frames - 2 else min(stop, _segment(frame + 1, frames, samples))
        left, right = values[frame - first], values[frame + 1 - first]
        # Exact in integers before the one division, so that nothing drifts along a long clip.
        offset = (place * (frames - 1) - frame * (samples - 1)) / (samples - 1)
        slope = (frames - 1) / (samples - 1)
        for i in range(end - place):
            weight = offset + np.int32(i) * slope  # 32 bits: vectors have no other conversion to float64
            out[place - start + i] = left * (1 - weight) + right * weight
        place, frame = end, frame + 1
    if stop == samples:
        out[stop - 1 - start] = values[frames - 1 - first]
    if half > 0 and frames > 2:
        _round_corners(values, first, frames, samples, start, half, out)


@part
def _round_corners(values, first, frames, samples, start, half, out):
    """Where frames are close, a sample has a corner for each in its box: their sum is rounded, not each of them."""
    stop, spacing, reach = start + len(out), (samples - 1) / (frames - 1), int(half) + 2
    added = np.empty(min(STRETCH, len(out)))
    for begin in range(start, stop, STRETCH):
        end = min(begin + STRETCH, stop)
        low, high = _corners(begin, end, frames, samples, half)
        if low >= high:
            continue
        added[: end - begin] = 0
        for corner in range(low, high):
            k = corner - first
            bend = (np.float64(values[k - 1]) - 2 * np.float64(values[k]) + values[k + 1]) / spacing
            centre = corner * (samples - 1) // (frames - 1)
            for place in range(max(begin, centre - reach), min(end, centre + reach + 1)):
                added[place - begin] += bend * _bend(place, corner, frames, samples, half)
        for i in range(end - begin):
            out[begin - start + i] += added[i]


@njit(error_model="numpy", fastmath={"reassoc", "contract"})
def _sides(gradient, offset, slope):
    """Sums of a segment's gradient, all of it and times the weight of the frame to its right."""
    total, right = 0.0, 0.0
    for i in range(len(gradient)):
        total += gradient[i]
        right += gradient[i] * (offset + np.int32(i) * slope)
    return total, right


@part
def _collect(gradient, first, frames, samples, start, half, out):
    stop = start + len(gradient)
    frame = min(start * (frames - 1) // (samples - 1), frames - 2)
    place = start
    while place < stop:
        end = stop if frame == frames - 2 else min(stop, _segment(frame + 1, frames, samples))
        offset = (place * (frames - 1) - frame * (samples - 1)) / (samples - 1)
        total, right = _sides(gradient[place - start : end - start], offset, (frames - 1) / (samples - 1))
        out[frame - first] += total - right
        out[frame + 1 - first] += right
        place, frame = end, frame + 1
    if half > 0 and frames > 2:
        low, high = _corners(start, stop, frames, samples, half)
        spacing = (samples - 1) / (frames - 1)
        for corner in range(low, high):
            centre = corner * (samples - 1) // (frames - 1)
            reach = int(half) + 2
            total = 0.0
            for place in range(max(start, centre - reach), min(stop, centre + reach + 1)):
                total += gradient[place - start] * _bend(place, corner, frames, samples, half)
            total /= spacing
            k = corner - first
            out[k - 1] += total
            out[k] -= 2 * total
            out[k + 1] += total


@lru_cache(maxsize=1)
def _reader() -> Callable[..., None]:
    @kept
    def read(values, first, frames, samples, start, half, out):
        for row in range(len(values)):
            _read(values[row], first, frames, samples, start, half, out[row])

    return read


@lru_cache(maxsize=1)
def _collector() -> Callable[..., None]:
    @kept
    def collect(gradient, first, frames, samples, start, half, out):
        for row in range(len(gradient)):
            _collect(gradient[row], first, frames, samples, start, half, out[row])

    return collect
