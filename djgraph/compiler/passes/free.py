"""Values are freed after their last use."""

from __future__ import annotations

from dataclasses import replace

from djgraph.compiler.plan import Plan


def run(plan: Plan) -> Plan:
    last: dict[str, int] = {}
    for index, op in enumerate(plan.ops):
        for name in (*op.writes, *op.reads):
            last[name] = index
    frees: list[list[str]] = [[] for _ in plan.ops]
    for name, index in last.items():
        if name not in plan.outputs.values():
            frees[index].append(name)
    return replace(plan, frees=tuple(tuple(names) for names in frees))
