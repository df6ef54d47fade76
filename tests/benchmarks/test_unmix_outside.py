"""Mixes made by sox and ffmpeg lie where they are said to lie."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.unmix import outside
from benchmarks.unmix.mixes import RATE, Part
from benchmarks.unmix.scaling import resampled
from djgraph.alignment import Passage

PARTS = (
    Part(
        "a",
        (Passage(0, 100000, 2000, 1.0, False, 0),),
        [(0, 0.0), (20000, 1.0), (80000, 1.0), (100000, 0.0)],
    ),
    Part(
        "b",
        (Passage(80000, 170000, 3000, 1.02, False, 0),),
        [(80000, 0.0), (100000, 1.0), (150000, 1.0), (170000, 0.0)],
    ),
)


def tracks() -> dict[str, np.ndarray]:
    random = np.random.RandomState(4)
    slow = np.ones(8) / 8
    return {
        name: np.stack(
            [0.3 * np.convolve(random.standard_normal(3 * RATE), slow, "same") for _ in range(2)]
        ).astype(np.float32)
        for name in "ab"
    }


@pytest.mark.skipif(
    not (shutil.which("sox") and shutil.which("ffmpeg")), reason="sox and ffmpeg are not installed"
)
def test_what_sox_made_lies_where_it_is_said_to():
    made = outside.by_sox("x", "resample", "none", tracks(), PARTS)
    mono = made.mix.mean(0).astype(np.float64)
    for part, first in zip(PARTS, (40000, 110000)):
        (passage,) = part.passages
        track = tracks()[part.track].mean(0).astype(np.float64)[None]
        near = resampled(track, passage.position(first) - 200 * passage.rate, passage.rate, 20400)[0]
        cross = np.correlate(near, mono[first : first + 20000], "valid")
        assert abs(int(np.argmax(cross)) - 200) <= 1
        level = cross.max() / (near[200:20200] ** 2).sum()
        assert level == pytest.approx(1 / 2, rel=0.1)
    assert made.truth.order == ("a", "b")


def test_programs_that_are_missing_are_told(monkeypatch):
    monkeypatch.setattr(outside.shutil, "which", lambda _: None)
    with pytest.raises(BenchmarkError, match="needs sox"):
        outside.by_sox("x", "none", "none", tracks(), PARTS)
