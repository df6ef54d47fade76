"""Passages that kept their pitch: how well they are known and where else they may be, against what was made so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from djgraph.alignment.delays import Line
from djgraph.alignment.envelopes import HOP, blur
from djgraph.alignment.features import BANDS, FRAMES, RATE
from djgraph.alignment.locked import elsewhere
from djgraph.alignment.paths import Option
from djgraph.alignment.rates import Candidate
from djgraph.alignment.refine import Sounds, Stretch

BAR = 2 * RATE


def _bell(rows: np.ndarray, frames: float) -> np.ndarray:
    at = np.arange(-40, 41)
    kernel = np.exp(-0.5 * (at / frames) ** 2)
    return np.stack([np.convolve(row, kernel / kernel.sum(), "same") for row in rows])


@pytest.mark.parametrize("frames", [0.0, 2.0, 4.5])
def test_blurred_attacks_are_measured(frames: float) -> None:
    """Correlations of bells are bells, and their variances add up."""
    rng = np.random.default_rng(1)
    hits = _bell((rng.random((16, 4000)) > 0.97) - 0.03, 3.0)
    other = _bell(hits, frames) if frames else hits
    found = blur(*(torch.from_numpy(x).float() for x in (other, hits)), Line(0, 0, 1), 0, 3900 * HOP, RATE)
    assert found == pytest.approx(frames * HOP, rel=0.05, abs=0.1 * HOP)


def _bars(order: list[int], rows: int, frames: float, seed: int) -> torch.Tensor:
    """Bars of two seconds, each random, some of them the same."""
    length = round(BAR / RATE * frames)
    made = np.random.default_rng(seed).standard_normal((max(order) + 1, rows, length))
    return torch.from_numpy(np.concatenate([made[number] for number in order], 1)).float()


def test_bars_that_come_again_are_elsewhere() -> None:
    order = [0, 1, 2, 3, 4, 2, 3, 5, 6]
    sounds = Sounds(
        torch.zeros(len(order) * BAR),
        RATE,
        torch.zeros(len(order) * BAR),
        _bars(order, 16, RATE / HOP, 2),
    )
    option = Option(Candidate(1.0, True, 1.0), _bars(order, BANDS, FRAMES, 1))
    for first, last, places in ((2, 4, [5 * BAR]), (0, 2, []), (3, 5, [])):
        part = Stretch(
            Line(first * BAR, first * BAR, 1.0), first * BAR, last * BAR, True, 20.0, False, 0.0, 1.0
        )
        found = elsewhere(part, option, option.features, sounds, sounds)
        starts = [first * BAR + further for further in found.also]
        assert starts == pytest.approx(places, abs=0.02 * RATE)
