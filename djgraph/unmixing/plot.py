"""The picture of a fit with where each track lies above it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor

from djgraph.atomic import atomic_writer
from djgraph.automation.plot import check_path
from djgraph.decks import Warp
from djgraph.fitting import FitResult
from djgraph.fitting.plot import (
    BETWEEN,
    EDGE,
    FOUND,
    HAIR,
    HEAD,
    INK,
    KIND,
    QUIET,
    SMALL,
    TITLE,
    UNHEARD,
    draw_controls,
    name_lane,
)
from djgraph.text import one_line

LANE = 0.42
"""Inches, of a track."""
NARROW = 0.12
"""Share of the picture below which a passage is not written in."""
BEYOND = 0.08
"""Of a lane's height, what is left free above and below the track."""


def plot_unmixed(
    path: str | os.PathLike[str],
    warp: Warp,
    result: FitResult,
    lengths: dict[str, float],
    truth: Tensor | None,
) -> None:
    """Write the picture: ``.png``, ``.svg`` or ``.pdf``.

    lengths: of the tracks, in seconds. truth: known params ``[frames, controls]``, or None. Raises InputError for
    another suffix, DJGraphError where matplotlib is missing or the file cannot be written.
    """
    check_path(path)
    figure = draw_controls(result.layout, result.params, result.audible, result.seconds, truth, result.around)
    add_places(figure, warp, lengths)
    with atomic_writer(path) as file:
        figure.savefig(file, format=Path(path).suffix[1:].lower(), dpi=130)


def add_places(figure: Any, warp: Warp, lengths: dict[str, float]) -> None:
    """A panel above the others: a lane for each track, in it a line for each passage, whose height is the place in the
    track; its slope is the rate, and where it breaks off the track jumps."""
    names = list(warp.tracks)
    more = TITLE + len(names) * LANE + BETWEEN
    width, before = figure.get_size_inches()
    height = before + more
    figure.set_size_inches(width, height)
    left, right = 1.0, 0.0
    for axes in figure.axes:
        box = axes.get_position()
        axes.set_position((box.x0, box.y0 * before / height, box.width, box.height * before / height))
        left, right = min(left, box.x0), max(right, box.x1)
    tall = len(names) * LANE
    top = HEAD + TITLE
    axes = figure.add_axes((left, (height - top - tall) / height, right - left, tall / height))
    axes.set_xlim(0, warp.seconds)
    axes.set_ylim(len(names), 0)
    axes.set_yticks([])
    axes.tick_params(axis="x", labelsize=SMALL, colors=QUIET, length=0, labelbottom=False)
    axes.grid(axis="x", color=HAIR, linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)
    for line in range(1, len(names)):
        axes.axhline(line, color=HAIR, linewidth=0.6, zorder=1)
    for spine in axes.spines.values():
        spine.set(color=HAIR, linewidth=0.8)
    axes.set_title(
        "place in the track", loc="left", pad=4, fontsize=KIND, fontweight="bold", color=INK, parse_math=False
    )
    axes.set_title("0 s to its end", loc="right", pad=4, fontsize=SMALL, color=QUIET, parse_math=False)
    for lane, name in enumerate(names):
        _track(axes, warp, name, lane, max(lengths.get(name, 0.0), 1e-3))
        name_lane(axes, lane, one_line(name))
    for legend in figure.legends:
        legend.set_bbox_to_anchor((EDGE / width, 1 - 0.1 / height), transform=figure.transFigure)


def _track(axes: Any, warp: Warp, name: str, lane: int, length: float) -> None:
    rate, at = warp.sample_rate, 0.0
    room = 1 - 2 * BEYOND
    below, above = 1 - (lane + 1) / len(warp.tracks), 1 - lane / len(warp.tracks)
    for one in warp.tracks[name].passages:
        begins, ends = one.begins / rate, one.ends / rate
        if begins > at:
            axes.axvspan(at, begins, below, above, color=UNHEARD, lw=0)
        low, high = (min(max(place / rate / length, 0.0), 1.0) for place in (one.start, one.stop))
        axes.plot(
            [begins, ends],
            [lane + 1 - BEYOND - room * low, lane + 1 - BEYOND - room * high],
            color=FOUND,
            linewidth=1.7,
            solid_capstyle="butt",
            zorder=3,
            gid=f"passage-{name}",
        )
        if ends - begins > NARROW * warp.seconds:
            words = f"{(one.rate - 1) * 100:+.2f} %" + (", key-locked" if one.key_locked else "")
            axes.annotate(
                words,
                (begins, lane),
                xytext=(4, -3),
                textcoords="offset points",
                ha="left",
                va="top",
                fontsize=SMALL,
                color=QUIET,
                parse_math=False,
            )
        at = ends
    if at < warp.seconds:
        axes.axvspan(at, warp.seconds, below, above, color=UNHEARD, lw=0)
    if not warp.tracks[name].passages:
        axes.annotate(
            "not in the recording",
            (0.5, lane + 0.5),
            xycoords=("axes fraction", "data"),
            ha="center",
            va="center",
            fontsize=SMALL,
            color=QUIET,
            parse_math=False,
        )
