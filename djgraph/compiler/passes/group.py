"""Calls of one kind run together, scheduled for the fewest calls.

Units of one kind can share a call unless one depends on another. Of a kind's units, the k-th along any path can
at best run in the kind's k-th call; so the schedule waits until all units of one rank are ready, and only where
every rank waits for another does it run what is there. In a stream, calls share only what arrives at one latency:
a call of several rows would have to wait for the latest of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Hashable
from dataclasses import dataclass

from djgraph.compiler.plan import Op, Plan, Process, Region


@dataclass(frozen=True)
class _Rank:
    """The k-th generation of one kind of call."""

    kind: Hashable
    generation: int


def run(plan: Plan) -> Plan:
    ranks = _rank(plan)
    readers: dict[str, list[int]] = defaultdict(list)
    missing = []
    for index, op in enumerate(plan.ops):
        needs = set(op.reads)
        missing.append(len(needs))
        for name in needs:
            readers[name].append(index)
    outstanding = Counter(rank for rank in ranks if rank is not None)
    ready: dict[_Rank, list[int]] = defaultdict(list)
    complete: deque[_Rank] = deque()
    plain = deque(index for index, count in enumerate(missing) if not count and ranks[index] is None)
    ops: list[Op] = []

    def offer(index: int) -> None:
        rank = ranks[index]
        if rank is None:
            plain.append(index)
            return
        ready[rank].append(index)
        if len(ready[rank]) == outstanding[rank]:
            complete.append(rank)

    def emit(op: Op) -> None:
        ops.append(op)
        for name in op.writes:
            for index in readers[name]:
                missing[index] -= 1
                if not missing[index]:
                    offer(index)

    for index, count in enumerate(missing):
        if not count and ranks[index] is not None:
            offer(index)
    while plain or ready:
        if plain:
            emit(plan.ops[plain.popleft()])
            continue
        rank = complete.popleft() if complete else max(ready, key=lambda r: len(ready[r]))
        rows = sorted(ready.pop(rank))
        outstanding[rank] -= len(rows)
        emit(_merge([plan.ops[index] for index in rows]))
    return plan.with_ops(ops)


def _rank(plan: Plan) -> list[_Rank | None]:
    """For each operation its kind and how many of that kind lie on the longest way to it; None for no call."""
    counts: dict[str, Counter[Hashable]] = {}
    ranks: list[_Rank | None] = []
    for op in plan.ops:
        before: Counter[Hashable] = Counter()
        for name in op.reads:
            before |= counts[name]
        kind = _kind(op, plan)
        if kind is None:
            ranks.append(None)
        else:
            ranks.append(_Rank(kind, before[kind]))
            before[kind] += 1
        for name in op.writes:
            counts[name] = before
    return ranks


def _kind(op: Op, plan: Plan) -> Hashable | None:
    if isinstance(op, Process):
        channels = op.nodes[0].channels, *(plan.channels[name] for name in op.ins[0])
        return "process", plan.kernels[op.nodes[0].id], channels, _when(op, plan)
    if isinstance(op, Region):
        return "region", plan.channels[op.writes[0]], _when(op, plan)
    return None


def _when(op: Op, plan: Plan) -> tuple[int | None, ...]:
    """The latencies at which an operation of a stream reads and writes; silence is there at any time."""
    if plan.latencies is None:
        return ()
    read = next((plan.latencies[name] for name in op.reads if name not in plan.silent), None)
    return read, plan.latencies[op.writes[0]]


def _merge(ops: list[Op]) -> Op:
    if len(ops) == 1:
        return ops[0]
    if isinstance(ops[0], Process):
        calls = [op for op in ops if isinstance(op, Process)]
        return Process(
            tuple(node for op in calls for node in op.nodes),
            tuple(row for op in calls for row in op.ins),
            tuple(row for op in calls for row in op.outs),
        )
    regions = [op for op in ops if isinstance(op, Region)]
    # Regions may compute the same spectrum; by name it is computed once in the merged one.
    inlets = {inlet.out: inlet for op in regions for inlet in op.inlets}
    body = {step.out: step for op in regions for step in op.body}
    return Region(
        tuple(inlets.values()), tuple(body.values()), tuple(result for op in regions for result in op.results)
    )
