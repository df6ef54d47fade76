"""A plan on few lines: nodes of an operation that differ only in their names and columns share one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from djgraph.compiler.plan import Load, Loop, Mask, Op, Plan, Process, Region, describe
from djgraph.graph.ir import EffectNode

NAMES = 4
"""Names that a line shows; of more the first, and how many more there are."""


def brief(plan: Plan) -> str:
    """The plan's operations in order, inputs in a row on one line, and its outputs. What nodes read, what controls are
    bound to, a region's transforms one by one and what is freed is left out; ``str(plan)`` has it."""
    kind = "plan" if plan.latencies is None else "stream plan"
    lines = [f"{kind} {plan.graph.name}: {len(plan.ops)} operations, {plan.calls()} calls"]
    for inputs, group in groupby(plan.ops, key=lambda op: isinstance(op, Load)):
        if inputs:
            lines.append(f"  {_several('input', [op.writes[0] for op in group])}")
            continue
        for op in group:
            first, *rest = _operation(op, plan)
            if plan.latencies is not None and op.writes:
                first += f"  (latency {plan.latencies[op.writes[0]]})"
            lines += [f"  {first}", *(f"    {line}" for line in rest)]
    lines += [f"  {name} = {value}" for name, value in plan.outputs.items()]
    return "\n".join(lines)


def _operation(op: Op, plan: Plan) -> Iterator[str]:
    if isinstance(op, Process):
        yield _several(_effect(op.nodes[0]), [node.id for node in op.nodes])
    elif isinstance(op, Loop):
        yield describe(op, plan)[0]
        yield from _alike(op.nodes)
        yield from (line for way in op.ways for line in describe(way, plan))
    elif isinstance(op, Region):
        yield describe(op, plan)[0]
        yield from _alike([node for inlet in op.inlets for node in inlet.nodes])
        for masks, steps in groupby(op.body, key=lambda step: isinstance(step, Mask)):
            if masks:
                yield from _alike([step.node for step in steps if isinstance(step, Mask)])
            else:
                yield from (line for step in steps for line in describe(step, plan))
    elif isinstance(op, Mask):
        yield _several(_effect(op.node), [op.node.id])
    else:
        yield describe(op, plan)[0]


def _alike(nodes: Sequence[EffectNode]) -> Iterator[str]:
    """A line for each effect with its settings, in the order in which they come."""
    groups: dict[str, list[str]] = {}
    for node in nodes:
        groups.setdefault(_effect(node), []).append(node.id)
    for effect, names in groups.items():
        yield _several(effect, names)


def _effect(node: EffectNode) -> str:
    settings = node.settings.model_dump(exclude_defaults=True)
    return node.effect.type + (
        f"{{{', '.join(f'{k}={v!r}' for k, v in settings.items())}}}" if settings else ""
    )


def _several(what: str, names: Sequence[str]) -> str:
    """``reverb × 2: a, b``, or of one ``b = reverb``."""
    if len(names) == 1:
        return f"{names[0]} = {what}"
    more = len(names) - NAMES
    shown = ", ".join(names[:NAMES]) + (f", {more} more" if more > 0 else "")
    return f"{what} × {len(names)}: {shown}"
