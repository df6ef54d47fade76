"""The run as one picture: a panel for each kind of figure, and djgraph's times beside each peer's."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.bars import Figure as Kind
from benchmarks.report import duration, number
from benchmarks.results import Result, Run, Timed

OURS, PEER, MISSED = "#2563eb", "#6b7280", "#dc2626"
INK, QUIET, HAIR = "#111827", "#6b7280", "#e2e5ea"
PANELS: dict[Kind, str] = {
    "faster": "Times as fast",
    "longer": "Times as long",
    "share": "Shares",
    "seconds": "Seconds",
    "megabytes": "Megabytes",
}
BETTER = {"higher": "right is better", "lower": "left is better"}
WIDTH, EDGE, LABELS, VALUES = 10.0, 0.15, 2.75, 2.0
"""Inches: the picture, its margin, the room for labels left of the panels, and for values right of them."""
WRAP = 40
"""Characters of a line of a label."""
LINE, PAD, TITLE, TICKS, HEAD = 0.155, 0.13, 0.36, 0.3, 0.62
"""Inches: a line of a label, what a row has beside, a panel's title, its ticks, the picture's head."""
SIZE, SMALL = 8.0, 7.0


@dataclass(frozen=True)
class Row:
    """label: its lines. ours, and of a comparison theirs. must, aim: marks. low, high: quartiles. words: what stands
    at the right, strong and quiet."""

    label: tuple[str, ...]
    ours: float
    theirs: float | None = None
    must: float | None = None
    aim: float | None = None
    low: float | None = None
    high: float | None = None
    reached: bool = True
    words: tuple[str, str] = ("", "")

    @property
    def height(self) -> float:
        return len(self.label) * LINE + PAD

    @property
    def numbers(self) -> list[float]:
        """All that is drawn."""
        marks = (self.ours, self.theirs, self.must, self.aim, self.low, self.high)
        return [value for value in marks if value is not None]


@dataclass(frozen=True)
class Panel:
    """rows that are of one kind. linear: from 0 on; else logarithmic, in seconds or as plain numbers."""

    title: str
    note: str
    rows: tuple[Row, ...]
    linear: bool = False
    seconds: bool = False

    @property
    def height(self) -> float:
        return sum(row.height for row in self.rows)


def to_svg(run: Run) -> bytes:
    """An SVG that is the same for the same run. Needs matplotlib."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "djgraph", "svg.fonttype": "none"}):
        buffer = io.BytesIO()
        draw(run).savefig(buffer, format="svg", metadata={"Date": None, "Creator": "djgraph"})
    return buffer.getvalue()


def draw(run: Run) -> Any:
    """The picture as a figure of matplotlib's: an axes for each of :func:`panels`."""
    from matplotlib.figure import Figure

    shown = panels(run)
    height = HEAD + sum(TITLE + panel.height + TICKS for panel in shown) + EDGE
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    text = (
        f"{run.machine['cpu']}, {run.machine['threads']} threads, PyTorch {run.machine['torch']}; "
        + ", ".join(f"{name} {version}" for name, version in run.machine["peers"].items() if version)
    )
    _write(figure, EDGE, 0.18, height, text, color=QUIET, fontsize=SMALL)
    _legend(figure, height)
    if not shown:
        _write(figure, EDGE, HEAD, height, "nothing was measured that has a peer or a bar", fontsize=SIZE)
    top = HEAD
    for panel in shown:
        top += TITLE
        box = (LABELS, height - top - panel.height, WIDTH - LABELS - VALUES, panel.height)
        axes = figure.add_axes(
            tuple(inches / whole for inches, whole in zip(box, (WIDTH, height, WIDTH, height)))
        )
        _draw(axes, panel)
        top += panel.height + TICKS
    return figure


def panels(run: Run) -> list[Panel]:
    """Times beside peers', a panel for each amount of audio; then results with a bar, a panel for each kind."""
    lengths: dict[float, list[Row]] = {}
    for case in run.cases:
        by_name = {timed.program: timed for timed in case.times}
        for timed in case.times:
            ours = by_name.get(timed.against or "")
            if ours is not None and timed.audio is not None:
                lengths.setdefault(timed.audio, []).append(_beside(timed, ours))
    found = [
        Panel(
            f"Time for {audio:g} s of audio",
            f"djgraph beside each peer, {BETTER['lower']}",
            tuple(rows),
            seconds=True,
        )
        for audio, rows in sorted(lengths.items())
    ]
    kinds: dict[tuple[Kind, str], list[Row]] = {}
    for result in run.results():
        if (bar := result.held_against) is not None:
            kinds.setdefault((bar.figure, bar.better), []).append(_held(result))
    for (kind, better), rows in sorted(kinds.items(), key=lambda item: list(PANELS).index(item[0][0])):
        found.append(Panel(PANELS[kind], BETTER[better], tuple(rows), kind == "share", kind == "seconds"))
    return found


def _beside(peer: Timed, ours: Timed) -> Row:
    median = ours.times.median
    return Row(
        _wrapped(peer.program),
        median,
        theirs=peer.times.median,
        words=(duration(median), duration(peer.times.median)),
    )


