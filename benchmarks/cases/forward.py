"""Forward, against the plain baseline."""

from __future__ import annotations

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.programs import inference
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import ratio


def run(context: Context) -> CaseReport:
    mixers = {"djgraph": context.mixer, "plain": context.plain}
    times = context.time(
        {name: inference(mixer, context.stems, context.params) for name, mixer in mixers.items()}
    )
    faster = ratio(times["plain"], times["djgraph"])
    return CaseReport(
        "forward",
        CASES["forward"],
        (Result("forward, against the plain baseline", faster, "×", "forward"),),
        tuple(Timed(f"{name}, forward", times[name], context.scale.seconds) for name in times),
    )
