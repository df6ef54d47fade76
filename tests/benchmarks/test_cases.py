"""Every case runs, on next to nothing. No time and no ratio is held against anything."""

from __future__ import annotations

import importlib.util
import json
import math

import pytest
import torch

from benchmarks import files, hour, timing
from benchmarks.bars import BARS
from benchmarks.cases import CASES, compiling, find
from benchmarks.context import Context
from benchmarks.errors import BenchmarkError, Unavailable
from benchmarks.memory import MIXERS, Reading, measure
from benchmarks.peers import load
from benchmarks.results import CaseReport
from benchmarks.work import Scale

SLOW = ("long", "peers")  # they start a process, or run a very slow peer
NEEDS = {
    "pedalboard": ("pedalboard",),
    "peers": ("grafx", "dasp_pytorch"),
    "effects": ("pedalboard", "torchcomp"),
}
EXPECTED_BARS = {
    "forward": {"forward"},
    "backward": {"backward"},
    "memory": {"memory"},
    "pedalboard": {"pedalboard"},
    "ffts": {"ffts"},
    "stems": {"stems"},
    "long": {"long", "long_memory"},
    "console": {"console"},
    "batch": {"batch"},
    "step": {"step", "step_loss"},
    "causal": {"causal", "causal_live"},
    "deck": {"deck"},
    "key_lock": {"key_lock"},
    "effects": {"effect", "compressor", "compressor_backward"},
}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "PAUSE", 0)


def run(name: str, scale: Scale) -> CaseReport:
    for module in NEEDS.get(name, ()):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install 'djgraph[bench]'")
    try:
        return find(name)(Context(scale))
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name not in SLOW])
def test_case(name: str, tiny: Scale, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.cases.memory.measure", pretend_to_measure)
    monkeypatch.setattr("benchmarks.cases.files.measure", pretend_to_measure_files)
    monkeypatch.setattr("benchmarks.cases.hour.measure", lambda **_: hour.Reading(1000, 2.0, 1.0, 0.1))
    check(name, run(name, tiny))


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_slow_case(name: str, tiny: Scale) -> None:
    check(name, run(name, tiny))


def pretend_to_measure(mixer: str, mode: str, **_: object) -> Reading:
    """In place of fresh processes; :func:`test_memory_is_that_of_the_run` starts some."""
    return Reading(1000, (MIXERS.index(mixer) * 100 + 100, MIXERS.index(mixer) * 100 + 120))


def pretend_to_measure_files(passes: str, **_: object) -> files.Reading:
    """In place of fresh processes; :func:`test_files_in_blocks_take_no_memory_for_their_length` starts some."""
    return files.Reading(1000 if passes == "once" else 2000, 0.1)


def check(name: str, report: CaseReport) -> None:
    assert report.name == name
    assert report.title == CASES[name]
    assert report.results
    assert all(math.isfinite(result.measured.value) for result in report.results)
    assert all(
        result.measured.low <= result.measured.value <= result.measured.high for result in report.results
    )
    found = {result.bar for result in report.results} - {None}
    assert found <= set(BARS)
    assert EXPECTED_BARS.get(name, set()) <= found
    assert all(timed.times.minimum > 0 for timed in report.times)
    json.dumps(report.to_dict(), allow_nan=False)
    own = {timed.program: timed for timed in report.times}
    for timed in report.times:  # what a peer stands beside is of the same case, and as long
        assert timed.against is None or own[timed.against].audio == timed.audio
    assert name not in ("forward", "backward", "pedalboard", "ffts", "peers", "recursions", "effects") or any(
        timed.against for timed in report.times
    )


@pytest.mark.slow
def test_thread_count_is_put_back(tiny: Scale) -> None:
    before = torch.get_num_threads()
    find("threads")(Context(tiny))
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_files_in_blocks_take_no_memory_for_their_length() -> None:
    readings = [files.measure(passes, seconds=60, block=1 << 16, threads=1) for passes in files.PASSES]
    assert all(reading.above < 60 * 44100 * 2 * 4 for reading in readings)  # less than the audio itself
    assert all(reading.seconds > 0 for reading in readings)


def test_exponent() -> None:
    assert compiling.exponent({n: 3e-6 * n**1.5 for n in (125, 250, 500)}) == pytest.approx(1.5)


@pytest.mark.slow
def test_memory_is_that_of_the_run() -> None:
    # 2 s: the baseline holds at least every effect's spectrum and audio for its backward pass, djgraph does not.
    readings = {name: measure(name, "backward", seconds=2, frames=8, threads=1) for name in MIXERS}
    inputs = 8 * 2 * 88200 * 4
    assert {reading.inputs for reading in readings.values()} == {inputs}
    assert readings["plain"].above[0] > 10 * inputs
    assert inputs / 8 < readings["djgraph"].above[0] < readings["plain"].above[0]


def test_a_failed_memory_measurement_says_why() -> None:
    with pytest.raises(BenchmarkError, match="invalid choice"):
        measure("nobody", "forward", seconds=1, frames=1, threads=1)


def test_a_missing_peer_is_named() -> None:
    with pytest.raises(Unavailable, match=r"no_such_peer.*djgraph\[bench\]"):
        load("no_such_peer.functional")


@pytest.mark.slow
def test_the_loss_of_a_step_is_that_of_the_operators() -> None:
    from benchmarks.cases.step import by_operators
    from djgraph.losses import SumAndDifference

    generator = torch.Generator().manual_seed(0)
    mix, target = (0.1 * torch.randn(2, 2, 5000, generator=generator) for _ in range(2))
    assert float(SumAndDifference()(mix, target)) == pytest.approx(float(by_operators(mix, target)), rel=1e-5)
