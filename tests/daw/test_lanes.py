"""Lanes: what they are made of they pass within the tolerance; jumps stay; other units; gains as steps."""

from __future__ import annotations

import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.daw import Lane, LanePoint
from djgraph.daw.lanes import needed, traced
from djgraph.errors import InputError


def _lane(points: tuple[LanePoint, ...]) -> Lane:
    return Lane("x", "amplitude", 0, 1, points)


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.floats(0, 1, width=32), min_size=2, max_size=60),
    st.floats(0.001, 0.3),
    st.integers(0, 2**32 - 1),
)
def test_a_traced_lane_passes_every_sample_within_the_tolerance(values, tolerance, seed):
    beats = np.cumsum(np.random.default_rng(seed).uniform(0.01, 2, len(values)))
    lane = _lane(traced(beats, np.array(values), tolerance, 0.0))
    assert np.abs(lane.at(beats) - values).max() <= tolerance * (1 + 1e-9)
    assert len(lane.points) <= len(values)


def test_straight_lines_are_two_points_and_curves_few():
    beats = np.linspace(0, 32, 1601)
    assert len(traced(beats, beats / 32, 1e-3, 0.0)) == 2
    curve = np.sin(beats / 32 * np.pi / 2)
    points = traced(beats, curve, 1e-3, 0.0)
    # A chord of a sine misses it by (length²/8)·curvature: 13 of them would do, were they laid at best.
    assert 10 <= len(points) <= 30
    assert len(traced(beats, np.full_like(beats, 0.3), 1e-3, 0.0)) == 1


def test_a_jump_stays_one():
    sample = 1 / 22050
    beats = np.array([0, 4, 8 - sample, 8, 12, 16 - sample, 16, 20])
    values = np.array([1, 1, 1, 0.5, 0.25, 0.0, 1.0, 1.0])
    points = traced(beats, values, 1e-3, 1.5 * sample)
    assert points[:2] == (LanePoint(0, 1, "hold"), LanePoint(8, 0.5))
    lane = _lane(points)
    assert lane.at(7.999) == 1
    assert lane.at(8) == 0.5
    assert lane.at(16) == 1
    assert lane.at(14) == pytest.approx(0.125, abs=2e-3)


def test_another_unit_is_as_near_as_asked_for():
    lane = _lane((LanePoint(0, 1.0), LanePoint(8, 0.01), LanePoint(10, 0.01, "hold"), LanePoint(12, 1.0)))
    made = lane.said_as("dB", -60, 0, lambda x: 20 * np.log10(np.maximum(x, 1e-3)), 0.1)
    beats = np.linspace(-1, 13, 4001)
    wanted = 20 * np.log10(lane.at(beats))
    assert np.abs(made.at(beats) - wanted).max() < 0.15  # between the places that were looked at
    assert made.unit == "dB"
    assert made.first == 0
    assert len(made.points) < 60


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.floats(0, 1), st.sampled_from(["linear", "hold"])), min_size=1,
             max_size=8, unique_by=lambda p: p[0]),
    st.lists(st.tuples(st.integers(0, 40), st.floats(0.1, 3)), min_size=1, max_size=5, unique_by=lambda p: p[0]),
)  # fmt: skip
def test_gains_multiply_a_lane(points, steps):
    lane = _lane(tuple(LanePoint(float(b), v, s) for b, v, s in sorted(points)))
    steps = [(float(b), g) for b, g in sorted(steps)]
    made = lane.scaled(steps)
    beats = np.linspace(-2, 45, 1000)  # none on a whole beat but the first
    factor = [next((g for b, g in reversed(steps) if b <= beat), steps[0][1]) for beat in beats]
    np.testing.assert_allclose(made.at(beats), lane.at(beats) * factor, atol=1e-9)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ((), "no points"),
        ((LanePoint(1, 0), LanePoint(0, 0)), "ascend"),
        ((LanePoint(1, 0), LanePoint(1, 0), LanePoint(1, 0)), "ascend"),
        ((LanePoint(0, float("nan")),), "finite"),
        ((LanePoint(0, 0, "smooth"),), "linear or hold"),
    ],
)
def test_what_is_no_lane_is_said(points, said):
    with pytest.raises(InputError, match=said):
        _lane(points)


def test_steps_are_kept():
    """Two samples at one place, as beats that lie too near for seconds to tell."""
    xs, ys = np.array([0.0, 1, 2, 2, 3, 4, 4]), np.array([0.0, 0.5, 1, 5, 5.5, 6, 7])
    assert needed(xs, ys, 1e-6) == [0, 2, 3, 5, 6]
    assert needed(np.array([1.0, 1, 1]), np.array([0.0, 1, 2]), 0.1) == [0, 1, 2]
