"""How loud each stem is, bar by bar, and where something new begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from djgraph.analysis.listening import STEP
from djgraph.analysis.onsets import Array

FLOOR = -80.0
"""dB of full scale; what is quieter counts as silence."""
_SIDE = 4  # bars that are compared before and after a boundary
_LONGEST = 32
CYCLE = 4
"""Bars after which chords mostly come round."""


def bar_levels(energies: Mapping[str, Array], bars: Array) -> dict[str, Array]:
    """RMS in dB of full scale, by stem and bar. bars: seconds of their lines, one more than there are bars."""
    levels = {}
    for name, energy in energies.items():
        sums = np.concatenate([[0.0], np.cumsum(energy)])
        edges = np.clip(bars / STEP, 0, len(energy))
        total = np.diff(np.interp(edges, np.arange(len(sums)), sums))
        mean = total / np.maximum(np.diff(edges), 1e-9)
        levels[name] = np.maximum(10 * np.log10(np.maximum(mean, 1e-12)), FLOOR)
    return levels


def phrases(levels: Mapping[str, Array]) -> list[int]:
    """The bars at which phrases begin, 0 among them: where the stems' levels change, at lengths that music has.

    Dynamic programming: a boundary earns how much the four bars before it differ from those after it; phrases of 8
    and 16 bars cost nothing, of 4 and 32 a little, others more, odd ones most.
    """
    if not levels:
        return []
    features = np.stack([np.clip(level, -60, 0) / 12 for level in levels.values()], 1)
    count = len(features)
    if count == 0:
        return []
    news = np.zeros(count + 1)
    for bar in range(1, count):
        before, after = features[max(0, bar - _SIDE) : bar], features[bar : bar + _SIDE]
        # What changes once at the boundary, not what is always uneven.
        step = np.abs(after.mean(0) - before.mean(0)) - 0.5 * (after.std(0) + before.std(0))
        news[bar] = float(np.maximum(step, 0).sum())
    best = np.full(count + 1, -np.inf)
    best[0] = 0.0
    back = np.zeros(count + 1, int)
    for end in range(1, count + 1):
        for begin in range(max(0, end - _LONGEST), end):
            value = best[begin] + (news[end] if end < count else 0.0) - _cost(end - begin, end == count)
            if value > best[end]:
                best[end], back[end] = value, begin
    out = []
    at = count
    while at > 0:
        at = int(back[at])
        out.append(at)
    return out[::-1]


def _cost(length: int, last: bool) -> float:
    if length in (8, 16):
        return 0.1
    if length in (4, 32):
        return 0.35
    if last:
        return 0.4  # a track ends where it ends
    return 0.7 if length % 4 == 0 else 1.2 if length % 2 == 0 else 2.5


def cycles(bars: Array, lines: Sequence[int]) -> Array:
    """The first bar of every four, ``[cycles, 2]``: seconds at which it begins and ends. bars: seconds of bar lines.
    lines: bars at which phrases begin; most of them say where one counts from, the first bar where they say nothing."""
    places = np.bincount(np.array([0, *lines]) % CYCLE, minlength=CYCLE)
    first = np.arange(int(places.argmax()), len(bars) - 1, CYCLE)
    return np.stack((bars[first], bars[first + 1]), axis=1) if len(first) else np.zeros((0, 2))
