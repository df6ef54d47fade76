"""What ``mixer.explain`` says: stages, plans with their estimated costs, and what each pass changed."""

from __future__ import annotations

import math
from typing import Any

import torch

from djgraph.compiler.pipeline import Stage
from djgraph.errors import CompileError, InputError, did_you_mean
from djgraph.inspection.brief import brief
from djgraph.inspection.costs import PlanCost, Workload, estimate
from djgraph.inspection.explain import cost_dict, cost_table, diff_stages, latency_text, workload_dict
from djgraph.runtime.compiled import Compiled


def make_workload(
    compiled: Compiled, seconds: float, batch: int = 1, frames: int = 64, dtype: torch.dtype = torch.float32
) -> Workload:
    """Checks what a caller asks costs for. Raises InputError."""
    rate = compiled.graph.sample_rate
    if not math.isfinite(seconds) or round(seconds * rate) < 1:
        raise InputError(f"seconds must be at least one sample (1/{rate}), not {seconds!r}")
    for name, value in (("batch", batch), ("frames", frames)):
        if value < 1:
            raise InputError(f"{name} must be at least 1, not {value}")
    if dtype not in (torch.float32, torch.float64):
        raise InputError(f"dtype must be torch.float32 or torch.float64, not {dtype}")
    return Workload(
        round(seconds * rate), batch, frames, dtype, compiled.options.frames_per_tile, compiled.options.simd
    )


def explain_text(
    compiled: Compiled,
    stage: str | None,
    diff: bool,
    workload: Workload | None,
    stream: bool = False,
    verbose: bool = True,
) -> str:
    """The text of :meth:`Mixer.explain`; without a workload, and for a stream, there are no costs."""
    if not diff and stage == "graph":
        return str(compiled.graph)
    if not diff and stage == "layout":
        return compiled.layout.to_markdown()
    stages = compiled.stages(stream=stream)
    names = [item.name for item in stages]
    if diff:
        return _diff(stages, names, stage)
    if stage is not None and stage not in names:
        raise _unknown(stage, ["graph", "flow", "layout", *names])
    plan = stages[-1 if stage is None else names.index(stage)].plan
    text = str(plan) if verbose else brief(plan)
    if plan.latency is not None:
        return f"{text}\n\n{latency_text(plan.latency, compiled.graph.sample_rate)}"
    if workload is None or stream:
        return text
    costs = estimate(plan, compiled.modules, workload)
    return f"{text}\n\n{cost_table(costs, compiled.graph.sample_rate)}"


def explain_data(
    compiled: Compiled, stage: str | None, workload: Workload, stream: bool = False
) -> dict[str, Any]:
    """The data of :meth:`Mixer.explain_dict`: every stage, or the one named."""
    stages = compiled.stages(stream=stream)
    names = [item.name for item in stages]
    if stage is not None and stage not in names:
        raise _unknown(stage, names)
    rate = compiled.graph.sample_rate
    about = {"latency": stages[-1].plan.latency} if stream else {"workload": workload_dict(workload, rate)}
    changes = {change.name: list(change.lines) for change in diff_stages(stages)}
    return {
        "graph": compiled.graph.name,
        "nodes": len(compiled.graph.nodes),
        "controls": len(compiled.layout),
        "sample_rate": rate,
        "outputs": list(compiled.outputs),
        **about,
        "stages": [
            {
                "name": item.name,
                "summary": item.summary,
                "operations": len(item.plan.ops),
                "calls": item.plan.calls(),
                "text": str(item.plan),
                "diff": changes.get(item.name, []),
                **(
                    {"latencies": item.plan.latencies}
                    if stream
                    else {"costs": cost_dict(estimate(item.plan, compiled.modules, workload))}
                ),
            }
            for item in stages
            if stage in (None, item.name)
        ],
    }


def plan_cost(compiled: Compiled, workload: Workload) -> PlanCost:
    """Estimated costs of the plan that runs."""
    return estimate(compiled.plan(), compiled.modules, workload)


def _diff(stages: list[Stage], names: list[str], stage: str | None) -> str:
    if stage is not None and stage not in names[1:]:
        raise _unknown(stage, names[1:], "pass in this plan")
    changes = [str(change) for change in diff_stages(stages) if stage in (None, change.name)]
    return "\n\n".join(changes) or "no pass has run"


def _unknown(stage: str, names: list[str], what: str = "stage") -> CompileError:
    return CompileError(f"there is no {what} {stage!r}{did_you_mean(stage, names)}")
