"""Where the time inside the default mixer goes.

What a region's compiled code does is timed by running its program once more for each kind of operation, with that
kind alone. Everything else is timed as it runs.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import djgraph_fx
import torch

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.programs import inference, training
from benchmarks.results import CaseReport, Result
from benchmarks.timing import Spread
from djgraph.controls import reader
from djgraph.dsp import convolution, feedback
from djgraph.region.engines.vectors import passes
from djgraph.simd import program

KINDS = {
    program.ANALYSE: "region: frames, windows, forward FFTs",
    program.SCALE: "region: gains, sums over stems",
    program.GRADIENT: "region: gradients of gains",
    program.SYNTHESISE: "region: inverse FFTs, windows, overlap-add",
}
WHOLE = "region: all compiled code"
REGION = "region: PyTorch's share, curves of faders among it"
PARTS: dict[str, tuple[tuple[Any, str], ...]] = {
    REGION: ((passes, "forward"), (passes, "backward")),
    "curves of reverb and delay": ((reader.ControlReader, "__call__"),),
    "reverb": ((djgraph_fx.Reverb, "process"), (convolution.Convolution, "backward")),
    "delay": ((djgraph_fx.Delay, "process"), (feedback.FeedbackDelay, "backward")),
}
OTHER = "everything else, autograd's own among it"


class _Stopwatch:
    """Seconds by part. Compiled code is timed for itself, and does not count for what called it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._apart = 0.0

    def within(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            start, apart = time.perf_counter(), self._apart
            made = function(*arguments, **named)
            self.seconds[part] += time.perf_counter() - start - (self._apart - apart)
            return made

        return run

    def program(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(whole: program.Program, signals: Any, jobs: Sequence[Any], step: int) -> Any:
            begin = time.perf_counter()
            for kind, part in KINDS.items():
                alone = whole.operations[whole.operations[:, 0] == kind]
                if len(alone):
                    start = time.perf_counter()
                    function(replace(whole, operations=alone), signals, jobs, step)
                    self.seconds[part] += time.perf_counter() - start
            # What the parts wrote is written over, or added to once too often: times are all that is wanted here.
            start = time.perf_counter()
            made = function(whole, signals, jobs, step)
            self.seconds[WHOLE] += time.perf_counter() - start
            self._apart += time.perf_counter() - begin
            return made

        return run


@contextmanager
def _watching() -> Iterator[_Stopwatch]:
    watch = _Stopwatch()
    with ExitStack() as patches:
        for part, places in PARTS.items():
            for owner, name in places:
                method: Any = watch.within(part, getattr(owner, name))
                patches.enter_context(patch.object(owner, name, method))
        patches.enter_context(patch.object(program, "run", watch.program(program.run)))
        yield watch


def run(context: Context) -> CaseReport:
    results = []
    most = context.scale.threads
    try:
        for direction, wrap in {"forward": inference, "forward + backward": training}.items():
            mixed = wrap(context.mixer, context.stems, context.params)
            for count in sorted({1, most}):
                torch.set_num_threads(count)
                context.report(f"{direction}, {count}")
                label = f"{direction}, {count} thread{'s' if count > 1 else ''}"
                found, walls = [], []
                for _ in range(context.scale.slow_rounds + 1):
                    for watched in (False, True):
                        if mixed.before is not None:
                            mixed.before()
                        start = time.perf_counter()
                        if not watched:
                            mixed.run()
                            walls.append(time.perf_counter() - start)
                            continue
                        with _watching() as watch:
                            mixed.run()
                        found.append(watch.seconds)
                found, walls = found[1:], walls[1:]  # the first one warms up
                outside = (WHOLE, *PARTS)
                for seconds, wall in zip(found, walls):
                    seconds[OTHER] = wall - sum(seconds[part] for part in outside)
                for part in (*KINDS.values(), WHOLE, *PARTS, OTHER):
                    if any(part in seconds for seconds in found):
                        results.append(_result(f"{label}: {part}", [s.get(part, 0.0) for s in found]))
                results.append(_result(f"{label}: all of it, without the stopwatch", walls))
    finally:
        torch.set_num_threads(most)
    note = "The first rows run one kind of operation alone; together they are 'all compiled code'."
    return CaseReport("parts", CASES["parts"], tuple(results), (), (note,))


def _result(what: str, seconds: list[float]) -> Result:
    return Result(what, Spread.of(1000 * value for value in seconds), "ms")
