"""Equal work on equal values is done once: one transform for each source, one inverse for each spectrum."""

from __future__ import annotations

from collections.abc import Hashable

from djgraph.compiler.plan import Add, Analyse, Mask, Op, Plan, Process, Synthesise
from djgraph.graph.ir import EffectNode


def run(plan: Plan) -> Plan:
    aliases: dict[str, str] = {}
    seen: dict[Hashable, Op] = {}
    ops: list[Op] = []
    for original in plan.ops:
        op = original.renamed(aliases)
        key = _key(op, plan)
        twin = seen.get(key) if key is not None else None
        if twin is not None:
            aliases.update(zip(op.writes, twin.writes))
            continue
        if key is not None:
            seen[key] = op
        ops.append(op)
    outputs = {name: aliases.get(value, value) for name, value in plan.outputs.items()}
    return plan.with_ops(ops, outputs=outputs)


def _key(op: Op, plan: Plan) -> Hashable | None:
    """Equal keys mean equal results; None where an operation is never shared."""
    match op:
        case Analyse() | Synthesise():
            return type(op), op.source
        case Add():
            return Add, op.sources
        case Mask():
            return Mask, op.source, _work(op.node, plan)
        case Process() if len(op.nodes) == 1:
            return Process, op.ins, _work(op.nodes[0], plan)
    return None


def _work(node: EffectNode, plan: Plan) -> Hashable:
    return plan.kernels[node.id], tuple(node.bindings[control.id] for control in node.effect.controls)
