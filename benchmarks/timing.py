"""Times programs against each other on a machine that may drift: interleaved rounds, medians, paired ratios."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

PAUSE = 0.02
"""Seconds between two measurements: the threads of the program before may still be spinning."""


@dataclass(frozen=True)
class Program:
    """Something to time. ``before`` runs ahead of every run, outside the clock."""

    run: Callable[[], object]
    before: Callable[[], object] | None = None


@dataclass(frozen=True)
class Times:
    """Seconds that the rounds of one program took, in order."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def minimum(self) -> float:
        return min(self.seconds)


@dataclass(frozen=True)
class Spread:
    """A value with the quartiles of what it was measured from, and the same by the fastest runs where it has any.

    The fastest runs are those that nobody else disturbed: on a busy machine they tell more than the median.
    """

    value: float
    low: float
    high: float
    fastest: float | None = None

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Median and quartiles."""
        ordered = sorted(values)
        if len(ordered) == 1:
            return cls(ordered[0], ordered[0], ordered[0])
        low, middle, high = statistics.quantiles(ordered, n=4, method="inclusive")
        return cls(middle, low, high)


def interleave(
    programs: Mapping[str, Program],
    rounds: int,
    *,
    warmups: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    report: Callable[[str], None] = lambda text: None,
) -> dict[str, Times]:
    """Runs every program once a round, A B C, then C B A, then A B C …

    What slows the machine down for a while hits all programs, and with turned rounds a steady drift cancels.
    The garbage collector runs between measurements only. report: called with a line for each measurement.
    """
    for name, program in programs.items():
        report(f"warming up: {name}")
        for _ in range(warmups):
            _time(program, clock)
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    # What is there now stays: the collector need not look at all of PyTorch before every measurement.
    gc.freeze()
    try:
        for turn in range(rounds):
            names = list(programs)
            for name in reversed(names) if turn % 2 else names:
                report(f"round {turn + 1} of {rounds}: {name}")
                time.sleep(PAUSE)
                seconds[name].append(_time(programs[name], clock))
    finally:
        gc.unfreeze()
    return {name: Times(tuple(values)) for name, values in seconds.items()}


def ratio(over: Times, under: Times) -> Spread:
    """How many times as long ``over`` took as ``under``: the median of the rounds' ratios, and their quartiles."""
    rounds = Spread.of(a / b for a, b in zip(over.seconds, under.seconds, strict=True))
    return replace(rounds, fastest=over.minimum / under.minimum)


def _time(program: Program, clock: Callable[[], float]) -> float:
    if program.before is not None:
        program.before()
    gc.collect()
    gc.disable()
    try:
        start = clock()
        program.run()
        return clock() - start
    finally:
        gc.enable()
