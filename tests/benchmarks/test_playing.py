"""The strict clock of playing, and that all of the benchmark runs."""

from __future__ import annotations

import json

import pytest

from benchmarks import playing


def test_a_strict_clock_counts_what_comes_too_late() -> None:
    clock = playing.StrictClock(1.0, ahead=2)
    clock.block(0.5)  # due at 0: the first one always is
    assert clock.late == 1
    for took in (0.9, 0.9, 0.9):  # at 0.9, 1.8 and 2.7, due at 1, 2 and 3
        clock.block(took)
    assert clock.late == 1
    for _ in range(100):  # never further ahead than there is room
        clock.block(0.1)
    clock.block(1.9)
    assert clock.late == 1
    clock.block(3.5)
    assert clock.late == 2
    clock.block(1.0)  # anew, from when it came
    assert clock.late == 2


@pytest.mark.slow
def test_playing_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    playing.main(["--minutes", "0.02"])
    told = json.loads(capsys.readouterr().out)
    assert told["blocks"] == round(1.2 * 44100 / 512)
    assert told["late"] + told["late_at_first"] <= told["blocks"]
    assert 0 < told["load"]["median"] <= told["load"]["percentile_99"] <= told["load"]["worst"]
    assert 0 < told["resident"]["half"] <= told["resident"]["most"]
