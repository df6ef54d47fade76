"""UnmixBench's results as one picture: every track's start and every mix's gains, a row for each kind of mix."""

from __future__ import annotations

import io
from collections.abc import Sequence
from statistics import mean
from typing import Any

from benchmarks.plot import HAIR, INK, OURS, QUIET
from benchmarks.unmix.board import GROUPS, Row, ours

DTW, CONVEX, FRAMES = "#d97706", "#7c3aed", "#6b7280"
FLOOR, FAR = 1e-6, 1e5
"""Milliseconds: what is less is drawn there, and so is what was not found."""
SAMPLE = 1000 / 44100


def to_png(rows: Sequence[Row]) -> bytes:
    """The picture. Left: how far off each passage's start is, in ms; djgraph's above, DTW's below the line. Right: the
    mean error of each mix's faders."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    groups = [name for name, holds in GROUPS.items() if any(holds(row) for row in rows)]
    height = 1.25 + 0.42 * len(groups)
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(10, height), sharey=True, width_ratios=(1.25, 1), dpi=110
    )
    others: dict[str, tuple[str, str]] = {
        "dtw": (DTW, "DTW, its gains per band"),
        "bands": (CONVEX, "convex per band, places given"),
        "frames": (FRAMES, "least squares, places given"),
    }
    own = ours(rows)
    for number, group in enumerate(groups):
        place = len(groups) - 1 - number
        for axis in (left, right):
            axis.axhline(place - 0.5, color=HAIR, lw=0.8, zorder=0)
        inside = [row for row in own if GROUPS[group](row)]
        theirs = [row for row in rows if row["entrant"] == "dtw" and GROUPS[group](row)]
        _dots(left, _starts(inside), place + 0.17, OURS)
        _dots(left, _starts(theirs), place - 0.17, DTW)
        _gains(right, [row for row in inside if row["entrant"] == "djgraph"], place + 0.24, OURS)
        for step, (entrant, (colour, _)) in enumerate(others.items()):
            found = [row for row in rows if row["entrant"] == entrant and GROUPS[group](row)]
            _gains(right, found, place + 0.08 - 0.16 * step, colour)
    left.set_yticks(range(len(groups)), [_short(name) for name in reversed(groups)], fontsize=8, color=INK)
    left.set_ylim(-0.5, len(groups) - 0.5)
    left.set_xscale("log")
    left.set_xlim(FLOOR / 2, FAR * 2)
    left.set_xticks(
        [1e-6, 1e-4, SAMPLE, 1, 25, 1e3, FAR], ["1 ns", "0.1 µs", "1 sample", "1", "25", "1 s", "not\nfound"]
    )
    for mark in (SAMPLE, 1, 25):
        left.axvline(mark, color=QUIET, lw=0.8, ls=":", zorder=0)
    right.set_xscale("log")
    right.set_xlim(1e-4, 1.2)
    right.set_xticks([1e-3, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
    left.set_title("How far off starts are, ms", fontsize=9, color=INK, loc="left")
    right.set_title("How far off faders are, 0…1, mean of each mix", fontsize=9, color=INK, loc="left")
    for axis in (left, right):
        axis.minorticks_off()
        axis.tick_params(labelsize=7, colors=QUIET, length=0)
        axis.tick_params(axis="y", labelcolor=INK)
        for side in axis.spines.values():
            side.set_visible(False)
    for colour, name in ((OURS, "djgraph"), *others.values()):
        right.plot([], [], "o", color=colour, ms=4, label=name)
    figure.legend(loc="lower center", ncols=4, fontsize=8, frameon=False, labelcolor=INK)
    figure.subplots_adjust(left=0.235, right=0.985, top=1 - 0.35 / height, bottom=0.72 / height, wspace=0.05)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    pyplot.close(figure)
    return buffer.getvalue()


def _short(group: str) -> str:
    return group.replace("as they are or resampled, no effect", "no stretching, no effect")


def _starts(rows: Sequence[Row]) -> list[float | None]:
    return [
        value
        for row in rows
        if "error" not in row
        for track in row["tracks"].values()
        for value in track.get("start_ms", ())
    ]


def _dots(axis: Any, values: Sequence[float | None], place: float, colour: str) -> None:
    found = [FAR if value is None else min(max(value, FLOOR), FAR / 2) for value in values]
    axis.plot(found, [place] * len(found), "o", color=colour, ms=4, alpha=0.55, mew=0)


def _gains(axis: Any, rows: Sequence[Row], place: float, colour: str) -> None:
    values = [
        mean(track["gain"] for track in row["tracks"].values() if "gain" in track)
        for row in rows
        if "error" not in row
    ]
    found = [max(value, 1.2e-4) for value in values]
    axis.plot(found, [place] * len(found), "o", color=colour, ms=4, alpha=0.55, mew=0)
