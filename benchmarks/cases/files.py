"""An hour of audio from file to file in blocks: memory, which does not grow with the length, and time."""

from __future__ import annotations

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.files import TARGET_RATE, measure
from benchmarks.results import CaseReport, Result
from benchmarks.timing import Spread
from benchmarks.work import SAMPLE_RATE

_FACTOR = 12  # on the length of the case `long`: an hour
_BLOCK = 1 << 16


def run(context: Context) -> CaseReport:
    scale = context.scale
    long = _FACTOR * scale.length_factor * scale.seconds
    results = []
    for text, passes, seconds, block in (
        ("written as it comes", "once", long, _BLOCK),
        ("in blocks of 512", "once", long, 512),
        ("normalized", "together", long, _BLOCK),
        ("normalized", "together", long / _FACTOR, _BLOCK),
    ):
        context.report(f"{seconds:g} s, {text}, in a fresh process")
        reading = measure(passes, seconds=seconds, block=block, threads=scale.threads)
        what = f"{seconds:g} s, {text}"
        results.append(Result(f"{what}: peak memory", Spread.of([reading.above / 1e6]), "MB"))
        results.append(
            Result(f"{what}: seconds of audio for each second", Spread.of([seconds / reading.seconds]), "×")
        )
    return CaseReport(
        "files",
        CASES["files"],
        tuple(results),
        notes=(
            f"Stereo FLAC at {SAMPLE_RATE} Hz read, resampled to {TARGET_RATE} Hz, its loudness measured, written as"
            " FLAC. Memory is the highest resident above that after a first file of 50 ms.",
        ),
    )
