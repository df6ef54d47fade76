"""Delays where paths of unequal latency meet, so that every operation of a stream reads signals of one time.

An operation waits for the latest of what it reads, and for the control curves that its nodes look ahead on. What
arrives earlier is delayed; a region, which gathers samples for its frames, waits for curves by itself. In the end all
outputs are delayed to the latest of them: a stream has one latency.

An operation on one signal whose result would have to wait runs later instead, on its delayed input: there are no more
delays then, and often fewer, and it may share a call with others of that time.
"""

from __future__ import annotations

from collections.abc import Mapping

from djgraph.compiler.passes.base import Pass
from djgraph.compiler.plan import Add, Delay, Lag, Load, Loop, Op, Plan, Process, Region, Silence
from djgraph.graph.ir import EffectNode

NO_LAG = Lag()


def aligning(lags: Mapping[str, Lag]) -> Pass:
    """The pass for nodes with these lags."""
    return Pass(
        "align",
        "signals of unequal latency wait for the latest where they meet",
        lambda plan: run(plan, lags),
    )


def run(plan: Plan, lags: Mapping[str, Lag]) -> Plan:
    """lags: by node id; a node that is left out has none. The plan has no spectra outside regions."""
    aligner = _Aligner(plan)
    for op, (start, end) in zip(plan.ops, _times(plan, lags)):
        aligner.add(op, start, end)
    latest = max((aligner.latencies[value] for value in plan.outputs.values()), default=0)
    outputs = {name: aligner.delayed(value, latest) for name, value in plan.outputs.items()}
    return plan.with_ops(aligner.ops, outputs=outputs, channels=aligner.channels, latencies=aligner.latencies)


def _times(plan: Plan, lags: Mapping[str, Lag]) -> list[tuple[int, int]]:
    """For each operation, the latencies at which it reads and writes."""
    silent = plan.silent
    known: dict[str, int] = {}
    times = []
    for op in plan.ops:
        nodes = list(op.nodes) if isinstance(op, (Process, Region, Loop)) else []
        waits = [known[name] for name in op.reads if name not in silent]
        ahead = max((lags.get(node.id, NO_LAG).lookahead for node in nodes), default=0)
        start = max(waits, default=0)
        if isinstance(
            op, Region
        ):  # it holds samples back anyway, until a frame is full and its curves are known
            end = max(start, ahead) + _latency(op, nodes, plan, lags)
        else:
            start = max(start, ahead)
            end = start + _latency(op, nodes, plan, lags)
        known |= dict.fromkeys(op.writes, end)
        times.append((start, end))
    # Backwards, so that what comes after has its final time: what reads one signal runs when it is needed.
    latest = max((known[value] for value in plan.outputs.values()), default=0)
    needed = dict.fromkeys(plan.outputs.values(), latest)
    for index in reversed(range(len(times))):
        op, (start, end) = plan.ops[index], times[index]
        if op.reads and len(set(op.reads) - silent) <= 1 and not silent.issuperset(op.writes):
            slack = min((needed[name] for name in op.writes if name in needed), default=end) - end
            times[index] = start, end = start + slack, end + slack
        for name in op.reads:
            needed[name] = min(needed.get(name, start), start)
    return times


class _Aligner:
    """The operations so far, with the latency of each value; one delay for each value and amount."""

    def __init__(self, plan: Plan) -> None:
        self.ops: list[Op] = []
        self.channels = dict(plan.channels)
        self.latencies: dict[str, int] = {}
        self.silent = plan.silent

    def add(self, op: Op, start: int, end: int) -> None:
        """An operation that reads at latency ``start`` and writes at ``end``."""
        late = {name: self.delayed(name, start) for name in op.reads}
        self.ops.append(op.renamed(late))
        self.latencies |= dict.fromkeys(op.writes, end)

    def delayed(self, name: str, latency: int) -> str:
        """The value that is this one, later."""
        samples = latency - self.latencies[name]
        if not samples or name in self.silent:
            return name
        out = f"delay({name}, {samples})"
        if out not in self.latencies:
            self.ops.append(Delay(name, out, samples))
            self.channels[out] = self.channels[name]
            self.latencies[out] = latency
        return out


def _latency(op: Op, nodes: list[EffectNode], plan: Plan, lags: Mapping[str, Lag]) -> int:
    """By how much what an operation writes lags what it reads."""
    match op:
        case Load() | Silence() | Add() | Loop():
            return 0
        case Process():
            return max(lags.get(node.id, NO_LAG).latency for node in nodes)
        case Region():
            # A sample is whole once the last frame that covers it has been transformed.
            return plan.graph.transform.size - 1
    raise TypeError(f"{type(op).__name__} in a stream plan: spectra belong into regions, see the pass fuse")
