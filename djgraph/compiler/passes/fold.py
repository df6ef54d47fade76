"""Effects whose controls are all constant and neutral vanish, and what is left idle by that vanishes too."""

from __future__ import annotations

from djgraph.compiler.plan import Add, Analyse, Mask, Op, Plan, Process, Synthesise
from djgraph.effects import TimeEffect
from djgraph.graph.ir import Constant, EffectNode


def run(plan: Plan) -> Plan:
    aliases: dict[str, str] = {}
    transformed: dict[str, str] = {}
    ops: list[Op] = []
    for original in plan.ops:
        op = original.renamed(aliases)
        if isinstance(op, Analyse):
            transformed[op.out] = op.source
        source = _passes_through(op, transformed)
        if source is None:
            ops.append(op)
        else:
            aliases[op.writes[0]] = source
    outputs = {name: aliases.get(value, value) for name, value in plan.outputs.items()}
    return plan.with_ops(ops, outputs=outputs)


def _passes_through(op: Op, transformed: dict[str, str]) -> str | None:
    """The value that the operation only hands on, or None where it does something."""
    match op:
        case Mask() if _neutral(op.node):
            return op.source
        case Process() if (
            len(op.nodes) == 1 and len(op.reads) == len(op.writes) == 1 and _neutral(op.nodes[0])
        ):
            return op.reads[0]
        case Add() if len(op.sources) == 1:
            return op.sources[0]
        case Synthesise():
            # The least-squares inverse of an untouched transform is the audio itself.
            return transformed.get(op.source)
    return None


def _neutral(node: EffectNode) -> bool:
    if issubclass(node.effect, TimeEffect) and node.effect.at_neutral != "identity":
        return False
    return bool(node.effect.controls) and all(
        control.neutral is not None and node.bindings[control.id] == Constant(control.neutral)
        for control in node.effect.controls
    )
