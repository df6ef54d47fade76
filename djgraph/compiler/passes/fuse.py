"""Connected spectral work becomes one region, together with the memoryless effects that feed it.

A region begins at transforms and ends at inverse transforms. Where a spectrum is needed both before and after a
time effect, two regions compute it, each from its own transforms: no spectrum ever leaves a region.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import networkx as nx

from djgraph.compiler.plan import (
    Add,
    Analyse,
    Inlet,
    Mask,
    Op,
    Plan,
    Process,
    Region,
    Synthesise,
    is_memoryless,
    is_spectrum,
)
from djgraph.graph.ir import EffectNode


def run(plan: Plan) -> Plan:
    writer = {name: op for op in plan.ops for name in op.writes}
    level = _levels(plan)
    readers = Counter(name for op in plan.ops for name in op.reads)
    readers.update(plan.outputs.values())
    inverses = [op for op in plan.ops if isinstance(op, Synthesise)]
    position = {id(op): index for index, op in enumerate(plan.ops)}
    regions = {}
    absorbed: set[int] = set()
    for members in _regions(inverses, writer, level):
        region, taken = _build(members, writer, readers, position)
        absorbed |= taken
        # A region stands where its last inverse stood, so that all it reads has been written by then.
        regions[max(position[id(op)] for op in members)] = region
    ops: list[Op] = []
    for index, op in enumerate(plan.ops):
        if index in regions:
            ops.append(regions[index])
        elif not _spectral(op) and id(op) not in absorbed:
            ops.append(op)
    return plan.with_ops(_in_order(ops))


def _spectral(op: Op) -> bool:
    return isinstance(op, (Analyse, Mask, Synthesise)) or (isinstance(op, Add) and is_spectrum(op.out))


def _levels(plan: Plan) -> dict[str, int]:
    """For each value, how many inverse transforms lie on the longest way to it."""
    level: dict[str, int] = {}
    for op in plan.ops:
        deepest = max((level[name] for name in op.reads), default=0) + isinstance(op, Synthesise)
        for name in op.writes:
            level[name] = deepest
    return level


def _closure(inverse: Synthesise, writer: dict[str, Op]) -> list[Op]:
    """The spectral operations that an inverse needs, back to the transforms."""
    closure: dict[int, Op] = {}
    open_ = [inverse.source]
    while open_:
        op = writer[open_.pop()]
        if id(op) not in closure:
            closure[id(op)] = op
            if not isinstance(op, Analyse):
                open_ += op.reads
    return list(closure.values())


def _regions(
    inverses: list[Synthesise], writer: dict[str, Op], level: dict[str, int]
) -> Iterable[list[Synthesise]]:
    """Inverses that share spectral work on one level: none of them can depend on another."""
    graph = nx.Graph()
    for inverse in inverses:
        graph.add_node(inverse.out)
        for op in _closure(inverse, writer):
            graph.add_edge(inverse.out, (level[inverse.out], op.writes[0]))
    by_name = {inverse.out: inverse for inverse in inverses}
    for component in nx.connected_components(graph):
        yield [inverse for name, inverse in by_name.items() if name in component]


def _build(
    inverses: list[Synthesise], writer: dict[str, Op], readers: Counter[str], position: dict[int, int]
) -> tuple[Region, set[int]]:
    needed = {id(op): op for inverse in inverses for op in _closure(inverse, writer)}
    ordered = sorted(needed.values(), key=lambda op: position[id(op)])
    inlets, absorbed = [], set()
    for op in ordered:
        if isinstance(op, Analyse):
            source, nodes, taken = _prologue(op.source, writer, readers)
            inlets.append(Inlet(source, nodes, op.out))
            absorbed |= taken
    body = tuple(op for op in ordered if isinstance(op, (Mask, Add)))
    return Region(tuple(inlets), body, tuple(inverses)), absorbed


def _prologue(
    source: str, writer: dict[str, Op], readers: Counter[str]
) -> tuple[str, tuple[EffectNode, ...], set[int]]:
    """Walks back from a transform through memoryless effects that nobody else reads."""
    nodes: list[EffectNode] = []
    absorbed = set()
    while readers[source] == 1:
        op = writer[source]
        if not (isinstance(op, Process) and len(op.nodes) == 1 and is_memoryless(op.nodes[0])):
            break
        nodes.append(op.nodes[0])
        absorbed.add(id(op))
        source = op.reads[0]
    return source, tuple(reversed(nodes)), absorbed


def _in_order(ops: list[Op]) -> list[Op]:
    """The operations so that each comes after what it reads, otherwise as they were."""
    writer = {name: index for index, op in enumerate(ops) for name in op.writes}
    order: nx.DiGraph[int] = nx.DiGraph()
    order.add_nodes_from(range(len(ops)))
    order.add_edges_from((writer[name], index) for index, op in enumerate(ops) for name in op.reads)
    return [ops[index] for index in nx.lexicographical_topological_sort(order)]
