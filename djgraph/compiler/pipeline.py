"""Runs the passes over a lowered graph, verifying the plan before and after each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from djgraph.arguments import several
from djgraph.compiler.lower import lower
from djgraph.compiler.passes import PIPELINE, Pass, align
from djgraph.compiler.plan import Lag, Plan
from djgraph.compiler.verify import verify
from djgraph.errors import CompileError, did_you_mean
from djgraph.graph.ir import Graph, Point

PASS_NAMES = tuple(step.name for step in PIPELINE)

Optimize = bool | Iterable[str]
"""True for all passes, False for none, or the names of those to run."""


@dataclass(frozen=True)
class Stage:
    """The plan as it stood after a pass; the first stage is ``lower``."""

    name: str
    summary: str
    plan: Plan


def selected(optimize: Optimize) -> tuple[str, ...]:
    """The passes to run, in their order. Raises CompileError for an unknown name."""
    if isinstance(optimize, bool):
        return PASS_NAMES if optimize else ()
    if isinstance(optimize, str):
        optimize = [optimize]
    names = several(optimize, "optimize", "True, False or names of passes", CompileError)
    for name in sorted({name for name in names if name not in PASS_NAMES}, key=str):
        raise CompileError(f"there is no pass {name!r}{did_you_mean(name, PASS_NAMES)}")
    return tuple(name for name in PASS_NAMES if name in names)


def stages(
    graph: Graph, outputs: Mapping[str, Point], kernels: Mapping[str, str], optimize: Optimize = True
) -> list[Stage]:
    """The plan after lowering and after each selected pass; the last is the one to run."""
    chosen = selected(optimize)
    return _run(lower(graph, outputs, kernels), [step for step in PIPELINE if step.name in chosen])


def stream_stages(
    graph: Graph,
    outputs: Mapping[str, Point],
    kernels: Mapping[str, str],
    lags: Mapping[str, Lag],
    optimize: Optimize = True,
) -> list[Stage]:
    """The plan for a stream after lowering and after each pass; the last is the one to run.

    lags: by node id, what a node does to time; a node that is left out does nothing. The pass ``fuse`` always runs,
    whatever ``optimize`` says: a stream knows spectra inside regions only. Behind it runs ``align``.
    """
    chosen = {*selected(optimize), "fuse"}
    steps = []
    for step in PIPELINE:
        if step.name in chosen:
            steps.append(step)
        if step.name == "fuse":
            steps.append(align.aligning(lags))
    return _run(lower(graph, outputs, kernels), steps)


def _run(plan: Plan, steps: Iterable[Pass]) -> list[Stage]:
    verify(plan, "lower")
    done = [Stage("lower", "one operation for each node", plan)]
    for step in steps:
        plan = step.run(plan)
        verify(plan, step.name, [stage.name for stage in done])
        done.append(Stage(step.name, step.summary, plan))
    return done
