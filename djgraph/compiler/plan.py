"""The plan: an ordered list of operations on named values. Passes rewrite it; the runtime runs it.

A value is the audio of one point, ``[batch, channels, samples]``, or a spectrum (its name begins with ``~``).
An operation that serves several nodes has one row for each: rows are stacked along the batch and run in one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from djgraph.effects import Effect
from djgraph.graph.ir import Blend, Constant, EffectNode, Free, Graph, MacroCurve, Point


@dataclass(frozen=True)
class Op:
    """Base of all operations."""

    @property
    def reads(self) -> tuple[str, ...]:
        raise NotImplementedError

    @property
    def writes(self) -> tuple[str, ...]:
        raise NotImplementedError

    @property
    def values(self) -> tuple[str, ...]:
        """What it writes, and what it keeps to itself."""
        return self.writes

    def renamed(self, names: Mapping[str, str]) -> Op:
        """The same operation reading other values."""
        raise NotImplementedError


@dataclass(frozen=True)
class Origin(Op):
    """Base of operations that read nothing."""

    out: str

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    @property
    def writes(self) -> tuple[str, ...]:
        return (self.out,)

    def renamed(self, names: Mapping[str, str]) -> Origin:
        return self


@dataclass(frozen=True)
class Load(Origin):
    """Audio of an input node."""

    node: str


@dataclass(frozen=True)
class Silence(Origin):
    """A bus that nothing feeds."""


@dataclass(frozen=True)
class Single(Op):
    """Base of operations from one value to one."""

    source: str
    out: str

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.source,)

    @property
    def writes(self) -> tuple[str, ...]:
        return (self.out,)

    def renamed(self, names: Mapping[str, str]) -> Self:
        return replace(self, source=names.get(self.source, self.source))


@dataclass(frozen=True)
class Mask(Single):
    """A spectral effect of one node: spectrum → spectrum."""

    node: EffectNode


@dataclass(frozen=True)
class Analyse(Single):
    """Audio → spectrum, by the graph's short-time Fourier transform."""


@dataclass(frozen=True)
class Synthesise(Single):
    """Spectrum → audio: the inverse transform and overlap-add."""


@dataclass(frozen=True)
class Delay(Single):
    """Audio held back by ``samples``, so that it meets audio that took longer; in stream plans only."""

    samples: int


@dataclass(frozen=True)
class Process(Op):
    """A time effect. ``ins[row]`` and ``outs[row]`` follow the effect's ports."""

    nodes: tuple[EffectNode, ...]
    ins: tuple[tuple[str, ...], ...]
    outs: tuple[tuple[str, ...], ...]

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(name for row in self.ins for name in row)

    @property
    def writes(self) -> tuple[str, ...]:
        return tuple(name for row in self.outs for name in row)

    def renamed(self, names: Mapping[str, str]) -> Process:
        return replace(self, ins=tuple(tuple(names.get(n, n) for n in row) for row in self.ins))


@dataclass(frozen=True)
class Add(Op):
    """The sum of several values, all audio or all spectra."""

    sources: tuple[str, ...]
    out: str

    @property
    def reads(self) -> tuple[str, ...]:
        return self.sources

    @property
    def writes(self) -> tuple[str, ...]:
        return (self.out,)

    def renamed(self, names: Mapping[str, str]) -> Add:
        return replace(self, sources=tuple(names.get(n, n) for n in self.sources))


@dataclass(frozen=True)
class Feedback(Single):
    """What a value was ``samples`` samples ago, silence before the first one; in loops only."""

    samples: int


