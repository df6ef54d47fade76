"""Positions as sums of rates in whole numbers: samples, and parts of one.

The numbers are those of :mod:`djgraph.dsp.positions`, to the bit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from djgraph.simd.delays import ADDRESS, STEP, Curves
from djgraph.simd.fixed_point import FASTEST, FRACTION_BITS, UNIT
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import peek
from djgraph.simd.threads import over_rows


def run(state: NDArray, rate: Curves, position: NDArray, last: NDArray) -> None:
    """state: ``[rows, 2]`` → position: ``[rows, samples]``, and last: ``[rows, 2]``; all float64."""
    kernel = _positions()
    over_rows(
        lambda rows: kernel(rows.start, rows.stop, state, *rate, position, last), len(state), position.size
    )


@part
def _parts(number):
    """A part of a sample in units, rounded to even."""
    return np.int64(np.rint(number * UNIT))


@part
def _held(rate):
    if rate != rate:
        return 0.0
    return min(max(rate, -FASTEST), FASTEST)


@lru_cache(maxsize=1)
def _positions() -> Any:
    @kept
    def sum_positions(first, stop, state, table, offsets, position, last):
        samples = position.shape[1]
        address, moves = table[0, ADDRESS], table[0, STEP]
        like = np.empty(0)
        mask = (np.int64(1) << FRACTION_BITS) - 1
        for row in range(first, stop):
            begin = np.floor(state[row, 0])
            fraction = _parts(state[row, 0] - begin) + _parts(state[row, 1])
            whole = np.int64(begin) + (fraction >> FRACTION_BITS)
            fraction &= mask
            step, more = np.int64(0), np.int64(0)
            for n in range(samples):
                if moves or n == 0:
                    rate = _held(peek(like, address, offsets[0, row] + n * moves))
                    below = np.floor(rate)
                    step, more = np.int64(below), _parts(rate - below)
                position[row, n] = np.float64(whole) + np.float64(fraction) / UNIT
                fraction += more
                whole += step + (fraction >> FRACTION_BITS)
                fraction &= mask
            last[row, 0] = np.float64(whole)
            last[row, 1] = np.float64(fraction) / UNIT

    return sum_positions
