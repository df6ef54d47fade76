"""The CPU's vector units and PyTorch's operators: two engines for the same plan."""

from __future__ import annotations

import djgraph
from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.programs import inference, training
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, ratio

DIRECTIONS = {"forward": inference, "forward + backward": training}


def run(context: Context) -> CaseReport:
    mixers = {
        "vector units": context.mixer,
        "operators": djgraph.compile("dj_mixer", simd=False),
    }
    programs: dict[str, Program] = {}
    results = []
    for direction, wrap in DIRECTIONS.items():
        for name, mixer in mixers.items():
            programs[f"{name}, {direction}"] = wrap(mixer, context.stems, context.params)
    times = context.time(programs, slow=True)
    for direction in DIRECTIONS:
        operators = times[f"operators, {direction}"]
        faster = ratio(operators, times[f"vector units, {direction}"])
        results.append(Result(f"{direction}, vector units against operators", faster, "×"))
    return CaseReport(
        "engines",
        CASES["engines"],
        tuple(results),
        tuple(Timed(name, times[name], context.scale.seconds) for name in times),
    )
