"""Automation at exact positions: breakpoints on their samples, jumps between two samples, tempo with its steps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.automation import SHAPES, Automation, Frames, TempoMap, load
from djgraph.automation.tempo import RAMPS
from djgraph.effects import Control
from djgraph.errors import AutomationError, InputError
from djgraph.graph.ir import Column
from djgraph.layout import ParameterLayout

from .test_render import curve, expected, points_lists

RATE = 128
"""Samples a second: two for each 64th of a second, in which the points are drawn."""


def course(frames: Frames, samples: int, column: int = 0) -> np.ndarray:
    """What a mixer reads at every sample, without smoothing."""
    return np.interp(np.arange(samples), frames.positions.numpy(), frames.params[:, column].numpy())


@settings(max_examples=examples(80), deadline=None)
@given(points_lists, st.sampled_from([1, 100, 640, 1280]))
def test_straight_ways_are_exact_at_every_sample(
    small: ParameterLayout, points: list[tuple[float, float, str, float | None]], samples: int
) -> None:
    straight = [(t, v, "hold" if s == "hold" else "linear", None) for t, v, s, _ in points]
    frames = curve([list(p[:3]) for p in straight]).render_exact(small, samples, RATE, dtype=torch.float64)
    # A loop over samples; its last one is at (samples − 1)/RATE.
    wanted = expected(straight, samples, (samples - 1) / RATE) if samples > 1 else expected(straight, 1, 1.0)
    np.testing.assert_allclose(course(frames, samples), wanted, atol=1e-9)
    assert len(frames.positions) <= 2 + 2 * len(points)
    assert torch.equal(frames.params[:, 1:], small.default.double()[1:].expand(len(frames.positions), -1))


@settings(max_examples=examples(60), deadline=None)
@given(points_lists)
def test_curved_ways_are_as_near_as_even_frames_come(
    small: ParameterLayout, points: list[tuple[float, float, str, float | None]]
) -> None:
    samples = 1280
    written = [
        {"at": t, "value": v, "shape": s} | ({} if b is None else {"bend": b}) for t, v, s, b in points
    ]
    frames = curve(written).render_exact(small, samples, RATE, dtype=torch.float64)
    wanted = np.array(expected(points, samples, (samples - 1) / RATE))
    at = frames.positions.numpy()
    np.testing.assert_allclose(frames.params[:, 0].numpy(), wanted[at], atol=1e-9)
    # Where a way is curved there are 50 frames a second at least.
    for (t, here, s, b), (until, there, *_) in pairwise(points):
        inside = at[(at >= t * RATE) & (at <= until * RATE)]
        if here != there and s != "hold" and (s != "linear" or b):
            assert np.diff(inside).max(initial=0) <= -(-RATE // 50)


def test_a_jump_is_between_two_samples(small: ParameterLayout) -> None:
    for points in ([[0, 0.25], [1, 0.25], [1, 1]], [[0, 0.25, "hold"], [1, 1]]):
        frames = curve(points).render_exact(small, 2000, RATE)
        assert frames.positions.tolist() == [0, RATE - 1, RATE, 1999]
        assert frames.params[:, 0].tolist() == [0.25, 0.25, 1, 1]


def test_a_cut_on_a_beat_is_on_its_sample(small: ParameterLayout) -> None:
    auto = curve([[0, 1], ["3beats", 1], ["3beats", 0]])
    frames = auto.render_exact(small, 480_000, 48_000, tempo=127)
    assert frames.positions.tolist() == [0, round(180 / 127 * 48_000) - 1, round(180 / 127 * 48_000), 479_999]
    assert frames.tempo == 127


def test_controls_that_are_held_need_no_frame_before_a_change() -> None:
    layout = ParameterLayout([Column("a.mode", Control(0, 4, default=0, id="x", step=1))])
    frames = curve([[0, 1], [1, 3]], "a.mode").render_exact(layout, 2000, RATE)
    assert frames.positions.tolist() == [0, RATE, 1999]
    assert frames.params[:, 0].tolist() == [1, 3, 3]


def test_points_beyond_the_clip_leave_its_course_as_it_is(small: ParameterLayout) -> None:
    frames = curve([[-1, 0], [3, 1]]).render_exact(small, 2 * RATE, RATE, dtype=torch.float64)
    assert frames.positions.tolist() == [0, 2 * RATE - 1]
    np.testing.assert_allclose(frames.params[:, 0], [0.25, 0.75 - 0.25 / RATE])


def test_batches_and_dtypes(small: ParameterLayout) -> None:
    auto = curve([[0, 0], ["50%", 1]])
    frames = auto.render_exact(small, 100, RATE, batch=3, dtype=torch.float64)
    assert frames.params.shape == (3, 3, len(small))
    assert frames.params.dtype == torch.float64
    assert frames.positions.dtype == torch.int64
    assert frames.positions.tolist() == [0, 50, 99]
    assert frames.tempo is None


def test_what_cannot_be_rendered(small: ParameterLayout) -> None:
    with pytest.raises(InputError, match="samples is 0"):
        curve([[0, 0], [1, 1]]).render_exact(small, 0, RATE)
    with pytest.raises(InputError, match="sample_rate is 0"):
        curve([[0, 0], [1, 1]]).render_exact(small, 10, 0)
    with pytest.raises(AutomationError, match="needs a tempo"):
        curve([[0, 0], ["1beat", 1]]).render_exact(small, 10, RATE)


entries = st.dictionaries(
    st.integers(-4, 16).map(lambda n: n / 2),
    st.tuples(st.integers(50, 200), st.sampled_from(RAMPS)),
    min_size=2,
    max_size=5,
).map(lambda points: [[beat, bpm, ramp] for beat, (bpm, ramp) in sorted(points.items())])


@settings(max_examples=examples(30), deadline=None)
@given(entries)
def test_a_changing_tempo_has_frames_where_it_changes(
    small: ParameterLayout, entries: list[list[float | str]]
) -> None:
    """Read between its frames it is the tempo map's, but for the sample that a step falls in."""
    samples, rate, tempo = 20_000, 8000, TempoMap(entries)
    frames = load({"automation": 1, "tempo": entries, "curves": []}).render_exact(small, samples, rate)
    assert isinstance(frames.tempo, torch.Tensor)
    assert frames.tempo.shape == (1, len(frames.positions))
    read = np.interp(np.arange(samples), frames.positions.numpy(), frames.tempo[0].numpy())
    wanted = np.array([tempo.bpm(n / rate) for n in range(samples)])
    steps = np.round(np.array(tempo.entries) * rate)
    clear = np.abs(np.arange(samples)[:, None] - steps).min(1) > 1
    np.testing.assert_allclose(read[clear], wanted[clear], rtol=2e-3)
    for n, (_, bpm) in zip(steps, tempo.points):
        if 0 <= n < samples:
            assert read[int(n)] == pytest.approx(bpm, rel=5e-4)


def test_even_frames_are_what_they_were(small: ParameterLayout) -> None:
    """Numbers of before there were positions."""
    auto: Automation = load(
        {
            "automation": 1,
            "curves": [
                {
                    "control": "a.gain",
                    "points": [[0, 0, "sine"], [1, 1, "exponential"], ["75%", 0.25], ["75%", 0.5]],
                },
            ],
        }
    )
    params = auto.render(small, 9, 2.0, dtype=torch.float64)[:, 0]
    assert params[[0, 4, 6, 8]].tolist() == [0, 1, 0.5, 0.5]
    assert params[1].item() == pytest.approx(np.sin(np.pi / 8), abs=1e-15)
    assert set(SHAPES) >= {"sine", "exponential"}
