"""Automation to params: the numbers, held against straightforward loops and closed forms."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from effort import examples, few
from hypothesis import given, settings
from hypothesis import strategies as st

import djgraph
from djgraph.automation import SHAPES, Automation, load
from djgraph.automation.shapes import Array, progress
from djgraph.errors import AutomationError, InputError, LayoutError
from djgraph.layout import ParameterLayout


def curve(points: list[object], control: str = "a.gain", **keys: object) -> Automation:
    return load({"automation": 1, "curves": [{"control": control, "points": points, **keys}]})


def way(shape: str, u: float, bend: float | None) -> float:
    """Share of the way at share u of the time, with the math module alone."""
    bend = (40.0 if shape == "exponential" else 0.0) if bend is None else bend
    if bend:
        fall = 10 ** (-bend / 20)  # what is left at the end, of e^(-ku)
        u = (1 - fall**u) / (1 - fall)
    return {
        "hold": 0.0,
        "linear": u,
        "exponential": u,
        "smooth": 3 * u**2 - 2 * u**3,
        "sine": math.sin(math.pi / 2 * u),
        "cosine": 1 - math.sin(math.pi / 2 * (1 - u)),
    }[shape]


def expected(
    points: list[tuple[float, float, str, float | None]], frames: int, duration: float
) -> list[float]:
    """A loop over frames and points, in exact time."""
    values = []
    for i in range(frames):
        t = Fraction(i, max(frames - 1, 1)) * Fraction(duration)
        before = [p for p in points if Fraction(p[0]) <= t]
        after = [p for p in points if Fraction(p[0]) > t]
        if not before or not after:
            values.append((before[-1] if before else after[0])[1])
            continue
        (t0, v0, shape, bend), (t1, v1, *_) = before[-1], after[0]
        u = float((t - Fraction(t0)) / (Fraction(t1) - Fraction(t0)))
        values.append(v0 + (v1 - v0) * way(shape, u, bend))
    return values


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bend", [None, 0.0, 12.0, -40.0, 200.0])
def test_shapes(shape: str, bend: float | None) -> None:
    u = np.linspace(0, 1, 101)
    got: Array = progress(shape, u, bend)
    np.testing.assert_allclose(got, [way(shape, x, bend) for x in u], atol=1e-12)
    assert got[0] == 0
    assert shape == "hold" or got[-1] == pytest.approx(1, abs=1e-15)
    assert (np.diff(got) >= 0).all()


@pytest.mark.parametrize("bend", [0.0, 30.0, -30.0])
def test_sine_and_cosine_keep_the_power(bend: float) -> None:
    u = np.linspace(0, 1, 50)
    rise, fall = progress("sine", u, bend), 1 - progress("cosine", u, bend)
    np.testing.assert_allclose(rise**2 + fall**2, 1, atol=1e-12)


# Times in steps of 1/64 s, so that they are exact in binary and often lie on a frame.
points_lists = st.lists(
    st.tuples(
        st.integers(0, 640).map(lambda n: n / 64),
        st.integers(0, 100).map(lambda n: n / 100),
        st.sampled_from(list(SHAPES)),
        st.sampled_from([None, 0.0, 20.0, -20.0]),
    ),
    min_size=1,
    max_size=8,
).map(lambda points: sorted(points, key=lambda p: p[0]))


@settings(max_examples=examples(150), deadline=None)
@given(points_lists, st.integers(1, 90), st.sampled_from([1.0, 5.0, 10.0, 7.25]))
def test_against_a_loop(
    small: ParameterLayout, points: list[tuple[float, float, str, float | None]], frames: int, duration: float
) -> None:
    written = [
        {"at": t, "value": v, "shape": s} | ({} if b is None else {"bend": b}) for t, v, s, b in points
    ]
    params = curve(written).render(small, frames, duration, dtype=torch.float64)
    np.testing.assert_allclose(params[:, 0], expected(points, frames, duration), atol=1e-9)
    rest = small.default.double()[1:]
    assert torch.equal(params[:, 1:], rest.expand(frames, -1))
    small.check(params, out_of_range=True)


@given(st.integers(2, 3000), st.data(), st.floats(0.01, 1000), st.sampled_from(list(SHAPES)))
def test_exact_at_breakpoints(
    small: ParameterLayout, frames: int, data: st.DataObject, duration: float, shape: str
) -> None:
    """Wherever a breakpoint lies on a frame, however rounded its second is."""
    places = sorted(data.draw(st.sets(st.integers(0, frames - 1), min_size=1, max_size=5)))
    values = data.draw(st.lists(st.floats(0, 1), min_size=len(places), max_size=len(places)))
    points = [[round(i / (frames - 1) * duration, 12), v, shape] for i, v in zip(places, values)]
    params = curve(points).render(small, frames, duration, dtype=torch.float64)
    assert params[places, 0].tolist() == values


def test_a_jump_is_two_points_at_one_time(small: ParameterLayout) -> None:
    params = curve([[0, 0.25], ["50%", 0.25], ["50%", 1], ["100%", 1]]).render(small, 5, 4.0)
    assert params[:, 0].tolist() == [0.25, 0.25, 1, 1, 1]


def test_words_are_each_controls_own(small: ParameterLayout) -> None:
    auto = curve([["0%", "min"], ["50%", "default"], ["75%", "max"], ["100%", "neutral"]], control="*.gain")
    params = auto.render(small, 5)
    assert params[[0, 2, 3, 4]][:, 0].tolist() == [0, 1, 1, 1]
    assert params[[0, 2, 3, 4]][:, 3].tolist() == [0, 0.5, 1, 0.5]  # without a neutral value, its default


def test_patterns_lists_and_aliases(small: ParameterLayout) -> None:
    assert curve([[0, 0.5]], control="**.gain").render(small, 1)[0, [0, 3]].tolist() == [0.5, 0.5]
    assert curve([[0, 0.5]], control=["a.pan", "b.gain"]).render(small, 1)[0, [1, 3]].tolist() == [0.5, 0.5]  # type: ignore[arg-type]
    assert curve([[0, 440]], control="a.freq").render(small, 1)[0, 2] == 440


def test_the_later_curve_counts(mixer_layout: ParameterLayout) -> None:
    auto = load(
        {
            "automation": 1,
            "curves": [
                {"control": "track_a.*.gain", "value": 0.5},
                {"control": "track_a.drums.gain", "value": 0},
            ],
        }
    )
    values = mixer_layout.unpack(auto.render(mixer_layout, 2))
    assert values["track_a.drums.gain"].tolist() == [0, 0]
    assert values["track_a.bass.gain"].tolist() == [0.5, 0.5]
    assert values["track_b.bass.gain"].tolist() == [1, 1]


def test_batch_dtype_and_frame_rate(small: ParameterLayout) -> None:
    auto = curve([["0%", 0], ["100%", 1]])
    params = auto.render(small, n_frames=4, batch=3)
    assert params.shape == (3, 4, 5)
    assert params.dtype == torch.float32
    params[0] = 7  # memory of its own
    assert params[1].max() == 20000
    assert auto.render(small, 4, dtype=torch.float64).dtype == torch.float64
    assert auto.render(small, duration=30.0).shape == (1501, 5)  # 50 a second
    assert auto.render(small, n_frames=1)[0, 0] == 0
    for n in (7, 50, 1000):
        torch.testing.assert_close(auto.render(small, n)[:, 0], torch.linspace(0, 1, n))


def test_graph_and_mixer_will_do_for_a_layout() -> None:
    graph = djgraph.load("filter_knob")
    auto = load("linear")
    mixer = djgraph.compile(graph)
    assert torch.equal(auto.render(graph, 9), auto.render(mixer, 9))
    with pytest.raises(InputError, match="expected a layout, graph or mixer, got str"):
        auto.render("dj_mixer", 9)  # type: ignore[arg-type]


def test_tempo_of_the_file_and_of_the_caller(small: ParameterLayout) -> None:
    auto = load(
        {
            "automation": 1,
            "tempo": 60,
            "curves": [{"control": "a.gain", "points": [["2beats", 0], ["4beats", 1]]}],
        }
    )
    assert auto.render(small, 5, 4.0)[:, 0].tolist() == [0, 0, 0, 0.5, 1]
    assert auto.render(small, 5, 4.0, tempo=120)[:, 0].tolist() == [0, 0, 1, 1, 1]
    assert auto.render(small, 5, 4.0, tempo=[(0, 60), (2, 120)])[:, 0].tolist() == [0, 0, 0, 1, 1]
    assert auto.bpm(5, 4.0) == 60
    changing = load(
        {"automation": 1, "tempo": [[0, 60], [2, 120]], "curves": [{"control": "a.gain", "value": 1}]}
    )
    assert changing.bpm(5, 4.0) == [60, 60, 120, 120, 120]
    assert curve([[0, 1]]).bpm(5, 4.0) is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, InputError, "n_frames="),
        ({"n_frames": 0}, LayoutError, "n_frames is 0"),
        ({"n_frames": 2, "batch": 0}, InputError, "batch is 0"),
        ({"n_frames": 2, "duration": 0.0}, InputError, "duration is 0"),
        ({"n_frames": 2, "duration": math.nan}, InputError, "duration is nan"),
        ({"n_frames": 2, "tempo": -1}, InputError, "tempo is -1"),
    ],
)
def test_impossible_sizes(
    small: ParameterLayout, arguments: dict[str, float], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        curve([["50%", 0], ["100%", 1]]).render(small, **arguments)  # type: ignore[arg-type]


def test_seconds_need_a_duration(small: ParameterLayout) -> None:
    with pytest.raises(InputError, match="give the clip's duration"):
        curve([[1, 0], [2, 1]]).render(small, 10)
    curve([[1, 0], [2, 1]]).check(small)  # which columns and values can be checked without
    with pytest.raises(AutomationError, match="8beats needs a tempo"):
        curve([[1, 0], ["8beats", 1]]).check(small)
    curve([[1, 0], ["8beats", 1]]).check(small, tempo=120)


@pytest.mark.parametrize("fade", few(["linear", "equal_power", "exponential", "logarithmic"], 2))
@pytest.mark.parametrize(("cue_in", "cue_out"), [(0.0, 1.0), (0.25, 0.75), (0.1, 0.937)])
@pytest.mark.parametrize("frames", [1, 2, 64, 1001])
def test_the_four_fades_are_those_of_the_crossfader(
    layouts: dict[str, ParameterLayout], fade: str, cue_in: float, cue_out: float, frames: int
) -> None:
    for layout in layouts.values():
        auto = load(fade, start=f"{cue_in * 100}%", length=f"{(cue_out - cue_in) * 100}%")
        wanted = djgraph.SimpleCrossfader(fade, layout)(frames, 1, cue_in, cue_out, dtype=torch.float64)[0]
        torch.testing.assert_close(
            auto.render(layout, frames, dtype=torch.float64), wanted, rtol=0, atol=1e-12
        )


def test_a_span_that_does_not_fit(small: ParameterLayout) -> None:
    def auto(start: str, length: str) -> Automation:
        data = {"automation": 1, "span": {"start": start, "length": length}}
        return load(data | {"curves": [{"control": "a.gain", "points": [["0%", 0], ["100%", 1]]}]})

    auto("2s", "8s").check(small, duration=10.0)
    for start, length in [("2s", "9s"), ("-1s", "4s"), ("11s", "0s"), ("50%", "51%")]:
        with pytest.raises(AutomationError, match="does not fit the clip: it goes from"):
            auto(start, length).check(small, duration=10.0)
    with pytest.raises(AutomationError, match="ends before it begins"):
        auto("5s", "-2s").check(small, duration=10.0)


def test_points_may_lie_beyond_the_clip(small: ParameterLayout) -> None:
    params = curve([[-1, 0], [9, 1]]).render(small, 2, 4.0)
    assert params[:, 0].tolist() == pytest.approx([0.1, 0.5])
