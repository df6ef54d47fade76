"""Samplers of params: by their statistics, in range, seeded, and as recipes play."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fake_layouts import column

import djgraph
from djgraph.data import random_state
from djgraph.data.samplers import around_neutral, by_group, recipe_like, sample_batch, uniform
from djgraph.layout import ParameterLayout

LAYOUT = ParameterLayout.from_graph(djgraph.load("dj_mixer"))
FRAMES = 9
COUNT = 400


def positions(params: torch.Tensor, pattern: str = "**") -> np.ndarray:
    return LAYOUT.to_unit(params.double())[..., LAYOUT.select(pattern)].numpy()


def test_uniform_is_uniform_over_the_travel() -> None:
    drawn = sample_batch(COUNT, 3, uniform, LAYOUT, FRAMES)
    assert drawn.shape == (COUNT, FRAMES, len(LAYOUT))
    LAYOUT.check(drawn.flatten(0, 1), out_of_range=True)
    assert torch.equal(drawn[:, :1].expand_as(drawn), drawn)  # one point: nothing moves
    found = positions(drawn[:, 0])
    # Of n uniform numbers, the share below x is x ± √(x(1−x)/n) (five of that: one test in a million would fail).
    for x in (0.1, 0.5, 0.9):
        shares = (found < x).mean(0)
        assert np.all(np.abs(shares - x) < 5 * np.sqrt(x * (1 - x) / COUNT))
    # Controls are independent.
    correlated = np.corrcoef(found.T) - np.eye(len(LAYOUT))
    assert np.abs(correlated).max() < 5.5 / np.sqrt(COUNT)
    moving = positions(sample_batch(COUNT, 4, uniform, LAYOUT, FRAMES, points=3))
    assert np.abs(np.diff(moving, axis=1)).max() < 0.75
    assert np.all((moving.max(1) - moving.min(1)).mean(0) > 0.4)  # the mean range of three is 1/2


def test_around_neutral_is_near_and_now_and_then_far() -> None:
    drawn = sample_batch(COUNT, 5, around_neutral, LAYOUT, FRAMES, spread=0.1)
    LAYOUT.check(drawn.flatten(0, 1), out_of_range=True)
    home = LAYOUT.to_unit(LAYOUT.neutral.double()).numpy()
    away = np.abs(positions(drawn[:, 0]) - home)
    assert away.mean() == pytest.approx(0.1, rel=0.03)
    assert np.median(away) == pytest.approx(0.1 * np.log(2), rel=0.05)  # of Laplace's distribution
    assert (away > 0.5).mean() == pytest.approx(np.exp(-5), rel=0.5)
    still = around_neutral(LAYOUT, 2, random_state(0), spread=0.0)
    torch.testing.assert_close(still, LAYOUT.neutral.expand(2, -1))


def test_groups_have_samplers_of_their_own() -> None:
    groups = {"**": (around_neutral, {"spread": 0.01}), "**.gain": uniform}
    drawn = sample_batch(COUNT, 6, by_group, LAYOUT, 1, groups=groups)
    gains = positions(drawn, "**.gain")
    assert gains.std() == pytest.approx(1 / np.sqrt(12), rel=0.05)
    others = [i for i in range(len(LAYOUT)) if i not in LAYOUT.select("**.gain")]
    home = LAYOUT.to_unit(LAYOUT.neutral.double()).numpy()
    assert np.abs(positions(drawn)[:, 0, others] - home[others]).mean() == pytest.approx(0.01, rel=0.1)
    some = by_group(LAYOUT, 3, random_state(1), {"track_a.**": uniform})
    rest = LAYOUT.select("track_b.**")
    assert torch.equal(some[:, rest], LAYOUT.pack(n_frames=3)[:, rest])


def test_recipes_are_followed_but_for_a_drift() -> None:
    sizes = {"seconds": 8.0, "tempo": 120.0, "recipes": ["equal_power"]}
    exact = sample_batch(40, 7, recipe_like, LAYOUT, 33, off=0.0, **sizes)
    drifting = sample_batch(40, 7, recipe_like, LAYOUT, 33, off=0.02, **sizes)
    LAYOUT.check(drifting.flatten(0, 1), out_of_range=True)
    gains = LAYOUT.select("**.gain")
    assert (exact[:, 0, LAYOUT.select("track_a.*.gain")] == 1).all()
    assert (exact[:, 0, LAYOUT.select("track_b.*.gain")] == 0).all()
    off = np.abs(positions(drifting) - positions(exact))
    moved = np.abs(positions(exact) - LAYOUT.to_unit(LAYOUT.default.double()).numpy()) > 1e-6
    assert not off[~moved].any()
    assert 0.005 < off[moved].mean() < 0.02
    # Smooth: of 33 frames, eight are a quarter of the curve, from one of its five points to the next.
    drift = positions(drifting) - positions(exact)
    inside = moved[:, 1:] & moved[:, :-1] & (np.abs(drift[:, 1:]) > 0) & (np.abs(drift[:, :-1]) > 0)
    steps = np.abs(np.diff(drift, axis=1))[inside]
    assert np.sqrt((steps**2).mean()) < 0.3 * np.sqrt((off[moved] ** 2).mean())
    idle = [i for i in range(len(LAYOUT)) if i not in gains]
    assert torch.equal(exact[..., idle], drifting[..., idle])
    names = {tuple(sample_batch(1, seed, recipe_like, LAYOUT, 5)[0, -1].tolist()) for seed in range(12)}
    assert len(names) > 3


def test_items_depend_on_seed_and_number_alone() -> None:
    for sampler in (uniform, around_neutral, recipe_like):
        many, few = (sample_batch(count, 11, sampler, LAYOUT, 5) for count in (4, 2))
        assert torch.equal(many[:2], few)
        assert not torch.equal(many, sample_batch(4, 12, sampler, LAYOUT, 5))


def test_steps_choices_and_what_is_read_once() -> None:
    controls = [
        column("a.note", 0, 12, default=3.0, neutral=3.0, step=1.0, rate="frame"),
        column("a.mode", 0, 2, default=0.0, choices=(0.0, 1.0, 2.0), rate="frame"),
        column("a.offset", -1, 1, rate="clip"),
    ]
    layout = ParameterLayout(controls)
    drawn = sample_batch(600, 1, uniform, layout, 12, points=4)
    layout.check(drawn.flatten(0, 1), out_of_range=True)
    assert set(drawn[..., 0].unique().tolist()) == set(range(13))
    # Each value alike, also those at the ends.
    counts = torch.bincount(drawn[:, 0, 1].long(), minlength=3)
    assert (counts - 200).abs().max() < 5 * np.sqrt(600 * 2 / 9)
    assert ((drawn[:, 1:, 0] != drawn[:, :-1, 0]).sum(1) <= 3).all()  # kept until the next point
    assert torch.equal(drawn[..., 2], drawn[:, :1, 2].expand(-1, 12))
    near = sample_batch(200, 1, around_neutral, layout, 6, points=3, spread=0.05)
    layout.check(near.flatten(0, 1), out_of_range=True)
    assert torch.equal(near[..., :2], near[..., :2].round())
    assert torch.equal(near[..., 2], near[:, :1, 2].expand(-1, 6))
    assert (near[..., 0] - 3).abs().mean() < 1


def test_what_cannot_be_is_refused() -> None:
    random = random_state(0)
    with pytest.raises(djgraph.InputError, match="n_frames"):
        uniform(LAYOUT, 0, random)
    with pytest.raises(djgraph.LayoutError):
        uniform(LAYOUT, 2, random, "nobody")
    with pytest.raises(djgraph.InputError, match="spread"):
        around_neutral(LAYOUT, 2, random, spread=-1)
    with pytest.raises(djgraph.InputError, match="groups"):
        by_group(LAYOUT, 2, random, {})
    with pytest.raises(djgraph.InputError, match="no transition recipe"):
        recipe_like(ParameterLayout([column("a.gain", neutral=1.0)]), 2, random)
