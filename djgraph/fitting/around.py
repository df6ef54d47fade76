"""Intervals in a picture of controls: a band around each curve, and where nothing can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

AROUND, UNTOLD = "#bfdbfe", "#efe3ff"


@dataclass(frozen=True)
class Around:
    """Intervals around params, ``[frames, controls]``: low, high in plain units; told: False where they say nothing."""

    low: Tensor
    high: Tensor
    told: Tensor


def draw_around(
    axes: Any,
    lane: int,
    column: int,
    time: NDArray[Any],
    heights: tuple[NDArray[Any], NDArray[Any]],
    shown: NDArray[Any],
    untold: Sequence[tuple[float, float]],
    held: bool,
) -> None:
    """The band of one control. heights: of its ends, ``[frames]``. shown: where it is drawn, ``[frames]``. untold: from
    when to when it says nothing, seconds. held: whether the curve goes in steps."""
    axes.broken_barh(
        [(start, end - start) for start, end in untold],
        (lane, 1),
        facecolor=UNTOLD,
        linewidth=0,
        zorder=0.4,
        gid=f"untold-{column}",
    )
    axes.fill_between(
        time,
        *heights,
        where=shown,
        step="post" if held else None,
        color=AROUND,
        linewidth=0,
        zorder=1.2,
        gid=f"around-{column}",
    )
