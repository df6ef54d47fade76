"""Time to load and compile: the default graph, and consoles of growing size with the exponent of their growth."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import djgraph
from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.documents import console_of
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, Spread, Times
from djgraph.graph.ir import EffectNode


def run(context: Context) -> CaseReport:
    documents = {size: console_of(size) for size in context.scale.nodes}
    nodes = {
        size: sum(isinstance(node, EffectNode) for node in djgraph.load(document).nodes)
        for size, document in documents.items()
    }
    programs = {"dj_mixer": Program(_compiling("dj_mixer"))}
    programs |= {f"{nodes[size]} effects": Program(_compiling(documents[size])) for size in documents}
    times = context.time(programs, slow=True)
    results = [
        Result("load and compile the default graph", _spread(times["dj_mixer"]), "s", "compile_default")
    ]
    for size in documents:
        name = f"{nodes[size]} effects"
        bar = "compile_1000" if size == 1000 else None
        results.append(Result(f"load and compile {name}", _spread(times[name]), "s", bar))
    seconds = {nodes[size]: times[f"{nodes[size]} effects"].minimum for size in documents}
    found, allowed = exponent(seconds), exponent({n: n * math.log(n) for n in seconds})
    results += [
        Result("exponent of its growth, by least squares", Spread.of([found]), ""),
        Result(
            "exponent of its growth, share of that of n·log n",
            Spread.of([found / allowed]),
            "×",
            "compile_growth",
        ),
    ]
    return CaseReport(
        "compiling",
        CASES["compiling"],
        tuple(results),
        tuple(Timed(f"load and compile, {name}", times[name]) for name in times),
        (
            f"Over these sizes n·log n has the exponent {allowed:.2f}. The fit takes the fastest rounds.",
            "Plugins are loaded and documents are in memory; the graphs are consoles of growing size.",
        ),
    )


def _compiling(source: str | dict[str, Any]) -> Callable[[], object]:
    return lambda: djgraph.compile(djgraph.load(source))


def exponent(values: dict[int, float]) -> float:
    """Slope of log(value) over log(size)."""
    logs = [(math.log(size), math.log(value)) for size, value in values.items()]
    return statistics.linear_regression(*zip(*logs)).slope


def _spread(times: Times) -> Spread:
    return replace(Spread.of(times.seconds), fastest=times.minimum)
