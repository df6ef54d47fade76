"""Ramps that the file says in beats go evenly in beats, whatever the tempo does on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.automation import TempoMap, load
from djgraph.automation.tempo import RAMPS
from djgraph.automation.times import Moment, Ruler, Span
from djgraph.layout import ParameterLayout

STEP = [[0, 120], [8, 60]]
"""8 beats in 4 s, the next 8 in 8 s."""


def ramp(points: Sequence[Any], tempo: Any, **more: Any) -> Any:
    return load(
        {"automation": 1, "tempo": tempo, "curves": [{"control": "a.gain", "points": points}], **more}
    )


def beats_passed(tempo: TempoMap, seconds: float, steps: int = 4000) -> float:
    """BPM added up over small steps of time."""
    step = seconds / steps
    return sum(tempo.bpm((i + 0.5) * step) * step / 60 for i in range(steps))


@pytest.fixture
def layout(small: ParameterLayout) -> ParameterLayout:
    return small


def test_by_hand(layout: ParameterLayout) -> None:
    auto = ramp([["0beats", 0], ["16beats", 1]], STEP)
    values = auto.render(layout, 13, 12.0, dtype=torch.float64)[:, 0]
    np.testing.assert_allclose(
        values, [i / 8 if i <= 4 else 0.5 + (i - 4) / 16 for i in range(13)], atol=1e-12
    )
    # The same ends in seconds: a straight line.
    straight = ramp([["0s", 0], ["12s", 1]], STEP).render(layout, 13, 12.0, dtype=torch.float64)[:, 0]
    np.testing.assert_allclose(straight, np.arange(13) / 12, atol=1e-12)


def test_exact_positions_have_the_corner(layout: ParameterLayout) -> None:
    frames = ramp([["0beats", 0], ["16beats", 1]], STEP).render_exact(layout, 1201, 100, dtype=torch.float64)
    course = np.interp(np.arange(1201), frames.positions.numpy(), frames.params[:, 0].numpy())
    t = np.arange(1201) / 100
    np.testing.assert_allclose(course, np.where(t < 4, t / 8, 0.5 + (t - 4) / 16), atol=1e-12)
    assert len(frames.positions) <= 4  # both ends, the corner, and the sample before the step of the tempo


@settings(max_examples=examples(40), deadline=None)
@given(
    st.lists(st.tuples(st.floats(60, 180), st.sampled_from(RAMPS)), min_size=1, max_size=4),
    st.floats(0.5, 12),
    st.sampled_from(["linear", "smooth", "sine"]),
)
def test_against_beats_that_are_added_up(
    small: ParameterLayout, tempos: list[tuple[float, str]], first: float, shape: str
) -> None:
    tempo = TempoMap([(4.0 * i, bpm, how) for i, (bpm, how) in enumerate(tempos)])
    ways = {
        "linear": lambda u: u,
        "smooth": lambda u: u * u * (3 - 2 * u),
        "sine": lambda u: math.sin(u * math.pi / 2),
    }
    auto = ramp([[f"{first!r}beats", 0, shape], [f"{first + 10!r}beats", 1]], tempo.plain())
    values = auto.render(small, 25, 12.0, dtype=torch.float64)[:, 0]
    wanted = [ways[shape](min(max((beats_passed(tempo, i / 2) - first) / 10, 0), 1)) for i in range(25)]
    np.testing.assert_allclose(values, wanted, atol=2e-3)
    # Frames with positions say the same, read at every sample.
    frames = auto.render_exact(small, 2401, 200, dtype=torch.float64)
    course = np.interp(np.arange(0, 2401, 100), frames.positions.numpy(), frames.params[:, 0].numpy())
    np.testing.assert_allclose(course, values, atol=4e-3)


@pytest.mark.parametrize(
    ("here", "there", "span", "in_beats"),
    [
        ("4beats", "2bars", None, True),
        ("0%", "16beats", None, True),
        ("8s", "8s + 4beats", None, True),
        ("25%", "25% - 4beats", None, True),
        ("0s", "50%", None, False),
        ("0beats", "8s", None, False),
        ("4beats", "8beats + 1s", None, False),
        ("4beats", "4beats", None, False),
        ("0%", "100%", ("8s", "16beats"), True),  # a share of beats is beats, wherever the span begins
        ("50%", "100% - 1beat", ("50%", "4bars"), True),
        ("0%", "100%", ("8beats", "10s"), False),
        ("0%", "100%", ("8beats", "16beats - 1s"), False),
        ("0s", "1s", ("0s", "16beats"), False),
    ],
)
def test_which_ways_are_in_beats(here: str, there: str, span: tuple[str, str] | None, in_beats: bool) -> None:
    ruler = Ruler(60.0, TempoMap(120), span=span and Span(*map(Moment.parse, span)))
    assert ruler.in_beats(Moment.parse(here), Moment.parse(there)) is in_beats


def test_a_recipe_of_so_many_beats(small: ParameterLayout) -> None:
    """16 beats across a change from 120 to 60 BPM after 8 of them: the middle is at the change."""
    document = {
        "automation": 1,
        "tempo": STEP,
        "span": {"start": "0s", "length": "16beats"},
        "curves": [{"control": "a.gain", "points": [["0%", 1, "cosine"], ["100%", 0]]}],
    }
    auto = load(document)
    values = auto.render(small, 25, 12.0, dtype=torch.float64)[:, 0]
    t = np.arange(25) / 2
    u = np.where(t < 4, t / 8, 0.5 + (t - 4) / 16)
    np.testing.assert_allclose(values, np.cos(u * np.pi / 2), atol=1e-12)
    # As it is written down again.
    again = load(auto.to_csv())
    assert torch.equal(again.render(small, 25, 12.0, dtype=torch.float64)[:, 0], values)


def test_beats_of_many_seconds_at_once() -> None:
    tempo = TempoMap([(2, 90, "per_beat"), (10, 130, "per_second"), (30, 100), (34, 80)])
    seconds = np.linspace(-3, 40, 200)
    np.testing.assert_allclose(tempo.beats(seconds), [tempo.beat(s) for s in seconds], atol=1e-12)
