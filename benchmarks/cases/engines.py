"""The CPU's vector units, PyTorch's operators, and operators with TorchInductor: three ways to run the same plan."""

from __future__ import annotations

import time

import djgraph
from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.programs import inference, training
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, Spread, ratio

DIRECTIONS = {"forward": inference, "forward + backward": training}


def run(context: Context) -> CaseReport:
    mixers = {
        "vector units": context.mixer,
        "operators": djgraph.compile("dj_mixer", simd=False),
        "inductor": djgraph.compile("dj_mixer", simd=False, inductor=True),
    }
    programs: dict[str, Program] = {}
    results = []
    for direction, wrap in DIRECTIONS.items():
        for name, mixer in mixers.items():
            programs[f"{name}, {direction}"] = wrap(mixer, context.stems, context.params)
        context.report(f"first call with inductor, {direction}")
        start = time.perf_counter()
        programs[f"inductor, {direction}"].run()
        first = Spread.of([time.perf_counter() - start])
        results.append(Result(f"first call with inductor, {direction}", first, "s"))
    times = context.time(programs, slow=True)
    for direction in DIRECTIONS:
        operators = times[f"operators, {direction}"]
        for name in ("vector units", "inductor"):
            faster = ratio(operators, times[f"{name}, {direction}"])
            results.append(Result(f"{direction}, {name} against operators", faster, "×"))
    return CaseReport(
        "engines",
        CASES["engines"],
        tuple(results),
        tuple(Timed(name, times[name], context.scale.seconds) for name in times),
    )
