"""The run as one picture: how many times real time each program mixes, and each bar with what was measured."""

from __future__ import annotations

import io
from typing import Any

from benchmarks.bars import Bar
from benchmarks.results import Result, Run, Timed

OURS, OTHERS, MARK = "#2563eb", "#9ca3af", "#dc2626"
SPEED_CASES = ("forward", "backward", "pedalboard", "peers")


def to_svg(run: Run) -> bytes:
    """An SVG that is the same for the same run. Needs matplotlib."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "djgraph", "svg.fonttype": "none", "font.size": 9}):
        from matplotlib.figure import Figure

        speeds, held = _speeds(run), [result for result in run.results() if result.held_against is not None]
        rows = max(1, len(speeds)), max(1, len(held))
        figure = Figure(figsize=(10, 2 + 0.3 * sum(rows)), layout="constrained")
        top, bottom = figure.subplots(2, 1, height_ratios=rows)
        _draw_speeds(top, speeds)
        _draw_bars(bottom, held)
        figure.suptitle(
            f"{run.machine['cpu']}, threads: {run.machine['threads']}, PyTorch {run.machine['torch']}"
        )
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "djgraph"})
    return buffer.getvalue()


def _speeds(run: Run) -> list[Timed]:
    """Each program once, in the order of the cases."""
    found: dict[str, Timed] = {}
    for case in run.cases:
        if case.name in SPEED_CASES:
            for timed in case.times:
                if timed.real_time is not None:
                    found.setdefault(timed.program, timed)
    return list(found.values())


def _draw_speeds(axes: Any, speeds: list[Timed]) -> None:
    names, values = [timed.program for timed in speeds], [timed.real_time or 0 for timed in speeds]
    bars = axes.barh(names, values, color=[OURS if name.startswith("djgraph") else OTHERS for name in names])
    axes.bar_label(bars, [f"{value:.3g} ×" for value in values], padding=3)
    _logarithmic(axes, [1, *values])
    axes.set_xlabel("times real time (median)")


def _draw_bars(axes: Any, held: list[Result]) -> None:
    """How far past its bar each result is, on an axis where right is better; at 1 it is just reached."""
    shown = [1.0]
    for place, result in enumerate(held):
        bar = result.held_against
        assert bar is not None
        value = _margin(bar, result.measured.value)
        reached = bar.reached(result.measured.value)
        aim = 1.0 if bar.aim is None else _margin(bar, bar.aim)
        axes.barh(place, value - 1, left=1, color=OURS if reached else MARK)
        if bar.aim is not None:
            axes.plot(aim, place, "|", color="black", markersize=11)
        unit = f" {result.unit}" if result.unit else ""
        axes.annotate(
            f"{result.measured.value:.3g}{unit}",
            (max(value, aim), place),
            (5, 0),
            textcoords="offset points",
            va="center",
        )
        shown += [value, aim]
    axes.set_yticks(range(len(held)), [result.what for result in held])
    axes.axvline(1, color=MARK, linewidth=1)
    _logarithmic(axes, shown)
    axes.set_xlabel("against the bar (line) and the aim (tick)")


def _logarithmic(axes: Any, values: list[float]) -> None:
    """A logarithmic axis with plain numbers that leaves room for a label behind the longest bar."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_xscale("log")
    axes.set_xlim(min(values) / 1.3, max(values) * (max(values) / min(values)) ** 0.2 * 1.5)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.invert_yaxis()


def _margin(bar: Bar, value: float) -> float:
    return value / bar.must if bar.better == "higher" else bar.must / value
