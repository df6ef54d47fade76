"""What all streams of a mixer share: the plan with its delays, and the schedules of its regions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from djgraph.compiler.plan import Add, Delay, Load, Loop, Mask, Op, Plan, Process, Region, Silence
from djgraph.host.calls import EffectCall
from djgraph.region.schedule import RegionSchedule, schedule_region
from djgraph.runtime.chains import chained_calls
from djgraph.runtime.compiled import Compiled
from djgraph.streams.gates import find_gates


@dataclass(frozen=True)
class Delays:
    """Delays of one length that stand side by side in a plan, as one operation on a stack."""

    sources: tuple[str, ...]
    outs: tuple[str, ...]


Step = Add | Silence | Process | Region | Loop | Delays
"""What a stream runs; audio that comes in is there beforehand."""


class StreamPlan:
    """A compiled graph, ready to be streamed. ``latency`` is that of all outputs, in samples.

    schedules and calls: by the operation's place in the plan. chains: calls that run in one pass. fresh: values that
    lie in memory of nobody else's.
    steps: what runs, with its place in the plan and the values that nobody reads afterwards; silent sums do not.
    inputs: (input node, value) of what comes in, those of as many channels side by side.
    """

    @torch.inference_mode(False)
    def __init__(self, compiled: Compiled, taps: bool = False) -> None:
        self.compiled = compiled
        needed = compiled.lags
        self.plan: Plan = compiled.stages(taps, stream=True)[-1].plan
        assert self.plan.latencies is not None
        self.latencies: Mapping[str, int] = self.plan.latencies
        self.silent = self.plan.silent
        self.steps = tuple(self._steps())
        channels = self.plan.channels
        loads = [(op.node, op.out) for op in self.plan.ops if isinstance(op, Load)]
        self.inputs = tuple(
            tuple(pair for pair in loads if channels[pair[1]] == count)
            for count in dict.fromkeys(channels[out] for _, out in loads)
        )
        self.latency = self.plan.latency or 0
        self.lookahead = max((lag.lookahead for lag in needed.values()), default=0)
        self.schedules: dict[int, RegionSchedule] = {}
        self.calls: dict[int, EffectCall] = {}
        for index, op in enumerate(self.plan.ops):
            if isinstance(op, Region):
                self.schedules[index] = schedule_region(
                    op, self.plan, compiled.modules, compiled.bank, compiled.options.simd
                )
            elif isinstance(op, Process):
                self.calls[index] = EffectCall(compiled.modules[op.nodes[0].id], op.nodes)
        self.chains = tuple(chained_calls(self.plan, compiled.modules, compiled.bank))
        self.ahead = {
            index: max((needed[node.id].latency for node in op.nodes), default=0)
            if isinstance(op, Process)
            else compiled.graph.transform.size - 1
            if isinstance(op, Region)
            else 0
            for index, op in enumerate(self.plan.ops)
            if isinstance(op, (Process, Region, Loop))
        }
        self.fresh = {op.writes[0] for op in self.plan.ops if isinstance(op, Add) and len(op.sources) > 1} | {
            name for op in self.plan.ops if isinstance(op, Region) for name in op.writes
        }

        # Asked for at every block, so found once.
        self.arrives = {index: self._arrives(index, self.plan.ops[index]) for index in self.ahead}
        """The latency of what an operation reads, by its number."""
        self.leaves = {index: self.latencies[self.plan.ops[index].writes[0]] for index in self.ahead}
        """The latency of what it makes."""
        self.gates = find_gates(self.plan, compiled.bank, compiled.modules, self.calls, self.arrives)
        """What switches close; None where that would let a stream leave out nothing."""
        self.names = {index: _name(op) for index, op, _ in self.steps}
        """What takes the time, in words, by the operation's place."""

    def _arrives(self, index: int, op: Op) -> int:
        for name in op.reads:
            if name not in self.silent:
                return self.latencies[name]
        return self.latencies[op.writes[0]] - self.ahead.get(index, 0)

    def _steps(self) -> Iterator[tuple[int, Step, tuple[str, ...]]]:
        ops = self.plan.ops
        frees = self.plan.frees or ((),) * len(ops)
        index = 0
        while index < len(ops):
            op, stop = ops[index], index + 1
            if isinstance(op, Delay):
                alike = [op]
                while stop < len(ops) and isinstance(other := ops[stop], Delay) and self._alike(op, other):
                    alike.append(other)
                    stop += 1
                step: Step = Delays(tuple(one.source for one in alike), tuple(one.out for one in alike))
                yield index, step, tuple(name for free in frees[index:stop] for name in free)
            elif isinstance(op, (Add, Silence, Process, Region, Loop)):
                if not (isinstance(op, Add) and op.out in self.silent):
                    yield index, op, frees[index]
            elif not isinstance(op, Load):
                raise TypeError(f"{type(op).__name__} in a stream plan: spectra belong into regions")
            index = stop

    def _alike(self, one: Delay, other: Delay) -> bool:
        """Whether two delays take and give samples of the same time, with as many channels."""
        return all(
            self.latencies[a] == self.latencies[b] and self.plan.channels[a] == self.plan.channels[b]
            for a, b in ((one.source, other.source), (one.out, other.out))
        )


def _name(op: Step) -> str:
    match op:
        case Process():
            return op.nodes[0].effect.type
        case Region():
            masks = [step.node.effect.type for step in op.body if isinstance(step, Mask)]
            return f"transforms for {', '.join(sorted(set(masks)))}" if masks else "transforms"
        case Loop():
            effects = [step.nodes[0].effect.type for step in op.body if isinstance(step, Process)]
            return f"a loop of {', '.join(sorted(set(effects)))}" if effects else "a loop"
    return "sums and delays"
