"""``python -m benchmarks.sets``: drums are found to the sample, and a grid that is late is seen as that."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.analysis.patterns import RATE as FINE
from benchmarks.analysis.patterns import drum_sounds
from benchmarks.sets.beats import data_of, measure, onset, table
from djgraph.sets import plan_set
from tests.sets.tracks import track, write_set


@pytest.mark.parametrize("name", ["kick", "snare", "hat"])
def test_where_a_drum_begins(name: str) -> None:
    rng = np.random.default_rng(7)
    sound = 0.5 * drum_sounds(rng)[name]
    signal = 1e-4 * rng.standard_normal((2, FINE))
    signal[:, 9000 : 9000 + len(sound)] += 0.3 * sound  # one that still rings
    signal[:, 22000 : 22000 + len(sound)] += sound
    for near in (22000 - 900, 22000, 22000 + 900):
        found = onset(signal, near, FINE)
        assert found is not None
        assert abs(found - 22000) <= 8  # 0.2 ms
    assert onset(signal, 40000, FINE) is None


def test_a_grid_that_is_late(tmp_path: Path) -> None:
    """By 5 ms in one of two tracks: its drums come before the clock, and before the other's. Clicks are a sample of
    8 kHz, and found within four."""
    for name in ("one", "two"):
        track(tmp_path / name, 120.0, 16)
    about = tmp_path / "two" / "track.json"
    data = json.loads(about.read_text())
    data["grid"]["seconds"] = [second + 0.005 for second in data["grid"]["seconds"]]
    about.write_text(json.dumps(data))
    (one,) = measure(plan_set(write_set(tmp_path, "one", "two", head="tempo: 120\nlength: 16beats\n")))
    assert len(one.leaving.beats) >= 15
    assert one.leaving.late == pytest.approx(np.zeros(len(one.leaving.late)), abs=5e-4)
    assert one.entering.late == pytest.approx(np.full(len(one.entering.late), -0.005), abs=5e-4)
    assert one.both()[1] == pytest.approx(np.full(len(one.both()[0]), -0.005), abs=2e-4)
    text = table([one], beyond=2.0)
    assert text.count("two: beat") == len(one.entering.beats)
    assert "one: beat" not in text
    assert data_of([one])[0]["apart_ms"][0] == pytest.approx(-5, abs=0.5)
