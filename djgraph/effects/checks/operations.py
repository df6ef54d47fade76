"""The conformance check of what an effect costs: operations are counted, no time is measured."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from djgraph.effects.checks.bench import Bench, CheckSlow, gradients

HOPS = (1, 3)
"""Lengths that are compared, in hops of the transform (frames of a mask: 8 times as many)."""
FRAMES = 8
MOST = 0.9
"""How many operations or lines more a sample more may take: what runs in short blocks takes some, a loop at least 1."""


def check_operations(bench: Bench) -> None:
    """The number of operations, and of lines of Python, does not grow with the number of samples."""
    effect = bench.build()
    hop = bench.environment.transform.hop * (FRAMES if bench.spectral else 1)
    cases = [bench.case(batch=1, samples=count * hop).leaves() for count in HOPS]
    more = (cases[1].samples - cases[0].samples) // (bench.environment.transform.hop if bench.spectral else 1)
    counted = []
    for case in cases:
        bench.run(effect, case)  # whatever is made only once
        with _Operations() as operations:
            gradients(bench.loss(bench.run(effect, case)), case)
        with _lines() as lines:
            bench.run(effect, case)
        counted.append((operations.count, lines[0]))
    unit = "frame" if bench.spectral else "sample"
    for what, before, after in zip(("operations of PyTorch", "lines of Python"), *counted):
        grown = (after - before) / more
        if grown > MOST:
            raise CheckSlow(
                f"it runs {grown:.3g} {what} for each {unit}: a Python loop over {unit}s takes orders of magnitude "
                "too long; work on whole tensors, or with the kernels of djgraph.dsp"
            )


class _Operations(TorchDispatchMode):
    """Counts operations, those of the backward pass too."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def _lines() -> Iterator[list[int]]:
    """Counts the lines of Python that are run, but for where a debugger or a measure of coverage does."""
    counted = [0]
    if sys.gettrace() is not None:
        yield counted
        return

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        counted[0] += event == "line"
        return trace

    sys.settrace(trace)
    try:
        yield counted
    finally:
        sys.settrace(None)
