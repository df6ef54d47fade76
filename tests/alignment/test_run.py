"""Tracks found in mixes that were made along known lines."""

from __future__ import annotations

import pytest
import torch
from alignment_mixes import RATE, fade, play, track

from djgraph.alignment import find_tracks
from djgraph.errors import InputError


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
