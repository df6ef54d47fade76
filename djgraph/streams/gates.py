"""What in a stream's plan stands behind or before gains that switches close, and which of them are closed now.

Silence goes forward: what a closed gate gives is silence, and so is what only such silence leads to, once nothing is
left in it. Nobody hears what stands before a closed gate and leads to nowhere else: that goes backward.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass, field

import torch

from djgraph.compiler.plan import Add, Inlet, Plan, Process, Region
from djgraph.controls.bank import ControlBank
from djgraph.controls.reader import smoothing_samples
from djgraph.effects import AmplitudeEffect, Effect, TimeEffect
from djgraph.graph.ir import Blend, EffectNode, Free, MacroCurve, columns_of
from djgraph.host.calls import EffectCall
from djgraph.streams.controls import ControlTrack
from djgraph.streams.time import Moment

Lanes = frozenset[int]


@dataclass(frozen=True)
class Gate:
    """A gain that a switch closes. row: of the bank, 0 where it is closed; smoothing: of what it reads, in samples.

    arrives: the latency of what it reads.
    """

    node: str
    row: int
    smoothing: float
    arrives: int


@dataclass
class Gates:
    """The gates of a plan, and what they let one leave out.

    modules: by node. whole: the places of operations that cannot run for some of their nodes. stateless: those whose
    effects remember nothing.
    """

    plan: Plan
    gates: tuple[Gate, ...]
    modules: Mapping[str, Effect]
    whole: Collection[int]
    stateless: Collection[int]
    _unheard: dict[tuple[frozenset[str], bool], Mapping[int, Lanes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_latency = [
            (latency, [gate for gate in self.gates if gate.arrives == latency])
            for latency in sorted({gate.arrives for gate in self.gates})
        ]
        self._rows = [
            torch.tensor([gate.row for gate in gates], device="cpu") for _, gates in self._by_latency
        ]

    def closed(self, track: ControlTrack, moment: Moment) -> frozenset[str]:
        """The nodes of the gates that are closed on all samples of a call, in all items of the batch."""
        assert track.rows is not None
        timeline, names = track.timeline(moment.end), []
        for (latency, gates), rows in zip(self._by_latency, self._rows):
            start, stop = moment.span(latency)
            if stop > start:
                first, last = timeline.span(start, stop, max(gate.smoothing for gate in gates))
                near = track.rows[..., first:last].index_select(0, rows.to(track.rows.device))
                opened = near.ne(0).flatten(1).any(1).tolist()
                names += [gate.node for gate, is_open in zip(gates, opened) if not is_open]
        return frozenset(names)

    def unheard(self, closed: frozenset[str], rest: bool) -> Mapping[int, Lanes]:
        """By operation, the nodes of which nobody needs what they give while these gates are closed.

        rest: those that remember something, too; without it they need what comes in, and so what leads to them is run.
        """
        key = closed, rest
        unheard = self._unheard.get(key)
        if unheard is None:  # streams in several threads may find it at one time, and find the same
            if len(self._unheard) >= KEPT:
                self._unheard.clear()
            unheard = self._unheard[key] = self._find_unheard(closed, rest)
        return unheard

    def _find_unheard(self, closed: frozenset[str], rest: bool) -> Mapping[int, Lanes]:
        needed = set(self.plan.outputs.values())
        unheard: dict[int, Lanes] = {}
        for index, op in reversed(list(enumerate(self.plan.ops))):
            if isinstance(op, Process) and index not in self.whole:
                free = rest or index in self.stateless
                left = {
                    lane
                    for lane, (node, outs) in enumerate(zip(op.nodes, op.outs))
                    if node.id in closed or (free and needed.isdisjoint(outs))
                }
                needed.update(name for lane, ins in enumerate(op.ins) if lane not in left for name in ins)
                if left:
                    unheard[index] = frozenset(left)
            elif isinstance(op, Add) and op.out not in needed:
                unheard[index] = frozenset((0,))
            else:
                needed.update(op.reads)
        return unheard

    def behind(self, closed: frozenset[str]) -> dict[int, Lanes]:
        """By operation, the nodes that only silence leads to while these gates are closed, and that come to rest."""
        silent = set(self.plan.silent)
        found: dict[int, Lanes] = {}
        for index, op in enumerate(self.plan.ops):
            if isinstance(op, Process):
                lanes = set()
                for lane, (node, ins, outs) in enumerate(zip(op.nodes, op.ins, op.outs)):
                    if node.id in closed:
                        silent.update(outs)
                    elif (
                        ins
                        and silent.issuperset(ins)
                        and index not in self.whole
                        and self._rests(index, node)
                    ):
                        lanes.add(lane)
                        silent.update(outs)
                if lanes:
                    found[index] = frozenset(lanes)
            elif isinstance(op, Region):
                quiet = {inlet.out for inlet in op.inlets if self.lets_nothing_in(inlet, closed, silent)}
                silent.update(name for name, inlets in result_inlets(op).items() if inlets <= quiet)
            elif op.reads and silent.issuperset(op.reads) and len(op.writes) == 1:
                silent.update(op.writes)
        return found

    def __str__(self) -> str:
        """By gate, the effects that a stream without gradients leaves out while that one is closed, and no other."""
        lines = []
        for gate in self.gates:
            closed = frozenset((gate.node,))
            rung_out = self._names(self.behind(closed), closed)
            exact = self._names(self.unheard(closed, rest=False), closed)
            rest = [
                node for node in self._names(self.unheard(closed, rest=True), closed) if node not in exact
            ]
            parts = [
                f"{what} {', '.join(nodes)}"
                for what, nodes in (
                    ("rung out:", rung_out),
                    ("unheard:", exact),
                    ('with unheard="rest":', rest),
                )
                if nodes
            ]
            if parts:
                lines.append(f"  {gate.node} closed: {'; '.join(parts)}")
        return "\n".join(["left out without gradients while a switch closes a gain", *lines]) if lines else ""

    def _names(self, found: Mapping[int, Lanes], closed: Collection[str]) -> list[str]:
        names = []
        for index in sorted(found):
            op = self.plan.ops[index]
            if isinstance(op, Process):
                names += [
                    op.nodes[lane].id for lane in sorted(found[index]) if op.nodes[lane].id not in closed
                ]
        return names

    def lets_nothing_in(self, inlet: Inlet, closed: Collection[str], silent: Collection[str]) -> bool:
        """Whether silence enters a region at an inlet: from its source, or from a closed gate in it."""
        quiet = inlet.source in silent
        for node in inlet.nodes:
            quiet = node.id in closed or (quiet and self.modules[node.id].tail() == 0)
        return quiet

    def _rests(self, index: int, node: EffectNode) -> bool:
        module = self.modules[node.id]
        assert isinstance(module, TimeEffect)
        if type(module).at_rest is not TimeEffect.at_rest:
            return True
        return index in self.stateless and module.tail() == 0


KEPT = 256
"""Sets of closed gates for which it is kept what nobody hears."""


def find_gates(
    plan: Plan,
    bank: ControlBank,
    modules: Mapping[str, Effect],
    calls: Mapping[int, EffectCall],
    arrives: Mapping[int, int],
) -> Gates | None:
    """The gates of a stream's plan; None where closing them all would let one leave out nothing.

    modules: by node. calls, arrives: by operation, its effect and the latency of what it reads.
    """
    gates = tuple(_gates(plan, bank, arrives))
    if not gates:
        return None
    whole = {index for index, call in calls.items() if any(c.rate == "frame" for c in call.module.controls)}
    like = torch.empty(0, dtype=torch.float32, device="cpu")
    stateless = {
        index for index, call in calls.items() if not call.initial_state(1, call.nodes[0].channels, like)
    }
    found = Gates(plan, gates, modules, whole, stateless)
    closed = frozenset(gate.node for gate in gates)
    own = {index for index, op in enumerate(plan.ops) if isinstance(op, Process) and _only(op, closed)}
    gains = found.behind(closed).keys() | found.unheard(closed, True).keys()
    return found if gains - own else None


def _only(op: Process, closed: frozenset[str]) -> bool:
    return all(node.id in closed for node in op.nodes)


def _gates(plan: Plan, bank: ControlBank, arrives: Mapping[int, int]) -> Iterator[Gate]:
    switches = {column.name for column in plan.graph.columns if column.kind == "switch"}
    for index, op in enumerate(plan.ops):
        nodes = op.nodes if isinstance(op, (Process, Region)) else ()
        for node in nodes:
            if is_gate(node, switches):
                control = next(c for c in node.effect.controls if c.id == closing(node))
                smoothing = smoothing_samples(control, plan.graph.sample_rate)
                yield Gate(node.id, bank.row(node, control), smoothing, arrives[index])


def is_gate(node: EffectNode, switches: Set[str]) -> bool:
    """Whether a node is a gain that one of these switches closes, alone or with others."""
    name = closing(node)
    if name is None:
        return False
    binding = node.bindings[name]
    return isinstance(binding, (Free, MacroCurve, Blend)) and not switches.isdisjoint(columns_of(binding))


def closing(node: EffectNode) -> str | None:
    """The control that closes a gain at 0."""
    return node.effect.closed_by if issubclass(node.effect, AmplitudeEffect) else None


def result_inlets(op: Region) -> dict[str, frozenset[str]]:
    """By result of a region, the inlets that it is made of."""
    made = {inlet.out: frozenset((inlet.out,)) for inlet in op.inlets}
    for step in op.body:
        made[step.out] = frozenset().union(*(made[name] for name in step.reads))
    return {result.out: made[result.source] for result in op.results}
