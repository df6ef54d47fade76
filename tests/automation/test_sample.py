"""Params back to few breakpoints: the promised error holds, and nothing is written that need not be."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.automation import Automation, Curve, from_params, load
from djgraph.automation.sample import simplify
from djgraph.errors import InputError, LayoutError
from djgraph.layout import ParameterLayout


def corners(auto: Automation) -> int:
    return sum(len(curve.points) for curve in auto.every_curve())


def worst(layout: ParameterLayout, auto: Automation, params: torch.Tensor, duration: float) -> torch.Tensor:
    """Largest error of each control, found by rendering, after a round through a file."""
    again = load(auto.to_yaml()).render(layout, len(params), duration, dtype=params.dtype)
    clamped = params.clamp(layout.minimum.to(params), layout.maximum.to(params))
    return (again - clamped).abs().amax(0)


@pytest.mark.slow
@settings(max_examples=examples(60), deadline=None)
@given(
    st.integers(1, 200),
    st.sampled_from([1e-4, 0.01, 0.3]),
    st.sampled_from([0.37, 30.0, 3600.0]),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(0, 2**31),
    st.sampled_from(["noise", "walk", "steps", "smooth"]),
)
def test_the_error_is_kept(
    small: ParameterLayout,
    frames: int,
    error: float,
    duration: float,
    dtype: torch.dtype,
    seed: int,
    kind: str,
) -> None:
    random = np.random.default_rng(seed)
    if kind == "noise":
        position = random.uniform(-0.2, 1.2, (frames, 5))
    elif kind == "walk":
        position = 0.5 + np.cumsum(random.normal(0, 0.05, (frames, 5)), 0)
    elif kind == "steps":
        position = np.repeat(random.uniform(0, 1, (frames // 7 + 1, 5)), 7, 0)[:frames]
    else:
        t = np.linspace(0, 1, frames)[:, None]
        position = 0.5 + 0.5 * np.sin(t * random.uniform(0, 20, 5) + random.uniform(0, 6, 5))
    span = (small.maximum - small.minimum).double()
    params = (small.minimum.double() + span * torch.from_numpy(position)).to(dtype)
    params[:, 4] = params[0, 4]  # read once per clip
    errors = {"**": error, "a.cutoff": 1000 * error}
    auto = from_params(small, params, duration, errors)
    limits = torch.tensor([error, error, 1000 * error, error, error], dtype=torch.float64)
    assert (worst(small, auto, params, duration).double() <= limits).all()


def test_zero_error_keeps_every_corner(small: ParameterLayout) -> None:
    random = np.random.default_rng(1)
    params = small.pack({"a.gain": torch.from_numpy(random.uniform(0, 1, 50))}, dtype=torch.float64)
    auto = from_params(small, params, 3.0, 0)
    assert corners(auto) == 50
    assert worst(small, auto, params, 3.0).max() == 0


def test_lines_need_two_points_and_a_broken_line_three(small: ParameterLayout) -> None:
    params = small.pack({"a.gain": torch.linspace(0, 1, 501), "b.gain": (torch.linspace(-1, 1, 501)).abs()})
    auto = from_params(small, params, 10.0, 0.001)
    found = {curve.targets: [(p.at.plain(), p.value) for p in curve.points] for curve in auto.every_curve()}
    assert found == {("a.gain",): [(0, 0), (10, 1)], ("b.gain",): [(0, 1), (5, 0), (10, 1)]}


def test_what_rests_is_left_out_and_what_is_alike_is_shared(mixer_layout: ParameterLayout) -> None:
    params = load("linear").render(mixer_layout, 1001, 20.0)
    auto = from_params(mixer_layout, params, 20.0)
    assert [len(curve.targets) for curve in auto.every_curve()] == [4, 4]
    assert corners(auto) == 4
    assert from_params(mixer_layout, mixer_layout.pack(n_frames=9), 1.0).curves == ()
    constant = from_params(mixer_layout, mixer_layout.pack({"track_a.drums.hpf": 0.4}, n_frames=9), 1.0)
    (curve,) = constant.curves
    assert isinstance(curve, Curve)
    assert [p.value for p in curve.points] == [pytest.approx(0.4)]


def test_recipes_become_compact(mixer_layout: ParameterLayout) -> None:
    """A cosine within 0.01 needs no more lines than a chord's sagitta says: pi/2 of arc, 2*acos(1 - 0.01) a chord
    that touches from one side, half of that where it may not leave the curve's own points."""
    params = load("equal_power").render(mixer_layout, 2001, 40.0)
    auto = from_params(mixer_layout, params, 40.0, 0.01)
    chord = 2 * math.acos(1 - 0.01)
    for curve in auto.every_curve():
        assert len(curve.points) <= 2 * math.ceil(math.pi / 2 / chord) + 1


def reference(values: list[float], error: float) -> list[int]:
    """The textbook recursion."""
    if len(values) < 3:
        return list(range(len(values)))
    last = len(values) - 1
    off = [abs(values[i] - (values[0] + (values[-1] - values[0]) * i / last)) for i in range(len(values))]
    middle = max(range(1, last), key=off.__getitem__)
    if off[middle] <= error:
        return [0, last]
    return (
        reference(values[: middle + 1], error) + [middle + i for i in reference(values[middle:], error)][1:]
    )


@given(
    st.lists(st.integers(0, 1000).map(lambda n: n / 1000), min_size=1, max_size=60),
    st.sampled_from([0.011, 0.1003]),
)
def test_simplify_is_the_textbook_recursion(values: list[float], error: float) -> None:
    got = simplify(np.array(values), error)
    kept = np.interp(range(len(values)), got, np.array(values)[got])
    assert np.abs(kept - values).max() <= error + 1e-12
    assert got == reference(values, error)


def test_times_and_values_are_short(small: ParameterLayout) -> None:
    random = np.random.default_rng(3)
    params = small.pack({"a.gain": torch.from_numpy(random.uniform(0, 1, 101))})
    auto = from_params(small, params, 10.0, 0.01)
    for curve in auto.every_curve():
        for point in curve.points:
            assert len(repr(point.value)) <= len("0.123")
            assert len(str(point.at.plain())) <= len("10.1")


def test_a_batch_of_one_and_refusals(small: ParameterLayout) -> None:
    params = small.pack({"a.gain": [0.0, 1.0]}, batch=1)
    assert len(from_params(small, params, 1.0).curves) == 1
    with pytest.raises(InputError, match="a batch of 2"):
        from_params(small, params.repeat(2, 1, 1), 1.0)
    with pytest.raises(InputError, match="duration is 0"):
        from_params(small, params, 0.0)
    with pytest.raises(InputError, match="error is -1"):
        from_params(small, params, 1.0, -1)
    with pytest.raises(LayoutError, match=r"error: there is no control 'a.gian'; did you mean 'a.gain'"):
        from_params(small, params, 1.0, {"a.gian": 0.1})
    params[0, 0, 0] = math.nan
    with pytest.raises(InputError, match=r"control 'a.gain' \(column 0\) at frame 0 .* is nan"):
        from_params(small, params, 1.0)


def test_gradients_do_not_matter(small: ParameterLayout) -> None:
    params = small.pack({"a.gain": torch.linspace(0, 1, 9)}).requires_grad_()
    assert corners(from_params(small, params, 1.0)) == 2
