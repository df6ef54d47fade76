"""Random smooth curves and the draw of a transition."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import djgraph
from djgraph.data import random_curves, random_state
from djgraph.data.moves import CURVES, ClipInfo, choose, draw_move, moves_for
from djgraph.effects import Control
from djgraph.errors import DocumentError, InputError
from djgraph.graph.ir import Column


@pytest.fixture(scope="module")
def layout() -> djgraph.ParameterLayout:
    return djgraph.ParameterLayout.from_graph(djgraph.load("dj_mixer"))


def test_curves_move_a_subset_within_range(layout: djgraph.ParameterLayout) -> None:
    amounts = set()
    for seed in range(40):
        params = random_curves(layout, 50, random_state(seed))
        assert params.shape == (50, 54)
        assert params.dtype == torch.float32
        layout.check(params, out_of_range=True)
        moved = (params != layout.default).any(0)
        amounts.add(int(moved.sum()))
        assert (params[:, ~moved] == layout.default[~moved]).all()
    assert max(amounts) <= 27
    assert len(amounts) > 5


@pytest.mark.slow
def test_curves_are_smooth(layout: djgraph.ParameterLayout) -> None:
    """Twice the frames, about half the largest step: nothing jumps."""
    for seed in range(10):
        coarse, fine = (
            layout.to_unit(random_curves(layout, n, random_state(seed)).double()).diff(dim=0).abs().max()
            for n in (20001, 40001)
        )
        assert fine < 0.75 * coarse


def test_frames_sample_one_curve(layout: djgraph.ParameterLayout) -> None:
    few, many = (random_curves(layout, n, random_state(5)) for n in (11, 101))
    torch.testing.assert_close(few, many[::10])
    torch.testing.assert_close(random_curves(layout, 1, random_state(5)), many[:1])


def test_chosen_controls_and_steps() -> None:
    control = Control(min=0, max=1, default=0, id="x")
    layout = djgraph.ParameterLayout(
        [
            Column("plain", control),
            Column("stepped", control.replace(max=4, step=1)),
            Column("choice", control.replace(choices=(0.0, 0.2, 1.0))),
        ]
    )
    params = random_curves(layout, 200, random_state(1), controls=[1, 2], share=(1, 1))
    assert (params[:, 0] == 0).all()
    assert set(params[:, 1].tolist()) <= {0.0, 1.0, 2.0, 3.0, 4.0}
    assert {round(x, 6) for x in params[:, 2].tolist()} <= {0.0, 0.2, 1.0}
    for wrong in ({"n_frames": 0}, {"controls": []}, {"share": (0.5, 0.1)}, {"share": (0, 2)}):
        with pytest.raises(InputError):
            random_curves(layout, **{"n_frames": 5, "random": random_state(1), **wrong})  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("graph", ["dj_mixer", "club_console", "djtransgan", "filter_knob"])
def test_recipes_are_drawn_within_the_clip_and_the_ranges(graph: str) -> None:
    layout = djgraph.ParameterLayout.from_graph(djgraph.load(graph))
    moves = moves_for(layout)
    assert {"linear", "equal_power", "cut"} <= set(moves)
    for name, draw in moves.items():
        seen = set()
        for i, seconds in enumerate((0.3, 4.0, 10.0, 60.0) * 3):
            move = draw(random_state(i), ClipInfo(n_frames=21, seconds=seconds, tempo=100.0 + 10 * i))
            assert (move.kind, move.name) == ("recipe", name)
            assert move.params.shape == (21, len(layout))
            layout.check(move.params, out_of_range=True)
            assert 0 <= move.args["start"] <= 0.5 * seconds
            if "length" in move.args:
                assert 0 < move.args["length"] <= seconds - move.args["start"] + 1e-6
            assert json.loads(json.dumps(move.args)) == move.args
            # The record is enough to do it again.
            again = djgraph.automation.load(name, **move.args)
            expected = again.render(layout, n_frames=21, duration=seconds, tempo=100.0 + 10 * i)
            torch.testing.assert_close(move.params, expected)
            seen.add(json.dumps(move.args))
        assert len(seen) == 12


@pytest.mark.slow
def test_what_is_drawn_fits_its_argument(layout: djgraph.ParameterLayout) -> None:
    draw = {
        name: moves_for(layout)[name](random_state(1), ClipInfo(5, 10.0, 120)).args
        for name in moves_for(layout)
    }
    assert set(draw["linear"]) == {"start", "length"}
    assert set(draw["cut"]) == {"start"}  # what happens at once stays so
    assert 0.5 <= draw["echo_out"]["feedback"] <= 0.9
    assert 30 <= float(draw["bass_swap"]["swap"].removesuffix("%")) <= 70


@pytest.mark.slow
def test_the_draw(layout: djgraph.ParameterLayout) -> None:
    moves = moves_for(layout)
    assert {"linear", "equal_power", "exponential", "logarithmic", "bass_swap"} <= set(moves)
    clip = ClipInfo(5, 1.0, 120)
    drawn = [draw_move(layout, moves, 0.5, clip, random_state(i)) for i in range(200)]
    share = np.mean([move.kind == CURVES for move in drawn])
    assert 0.35 < share < 0.65
    assert {move.name for move in drawn} == {CURVES, *moves}
    assert {draw_move(layout, moves, 1.0, clip, random_state(i)).name for i in range(20)} == {CURVES}
    assert {draw_move(layout, {}, 0.0, clip, random_state(i)).name for i in range(20)} == {CURVES}
    assert {
        draw_move(layout, {"linear": moves["linear"]}, 0.0, clip, random_state(i)).name for i in range(20)
    } == {"linear"}


def test_names(layout: djgraph.ParameterLayout) -> None:
    assert choose(layout, None) == list(moves_for(layout))
    assert choose(layout, ["linear", "linear"]) == ["linear"]
    assert choose(layout, []) == []
    with pytest.raises(InputError, match="did you mean 'linear'"):
        choose(layout, ["lineal"])
    bare = djgraph.ParameterLayout([Column("x.depth", Control(min=0, max=1, default=0, id="x"))])
    assert moves_for(bare) == {}
    with pytest.raises(DocumentError, match="linear"):  # the recipe's own words
        choose(bare, ["linear"])
    with pytest.raises(InputError, match="none, it has no two tracks"):
        choose(bare, ["nothing"])


def test_what_is_read_once_a_clip_keeps_one_value() -> None:
    control = Control(min=0, max=1, default=1, id="x", rate="clip")
    layout = djgraph.ParameterLayout(
        [Column("a.once", control), Column("b.pick", control.replace(choices=(0.0, 0.5, 1.0)))]
    )
    seen = set()
    for seed in range(40):
        params = random_curves(layout, 20, random_state(seed, 0), share=(1, 1))
        assert (params == params[:1]).all()
        layout.check(params, out_of_range=True)
        seen.add(params[0, 0].item())
    assert len(seen) > 10


@pytest.mark.slow
def test_a_grid_is_drawn_evenly_and_each_value_kept() -> None:
    """On a log scale the lower choices would take most of the knob's travel; the draw does not care."""
    choices = (0.01, 0.02, 0.03, 100.0)
    control = Control(min=0.01, max=100, default=100, id="x", scale="log", choices=choices)
    layout = djgraph.ParameterLayout(
        [Column("a.pick", control), Column("a.step", Control(0, 9, step=3, id="s", default=0))]
    )
    changes, counts = [], dict.fromkeys(choices, 0)
    for seed in range(400):
        params = random_curves(layout, 100, random_state(seed, 3), share=(1, 1)).double()
        layout.check(params.float(), out_of_range=True)
        changes.append(int((params[:, 0].diff() != 0).sum()))
        counts[min(choices, key=lambda c: abs(c - params[0, 0].item()))] += 1
        assert set(params[:, 1].tolist()) <= {0.0, 3.0, 6.0, 9.0}
    assert max(changes) <= 5  # points between the ends, at most
    assert all(50 < count < 200 for value, count in counts.items() if value != 100), counts