@dataclass(frozen=True)
class Loop(Op):
    """Work whose results come round again: a plan of its own that runs block by block, as a stream does.

    ways: what comes back, each of something that the body makes. body: in the order in which it runs. results: what of
    it is read outside. held: effects of the body that hold their signal back, which give each block before they read
    it: their first value, and by how many samples.
    """

    ways: tuple[Feedback, ...]
    body: tuple[Process | Add, ...]
    results: tuple[str, ...]
    held: tuple[tuple[str, int], ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        own = set(self.values)
        return tuple(dict.fromkeys(name for op in self.body for name in op.reads if name not in own))

    @property
    def writes(self) -> tuple[str, ...]:
        return self.results

    @property
    def values(self) -> tuple[str, ...]:
        ways = tuple(way.out for way in self.ways)
        return ways + tuple(name for op in self.body for name in op.writes)

    @property
    def nodes(self) -> tuple[EffectNode, ...]:
        """The effects in the loop."""
        return tuple(node for op in self.body if isinstance(op, Process) for node in op.nodes)

    @property
    def block(self) -> int:
        """Samples that can be made at a time: what goes in comes back after as many at the earliest."""
        return min([way.samples for way in self.ways] + [samples for _, samples in self.held])

    @property
    def early(self) -> tuple[Process, ...]:
        """The effects that hold their signal back."""
        held = {name for name, _ in self.held}
        return tuple(op for op in self.body if isinstance(op, Process) and op.writes[0] in held)

    def renamed(self, names: Mapping[str, str]) -> Loop:
        own = set(self.values)
        outside = {old: new for old, new in names.items() if old not in own}
        return replace(self, body=tuple(op.renamed(outside) for op in self.body))


@dataclass(frozen=True)
class Inlet:
    """Where a region's signal comes from: audio through effects without memory, then the transform."""

    source: str
    nodes: tuple[EffectNode, ...]
    out: str


@dataclass(frozen=True)
class Region(Op):
    """Spectral work done together, tile by tile: inlets in, masks and sums, inverse transforms out."""

    inlets: tuple[Inlet, ...]
    body: tuple[Mask | Add, ...]
    results: tuple[Synthesise, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(inlet.source for inlet in self.inlets)

    @property
    def writes(self) -> tuple[str, ...]:
        return tuple(result.out for result in self.results)

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(step.out for step in (*self.inlets, *self.body, *self.results))

    def renamed(self, names: Mapping[str, str]) -> Region:
        return replace(
            self,
            inlets=tuple(
                replace(inlet, source=names.get(inlet.source, inlet.source)) for inlet in self.inlets
            ),
        )

    @property
    def nodes(self) -> Iterator[EffectNode]:
        for inlet in self.inlets:
            yield from inlet.nodes
        for op in self.body:
            if isinstance(op, Mask):
                yield op.node


@dataclass(frozen=True)
class Lag:
    """What a node does to time in a stream, in samples.

    lookahead: how much of the control curves behind a sample the node needs to process that sample (a smoothed
    control needs half of its box). Audio that has come less late than that has to wait for the curves.
    latency: by how much the node's output lags its input.
    """

    lookahead: int = 0
    latency: int = 0


@dataclass(frozen=True)
class Plan:
    """Operations in order; ``outputs`` maps a name to the value it gives.

    channels: of every value that an operation writes or a region holds.
    kernels: by node, the name of the module that runs it; nodes with one kernel may share a call.
    frees: for each operation, the values nobody reads after it (empty until the pass ``free`` has run).
    latencies: by value, the samples by which it lags the inputs in a stream; None in plans of whole clips, which
    know no latency. The silence of a bus that nothing feeds is the same at any latency; it stands here with 0.
    """

    graph: Graph
    ops: tuple[Op, ...]
    outputs: Mapping[str, str]
    channels: Mapping[str, int]
    kernels: Mapping[str, str]
    frees: tuple[tuple[str, ...], ...] = ()
    latencies: Mapping[str, int] | None = None

    @property
    def latency(self) -> int | None:
        """Samples by which the outputs lag in a stream, all by the same; None in a plan of whole clips."""
        if self.latencies is None:
            return None
        return max((self.latencies[value] for value in self.outputs.values()), default=0)

    @property
    def silent(self) -> frozenset[str]:
        """The values that are silence, or sums of it alone, which fits any latency."""
        silent: set[str] = set()
        for op in self.ops:
            if isinstance(op, Silence) or (isinstance(op, Add) and silent.issuperset(op.sources)):
                silent.add(op.writes[0])
        return frozenset(silent)

    def with_ops(self, ops: tuple[Op, ...] | list[Op], **changes: Any) -> Plan:
        """The plan with other operations; channels of values that are gone are forgotten."""
        known = changes.pop("channels", self.channels)
        values = {name for op in ops for name in op.values}
        channels = {name: count for name, count in known.items() if name in values}
        return replace(self, ops=tuple(ops), channels=channels, **changes)

    def calls(self) -> int:
        """Effect and region calls: what grouping makes fewer."""
        return sum(isinstance(op, (Process, Region, Loop, Mask, Analyse, Synthesise)) for op in self.ops)

    def __str__(self) -> str:
        """The plan as text. :func:`djgraph.compiler.parse.parse_plan` reads it."""
        kind = "plan" if self.latencies is None else "stream plan"
        lines = [f"{kind} {self.graph.name}: {len(self.ops)} operations, {self.calls()} calls"]
        for index, op in enumerate(self.ops):
            first, *rest = describe(op, self)
            if self.latencies is not None and op.writes:
                first += f"  (latency {self.latencies[op.writes[0]]})"
            lines += [f"  {line}" for line in (first, *rest)]
            if self.frees and self.frees[index]:
                lines.append(f"    free {', '.join(self.frees[index])}")
        if self.frees and not any(self.frees):
            lines.append("  free nothing")
        usual = usual_kernels(self.graph)
        lines += [
            f"  kernel of {node} = {kernel}" for node, kernel in self.kernels.items() if usual[node] != kernel
        ]
        lines += [f"  output {name} = {value}" for name, value in self.outputs.items()]
        return "\n".join(lines)


def usual_kernels(graph: Graph) -> dict[str, str]:
    """By effect node, the first with the same effect and settings: its kernel, unless it has weights of its own."""
    first: dict[tuple[type[Effect], str], str] = {}
    return {
        node.id: first.setdefault((node.effect, node.settings.model_dump_json()), node.id)
        for node in graph.nodes
        if isinstance(node, EffectNode)
    }


def is_spectrum(value: str) -> bool:
    return value.startswith("~")


def is_memoryless(node: EffectNode) -> bool:
    """Whether a node may run inside a region, on any stretch of its one signal."""
    effect = node.effect
    return (
        getattr(effect, "memoryless", False)
        and not effect.uses_clock
        and len(effect.inputs) == len(effect.outputs) == 1
        and effect.inputs[0].channels == effect.outputs[0].channels
        and all(control.rate != "frame" for control in effect.controls)
    )


def describe(op: Op, plan: Plan) -> list[str]:
    """An operation in words, one line for each row."""
    match op:
        case Load():
            return [f"{op.out} = input"]
        case Silence():
            return [f"{op.out} = silence"]
        case Delay():
            return [f"{op.out} = {op.source} delayed by {op.samples}"]
        case Process():
            head = f"{op.nodes[0].effect.type} × {len(op.nodes)}"
            rows = zip(op.nodes, op.ins, op.outs)
            return [head, *(f"  {call_text(node, into, out)}" for node, into, out in rows)]
        case Mask():
            return [call_text(op.node, (op.source,), (op.out,))]
        case Analyse():
            return [f"{op.out} = stft({op.source})"]
        case Synthesise():
            return [f"{op.out} = istft({op.source})"]
        case Add():
            return [f"{op.out} = {' + '.join(op.sources)}"]
        case Feedback():
            return [f"{op.out} = {op.source} fed back after {op.samples}"]
        case Loop():
            lines = [f"loop: blocks of {op.block} samples"]
            for part in (*op.ways, *op.body):
                if isinstance(part, Process):
                    calls = zip(part.nodes, part.ins, part.outs)
                    lines += [f"  {call_text(node, into, out)}" for node, into, out in calls]
                else:
                    lines += [f"  {line}" for line in describe(part, plan)]
            lines += [f"  {name} held back by {samples}" for name, samples in op.held]
            return [*lines, f"  gives {', '.join(op.results)}"]
        case Region():
            masks = sum(isinstance(step, Mask) for step in op.body)
            forward = sum(plan.channels[inlet.source] for inlet in op.inlets)
            inverse = sum(plan.channels[result.out] for result in op.results)
            lines = [f"region: {forward} forward transforms, {masks} masks, {inverse} inverse transforms"]
            for inlet in op.inlets:
                source = inlet.source
                for node in inlet.nodes:
                    (out,) = output_values(node)
                    lines.append(f"  {call_text(node, (source,), (out,))}")
                    source = out
                lines.append(f"  {inlet.out} = stft({source})")
            for step in (*op.body, *op.results):
                lines += [f"  {line}" for line in describe(step, plan)]
            return lines
    raise TypeError(type(op).__name__)


def output_values(node: EffectNode) -> tuple[str, ...]:
    """The names of the audio that a node gives, by its output ports."""
    return tuple(str(Point(node.id, port.name)) for port in node.effect.outputs)


def call_text(node: EffectNode, ins: tuple[str, ...], outs: tuple[str, ...]) -> str:
    """One use of an effect: ``out = effect{setting=…}[control=…](in)``. Settings at their defaults are left out."""
    return f"{', '.join(outs)} = {effect_text(node)}({', '.join(ins)})"


def effect_text(node: EffectNode) -> str:
    """A node's effect with its settings and bindings."""
    settings = ", ".join(
        f"{key}={value!r}" for key, value in node.settings.model_dump(exclude_defaults=True).items()
    )
    bound = []
    for control, binding in node.bindings.items():
        match binding:
            case Constant():
                bound.append(f"{control}={binding.value:g}")
            case Free():
                bound.append(f"{control}=@{binding.column}")
            case MacroCurve():
                bound.append(f"{control}=curve(@{binding.column})")
            case Blend():
                bound.append(f"{control}=blend(@{', @'.join(binding.columns)})")
    return (
        node.effect.type
        + (f"{{{settings}}}" if settings else "")
        + (f"[{', '.join(bound)}]" if bound else "")
    )