def _held(result: Result) -> Row:
    bar, spread = result.held_against, result.measured
    assert bar is not None
    sign = "≥" if bar.better == "higher" else "≤"
    aim = "" if bar.aim is None else f", aim {number(bar.aim)}"
    return Row(
        _wrapped(result.what),
        spread.value,
        must=bar.must,
        aim=bar.aim,
        low=spread.low,
        high=spread.high,
        reached=bar.reached(spread.value),
        words=(f"{number(spread.value)} {result.unit}".strip(), f"{sign} {number(bar.must)}{aim}"),
    )


def _wrapped(text: str) -> tuple[str, ...]:
    return tuple(textwrap.wrap(text, WRAP)) or ("",)


def _draw(axes: Any, panel: Panel) -> None:
    axes.set_title(
        panel.title, loc="left", fontsize=9.5, fontweight="bold", color=INK, pad=5, parse_math=False
    )
    axes.set_title(panel.note, loc="right", fontsize=SMALL, color=QUIET, pad=5, parse_math=False)
    axes.set_ylim(panel.height, 0)
    axes.set_yticks([])
    _scale(axes, panel)
    axes.grid(axis="x", color=HAIR, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", labelsize=SMALL, colors=QUIET, length=0)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set(color=HAIR, linewidth=0.8)
    at = 0.0
    for row in panel.rows:
        middle = at + row.height / 2
        colour = OURS if row.reached else MISSED
        if row.theirs is not None:
            axes.plot([row.ours, row.theirs], [middle] * 2, color="#cbd0d8", linewidth=2.2, zorder=2)
            axes.plot(row.theirs, middle, "o", color=PEER, markersize=6, zorder=3)
        if row.low is not None and row.high is not None and row.low != row.high:
            axes.plot([row.low, row.high], [middle] * 2, color=colour, linewidth=2.2, alpha=0.45, zorder=2)
        if row.must is not None:
            axes.plot(row.must, middle, "|", color=INK, markersize=11, markeredgewidth=1.6, zorder=3)
        if row.aim is not None:
            axes.plot(row.aim, middle, "D", color="white", markeredgecolor=INK, markersize=4.5, zorder=3)
        axes.plot(row.ours, middle, "o", color=colour, markersize=6.5, zorder=4)
        _beside_axes(axes, 0, middle, -0.1, "\n".join(row.label), ha="right", color=INK, linespacing=1.15)
        strong, quiet = row.words
        _beside_axes(axes, 1, middle, 0.78, strong, ha="right", color=colour, fontweight="bold")
        _beside_axes(axes, 1, middle, 0.9, quiet, ha="left", color=QUIET)
        at += row.height


def _beside_axes(axes: Any, side: int, y: float, inches: float, text: str, **style: Any) -> None:
    """Text beside the axes, so far from its left (0) or right (1) edge."""
    axes.annotate(
        text,
        (side, y),
        xycoords=("axes fraction", "data"),
        xytext=(inches * 72, 0),
        textcoords="offset points",
        va="center",
        fontsize=SIZE,
        annotation_clip=False,
        parse_math=False,
        **style,
    )


def _scale(axes: Any, panel: Panel) -> None:
    """From 0 on, or logarithmic with plain numbers; all that is drawn lies within."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    values = [value for row in panel.rows for value in row.numbers]
    shown = duration if panel.seconds else lambda value: f"{value:g}"
    if panel.linear:
        axes.set_xlim(0, 1.05 * max(values))
        return
    positive = [value for value in values if value > 0] or [1.0]
    low, high = min(positive), max(positive)
    axes.set_xscale("log")
    axes.set_xlim(low / 1.25, high * 1.25)
    steps = (1.0, 2.0, 5.0) if high / low < 600 else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=steps, numticks=20))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: _tick(value) if panel.seconds else shown(value))
    )
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()


def _tick(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def _legend(figure: Any, height: float) -> None:
    from matplotlib.lines import Line2D

    def mark(marker: str, label: str, **style: Any) -> Any:
        return Line2D([], [], linestyle="", marker=marker, label=label, **style)

    handles: Sequence[Any] = [
        mark("o", "djgraph", color=OURS, markersize=6.5),
        mark("o", "peer", color=PEER, markersize=6),
        Line2D([], [], color=OURS, alpha=0.45, linewidth=2.2, label="quartiles"),
        mark("|", "must", color=INK, markersize=11, markeredgewidth=1.6),
        mark("D", "aim", color="white", markeredgecolor=INK, markersize=4.5),
        mark("o", "bar missed", color=MISSED, markersize=6.5),
    ]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(EDGE / WIDTH, 1 - 0.3 / height),
        ncols=len(handles),
        fontsize=SIZE,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handletextpad=0.4,
        columnspacing=1.6,
        labelcolor=INK,
    )


def _write(figure: Any, x: float, down: float, height: float, text: str, **style: Any) -> None:
    figure.text(x / WIDTH, 1 - down / height, text, va="center", parse_math=False, **style)
