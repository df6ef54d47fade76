"""What meters show: the most since they were last asked."""

from __future__ import annotations

import math

import pytest
import torch

from djgraph.playing.levels import Levels


def test_peaks_are_the_largest_since_they_were_asked() -> None:
    levels = Levels(2, 8000)
    levels.see({"a": torch.tensor([[0.1, -0.5], [0.2, 0.0]]), "b": torch.zeros(1, 2)})
    levels.see({"a": torch.tensor([[0.3, 0.2], [0.0, -0.25]])})
    assert levels.peaks() == {"a": [0.5, 0.25], "b": [0.0]}
    levels.see({"a": torch.tensor([[0.1], [0.1]])})
    assert levels.peaks() == {"a": [0.1, 0.1]}
    assert levels.peaks() == {}


def test_loudness_begins_anew_where_it_is_told_to_and_where_channels_change() -> None:
    levels = Levels(2, 8000)
    assert levels.loudness == (None, None, None)
    tone = 0.5 * torch.sin(torch.arange(16_000) * (2 * math.pi * 997 / 8000)).expand(2, -1)
    levels.add(tone)
    momentary, integrated, peak = levels.loudness
    assert momentary == pytest.approx(integrated, abs=0.2)
    assert peak == pytest.approx(20 * math.log10(0.5), abs=0.1)
    levels.begin(2, 8000)
    assert levels.loudness == (None, None, None)
    levels.add(tone)
    levels.add(0.1 * tone[:1])
    assert levels.loudness[2] == pytest.approx(20 * math.log10(0.05), abs=0.1)
