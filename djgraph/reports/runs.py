"""Stretches of time in which something holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from djgraph.reports.course import Course


def runs(
    holds: NDArray[np.bool_], course: Course, gap: float = 0.0, least: float = 0.0
) -> list[tuple[float, float]]:
    """Seconds from when to when it holds, of ``[windows]``: gaps up to ``gap`` seconds are bridged, and then what is
    shorter than ``least`` is left out. A window stands for one hop around its middle; the first and the last for all to
    the end of the mix."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], holds, [False])).astype(int)))
    half = course.hop / 2
    found: list[tuple[float, float]] = []
    for first, after in zip(edges[::2], edges[1::2]):
        begin = 0.0 if first == 0 else float(course.seconds[first]) - half
        end = course.length if after == len(holds) else float(course.seconds[after - 1]) + half
        if found and begin - found[-1][1] <= gap + 1e-9:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return [(begin, end) for begin, end in found if end - begin >= least - 1e-9]
