"""Reads a gauge of time or memory at the borders between a plan's operations, forward and backward.

Forward, the executor's kernels are wrapped. Backward, each operation's result carries a marker: an identity whose
backward pass reads the gauge. Autograd runs what was recorded last first, so all of an operation's backward pass
lies between its own marker and that of an operation before it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor

from djgraph.compiler.plan import Op, Plan
from djgraph.dsp.curve import Timeline
from djgraph.effects import Clock
from djgraph.inspection.meter import Meter
from djgraph.runtime.compiled import Compiled
from djgraph.runtime.executor import Executor, Kernel, Run
from djgraph.runtime.sources import SourceInput

Way = Literal["forward", "backward"]
ELSEWHERE = -1
"""Index of what belongs to no operation: checks, the reading of params, the loss."""


def source_index(number: int) -> int:
    """Index of what plays an input: the sources of a graph, counted from 0."""
    return ELSEWHERE - 1 - number


class Stopwatch:
    """Seconds."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __enter__(self) -> Stopwatch:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self) -> tuple[float, float]:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        return now, now


class Heap:
    """Bytes of tensors: what is held, and the most that was since the last reading.

    On a GPU the allocator says. On the CPU it keeps no count, so every tensor operation is looked at: what
    PyTorch takes and gives back within one operation is not seen.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._meter = Meter()

    def __enter__(self) -> Heap:
        if self._device.type != "cuda":
            self._meter.__enter__()
        return self

    def __exit__(self, *problem: Any) -> None:
        if self._device.type != "cuda":
            self._meter.__exit__(*problem)

    def read(self) -> tuple[float, float]:
        if self._device.type == "cuda":
            held, peak = (
                torch.cuda.memory_allocated(self._device),
                torch.cuda.max_memory_allocated(self._device),
            )
            torch.cuda.reset_peak_memory_stats(self._device)
            return held, peak
        held, peak = self._meter.held, self._meter.peak
        self._meter.restart()
        return held, peak


Gauge = Stopwatch | Heap


@dataclass(frozen=True)
class Interval:
    """A stretch of one operation: what the gauge stood at when it began, when it ended, and the most between."""

    start: float
    stop: float
    top: float

    @property
    def rise(self) -> float:
        """The most above the start: for a clock the seconds it took, for memory the bytes it needed."""
        return self.top - self.start


class Recorder:
    """What a gauge said at each border of one run."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._borders: list[tuple[Way, int, float, float]] = []

    def note(self, way: Way, index: int = ELSEWHERE) -> None:
        """From here on, until the next note, what happens belongs to operation ``index``."""
        self._borders.append((way, index, *self._gauge.read()))

    def spans(self, way: Way) -> dict[int, Interval]:
        """By operation; the last note of a way ends what came before it."""
        intervals: dict[int, Interval] = {}
        for (before, index, level, _), (_, _, stop, top) in pairwise(self._borders):
            if before == way:
                first = intervals.get(index, Interval(level, stop, top))
                intervals[index] = Interval(first.start, stop, max(first.top, top))
        return intervals

    def whole(self, way: Way) -> Interval | None:
        """From the first to the last note of a way; None where there is none."""
        mine = [border for border in self._borders if border[0] == way]
        return Interval(mine[0][2], mine[-1][2], max(top for *_, top in mine[1:])) if mine else None


class ObservedExecutor(Executor):
    """Runs a plan, noting where each operation begins, and marking its results for the backward pass."""

    def __init__(
        self,
        plan: Plan,
        compiled: Compiled,
        recorder: Recorder,
    ) -> None:
        self._recorder = recorder
        self._places = {id(op): index for index, op in enumerate(plan.ops)}
        self._sources = {name: source_index(i) for i, name in enumerate(compiled.graph.sources)}
        super().__init__(plan, compiled, chains=False)  # of what runs in one pass nobody can tell the parts

    def __call__(self, run: Run) -> dict[str, Tensor]:
        # What lies behind this marker is the reading of params.
        results = super().__call__(replace(run, rows=_mark(run.rows, ELSEWHERE, self._recorder)))
        self._recorder.note("forward")
        return results

    def play(
        self, source: SourceInput, rows: Tensor, timeline: Timeline, clock: Clock | None, like: Tensor
    ) -> dict[str, Tensor]:
        index, recorder = self._sources[source.name], self._recorder
        rows = _mark(rows, ELSEWHERE, recorder)
        recorder.note("forward", index)
        audio = super().play(source, rows, timeline, clock, like)
        recorder.note("forward")
        return {node: _mark(one, index, recorder) for node, one in audio.items()}

    def _kernel(self, op: Op, frees: tuple[str, ...]) -> Kernel:
        kernel, index = super()._kernel(op, frees), self._places[id(op)]

        def observed(run: Run) -> None:
            self._recorder.note("forward", index)
            kernel(run)
            run.values.replace(op.writes, lambda stack: _mark(stack, index, self._recorder))

        return observed


def _mark(tensor: Tensor, index: int, recorder: Recorder) -> Tensor:
    return _Marker.apply(tensor, index, recorder) if tensor.requires_grad else tensor


class _Marker(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, index: int, recorder: Recorder) -> Tensor:
        ctx.index, ctx.recorder = index, recorder
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        ctx.recorder.note("backward", ctx.index)
        return gradient, None, None
