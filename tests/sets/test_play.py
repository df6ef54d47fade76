"""Sets as they sound: beats on beats, a stream equal to the whole clip, a run that was killed and goes on."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from djgraph.errors import InputError
from djgraph.sets import SetPlan
from djgraph.sets.build import plan_set
from djgraph.sets.kept import Kept, folder_of
from djgraph.sets.play import SetBlocks, turns
from tests.sets.tracks import RATE, track, write_set


def whole(plan: SetPlan) -> dict[str, Any]:
    """All that the decks play, in one block."""
    with SetBlocks(plan) as source:
        return source.read(plan.samples)


def clicks(signal: torch.Tensor, until: int) -> list[float]:
    """Samples at which clicks lie: the middle of what each is spread over."""
    mono = signal[0, :until].abs().double().numpy()
    found = []
    at = 0
    while at < len(mono):
        if mono[at] > 0.05:
            around = slice(max(0, at - 20), at + 21)
            power = mono[around] ** 2
            found.append(
                float((power * np.arange(around.start, around.start + len(power))).sum() / power.sum())
            )
            at += 40
        at += 1
    return found


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("", marks=pytest.mark.slow),
        pytest.param("tempo: 131\n", marks=pytest.mark.slow),
        "tempo: {from: 118, to: 128}\n",
        pytest.param("tempo: tracks\n", marks=pytest.mark.slow),
    ],
    ids=["middle", "one", "ramp", "tracks"],
)
def test_kicks_fall_together(tmp_path: Path, head: str) -> None:
    for name, bpm, first in (("one", 120.0, 0.1), ("two", 127.3, 0.233), ("three", 111.7, 0.05)):
        track(tmp_path / name, bpm, 16, first=first)
    plan = plan_set(write_set(tmp_path, "one", "two", "three", head=head))
    played = whole(plan)
    for transition in plan.transitions:
        begin, end = (round(plan.second(beat) * RATE) for beat in (transition.begin, transition.end))
        drums = [played[deck]["drums"][:, begin - 40 : end] for deck in ("left", "right")]
        sides = [np.array(clicks(signal, end - begin + 40)) for signal in drums]
        sides = [side[(side > 60) & (side < end - begin - 60)] for side in sides]
        assert len(sides[0]) == len(sides[1]) >= 30
        assert np.abs(sides[0] - sides[1]).max() < 0.002 * RATE


def test_tracks_rest_where_they_are_not_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two", "three"):
        track(tmp_path / name, 120.0, 16)
    plan = plan_set(write_set(tmp_path, "one", "two", "three"))
    read: list[str] = []
    source = SetBlocks(plan)
    monkeypatch.setattr(source, "_track", lambda track: read.append(track.name) or _Silent())
    source.read(RATE)
    assert read == ["one"]
    source.seek(plan.samples - RATE)
    source.read(RATE)
    assert read == ["one", "three"]
    for mine in turns(plan).values():
        assert all(a.end <= b.begin for a, b in itertools.pairwise(mine))


class _Silent:
    def read(self, first: int, samples: int) -> dict[str, torch.Tensor]:
        return {"drums": torch.zeros(2, samples)}


def test_blocks_are_the_whole(tmp_path: Path) -> None:
    for name, bpm in (("one", 120.0), ("two", 126.0), ("three", 114.0)):
        track(tmp_path / name, bpm, 12, seed=len(name))
    plan = plan_set(
        write_set(tmp_path, "one", "two", "three", head="tempo: {from: 118, to: 126}\nlength: 16beats\n")
    )
    expected = whole(plan)
    source = SetBlocks(plan)
    got = [source.read(7919) for _ in range(-(-plan.samples // 7919))]
    for deck, stems in expected.items():
        for stem, audio_ in stems.items():
            assert torch.equal(torch.cat([block[deck][stem] for block in got], -1), audio_)


def test_what_is_not_resumed(tmp_path: Path) -> None:
    for name, bpm in (("one", 120.0), ("two", 126.0)):
        track(tmp_path / name, bpm, 16)
    path = write_set(tmp_path, "one", "two")
    plan, out = plan_set(path), tmp_path / "mix.wav"
    with pytest.raises(InputError, match="there is nothing to resume"):
        Kept(out, plan, "studio", {"master": 2}, resume=True)
    with pytest.raises(KeyboardInterrupt), Kept(out, plan, "studio", {"master": 2}, resume=False):
        raise KeyboardInterrupt
    Kept(out, plan, "studio", {"master": 2}, resume=True)
    other = plan_set(write_set(tmp_path, "one", "{track: two, gain: -2}"))
    with pytest.raises(InputError, match="changed: the place of two; begin anew"):
        Kept(out, other, "studio", {"master": 2}, resume=True)
    with pytest.raises(InputError, match="changed: the lowering"):
        Kept(out, plan, "causal", {"master": 2}, resume=True)
    (folder_of(out) / "state.npz").write_bytes(b"PK no archive")
    with pytest.raises(InputError, match="damaged"):
        Kept(out, plan, "studio", {"master": 2}, resume=True)


def test_a_mixer_without_states_is_played_all_the_same(tmp_path: Path) -> None:
    def no_state() -> dict[str, torch.Tensor]:
        raise InputError("its memory cannot be read")

    track(tmp_path / "one", 120.0, 8)
    plan, out = plan_set(write_set(tmp_path, "one")), tmp_path / "mix.wav"
    kept = Kept(out, plan, "studio", {"master": 2}, resume=False)
    kept.__enter__()
    kept._saved -= 1e6
    kept.save(0, no_state)
    assert kept.problem == "its memory cannot be read"
    kept.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert not folder_of(out).exists()
