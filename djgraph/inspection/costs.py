"""What a plan will cost before it runs: calls, transforms, flops, bytes moved and memory of each operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from djgraph.compiler.plan import (
    Add,
    Analyse,
    Load,
    Loop,
    Mask,
    Op,
    Plan,
    Process,
    Region,
    Silence,
    Synthesise,
)
from djgraph.effects import Effect
from djgraph.graph.ir import Constant, EffectNode, InputNode
from djgraph.inspection.effect_costs import EffectCosts, Work
from djgraph.inspection.op_costs import OpCosts, Workload

__all__ = ["OpCost", "PlanCost", "SourceCost", "Work", "Workload", "estimate"]


@dataclass(frozen=True)
class OpCost:
    """One operation of a plan.

    index: its place in the plan. label: what it is, in a few words. writes: the values it gives.
    nodes: the effect nodes it serves. calls: how many it counts for in ``Plan.calls``. forward_transforms,
    inverse_transforms: signals that it takes into the STFT domain and back, for each batch item.
    forward, backward: the work; backward is None where no gradient passes. alive: bytes of all values alive
    while it runs forward, its own and its scratch memory included, without the caller's audio.
    """

    index: int
    label: str
    writes: tuple[str, ...]
    nodes: tuple[str, ...]
    calls: int
    forward_transforms: int
    inverse_transforms: int
    forward: Work
    backward: Work | None
    alive: float


@dataclass(frozen=True)
class SourceCost:
    """What plays an input, before the plan runs.

    input: its name. effect: what kind of effect plays it. forward, backward: as of :class:`OpCost`.
    """

    input: str
    effect: str
    forward: Work
    backward: Work | None


@dataclass(frozen=True)
class PlanCost:
    """All operations of a plan, in order, and what plays inputs before them; and their sums."""

    workload: Workload
    operations: tuple[OpCost, ...]
    sources: tuple[SourceCost, ...] = ()

    @property
    def calls(self) -> int:
        return sum(op.calls for op in self.operations)

    @property
    def forward_transforms(self) -> int:
        return sum(op.forward_transforms for op in self.operations)

    @property
    def inverse_transforms(self) -> int:
        return sum(op.inverse_transforms for op in self.operations)

    @property
    def forward(self) -> Work:
        """Work of all operations and sources; memory is that of the largest."""
        return sum((part.forward for part in self._parts), Work())

    @property
    def backward(self) -> Work:
        return sum((part.backward for part in self._parts if part.backward is not None), Work())

    @property
    def _parts(self) -> list[SourceCost | OpCost]:
        return [*self.sources, *self.operations]

    @property
    def peak(self) -> float:
        """The most bytes alive at a time in the forward pass, without the caller's audio."""
        return max(
            (*(op.alive for op in self.operations), *(one.forward.memory for one in self.sources)),
            default=0.0,
        )


def estimate(plan: Plan, modules: Mapping[str, Effect], workload: Workload) -> PlanCost:
    """Costs every operation of a plan for a given clip.

    modules: the effects by node id, those that play inputs among them. Gradients are those of a loss with respect to
    params and to the effects' weights; the audio that comes in wants none.
    """
    kernels = set(plan.kernels.values())
    runs = {kernel: plan.graph.by_id[node] for node, kernel in plan.kernels.items()}
    examples = {kernel: node for kernel, node in runs.items() if isinstance(node, EffectNode)}
    players = {node.id: node for node in plan.graph.sources.values()}
    effects = EffectCosts({name: modules[name] for name in (*kernels, *players)}, examples | players)
    needs: dict[str, bool] = {}
    costs = OpCosts(plan, effects, workload, needs)
    sources = {name: _source(name, node, costs, plan) for name, node in plan.graph.sources.items()}
    memory = _Memory(costs, plan)
    readers = Counter(name for op in plan.ops for name in op.reads)
    readers.update(plan.outputs.values())
    done = []
    for index, op in enumerate(plan.ops):
        nodes = _nodes(op)
        learns = any(not isinstance(b, Constant) for node in nodes for b in node.bindings.values())
        learns = learns or any(effects.has_weights(plan.kernels[node.id]) for node in nodes)
        learns = learns or any(needs[name] for name in op.reads)
        learned = learns or (isinstance(op, Load) and _is_learned(op, sources, plan))
        needs.update(dict.fromkeys(op.values, learned))
        both = costs.of(op)
        gathered = memory.gathered(op)
        forward = Work(both.forward.flops, both.forward.moved + 2 * gathered, both.forward.memory + gathered)
        alive = memory.held + forward.memory
        memory.run(op, plan.frees[index] if plan.frees else ())
        transforms = _transforms(op, plan)
        # Where several operations read a value, their gradients are added up before its own operation gets them.
        added = sum((readers[name] - 1) * costs.bytes(name) for name in op.writes if readers[name] > 1)
        sums = Work(added / workload.dtype.itemsize, 3 * added)
        done.append(
            OpCost(
                index=index,
                label=label(op),
                writes=op.writes,
                nodes=tuple(node.id for node in nodes),
                calls=int(isinstance(op, (Process, Region, Loop, Mask, Analyse, Synthesise))),
                forward_transforms=transforms[0],
                inverse_transforms=transforms[1],
                forward=forward,
                backward=both.backward + sums if learns else None,
                alive=alive,
            )
        )
    return PlanCost(workload, tuple(done), tuple(sources.values()))


