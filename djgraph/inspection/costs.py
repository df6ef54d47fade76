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
from djgraph.graph.ir import Constant, EffectNode
from djgraph.inspection.effect_costs import EffectCosts, Work
from djgraph.inspection.op_costs import OpCosts, Workload

__all__ = ["OpCost", "PlanCost", "Work", "Workload", "estimate"]


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
class PlanCost:
    """All operations of a plan, in order, and their sums."""

    workload: Workload
    operations: tuple[OpCost, ...]

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
        """Work of all operations; memory is that of the largest."""
        return sum((op.forward for op in self.operations), Work())

    @property
    def backward(self) -> Work:
        return sum((op.backward for op in self.operations if op.backward is not None), Work())

    @property
    def peak(self) -> float:
        """The most bytes alive at a time in the forward pass, without the caller's audio."""
        return max((op.alive for op in self.operations), default=0.0)


def estimate(plan: Plan, modules: Mapping[str, Effect], workload: Workload) -> PlanCost:
    """Costs every operation of a plan for a given clip.

    modules: the effects by node id. Gradients are those of a loss with respect to params and to the effects'
    weights; the audio that comes in wants none.
    """
    kernels = set(plan.kernels.values())
    runs = {kernel: plan.graph.by_id[node] for node, kernel in plan.kernels.items()}
    examples = {kernel: node for kernel, node in runs.items() if isinstance(node, EffectNode)}
    effects = EffectCosts({kernel: modules[kernel] for kernel in kernels}, examples)
    needs: dict[str, bool] = {}
    costs = OpCosts(plan, effects, workload, needs)
    memory = _Memory(costs, plan)
    readers = Counter(name for op in plan.ops for name in op.reads)
    readers.update(plan.outputs.values())
    done = []
    for index, op in enumerate(plan.ops):
        nodes = _nodes(op)
        learns = any(not isinstance(b, Constant) for node in nodes for b in node.bindings.values())
        learns = learns or any(effects.has_weights(plan.kernels[node.id]) for node in nodes)
        learns = learns or any(needs[name] for name in op.reads)
        needs.update(dict.fromkeys(op.values, learns))
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
    return PlanCost(workload, tuple(done))


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
        self.held = 0

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


def _stacks(op: Op) -> list[tuple[str, ...]]:
    return list(zip(*op.outs)) if isinstance(op, Process) else [op.writes]
