"""Plans for people to read: operations with their costs in a table, and what each pass changed."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from djgraph.compiler.pipeline import Stage
from djgraph.inspection.costs import OpCost, PlanCost, SourceCost, Workload
from djgraph.inspection.effect_costs import Work

WIDEST_VALUE = 36
"""Longer names are cut in the middle, so that a table stays within 120 characters."""


@dataclass(frozen=True)
class StageDiff:
    """What a pass did: a line that sums it up, and the unified diff of the plan's text before and after."""

    name: str
    summary: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([self.summary, *(f"  {line}" for line in self.lines)])


def diff_stages(stages: Sequence[Stage]) -> list[StageDiff]:
    """What each stage changed in the one before it."""
    diffs = []
    for before, after in pairwise(stages):
        # The first line only has the sizes, which the summary gives.
        old, new = (str(stage.plan).splitlines()[1:] for stage in (before, after))
        lines = tuple(list(difflib.unified_diff(old, new, before.name, after.name, lineterm="", n=1)))
        change = (
            f"operations {len(before.plan.ops)} → {len(after.plan.ops)}, "
            f"calls {before.plan.calls()} → {after.plan.calls()}"
            if lines
            else "nothing changed"
        )
        diffs.append(StageDiff(after.name, f"{after.name}: {change} ({after.summary})", lines))
    return diffs


def cost_table(cost: PlanCost, sample_rate: int) -> str:
    """One line for each source and each operation, and one for their sum; inputs in a row share a line.

    flops in millions, bytes in MB (10⁶). ``held`` is what an operation holds beyond what was there before,
    ``alive`` all values alive while it runs.
    """
    header = ("#", "operation", "gives", "calls", "stft", "Mflop", "MB moved", "held", "alive", "Mflop back")
    rows = [_source_row(one) for one in cost.sources]
    rows += [_row(group) for group in _lines(cost.operations)]
    total = (
        "",
        "total",
        "",
        str(cost.calls),
        _transforms(cost.forward_transforms, cost.inverse_transforms),
        _millions(cost.forward.flops),
        _millions(cost.forward.moved),
        _millions(cost.forward.memory),
        _millions(cost.peak),
        _millions(cost.backward.flops),
    )
    return f"estimate for {describe(cost.workload, sample_rate)}\n" + align(header, [*rows, total], left=3)


def describe(load: Workload, sample_rate: int) -> str:
    """A workload in words."""
    seconds = f"{load.samples / sample_rate:g} s at {sample_rate} Hz"
    kind = str(load.dtype).removeprefix("torch.")
    frames = "1 control frame" if load.frames == 1 else f"{load.frames} control frames"
    return f"{seconds}, batch {load.batch}, {frames}, {kind}"


def latency_text(latency: int, sample_rate: int) -> str:
    """By how much a stream's outputs lag."""
    return (
        f"latency of the stream: {latency} samples, {1000 * latency / sample_rate:.1f} ms at {sample_rate} Hz"
    )


def align(header: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """Columns of text, the first ``left`` of them to the left, the others to the right; a rule before the last row."""
    widths = [max(len(row[place]) for row in (header, *rows)) for place in range(len(header))]
    rule = ["─" * width for width in widths]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in (header, rule, *rows[:-1], rule, rows[-1])
    )


def cost_dict(cost: PlanCost) -> dict[str, Any]:
    """Costs as data: bytes and flops as whole numbers."""
    return {
        "calls": cost.calls,
        "forward_transforms": cost.forward_transforms,
        "inverse_transforms": cost.inverse_transforms,
        "forward": work_dict(cost.forward),
        "backward": work_dict(cost.backward),
        "peak": round(cost.peak),
        **({"sources": [source_dict(one) for one in cost.sources]} if cost.sources else {}),
        "operations": [operation_dict(op) for op in cost.operations],
    }


def source_dict(source: SourceCost) -> dict[str, Any]:
    return {
        "input": source.input,
        "effect": source.effect,
        "forward": work_dict(source.forward),
        "backward": None if source.backward is None else work_dict(source.backward),
    }


def operation_dict(op: OpCost) -> dict[str, Any]:
    return {
        "index": op.index,
        "label": op.label,
        "writes": list(op.writes),
        "nodes": list(op.nodes),
        "calls": op.calls,
        "forward_transforms": op.forward_transforms,
        "inverse_transforms": op.inverse_transforms,
        "forward": work_dict(op.forward),
        "backward": None if op.backward is None else work_dict(op.backward),
        "alive": round(op.alive),
    }


def work_dict(work: Work) -> dict[str, int]:
    return {key: round(value) for key, value in dataclasses.asdict(work).items()}


def workload_dict(load: Workload, sample_rate: int) -> dict[str, Any]:
    return {
        "seconds": load.samples / sample_rate,
        "samples": load.samples,
        "batch": load.batch,
        "frames": load.frames,
        "dtype": str(load.dtype).removeprefix("torch."),
    }


def short(names: Sequence[str], widest: int = WIDEST_VALUE) -> str:
    """The first of some values, and how many more there are, in at most ``widest`` characters."""
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    name, room = names[0], widest - len(more)
    if len(name) > room:
        name = f"{name[: room // 2]}…{name[len(name) - (room - room // 2 - 1) :]}"
    return name + more


def _lines(operations: Sequence[OpCost]) -> Iterator[list[OpCost]]:
    """Operations that share a line: inputs in a row."""
    for _, group in groupby(operations, key=lambda op: -1 if op.label == "input" else op.index):
        yield list(group)


def _row(group: Sequence[OpCost]) -> tuple[str, ...]:
    first, last = group[0], group[-1]
    many = len(group) > 1
    back = first.backward
    return (
        f"{first.index}–{last.index}" if many else str(first.index),
        f"{first.label} × {len(group)}" if many else first.label,
        short([name for op in group for name in op.writes]),
        str(first.calls or ""),
        _transforms(first.forward_transforms, first.inverse_transforms),
        _millions(first.forward.flops),
        _millions(first.forward.moved),
        _millions(first.forward.memory),
        _millions(last.alive),
        "" if back is None else _millions(back.flops),
    )


def _source_row(one: SourceCost) -> tuple[str, ...]:
    back = "" if one.backward is None else _millions(one.backward.flops)
    work = one.forward
    figures = _millions(work.flops), _millions(work.moved), _millions(work.memory)
    return ("", one.effect, short([one.input]), "", "", *figures, "", back)


def _transforms(forward: int, inverse: int) -> str:
    return f"{forward} + {inverse}" if forward or inverse else ""


def _millions(value: float) -> str:
    return f"{value / 1e6:.1f}" if value else ""
