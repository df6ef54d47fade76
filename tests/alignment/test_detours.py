"""What is a jump and what only sounds like one, on noise whose parts are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from djgraph.alignment.cuts import Cutter, Part, Whitener
from djgraph.alignment.delays import Line
from djgraph.alignment.detours import without_detours
from djgraph.alignment.features import RATE

SECONDS = 24


def _track(alike: float) -> torch.Tensor:
    """Noise whose seconds 4 to 8 are, by so much of their energy, those of 12 to 16."""
    rng = np.random.default_rng(1)
    audio = rng.standard_normal(SECONDS * RATE).astype(np.float32)
    first, second = slice(4 * RATE, 8 * RATE), slice(12 * RATE, 16 * RATE)
    audio[first] = alike**0.5 * audio[second] + (1 - alike) ** 0.5 * audio[first]
    return torch.from_numpy(audio)


def _cutter(recording: torch.Tensor, track: torch.Tensor) -> Cutter:
    whiten = Whitener(recording)
    return Cutter(recording, track, whiten, whiten(recording), 1.0)


def test_shares_are_what_each_line_alone_explains() -> None:
    """Of two signals whose correlation is r, one of which is heard, the other explains r², and nothing beside it."""
    track = _track(0.6)
    cutter = _cutter(track, track)
    line, other = Line(0.0, 0.0, 1.0), Line(0.0, 8.0 * RATE, 1.0)
    own, instead = cutter.shares([line, other], 4.5 * RATE, 7.5 * RATE)
    assert own == pytest.approx(1 - 0.6, abs=0.03)
    assert instead == pytest.approx(0, abs=0.01)
    assert cutter.shares([other], 4.5 * RATE, 7.5 * RATE)[0] == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("played", [True, False])
def test_a_loop_stays_and_what_sounds_like_one_goes(played: bool) -> None:
    track = _track(0.9)
    recording = track.clone()
    if played:
        recording[5 * RATE : 7 * RATE] = track[13 * RATE : 15 * RATE]
    recording += 0.5 * torch.from_numpy(
        np.random.default_rng(2).standard_normal(len(track)).astype(np.float32)
    )
    line, jump = Line(0.0, 0.0, 1.0), Line(0.0, 8.0 * RATE, 1.0)
    parts = [
        Part(line, 0.0, 5.0 * RATE),
        Part(jump, 5.0 * RATE, 7.0 * RATE),
        Part(line, 7.0 * RATE, float(len(track))),
    ]
    kept = without_detours(parts, _cutter(recording, track))
    assert len(kept) == (3 if played else 2)
