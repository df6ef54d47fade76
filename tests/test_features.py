"""Beats and what is heard on them: against loops, closed forms, and mixes whose gains are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from djgraph.errors import InputError
from djgraph.features import BeatFeatures, BeatGrid

RATE = 8000


def test_beats_of_a_tempo() -> None:
    assert BeatGrid.at_tempo(2.0, 120).edges == (0, 0.5, 1, 1.5, 2)
    # A beat at 0.2, steps of half a beat; the last step is a whole one and the sliver behind it.
    found = BeatGrid.at_tempo(1.0, 60, first=3.2, per_beat=2)
    np.testing.assert_allclose(found.edges, (0, 0.2, 0.7, 1))
    assert BeatGrid.at_tempo(1.02, 120).edges == (0, 0.5, 1.02)
    assert BeatGrid.at_tempo(0.1, 120).edges == (0, 0.1)


def test_known_beats_go_on_at_their_pace() -> None:
    found = BeatGrid.from_beats(4.0, [1.0, 1.5, 2.5])
    np.testing.assert_allclose(found.edges, (0, 0.5, 1, 1.5, 2.5, 3.5, 4))
    np.testing.assert_allclose(BeatGrid.from_beats(1.0, [-2.3, -1.3]).edges, (0, 0.7, 1))


@given(
    seconds=st.floats(0.05, 30),
    tempo=st.floats(30, 300),
    first=st.floats(-100, 100),
    per_beat=st.integers(1, 8),
    n_frames=st.integers(1, 60),
)
def test_any_grid(seconds: float, tempo: float, first: float, per_beat: int, n_frames: int) -> None:
    grid = BeatGrid.at_tempo(seconds, tempo, first, per_beat)
    step = 60 / tempo / per_beat
    assert (grid.edges[0], grid.edges[-1]) == (0, seconds)
    lengths = np.diff(grid.edges)
    np.testing.assert_allclose(lengths[1:-1], step, rtol=1e-6)
    assert lengths.min() >= min(0.25 * step, seconds) - 1e-9
    assert lengths.max() <= 1.25 * step + 1e-9 or len(grid) == 1
    for edge in grid.edges[1:-1]:
        assert abs((edge - first) / step - round((edge - first) / step)) < 1e-6
    # Straight lines through the middles, against NumPy.
    values = torch.randn(len(grid), generator=torch.Generator().manual_seed(1))
    times = np.linspace(0, seconds, n_frames) if n_frames > 1 else np.zeros(1)
    expected = np.interp(times, grid.centres.numpy(), values.numpy())
    np.testing.assert_allclose(grid.spread(n_frames) @ values, expected, atol=1e-5)


def test_means_over_steps_against_a_loop() -> None:
    grid = BeatGrid((0.0, 0.31, 0.35, 0.9, 2.0))
    frames, rate = torch.randn(3, 19, dtype=torch.float64), 10.0
    found = grid.pool(frames, rate)
    for step in range(4):
        low, high = grid.edges[step], grid.edges[step + 1]
        inside = [i for i in range(19) if low <= i / rate < high]
        if not inside:  # 0.31 … 0.35: the frame nearest to 0.33
            inside = [3]
        torch.testing.assert_close(found[:, step], frames[:, inside].mean(1))


def test_energy_of_a_sine() -> None:
    t = torch.arange(2 * RATE) / RATE
    tone = 0.5 * torch.sin(2 * math.pi * 500 * t)
    heard = BeatFeatures(("tone", "silence"), RATE, bands=6)
    found = heard({"tone": tone[None], "silence": torch.zeros(2, 2 * RATE)}, BeatGrid.at_tempo(2.0, 120))
    assert found.shape == (4, 12) == (4, len(heard.names))
    loud = found[:, :6].argmax(1)
    assert (loud == loud[0]).all()
    assert heard.names[int(loud[0])].startswith("tone energy")
    assert (found[:, 6:] == 0).all()
    # 20 dB less is a quarter of the way from full scale to the floor, where it does not reach the floor.
    quieter = heard(
        {"tone": 0.1 * tone[None], "silence": torch.zeros(1, 2 * RATE)}, BeatGrid.at_tempo(2.0, 120)
    )
    torch.testing.assert_close(
        found[:, loud[0]] - quieter[:, loud[0]], torch.full((4,), 0.25), atol=1e-4, rtol=0
    )


def test_gains_of_a_mix_are_found() -> None:
    generator = torch.Generator().manual_seed(3)
    signals = {name: 0.1 * torch.randn(2, 4 * RATE, generator=generator) for name in "abc"}
    signals["silence"] = torch.zeros(2, 4 * RATE)
    gains = {"a": [1.0, 1.0, 0.0, 0.25], "b": [0.0, 0.5, 1.0, 0.7], "c": [0.3] * 4, "silence": [1.0] * 4}
    # Each second has its gains, without a slope between them.
    mix = sum(signals[name] * torch.tensor(gains[name]).repeat_interleave(RATE) for name in signals)
    heard = BeatFeatures(tuple(signals), RATE, bands=4, mix=True)
    assert len(heard.names) == 4 * 4 + 4 + 4 * 4
    found = heard(signals, BeatGrid((0.0, 1.0, 2.0, 3.0, 4.0)), mix)[:, 20:].view(
        4, 4, 4
    )  # step, signal, band
    for i, name in enumerate("abc"):
        expected = torch.tensor(gains[name])[:, None].expand(4, 4)
        torch.testing.assert_close(found[:, i], expected, atol=0.12, rtol=0)
    assert (found[:, 3] == 0).all()


def test_short_and_mono() -> None:
    heard = BeatFeatures(("a",), RATE, bands=4, mix=True)
    found = heard({"a": torch.ones(1, 1)}, BeatGrid((0.0, 1 / RATE)), torch.zeros(1, 1))
    assert found.shape == (1, 12)
    assert torch.isfinite(found).all()


def test_refusals() -> None:
    grid, sound = BeatGrid((0.0, 1.0)), torch.zeros(2, RATE)
    heard = BeatFeatures(("a.drums", "a.bass"), RATE)
    with pytest.raises(InputError, match=r"no audio of a\.bass; there is: a\.drums"):
        heard({"a.drums": sound}, grid)
    with pytest.raises(InputError, match="take no mix"):
        heard({"a.drums": sound, "a.bass": sound}, grid, sound)
    with pytest.raises(InputError, match="equally long"):
        heard({"a.drums": sound, "a.bass": sound[:, 1:]}, grid)
    with pytest.raises(InputError, match="need the mix"):
        BeatFeatures(("a",), RATE, mix=True)({"a": sound}, grid)
    for make in (
        lambda: BeatGrid((0.0,)),
        lambda: BeatGrid((0.0, 1.0, 1.0)),
        lambda: BeatGrid((0.5, 1.0)),
        lambda: BeatGrid.at_tempo(1.0, 0),
        lambda: BeatGrid.at_tempo(0.0, 120),
        lambda: BeatGrid.at_tempo(math.inf, 120),
        lambda: BeatGrid.at_tempo(1e6, 300, per_beat=100),
        lambda: BeatGrid.at_tempo(1.0, 120, per_beat=0),
        lambda: BeatGrid.from_beats(1.0, [0.5]),
        lambda: BeatGrid.from_beats(1.0, [0.5, 0.4]),
        lambda: BeatGrid.from_beats(1.0, [1e9, 1e9 + 1]),
        lambda: BeatFeatures((), RATE),
        lambda: BeatFeatures(("a",), RATE, bands=0),
        lambda: grid.spread(0),
        lambda: grid.pool(torch.zeros(2, 0), 1.0),
    ):
        with pytest.raises(InputError):
            make()


@pytest.mark.parametrize("mix", [False, True])
def test_a_batch_is_its_items(mix: bool) -> None:
    torch.manual_seed(4)
    features = BeatFeatures(("a", "b"), 22050, bands=4, mix=mix)
    audio = {"a": torch.randn(3, 2, 40_000), "b": torch.randn(3, 1, 40_000)}
    mixed = 0.5 * audio["a"] + 0.2 * audio["b"] if mix else None
    seconds = 40_000 / 22050
    grids = [BeatGrid.at_tempo(seconds, 130, first) for first in (0.15, 0.2, 0.25)]
    assert len({len(grid) for grid in grids}) == 1
    for several in (grids[0], grids):
        found = features(audio, several, mixed)
        for i in range(3):
            grid = several if isinstance(several, BeatGrid) else several[i]
            one = features(
                {name: x[i] for name, x in audio.items()}, grid, None if mixed is None else mixed[i]
            )
            torch.testing.assert_close(found[i], one)
    with pytest.raises(InputError, match="expected one grid, or 3"):
        features(audio, grids[:2], mixed)
    with pytest.raises(InputError, match="or a batch of them"):
        features({**audio, "b": audio["b"][0]}, grids[0], mixed)
