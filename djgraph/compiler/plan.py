"""The plan: an ordered list of operations on named values. Passes rewrite it; the runtime runs it.

A value is the audio of one point, ``[batch, channels, samples]``, or a spectrum (its name begins with ``~``).
An operation that serves several nodes has one row for each: rows are stacked along the batch and run in one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from djgraph.graph.ir import Constant, Curve, EffectNode, Free, Graph


@dataclass(frozen=True)
class Op:
    """Base of all operations."""

    @property
    def reads(self) -> tuple[str, ...]:
        raise NotImplementedError

    @property
    def writes(self) -> tuple[str, ...]:
        raise NotImplementedError

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
class Transform(Single):
    """Audio → spectrum."""


@dataclass(frozen=True)
class Inverse(Single):
    """Spectrum → audio."""


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
class Strip:
    """Where a region's signal comes from: audio through effects without memory, then the transform."""

    source: str
    nodes: tuple[EffectNode, ...]
    out: str


@dataclass(frozen=True)
class Region(Op):
    """Spectral work done together, tile by tile: strips in, masks and sums, inverse transforms out."""

    strips: tuple[Strip, ...]
    body: tuple[Mask | Add, ...]
    results: tuple[Inverse, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(strip.source for strip in self.strips)

    @property
    def writes(self) -> tuple[str, ...]:
        return tuple(result.out for result in self.results)

    def renamed(self, names: Mapping[str, str]) -> Region:
        return replace(
            self,
            strips=tuple(
                replace(strip, source=names.get(strip.source, strip.source)) for strip in self.strips
            ),
        )

    @property
    def nodes(self) -> Iterator[EffectNode]:
        for strip in self.strips:
            yield from strip.nodes
        for op in self.body:
            if isinstance(op, Mask):
                yield op.node


@dataclass(frozen=True)
class Plan:
    """Operations in order; ``outputs`` maps a name to the value it gives.

    kernels: by node, the name of the module that runs it; nodes with one kernel may share a call.
    frees: for each operation, the values nobody reads after it (empty until the pass ``free`` has run).
    """

    graph: Graph
    ops: tuple[Op, ...]
    outputs: Mapping[str, str]
    channels: Mapping[str, int]
    kernels: Mapping[str, str]
    frees: tuple[tuple[str, ...], ...] = ()

    def with_ops(self, ops: tuple[Op, ...] | list[Op], **changes: Any) -> Plan:
        return replace(self, ops=tuple(ops), **changes)

    def calls(self) -> int:
        """Effect and region calls: what grouping makes fewer."""
        return sum(isinstance(op, (Process, Region, Mask, Transform, Inverse)) for op in self.ops)

    def __str__(self) -> str:
        lines = [f"plan {self.graph.name}: {len(self.ops)} operations, {self.calls()} calls"]
        for index, op in enumerate(self.ops):
            lines += [f"  {line}" for line in describe(op, self)]
            if self.frees and self.frees[index]:
                lines.append(f"    free {', '.join(self.frees[index])}")
        lines += [f"  output {name} = {value}" for name, value in self.outputs.items()]
        return "\n".join(lines)


def is_spectrum(value: str) -> bool:
    return value.startswith("~")


def describe(op: Op, plan: Plan) -> list[str]:
    """An operation in words, one line for each row."""
    match op:
        case Load():
            return [f"{op.out} = input"]
        case Silence():
            return [f"{op.out} = silence"]
        case Process():
            head = f"{op.nodes[0].effect.type} × {len(op.nodes)}"
            rows = [f"  {', '.join(out)} = {_use(node)}({', '.join(into)})" for node, into, out in _rows(op)]
            return [head, *rows]
        case Mask():
            return [f"{op.out} = {_use(op.node)}({op.source})"]
        case Transform():
            return [f"{op.out} = stft({op.source})"]
        case Inverse():
            return [f"{op.out} = istft({op.source})"]
        case Add():
            return [f"{op.out} = {' + '.join(op.sources)}"]
        case Region():
            masks = sum(isinstance(step, Mask) for step in op.body)
            forward = sum(plan.channels[strip.source] for strip in op.strips)
            inverse = sum(plan.channels[result.out] for result in op.results)
            lines = [f"region: {forward} forward transforms, {masks} masks, {inverse} inverse transforms"]
            for strip in op.strips:
                chain = "".join(f" → {_use(node)}" for node in strip.nodes)
                lines.append(f"  {strip.out} = stft({strip.source}{chain})")
            for step in (*op.body, *op.results):
                lines += [f"  {line}" for line in describe(step, plan)]
            return lines
    raise TypeError(type(op).__name__)


def _rows(op: Process) -> Iterator[tuple[EffectNode, tuple[str, ...], tuple[str, ...]]]:
    return zip(op.nodes, op.ins, op.outs)


def _use(node: EffectNode) -> str:
    bound = []
    for control, binding in node.bindings.items():
        match binding:
            case Constant():
                bound.append(f"{control}={binding.value:g}")
            case Free():
                bound.append(f"{control}=@{binding.column}")
            case Curve():
                bound.append(f"{control}=curve(@{binding.column})")
    return node.effect.type + (f"[{', '.join(bound)}]" if bound else "")
