"""Tracks found in mixes that were made along known lines."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from alignment_mixes import RATE, fade, play, track

from djgraph.alignment import find_tracks
from djgraph.audio import write
from djgraph.errors import InputError


@pytest.mark.slow
def test_two_tracks_at_other_rates_are_found_to_a_part_of_a_sample() -> None:
    first, second = track("track_a"), track("track_b")
    lap = 4 * RATE
    a = play(first, [(0, len(first) / 1.031, 0, 1.031)], int(len(first) / 1.031))
    b = play(second, [(0, len(second) / 0.96, 0, 0.96)], int(len(second) / 0.96))
    at = len(a) - lap
    mix = torch.zeros(at + len(b), dtype=torch.float32, device="cpu")
    mix[: len(a)] += fade(a, 0, lap)
    mix[at:] += fade(b, lap, 0)
    one, other = find_tracks(mix, {"b": second, "a": first}, RATE, rates=(0.95, 1.04))
    assert (one.track, other.track) == ("a", "b")
    for found, begins, rate in ((one, 0, 1.031), (other, at, 0.96)):
        passage = max(found.passages, key=lambda passage: passage.ends - passage.begins)
        middle = (passage.begins + passage.ends) / 2
        assert passage.position(middle) == pytest.approx(rate * (middle - begins), abs=0.05)
        assert passage.rate == pytest.approx(rate, rel=1e-6)
        assert not passage.key_locked


@pytest.mark.parametrize(
    ("recording", "message"),
    [
        (torch.zeros(2, 4 * RATE), "the recording is silent"),
        (torch.ones(2, 100), "the recording is 0.005 s long"),
        (torch.full((2, 4 * RATE), float("nan")), "the recording holds NaN"),
        (torch.ones(2, 4 * RATE, dtype=torch.int32), "the recording: expected floating point audio"),
        (3.5, "the recording: expected a tensor, a file"),
    ],
)
def test_what_is_no_recording(recording: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_tracks(recording, {"a": track("track_a")}, RATE)  # type: ignore[arg-type]


def _mix(*signals: tuple[torch.Tensor, int]) -> torch.Tensor:
    mix = torch.zeros(max(at + len(audio) for audio, at in signals), dtype=torch.float32, device="cpu")
    for audio, at in signals:
        mix[at : at + len(audio)] += audio
    return mix


@pytest.mark.slow
def test_a_jump_is_found_to_the_sample() -> None:
    audio = track("track_b", 40.0)
    bar = 4 * 60 / 126 * RATE
    first, second = (0.0, 7.0 * RATE, 0.0, 1.02), (7.0 * RATE, 19.0 * RATE, 9.5 * bar, 1.02)
    mix = play(audio, [first, second], 19 * RATE)
    (found,) = find_tracks(mix, {"b": audio}, RATE, rates=(0.95, 1.05))
    assert len(found.passages) == 2
    for passage, (begins, _, start, rate) in zip(found.passages, (first, second)):
        # The demo's tracks repeat themselves every four bars, bit for bit: from where, nobody can tell.
        apart = passage.position(begins) - start
        assert abs(apart - 4 * bar * round(apart / (4 * bar))) < 1.0
        assert passage.rate == pytest.approx(rate, rel=1e-6)
        # … and that is said: one of the places is the true one.
        places = (
            passage.position(begins),
            *(also - passage.start + passage.position(begins) for also in passage.also),
        )
        assert min(abs(place - start) for place in places) < 1.0
    assert found.passages[1].begins == pytest.approx(7.0 * RATE, abs=0.01 * RATE)


@pytest.mark.slow
def test_a_deck_runs_on_behind_a_closed_fader() -> None:
    audio = track("track_a", 40.0)  # which repeats itself every 8 s
    mix = play(audio, [(0, 33 * RATE, RATE, 0.99)], 33 * RATE)
    mix[10 * RATE : 19 * RATE] = 0
    (found,) = find_tracks(mix, {"a": audio}, RATE, rates=(0.95, 1.05))
    (passage,) = found.passages
    assert (passage.begins, passage.ends) == pytest.approx((0, 33 * RATE), abs=0.05 * RATE)


@pytest.mark.slow
def test_a_track_that_is_not_there_is_absent_though_its_tempo_is() -> None:
    first, second = track("track_a"), track("track_b")
    mix = play(first, [(0, 18 * RATE, 0, 1.05)], 18 * RATE)  # at the other one's tempo
    found = {one.track: one for one in find_tracks(mix, {"a": first, "b": second}, RATE)}
    assert found["a"].passages
    assert not found["b"].passages
    assert found["b"].confidence > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("effects", [("tempo", "-m", "1.05"), ("tempo", "-m", "0.94")])
def test_what_sox_stretched(effects: tuple[str, ...], tmp_path: Path) -> None:
    if shutil.which("sox") is None:
        pytest.skip("sox is not installed")
    audio = track("track_a")
    write(tmp_path / "track.wav", audio[None], RATE)
    subprocess.run(
        ["sox", "-D", tmp_path / "track.wav", tmp_path / "mix.wav", "pad", "1.5", *effects], check=True
    )
    (found,) = find_tracks(tmp_path / "mix.wav", {"a": tmp_path / "track.wav"}, RATE)
    (passage,) = found.passages
    rate = float(effects[-1])
    assert passage.key_locked
    assert passage.rate == pytest.approx(rate, rel=5e-4)
    middle = 10 * RATE
    assert passage.position(middle) == pytest.approx(rate * middle - 1.5 * RATE, abs=0.012 * RATE)


@pytest.mark.slow
def test_a_recording_of_the_other_polarity_mono_at_another_rate() -> None:
    audio = track("track_a")
    mix = -0.3 * _mix((play(audio, [(0, 15 * RATE, 2 * RATE, 0.98)], 15 * RATE), RATE))
    (found,) = find_tracks(mix[None], {"a": torch.stack([audio, audio])}, RATE, rates=(0.95, 1.05))
    (passage,) = found.passages
    assert passage.position(8 * RATE) == pytest.approx(2 * RATE + 0.98 * 7 * RATE, abs=0.05)


@pytest.mark.parametrize("rates", [(1.2, 0.9), (0.1, 1.0), (0.9,)])
def test_rates_that_are_none(rates: tuple[float, ...]) -> None:
    with pytest.raises((InputError, ValueError)):
        find_tracks(track("track_a"), {"a": track("track_a")}, RATE, rates=rates)  # type: ignore[arg-type]


def test_no_tracks() -> None:
    with pytest.raises(InputError, match="there are no tracks"):
        find_tracks(track("track_a"), {}, RATE)
