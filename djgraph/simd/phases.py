"""Phases of stretched sound, frame by frame, from loud bins to their neighbours; as :mod:`djgraph.dsp.phases`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from djgraph.simd.jit import kept, part


def run(level: NDArray, advance: NDArray, tilt: NDArray, turn: NDArray, depth: int) -> None:
    """level: ``[frames + 1, bins]``, int32; advance, tilt: ``[frames, bins]``; turn: ``[frames + 1, bins]``, of which
    the first row is given and the others are filled; float64."""
    bins = level.shape[1]
    tops, following = np.empty(depth, np.int32), np.empty(2 * bins, np.int32)
    _turns()(level, advance, tilt, turn, tops, following)


@part
def _put(tops, following, shelf, item):
    following[item] = tops[shelf]
    tops[shelf] = item
    return shelf


@lru_cache(maxsize=1)
def _turns() -> Any:
    @kept
    def turns(level, advance, tilt, turn, tops, following):
        frames, bins = advance.shape
        depth = len(tops)
        waits = np.empty(bins, np.bool_)
        for n in range(frames):
            old, new = turn[n], turn[n + 1]
            before, now = level[n], level[n + 1]
            loudest, earlier = np.int32(0), np.int32(0)
            for m in range(bins):
                loudest = max(loudest, now[m])
                earlier = max(earlier, before[m])
            silent = earlier <= loudest - depth
            quiet = max(max(loudest, earlier) - depth, 0)
            tops[:] = -1
            # What has the same level stands on one shelf, what came last on top.
            shelf, left = 0, 0
            for m in range(bins):
                new[m] = 0.0 if silent else old[m] + advance[n, m]
                waits[m] = now[m] > quiet
                if waits[m]:
                    left += 1
                    key = now[m] if silent else before[m]
                    shelf = max(shelf, _put(tops, following, max(key - quiet - 1, 0), m))
            while left > 0:
                item = tops[shelf]
                if item < 0:
                    shelf -= 1
                    continue
                tops[shelf] = following[item]
                if item < bins:
                    if waits[item]:
                        waits[item] = False
                        left -= 1
                        shelf = max(shelf, _put(tops, following, now[item] - quiet - 1, item + bins))
                    continue
                m = item - bins
                if m + 1 < bins and waits[m + 1]:
                    new[m + 1] = new[m] + tilt[n, m]
                    waits[m + 1] = False
                    left -= 1
                    shelf = max(shelf, _put(tops, following, now[m + 1] - quiet - 1, m + 1 + bins))
                if m > 0 and waits[m - 1]:
                    new[m - 1] = new[m] - tilt[n, m - 1]
                    waits[m - 1] = False
                    left -= 1
                    shelf = max(shelf, _put(tops, following, now[m - 1] - quiet - 1, m - 1 + bins))
            for m in range(bins):
                new[m] -= 2 * np.pi * np.rint(new[m] / (2 * np.pi))

    return turns
