"""What reaches no output is not computed."""

from __future__ import annotations

from djgraph.compiler.plan import Op, Plan


def run(plan: Plan) -> Plan:
    needed = set(plan.outputs.values())
    kept: list[Op] = []
    for op in reversed(plan.ops):
        if needed.intersection(op.writes):
            needed.update(op.reads)
            kept.append(op)
    return plan.with_ops(kept[::-1])
