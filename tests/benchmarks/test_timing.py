"""Interleaving, medians and paired ratios, with a clock that the tests turn."""

from __future__ import annotations

import gc

import pytest

from benchmarks import timing
from benchmarks.timing import Program, Spread, Times, interleave, ratio


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "PAUSE", 0)


class Clock:
    """Goes on only while a program runs: by its cost, times how slow the machine is at that moment."""

    def __init__(self) -> None:
        self.now = 0.0
        self.runs: list[str] = []

    def program(self, name: str, cost: float, drift: float = 0.0) -> Program:
        def run() -> None:
            self.runs.append(name)
            self.now += cost * (1 + drift * len(self.runs))

        return Program(run)

    def __call__(self) -> float:
        return self.now


def test_rounds_turn_round() -> None:
    clock = Clock()
    interleave({name: clock.program(name, 1) for name in "abc"}, 3, clock=clock)
    assert "".join(clock.runs) == "abc" + "abc" + "cba" + "abc"


def test_only_the_run_itself_is_timed() -> None:
    clock = Clock()
    program = clock.program("a", 2)

    def before() -> None:
        clock.now += 100

    times = interleave({"a": Program(program.run, before)}, 3, clock=clock)["a"]
    assert times.seconds == (2, 2, 2)


@pytest.mark.slow
def test_a_steady_drift_cancels() -> None:
    clock = Clock()
    programs = {"fast": clock.program("fast", 1, drift=0.1), "slow": clock.program("slow", 3, drift=0.1)}
    times = interleave(programs, 8, clock=clock)
    assert ratio(times["slow"], times["fast"]).value == pytest.approx(3, rel=0.02)
    assert times["slow"].seconds[-1] > 1.5 * times["slow"].seconds[0]


def test_a_disturbed_round_does_not_count_much() -> None:
    result = ratio(Times((2.0, 2.0, 80.0, 2.0, 2.0)), Times((1.0, 1.0, 1.0, 1.0, 1.0)))
    assert (result.value, result.low, result.high, result.fastest) == (2, 2, 2, 2)


def test_ratio_is_of_the_same_rounds() -> None:
    result = ratio(Times((2.0, 20.0, 6.0)), Times((1.0, 10.0, 2.0)))
    assert result.value == 2  # of 2, 2, 3; the ratio of the medians would be 3
    assert result.high == 2.5
    assert result.fastest == 2


def test_quartiles() -> None:
    assert Spread.of([4, 1, 3, 2, 5]) == Spread(3, 2, 4)
    assert Spread.of([7]) == Spread(7, 7, 7)
    assert Times((3.0, 1.0, 2.0)).median == 2
    assert Times((3.0, 1.0, 2.0)).minimum == 1


def test_collector_is_off_while_timing_and_on_again_after_a_failure() -> None:
    seen: list[bool] = []

    def run() -> None:
        seen.append(gc.isenabled())
        if len(seen) == 2:
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        interleave({"a": Program(run)}, 3)
    assert seen == [False, False]
    assert gc.isenabled()
