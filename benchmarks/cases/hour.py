"""An hour of stems through the default mixer to a file, block by block, against the rate of whole clips of 10 s."""

from __future__ import annotations

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.hour import measure
from benchmarks.results import CaseReport, Result
from benchmarks.timing import Spread

_FACTOR = 12  # on the length of the case `long`: an hour


def run(context: Context) -> CaseReport:
    scale = context.scale
    seconds = _FACTOR * scale.length_factor * scale.seconds
    context.report(f"{seconds:g} s from files to a file, in a fresh process")
    reading = measure(seconds=seconds, threads=scale.threads)
    rate = seconds / 10 * reading.whole
    return CaseReport(
        "hour",
        CASES["hour"],
        (
            Result(
                f"{seconds:g} s from files to FLAC: peak memory above the program's own",
                Spread.of([reading.above / 1e6]),
                "MB",
                "hour_memory",
            ),
            Result(
                "mixing, times as long as at the rate of whole clips",
                Spread.of([reading.mixing / rate]),
                "×",
                "hour",
            ),
            Result("with files, times as long as at that rate", Spread.of([reading.seconds / rate]), "×"),
            Result(
                "seconds of audio for each second, with files", Spread.of([seconds / reading.seconds]), "×"
            ),
        ),
    )
