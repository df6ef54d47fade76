"""What all streams of a mixer share: the plan with its delays, and the schedules of its regions."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from djgraph.compiler.plan import Add, Op, Plan, Process, Region
from djgraph.host.calls import EffectCall
from djgraph.region.schedule import RegionSchedule, schedule_region
from djgraph.runtime.compiled import Compiled


class StreamPlan:
    """A compiled graph, ready to be streamed. ``latency`` is that of all outputs, in samples.

    schedules and calls: by the operation's place in the plan. fresh: values that lie in memory of nobody else's.
    """

    @torch.inference_mode(False)
    def __init__(self, compiled: Compiled, taps: bool = False) -> None:
        self.compiled = compiled
        needed = compiled.lags
        self.plan: Plan = compiled.stages(taps, stream=True)[-1].plan
        assert self.plan.latencies is not None
        self.latencies: Mapping[str, int] = self.plan.latencies
        self.silent = self.plan.silent
        self.frees = self.plan.frees or ((),) * len(self.plan.ops)
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
        self.ahead = {
            index: max((needed[node.id].latency for node in op.nodes), default=0)
            if isinstance(op, Process)
            else compiled.graph.transform.size - 1
            for index, op in enumerate(self.plan.ops)
            if isinstance(op, (Process, Region))
        }
        self.fresh = {op.writes[0] for op in self.plan.ops if isinstance(op, Add) and len(op.sources) > 1} | {
            name for op in self.plan.ops if isinstance(op, Region) for name in op.writes
        }

        # Asked for at every block, so found once.
        self.arrives = {index: self._arrives(index, self.plan.ops[index]) for index in self.ahead}
        """The latency of what an operation reads, by its number."""
        self.leaves = {index: self.latencies[self.plan.ops[index].writes[0]] for index in self.ahead}
        """The latency of what it makes."""

    def _arrives(self, index: int, op: Op) -> int:
        for name in op.reads:
            if name not in self.silent:
                return self.latencies[name]
        return self.latencies[op.writes[0]] - self.ahead.get(index, 0)