def _source(name: str, node: EffectNode, costs: OpCosts, plan: Plan) -> SourceCost:
    inputs = [one for one in plan.graph.nodes if isinstance(one, InputNode) and one.input == name]
    both = costs.source(node, tuple(one.channels for one in inputs))
    learns = any(not isinstance(binding, Constant) for binding in node.bindings.values())
    learns = learns or costs.effects.has_weights(node.id)
    return SourceCost(name, node.effect.type, both.forward, both.backward if learns else None)


def _is_learned(op: Load, sources: Mapping[str, SourceCost], plan: Plan) -> bool:
    """Whether a gradient goes on to what plays an input."""
    node = plan.graph.by_id[op.node]
    source = sources.get(node.input) if isinstance(node, InputNode) else None
    return source is not None and source.backward is not None


def label(op: Op) -> str:
    """An operation in a few words."""
    match op:
        case Load():
            return "input"
        case Silence():
            return "silence"
        case Process():
            return f"{op.nodes[0].effect.type} × {len(op.nodes)}"
        case Mask():
            return f"mask {op.node.effect.type}"
        case Analyse():
            return "stft"
        case Synthesise():
            return "istft"
        case Add():
            return f"sum of {len(op.sources)}"
        case Loop():
            return f"loop of {len(op.nodes)} effects"
        case Region():
            masks = sum(isinstance(step, Mask) for step in op.body)
            return f"region {len(op.inlets)} → {len(op.results)}, {masks} masks"
    raise TypeError(type(op).__name__)


def _nodes(op: Op) -> tuple[EffectNode, ...]:
    match op:
        case Process() | Loop():
            return op.nodes
        case Mask():
            return (op.node,)
        case Region():
            return tuple(op.nodes)
    return ()


def _transforms(op: Op, plan: Plan) -> tuple[int, int]:
    match op:
        case Analyse():
            return plan.channels[op.out], 0
        case Synthesise():
            return 0, plan.channels[op.out]
        case Region():
            return (
                sum(plan.channels[inlet.source] for inlet in op.inlets),
                sum(plan.channels[result.out] for result in op.results),
            )
    return 0, 0


class _Memory:
    """Follows which values are alive. What a call gives is one stack, which is freed with the last of its rows."""

    def __init__(self, costs: OpCosts, plan: Plan) -> None:
        self._costs, self._plan = costs, plan
        self._place: dict[str, tuple[int, int]] = {}
        self._size: dict[int, int] = {}
        self._rows: dict[int, set[str]] = {}
        # What sources play is there before, to the end; audio that a caller hands over is the caller's.
        played = [op.out for op in plan.ops if isinstance(op, Load) and _is_played(op, plan)]
        self.held = sum(map(costs.bytes, played))

    def run(self, op: Op, free: tuple[str, ...]) -> None:
        """After an operation: its values live, those in ``free`` do not."""
        for names in _stacks(op):
            stack = len(self._place)
            # The caller's audio is not copied.
            self._size[stack] = 0 if isinstance(op, Load) else sum(map(self._costs.bytes, names))
            self.held += self._size[stack]
            self._rows[stack] = set(names)
            self._place.update({name: (stack, row) for row, name in enumerate(names)})
        for name in free:
            stack, _ = self._place[name]
            self._rows[stack].discard(name)
            if not self._rows[stack]:
                self.held -= self._size.pop(stack)

    def gathered(self, op: Op) -> int:
        """Bytes that a call copies to have its rows side by side."""
        if not isinstance(op, Process):
            return 0
        copied = 0
        for names in zip(*op.ins):
            places = [self._place[name] for name in names]
            stack, first = places[0]
            if places != [(stack, first + row) for row in range(len(names))]:
                copied += sum(map(self._costs.bytes, names))
        return copied


def _is_played(op: Load, plan: Plan) -> bool:
    node = plan.graph.by_id[op.node]
    return isinstance(node, InputNode) and node.input in plan.graph.sources


def _stacks(op: Op) -> list[tuple[str, ...]]:
    return list(zip(*op.outs)) if isinstance(op, Process) else [op.writes]
