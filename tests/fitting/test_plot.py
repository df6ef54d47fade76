"""The picture of a fit: its panels, where text and legend stand, what is grey, and how truth looks beside estimate."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import djgraph
from djgraph.errors import InputError
from djgraph.fitting import plot
from djgraph.fitting.panels import arrange, panels
from djgraph.fitting.plot import draw_controls, plot_controls, unheard_spans
from djgraph.layout import ParameterLayout
from djgraph.layout.names import parted

pytest.importorskip("matplotlib")

SECONDS = 20.0
HALL = "left_channel_of_the_presenters_microphone_in_the_{}_hall_of_the_old_house"


def layout_of(graph: Any) -> ParameterLayout:
    return ParameterLayout.from_graph(djgraph.load(graph))


def faders(*names: str, effect: str = "gain") -> dict[str, Any]:
    strips = [{"strip": name, "input": name, "chain": [effect], "to": "master"} for name in names]
    return {
        "djgraph": 1,
        "name": "faders",
        "inputs": [{"name": name} for name in names],
        "mixer": [*strips, {"bus": "master"}],
        "outputs": ["master"],
    }


GRAPHS: dict[str, Any] = {
    "dj_mixer": "dj_mixer",
    "mastering": "mastering",
    "one control": faders("a"),
    "long names": faders(HALL.format("upper"), "b", HALL.format("lower")),
}


@pytest.fixture(scope="module")
def small() -> ParameterLayout:
    return layout_of(faders("a", "b"))


@pytest.fixture(scope="module", params=list(GRAPHS))
def drawn(request: pytest.FixtureRequest) -> tuple[ParameterLayout, Any]:
    """A layout and the picture of random courses for it."""
    layout = layout_of(GRAPHS[request.param])
    random = torch.Generator().manual_seed(1)
    params = layout.from_unit(torch.rand(30, len(layout), generator=random, dtype=torch.float64))
    truth = layout.from_unit(torch.rand(41, len(layout), generator=random, dtype=torch.float64))
    audible = torch.rand(300, len(layout), generator=random) > 0.3
    audible[100:200] = False
    return layout, draw_controls(layout, params, audible, SECONDS, truth)


def ids(artists: Any) -> list[str]:
    return [artist.get_gid() for artist in artists if artist.get_gid()]


def test_a_panel_for_each_kind_and_a_lane_for_each_control(drawn: tuple[ParameterLayout, Any]) -> None:
    layout, figure = drawn
    kinds = Counter(parted(column)[1] for column in layout)
    assert {axes.get_title("left"): int(axes.get_ylim()[0]) for axes in figure.axes} == kinds
    lines = [name for axes in figure.axes for name in ids(axes.lines)]
    wanted = [f"{what}-{column}" for column in range(len(layout)) for what in ("found", "played")]
    assert sorted(lines) == sorted(wanted)
    for axes in figure.axes:  # each lane keeps to itself
        for line in axes.lines:
            if line.get_gid():
                lanes = np.floor(line.get_ydata()[np.isfinite(line.get_ydata())].astype(float))
                assert len(set(lanes)) == 1


def test_legend_names_and_titles_stand_beside_the_panels(drawn: tuple[ParameterLayout, Any]) -> None:
    _, figure = drawn
    renderer = figure.canvas.get_renderer()
    boxes = [axes.get_window_extent(renderer) for axes in figure.axes]
    (legend,) = figure.legends
    outside = [legend.get_window_extent(renderer)]
    for axes in figure.axes:
        outside += [text.get_window_extent(renderer) for text in axes.texts]
        outside += [axes.title.get_window_extent(renderer)] if axes.get_title() else []
        outside += [
            title.get_window_extent(renderer)
            for title in (axes._left_title, axes._right_title)
            if title.get_text()
        ]
    inner = [(box.x0 + 0.5, box.y0 + 0.5, box.x1 - 0.5, box.y1 - 0.5) for box in boxes]
    for text in outside:
        assert all(
            text.x1 <= x0 or text.x0 >= x1 or text.y1 <= y0 or text.y0 >= y1 for x0, y0, x1, y1 in inner
        )
        assert text.x0 >= 0
        assert text.y0 >= 0
        assert text.x1 <= figure.bbox.x1
        assert text.y1 <= figure.bbox.y1
    assert not any(a.overlaps(b) for a, b in combinations(outside, 2))
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert min(box.width for box in boxes) > 0.2 * figure.bbox.width


def test_a_strip_is_read_across() -> None:
    """Panels of one row whose lanes are the same stand at one height; names are written once."""
    layout = layout_of("dj_mixer")
    figure = draw_controls(layout, layout.pack(n_frames=2), torch.ones(2, 54, dtype=torch.bool), 1.0)
    places = [axes.get_position() for axes in figure.axes]
    rows = [list(row) for _, row in groupby(zip(places, figure.axes), lambda pair: round(pair[0].y1, 6))]
    assert [len(row) for row in rows] == [3, 3, 3]
    for row in rows:
        assert len({round(place.y0, 6) for place, _ in row}) == 1
        named = [[text.get_text() for text in axes.texts] for _, axes in row]
        assert named[0]
        assert named[1:] == [[], []]
    assert [text.get_text() for text in rows[0][0][1].texts[:2]] == ["track_a.drums", "track_a.bass"]


def test_grey_is_where_a_control_is_not_heard_for_long() -> None:
    layout = layout_of(faders("a", "b", "c", "d"))
    audible = torch.ones(401, 4, dtype=torch.bool)
    audible[100:200, 0] = False  # long
    audible[300:304, 0] = False  # four blocks of 401: a hundredth is just not exceeded
    audible[:, 1] = False
    audible[250, 2] = True
    audible[:50, 3] = False
    audible[390:, 3] = False
    figure = draw_controls(layout, layout.pack(n_frames=7), audible, 40.0)
    (axes,) = figure.axes
    spans = {}
    for collection in axes.collections:
        if collection.get_gid():
            corners = [path.vertices for path in collection.get_paths()]
            lane = int(collection.get_gid().removeprefix("unheard-"))
            assert all({lane, lane + 1} == set(corner[:, 1]) for corner in corners)
            spans[lane] = [(corner[:, 0].min(), corner[:, 0].max()) for corner in corners]
    # Blocks lie 0.1 s apart, the first at 0 and the last at the clip's end; an edge is half-way between two.
    assert spans[0] == [pytest.approx((9.95, 19.95))]
    assert spans[1] == [pytest.approx((0.0, 40.0))]
    assert spans[2] == []
    assert spans[3] == [pytest.approx((0.0, 4.95)), pytest.approx((38.95, 40.0))]


def test_spans_by_hand() -> None:
    heard = np.array([True, False, False, True, False])
    assert unheard_spans(heard, 4.0) == [(0.5, 2.5), (3.5, 4.0)]
    assert unheard_spans(np.array([False]), 3.0) == [(0.0, 3.0)]
    assert unheard_spans(np.array([True]), 3.0) == []


def test_the_estimate_is_a_line_only_where_it_is_heard(small: ParameterLayout) -> None:
    audible = torch.ones(101, len(small), dtype=torch.bool)
    audible[40:61, 0] = False
    figure = draw_controls(small, small.pack(n_frames=101), audible, 10.0)
    line = next(line for axes in figure.axes for line in axes.lines if line.get_gid() == "found-0")
    hidden = np.flatnonzero(np.isnan(line.get_ydata()))
    assert list(hidden) == list(
        range(41, 60)
    )  # the frames at its ends are drawn, so that lines meet the grey


def test_truth_differs_in_dash_and_colour_and_the_difference_is_filled(small: ParameterLayout) -> None:
    audible = torch.ones(10, len(small), dtype=torch.bool)
    params, truth = (
        small.pack({"a.gain.gain": 0.25}, n_frames=2),
        small.pack({"a.gain.gain": 0.75}, n_frames=2),
    )
    figure = draw_controls(small, params, audible, 10.0, truth)
    panel = next(axes for axes in figure.axes if axes.get_title("left") == "gain")
    lines = {line.get_gid(): line for line in panel.lines if line.get_gid()}
    index = small.index("a.gain.gain")
    found, played = lines[f"found-{index}"], lines[f"played-{index}"]
    assert found.get_linestyle() == "-"
    assert played.get_linestyle() == "--"
    assert found.get_color() != played.get_color()
    assert found.get_ydata()[0] - played.get_ydata()[0] == pytest.approx(0.5 * 0.78)  # axes go down
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["recovered", "played", "difference, where it is heard", "not heard"]
    without = draw_controls(small, params, audible, 10.0)
    assert [text.get_text() for text in without.legends[0].get_texts()] == ["recovered", "not heard"]


def test_names_that_are_cut_can_be_told_apart() -> None:
    layout = layout_of(faders(*(HALL.format(which) for which in ("upper", "lower"))))
    figure = draw_controls(layout, layout.pack(n_frames=2), torch.ones(2, 2, dtype=torch.bool), 1.0)
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert len(set(shown)) == 2
    assert all("…" in text and len(text) < 40 for text in shown)


def test_what_a_name_looks_like_to_matplotlib_does_not_matter() -> None:
    """Dollars would begin a formula."""
    layout = layout_of(faders("a"))
    column = layout.columns[0]
    odd = ParameterLayout([type(column)(**{**vars(column), "name": r"$\frac{$.gain"})])
    figure = draw_controls(odd, odd.pack(n_frames=2), torch.ones(2, 1, dtype=torch.bool), 1.0)
    assert figure.axes[0].texts[0].get_text() == r"$\frac{$"
    figure.canvas.draw()


def test_held_controls_go_in_steps() -> None:
    layout = layout_of("stem_performer")
    figure = draw_controls(layout, layout.pack(n_frames=3), torch.ones(2, len(layout), dtype=torch.bool), 1.0)
    styles = {line.get_gid(): line.get_drawstyle() for axes in figure.axes for line in axes.lines}
    held = [column.control.held for column in layout]
    assert True in held
    assert False in held
    for index, steps in enumerate(held):
        assert styles[f"found-{index}"] == ("steps-post" if steps else "default")


def test_a_row_fills_before_the_next_begins() -> None:
    rows = arrange(panels(layout_of("mastering")))
    assert [len(row) for row in rows[:-1]] == [3] * (len(rows) - 1)
    lanes = [len(panel.owners) for row in rows for panel in row]
    assert lanes == sorted(lanes, reverse=True)
    four = panels(layout_of("djtransgan"))
    assert [len(row) for row in arrange(four)] == [2, 2]


def test_ranges_in_words() -> None:
    words = {panel.kind: panel.range for panel in panels(layout_of("mastering"))}
    assert words["low_frequency"] == "20 Hz … 20 kHz, log"
    assert words["ceiling"] == "−24 … 0 dB"
    assert words["width"] == "0 … 2"
    mixed = {panel.kind: panel.range for panel in panels(layout_of("dub_desk"))}
    assert all(text for text in mixed.values())


def test_lanes_shrink_where_a_picture_would_be_too_high_to_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = layout_of(faders(*(f"s{number}" for number in range(60))))
    monkeypatch.setattr(plot, "MOST", 6.0)  # inches
    figure = draw_controls(layout, layout.pack(n_frames=2), torch.ones(2, 60, dtype=torch.bool), 1.0)
    (axes,) = figure.axes
    assert axes.get_position().height * figure.get_figheight() == pytest.approx(6.0)


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")])
def test_formats(tmp_path: Path, small: ParameterLayout, suffix: str, start: bytes) -> None:
    path = tmp_path / f"x{suffix}"
    plot_controls(path, small, small.pack(n_frames=2), torch.ones(2, len(small), dtype=torch.bool), 1.0)
    assert path.read_bytes().startswith(start)


@pytest.mark.parametrize("which", ["params", "audible", "truth"])
def test_shapes_that_do_not_fit(small: ParameterLayout, which: str) -> None:
    fine: dict[str, Tensor] = {
        "params": small.pack(n_frames=3),
        "audible": torch.ones(5, len(small), dtype=torch.bool),
        "truth": small.pack(n_frames=4),
    }
    with pytest.raises(InputError, match=rf"{which} are \[3, 99\], expected \[frames, {len(small)}\]"):
        draw_controls(small, **{**fine, which: torch.zeros(3, 99)}, seconds=1.0)
