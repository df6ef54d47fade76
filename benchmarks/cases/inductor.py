"""``djgraph.compile(inductor=True)`` against the mixer as it is, and the time of its first call."""

from __future__ import annotations

import inspect
import time

import djgraph
from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.errors import Unavailable
from benchmarks.programs import inference, training
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, Spread, ratio

DIRECTIONS = {"forward": inference, "forward + backward": training}


def run(context: Context) -> CaseReport:
    if "inductor" not in inspect.signature(djgraph.compile).parameters:
        raise Unavailable("this version of djgraph.compile has no option inductor")
    compiled = djgraph.compile("dj_mixer", inductor=True)
    programs: dict[str, Program] = {}
    results = []
    for direction, wrap in DIRECTIONS.items():
        programs[f"as it is, {direction}"] = wrap(context.mixer, context.stems, context.params)
        fused = programs[f"inductor, {direction}"] = wrap(compiled, context.stems, context.params)
        context.report(f"first call with inductor, {direction}")
        start = time.perf_counter()
        fused.run()
        first = Spread.of([time.perf_counter() - start])
        results.append(Result(f"first call with inductor, {direction}", first, "s"))
    times = context.time(programs, slow=True)
    for direction in DIRECTIONS:
        faster = ratio(times[f"as it is, {direction}"], times[f"inductor, {direction}"])
        results.append(Result(f"{direction}, inductor against as it is", faster, "×"))
    return CaseReport(
        "inductor",
        CASES["inductor"],
        tuple(results),
        tuple(Timed(name, times[name], context.scale.seconds) for name in times),
    )
