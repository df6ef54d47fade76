"""Forward, against the plain baseline."""

from __future__ import annotations

from benchmarks.alone import measure
from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.programs import inference
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import ratio

OURS = "djgraph, forward"


def run(context: Context) -> CaseReport:
    mixers = {"djgraph": context.mixer, "plain": context.plain}
    times = context.time(
        {name: inference(mixer, context.stems, context.params) for name, mixer in mixers.items()}
    )
    faster = ratio(times["plain"], times["djgraph"])
    context.report("plain, in a process of its own")
    alone = measure("forward", context.scale, len(times["plain"].seconds))
    text = "forward, against the plain baseline"
    return CaseReport(
        "forward",
        CASES["forward"],
        (
            Result(text, faster, "×", "forward"),
            Result(f"{text} in a process of its own", ratio(alone, times["djgraph"]), "×"),
        ),
        (
            Timed(OURS, times["djgraph"], context.scale.seconds),
            Timed("plain, forward", times["plain"], context.scale.seconds, OURS),
            Timed("plain, forward, in a process of its own", alone, context.scale.seconds, OURS),
        ),
    )
