"""One thread and as many as the run has, forward, and forward and backward."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.programs import inference, training
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, ratio

DIRECTIONS = {"forward": inference, "forward + backward": training}


def run(context: Context) -> CaseReport:
    most = context.scale.threads
    mixers = {"djgraph": context.mixer, "plain": context.plain}
    programs: dict[str, Program] = {}
    for direction, wrap in DIRECTIONS.items():
        for count in sorted({1, most}):
            for name, mixer in mixers.items():
                program = wrap(mixer, context.stems, context.params)
                programs[_name(name, direction, count)] = Program(program.run, _with(count, program.before))
    try:
        times = context.time(programs, slow=True)
    finally:
        torch.set_num_threads(most)
    results = []
    for direction in DIRECTIONS:
        for name in mixers:
            one, many = times[_name(name, direction, 1)], times[_name(name, direction, most)]
            text = f"{name}, {direction}, {most} threads against 1"
            results.append(Result(text, ratio(one, many), "×"))
        alone = (times[_name(name, direction, 1)] for name in ("plain", "djgraph"))
        results.append(Result(f"{direction}, against the plain baseline, 1 thread", ratio(*alone), "×"))
    return CaseReport(
        "threads",
        CASES["threads"],
        tuple(results),
        tuple(Timed(name, times[name], context.scale.seconds) for name in times),
    )


def _name(mixer: str, direction: str, count: int) -> str:
    return f"{mixer}, {direction}, {count} thread{'s' if count > 1 else ''}"


def _with(count: int, before: Callable[[], object] | None) -> Callable[[], object]:
    def prepare() -> None:
        torch.set_num_threads(count)
        if before is not None:
            before()

    return functools.partial(prepare)
