"""Losses of controls, against loops in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from effort import gradcheck
from torch import Tensor

import djgraph
from djgraph import losses
from djgraph.effects import Control
from djgraph.errors import DJGraphError, InputError, LayoutError
from djgraph.graph.ir import Column
from djgraph.losses import monotone, neutral_sparsity, total_variation


@pytest.fixture(scope="module")
def layout() -> djgraph.ParameterLayout:
    def column(name: str, **fields: object) -> Column:
        control = Control(**{"min": 0.0, "max": 1.0, "default": 0.0, "id": "x", **fields})  # type: ignore[arg-type]
        return Column(name=name, control=control, kind="control", effect="gain")

    return djgraph.ParameterLayout(
        [
            column("a.gain", default=1.0, neutral=1.0),
            column("a.eq", max=2.0, default=1.0, neutral=1.0),
            column("b.gain"),  # no neutral value: counts from its default, 0
            column("b.cutoff", min=20.0, max=20000.0, default=20.0, neutral=20.0, scale="log", unit="Hz"),
        ]
    )


def positions_of(params: np.ndarray) -> np.ndarray:
    out = params.copy()
    out[..., 1] /= 2
    out[..., 3] = np.log(params[..., 3] / 20) / np.log(1000)
    return out


NEUTRAL = np.array([1.0, 0.5, 0.0, 0.0])


def random_params(seed: int, batch: int = 2, frames: int = 5) -> np.ndarray:
    u = np.random.default_rng(seed).uniform(0.1, 0.9, (batch, frames, 4))
    u[..., 1] *= 2
    u[..., 3] = 20 * 1000 ** u[..., 3]
    return u


def test_total_variation(layout: djgraph.ParameterLayout) -> None:
    params = random_params(0)
    u = positions_of(params)
    travels = []
    for item in range(2):
        for column in range(4):
            travels.append(sum(abs(u[item, t + 1, column] - u[item, t, column]) for t in range(4)))
    got = total_variation(torch.from_numpy(params), layout)
    assert float(got) == pytest.approx(np.mean(travels), rel=1e-12)
    chosen = [travels[i] for i in (0, 2, 4, 6)]
    assert float(total_variation(torch.from_numpy(params), layout, "*.gain")) == pytest.approx(
        np.mean(chosen)
    )
    twice = total_variation(torch.from_numpy(params), layout, ["*.gain", "a.gain", "b.gain"])
    assert float(twice) == pytest.approx(np.mean(chosen))  # named twice, counted once
    assert float(total_variation(torch.from_numpy(u), layout, positions=True)) == pytest.approx(
        np.mean(travels)
    )
    assert float(total_variation(torch.from_numpy(params[:, :1]), layout)) == 0.0


def test_travel_does_not_depend_on_the_frame_rate(layout: djgraph.ParameterLayout) -> None:
    def ramp(frames: int) -> Tensor:
        return layout.pack({"a.gain": torch.linspace(0, 1, frames, dtype=torch.float64)})

    assert float(total_variation(ramp(3), layout, "a.gain")) == pytest.approx(1)
    assert float(total_variation(ramp(300), layout, "a.gain")) == pytest.approx(1)


def test_neutral_sparsity(layout: djgraph.ParameterLayout) -> None:
    params = random_params(1)
    expected = np.abs(positions_of(params) - NEUTRAL)
    assert float(neutral_sparsity(torch.from_numpy(params), layout)) == pytest.approx(
        expected.mean(), rel=1e-12
    )
    got = neutral_sparsity(torch.from_numpy(params), layout, "b.*")
    assert float(got) == pytest.approx(expected[..., 2:].mean(), rel=1e-12)
    assert float(neutral_sparsity(layout.neutral.expand(3, 4), layout)) == 0.0


def test_monotone(layout: djgraph.ParameterLayout) -> None:
    params = random_params(2)
    u = positions_of(params)
    wrong = []
    for item in range(2):
        for column, sign in ((0, -1), (1, -1), (3, 1)):
            steps = [u[item, t + 1, column] - u[item, t, column] for t in range(4)]
            wrong.append(sum(max(0.0, -sign * step) for step in steps))
    ways = {"a.*": "falling", "b.cutoff": "rising"}
    assert float(monotone(torch.from_numpy(params), layout, ways)) == pytest.approx(np.mean(wrong), rel=1e-12)
    falling = layout.pack({"a.gain": [1.0, 0.5, 0.5, 0.0]})
    assert float(monotone(falling, layout, {"a.gain": "falling"})) == 0.0
    assert float(monotone(falling, layout, {"a.gain": "rising"})) == 1.0


def test_gradients(layout: djgraph.ParameterLayout) -> None:
    params = torch.from_numpy(random_params(3)).requires_grad_()
    for loss in (
        lambda p: total_variation(p, layout),
        lambda p: neutral_sparsity(p, layout),
        lambda p: monotone(p, layout, {"a.*": "falling", "b.*": "rising"}),
    ):
        assert gradcheck(loss, (params,))
        # Where controls stand still at neutral, and at the ends of their ranges.
        for still in (layout.neutral, layout.minimum, layout.maximum):
            resting = still.expand(3, 4).clone().requires_grad_()
            loss(resting).backward()
            assert resting.grad is not None
            assert torch.isfinite(resting.grad).all()


def test_descent_brings_a_control_home(layout: djgraph.ParameterLayout) -> None:
    params = layout.pack({"a.gain": 0.6}, n_frames=4).requires_grad_()
    neutral_sparsity(params, layout, "a.gain").backward()
    assert params.grad is not None
    assert (params.grad[:, 0] < 0).all()  # descent raises it towards 1
    assert (params.grad[:, 1:] == 0).all()


def test_refusals(layout: djgraph.ParameterLayout) -> None:
    params = layout.pack(n_frames=3)
    with pytest.raises(LayoutError, match=r"a\.gian"):
        total_variation(params, layout, "a.gian")
    with pytest.raises(InputError, match="rising, falling"):
        monotone(params, layout, {"a.gain": "up"})
    with pytest.raises(InputError, match="both rising and falling"):
        monotone(params, layout, {"a.*": "rising", "*.gain": "falling"})
    with pytest.raises(InputError, match="no direction"):
        monotone(params, layout, {})
    for bad in (params[0], params[:0], torch.zeros(2, 2, 3, 4), [[0.0] * 4]):
        with pytest.raises(InputError, match="expected"):
            total_variation(bad, layout)  # type: ignore[arg-type]
    with pytest.raises(DJGraphError):
        total_variation(params[:, :3], layout)
    with pytest.raises(InputError, match="4 controls"):
        total_variation(params[:, :3], layout, positions=True)


def test_distances_by_group() -> None:
    layout = djgraph.ParameterLayout.from_graph(djgraph.load("dj_mixer"))
    groups = losses.control_groups(layout)
    columns = [layout.select(pattern) for pattern in groups.values()]
    assert sorted(column for chosen in columns for column in chosen) == list(range(len(layout)))
    truth = layout.pack(n_frames=3, batch=2)
    params = truth.clone()
    with torch.no_grad():
        params[..., layout.index("track_a.bass.gain")] = 0.25
    found = losses.per_group(losses.control_distance, params, truth, layout)
    assert list(found) == list(groups)
    assert float(found["gain"]) == pytest.approx(0.75 / len(layout.select("**.gain")))
    assert all(float(value) == 0 for name, value in found.items() if name != "gain")
    mine = losses.per_group(
        losses.total_variation, params, layout, groups={"lows": ["**.eq_low"], "all": "**"}
    )
    assert set(mine) == {"lows", "all"}
    with pytest.raises(djgraph.LayoutError):
        losses.per_group(losses.control_distance, params, truth, layout, groups={"no": "nothing.*"})
    with pytest.raises(djgraph.InputError, match="same shape"):
        losses.control_distance(params, truth[0], layout)
    with pytest.raises(djgraph.InputError, match="a layout among"):
        losses.per_group(losses.neutral_sparsity, params)
