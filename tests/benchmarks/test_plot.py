"""The picture of a run: which panels it has, what stands beside what, and that nothing lies over anything."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from benchmarks.bars import BARS
from benchmarks.machine import describe
from benchmarks.plot import draw, panels
from benchmarks.report import to_markdown
from benchmarks.results import CaseReport, Result, Run, Timed
from benchmarks.store import FOLDER, NAMES, load
from benchmarks.timing import Spread, Times
from benchmarks.work import FULL

pytest.importorskip("matplotlib", reason="the plot needs matplotlib")


def run_of(*cases: CaseReport) -> Run:
    return Run(describe(2) | {"load_average_after": 0.5}, FULL, cases)


def timed(program: str, seconds: float, audio: float | None = 10.0, against: str | None = None) -> Timed:
    return Timed(program, Times((seconds,)), audio, against)


def every_bar() -> Run:
    """A result for each bar, reached and missed, with long labels; peers on two lengths of audio."""
    label = "peak memory above the inputs, forward + backward, stems' gradients too, share of the plain baseline's"
    results = [
        Result(
            f"{name}, {label}", Spread(bar.must * far, bar.must * far * 0.8, bar.must * far * 1.3), "×", name
        )
        for name, bar in BARS.items()
        for far in (0.5, 2.0)
    ]
    times = [
        timed("djgraph, forward", 0.07),
        timed(
            "a peer of a name that takes far more room than there is beside a panel",
            9.0,
            10.0,
            "djgraph, forward",
        ),
        timed("svf", 0.5, 160.0),
        timed("torchlpc", 5.0, 160.0, "svf"),
        timed("load", 1.0, None),
    ]
    return run_of(CaseReport("all", "all", tuple(results), tuple(times)))


@pytest.fixture(scope="module", params=["every bar", "shipped", "nothing"])
def run(request: pytest.FixtureRequest) -> Run:
    if request.param == "shipped":
        return load(FOLDER)
    return every_bar() if request.param == "every bar" else run_of(CaseReport("none", "none"))


@pytest.fixture(scope="module")
def figure(run: Run) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = draw(run)
    FigureCanvasAgg(figure).draw()
    return figure


def test_a_panel_for_each_kind_of_figure() -> None:
    titles = [panel.title for panel in panels(every_bar())]
    assert titles == [
        *("Time for 10 s of audio", "Time for 160 s of audio"),
        *("Times as fast", "Times as long", "Shares", "Seconds", "Megabytes"),
    ]
    for panel in panels(every_bar())[2:]:  # one direction to a panel
        assert panel.note in ("right is better", "left is better")
    assert sum(len(panel.rows) for panel in panels(every_bar())) == 2 + 2 * len(BARS)


def test_djgraph_stands_beside_each_peer() -> None:
    first, second = panels(every_bar())[:2]
    assert [(row.ours, row.theirs, row.words) for row in first.rows] == [(0.07, 9.0, ("70.0 ms", "9.00 s"))]
    assert [(" ".join(row.label), row.ours, row.theirs) for row in second.rows] == [("torchlpc", 0.5, 5.0)]
    peers = {" ".join(row.label) for row in panels(load(FOLDER))[0].rows}
    assert {"plain, forward", "Pedalboard, fixed settings", "GRAFX, forward + backward", "bare FFTs"} <= peers


def test_every_number_lies_within_its_axes(run: Run, figure: Any) -> None:
    for axes, panel in zip(figure.axes, panels(run), strict=True):
        low, high = axes.get_xlim()
        assert all(low <= value <= high for row in panel.rows for value in row.numbers)
        assert axes.get_xscale() == ("linear" if panel.title == "Shares" else "log")
        assert axes.get_title("left") == panel.title


def test_missed_bars_are_red() -> None:
    from matplotlib.colors import to_hex

    figure = draw(every_bar())
    shares = next(axes for axes in figure.axes if axes.get_title("left") == "Shares")
    dots = [line for line in shares.lines if line.get_marker() == "o"]
    colours = [to_hex(line.get_color()) for line in dots]
    assert colours == ["#2563eb", "#dc2626"] * (len(dots) // 2)  # half of the bar, twice the bar


def test_nothing_lies_over_anything(figure: Any) -> None:
    renderer = figure.canvas.get_renderer()
    panels = [axes.get_window_extent(renderer) for axes in figure.axes]
    texts = [figure.legends[0].get_window_extent(renderer)]
    texts += [text.get_window_extent(renderer) for text in figure.texts]
    for axes in figure.axes:
        texts += [text.get_window_extent(renderer) for text in axes.texts]
        texts += [title.get_window_extent(renderer) for title in (axes._left_title, axes._right_title)]
        ticks = [tick.label1 for tick in axes.xaxis.get_major_ticks() if tick.label1.get_text()]
        extents = [tick.get_window_extent(renderer) for tick in ticks]
        low, high = axes.get_window_extent(renderer).intervalx
        shown = [extent for extent in extents if low <= (extent.x0 + extent.x1) / 2 <= high]
        assert len(shown) >= 2
        texts += shown
    assert not any(a.overlaps(b) for a, b in combinations(panels, 2))
    assert not any(a.overlaps(b) for a, b in combinations(texts, 2))
    for text in texts:
        assert not any(text.overlaps(panel) for panel in panels)
        assert text.x0 >= 0
        assert text.x1 <= figure.bbox.x1
        assert text.y0 >= 0
        assert text.y1 <= figure.bbox.y1


def test_labels_leave_most_of_the_width_to_what_is_drawn(figure: Any) -> None:
    for axes in figure.axes:
        assert axes.get_position().width > 0.5
        assert axes.get_position().x0 < 0.3


def test_what_ships_is_what_its_json_says() -> None:
    """``python -m benchmarks --redraw`` changes nothing."""
    run = load(FOLDER)
    assert to_markdown(run) == (FOLDER / NAMES[1]).read_text(encoding="utf-8")
    for panel in panels(run):  # the SVG's text is text
        svg = (FOLDER / NAMES[2]).read_text(encoding="utf-8")
        assert f">{panel.title}<" in svg
        assert all(f">{row.words[0]}<" in svg for row in panel.rows)


def test_runs_come_back_from_their_json() -> None:
    run = every_bar()
    assert Run.from_dict(run.to_dict()) == run
