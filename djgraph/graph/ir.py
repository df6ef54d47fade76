"""The Graph: a mixer after templates are expanded and types resolved. Frozen; it prints itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import networkx as nx
from pydantic import BaseModel

from djgraph.effects import Control, Effect, Environment, Transform
from djgraph.errors import Position
from djgraph.speakers import word


@dataclass(frozen=True)
class Point:
    """A place in the graph where there is a signal: one output port of one node.

    of: the strip by whose name the file reads it, where that strip has no chain and so no node of its own: the
    signal is the one that the strip reads. It is not part of the place: points are equal without it.
    """

    node: str
    port: str = "out"
    of: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        return self.node if self.port == "out" else f"{self.node}.{self.port}"


@dataclass(frozen=True)
class Constant:
    """The control has a value fixed by the graph."""

    value: float


@dataclass(frozen=True)
class Free:
    """The control reads a column of the layout."""

    column: str


@dataclass(frozen=True)
class MacroCurve:
    """The control follows a macro's column through straight lines between ``points`` (x ascending, y plain)."""

    column: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Blend:
    """The control is a sum of products of curves: those that a switch weights, or mute and solo.

    Each term's last curve is what its others weight.
    """

    terms: tuple[tuple[MacroCurve, ...], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads, each once."""
        return tuple(dict.fromkeys(curve.column for term in self.terms for curve in term))


Binding = Constant | Free | MacroCurve | Blend


@dataclass(frozen=True)
class InputNode:
    """Where a stem, or a whole input without stems, enters."""

    id: str
    input: str
    stem: str | None
    channels: int
    optional: bool = False
    position: Position | None = None


@dataclass(frozen=True)
class EffectNode:
    """One use of an effect. ``sources`` gives each input port its point; ``bindings`` each control its value.

    held_back: samples that pass before anything of what goes in comes out, where a loop may close through it.
    """

    id: str
    effect: type[Effect]
    settings: BaseModel
    sources: Mapping[str, Point]
    bindings: Mapping[str, Binding]
    channels: int
    position: Position | None = None
    held_back: int = 0

    @property
    def domain(self) -> str:
        return self.effect.domain

    def out_channels(self, port: str) -> int:
        declared = next(p.channels for p in self.effect.outputs if p.name == port)
        return self.channels if declared is None else declared


@dataclass(frozen=True)
class SumNode:
    """A bus: the sum of its sources; silence where it has none."""

    id: str
    sources: tuple[Point, ...]
    channels: int
    position: Position | None = None


@dataclass(frozen=True)
class FeedbackNode:
    """The way back of a loop: what there was at ``source`` ``samples`` samples ago; silence before the clip.

    It comes before its source in a graph's nodes, also where it is 0: then what is in the loop holds its signal back.
    """

    id: str
    source: Point
    samples: int
    channels: int
    position: Position | None = None


Node = InputNode | EffectNode | SumNode | FeedbackNode


@dataclass(frozen=True)
class Part:
    """What a column is to recipes: that it has a ``role`` (``fader``, ``low``, …) in a strip or bus, ``owner``; of a
    macro of the whole graph, the owner is the macro.

    track: the number of the input (from 0, in the graph's order) whose sound alone it works on; None where it works on
    several, or none, or where another of this role lies before or behind it and covers more. declared: the graph says
    so, and not the effect alone. beside: of a fader, the strip or bus by which the track is heard past its faders.
    """

    role: str
    owner: str
    track: int | None = None
    declared: bool = False
    beside: str = ""


@dataclass(frozen=True)
class Column:
    """One column of the layout: a free control or a macro.

    ``control`` is the declaration after the graph's overrides. ``drives`` names the node controls that read
    the column: ``(node id, control id)``. ``part`` says which role it has, and in what.
    """

    name: str
    control: Control
    kind: Literal["control", "macro", "send", "switch"] = "control"
    effect: str = ""
    drives: tuple[tuple[str, str], ...] = ()
    position: Position | None = None
    part: Part | None = None

    @property
    def role(self) -> str:
        """Its role, or nothing."""
        return "" if self.part is None else self.part.role


@dataclass(frozen=True)
class Owner:
    """A strip or bus, or an input that a source plays: which nodes are its own, and what it reads.

    nodes: ids in document order: a bus's sum, the chain, then the sends. branches: those of them that are no part of
    the chain, but levels and delays of loops on ways to buses. start: what it has before its chain; None for a strip
    that makes its own sound. fader: the id of the node that is its fader. part: the graph that is a part of this one
    to which it belongs, ``fx`` or ``fx.room``; nothing where it is the graph's own.
    """

    name: str
    kind: Literal["strip", "bus", "input"]
    nodes: tuple[str, ...] = ()
    start: Point | None = None
    fader: str | None = None
    branches: frozenset[str] = frozenset()
    part: str = field(default="", compare=False)

    def name_of(self, node: str) -> str:
        """What one of its nodes is called within it; a send is ``send:`` and the bus."""
        return node.removeprefix("sum:").removeprefix(f"{self.name}.")


@dataclass(frozen=True)
class Graph:
    """A checked mixer: nodes in an order in which each comes after its sources; loops close through feedback nodes.

    columns: the layout's columns in document order. outputs: the first is the main one. taps: every strip's and
    bus's end by name. owners: the strips and buses in document order. parts: graphs that are parts of it, what each is
    called here → which graph it is, each before those in it. ``inputs`` maps an input's name to its stems, or to None
    where it is one signal. sources: what plays inputs, by input: nodes of source effects, which are not among
    ``nodes``, for they run before them.
    """

    name: str
    nodes: tuple[Node, ...]
    columns: tuple[Column, ...]
    inputs: Mapping[str, tuple[str, ...] | None]
    outputs: Mapping[str, Point]
    taps: Mapping[str, Point]
    sample_rate: int = 44100
    transform: Transform = field(default_factory=Transform)
    title: str = ""
    description: str = ""
    file: str | None = None
    owners: tuple[Owner, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict, compare=False)
    sources: Mapping[str, EffectNode] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> dict[str, Node]:
        return {node.id: node for node in (*self.sources.values(), *self.nodes)}

    @cached_property
    def owner_of(self) -> dict[str, Owner]:
        """Node id → the strip or bus that it belongs to, or the input that it plays; input nodes belong to none."""
        owners = {node: owner for owner in self.owners for node in owner.nodes}
        return owners | {node.id: Owner(name, "input", (node.id,)) for name, node in self.sources.items()}

    @property
    def environment(self) -> Environment:
        return Environment(self.sample_rate, self.transform)

    @cached_property
    def digraph(self) -> nx.MultiDiGraph:
        """The same as a networkx graph: node ids with attribute ``node``, edges with ``source_port``, ``port``."""
        graph = nx.MultiDiGraph(name=self.name)
        for node in self.nodes:
            graph.add_node(node.id, node=node)
        for node in self.nodes:
            for port, point in (*sources(node), *fed_back(node)):
                graph.add_edge(point.node, node.id, source_port=point.port, port=port)
        return graph

    def channels(self, point: Point) -> int:
        node = self.by_id[point.node]
        return node.out_channels(point.port) if isinstance(node, EffectNode) else node.channels

    def width(self, owner: Owner) -> str:
        """How many channels a strip or bus has, in words: ``quad``, or ``mono to quad`` where it ends with others."""
        end = self.taps.get(owner.name)
        points = [point for point in (owner.start, end) if point is not None]
        return " to ".join(dict.fromkeys(word(self.channels(point)) for point in points))

    def __str__(self) -> str:
        lines = [
            f"graph {self.name}: {len(self.nodes)} nodes, {len(self.columns)} controls, {self.sample_rate} Hz"
        ]
        lines += [f"  {_line(node)}" for node in (*self.sources.values(), *self.nodes)]
        lines += [f"  output {name} ← {point}" for name, point in self.outputs.items()]
        return "\n".join(lines)

    def __getstate__(self) -> dict[str, Any]:
        cached = ("by_id", "digraph", "owner_of")
        return {key: value for key, value in self.__dict__.items() if key not in cached}


def columns_of(binding: Binding) -> tuple[str, ...]:
    """The columns that a binding reads."""
    if isinstance(binding, Constant):
        return ()
    return binding.columns if isinstance(binding, Blend) else (binding.column,)


def heard(node: Node) -> Iterator[Point]:
    """The points whose sound goes through a node, now or later; those at a sidechain only steer it."""
    apart = {port.name for port in node.effect.inputs if port.apart} if isinstance(node, EffectNode) else ()
    for port, point in (*sources(node), *fed_back(node)):
        if port not in apart:
            yield point


def sources(node: Node) -> Iterator[tuple[str, Point]]:
    """The points a node reads, with the port each arrives at; none for one that reads the past alone."""
    if isinstance(node, EffectNode):
        yield from node.sources.items()
    elif isinstance(node, SumNode):
        for point in node.sources:
            yield "in", point


def fed_back(node: Node) -> Iterator[tuple[str, Point]]:
    """The point whose past a node reads, with the port, where it closes a loop."""
    if isinstance(node, FeedbackNode):
        yield "in", node.source


def leading_to(graph: Graph, ends: Iterable[str]) -> set[str]:
    """The ids of these nodes and of all that lead to them, round a loop, too, and of what plays inputs among them."""
    leading = set(ends)
    left = list(leading)
    while left:
        node = graph.by_id[left.pop()]
        before = {point.node for _, point in (*sources(node), *fed_back(node))} - leading
        leading |= before
        left += before
    if graph.sources:
        inputs = {node.input for node in graph.nodes if isinstance(node, InputNode) and node.id in leading}
        leading |= {node.id for name, node in graph.sources.items() if name in inputs}
    return leading


def _line(node: Node) -> str:
    channels = word(node.channels)
    if isinstance(node, InputNode):
        return f"{node.id}: input, {channels}" + (", optional" if node.optional else "")
    if isinstance(node, SumNode):
        return f"{node.id}: sum({', '.join(map(str, node.sources))}), {channels}"
    if isinstance(node, FeedbackNode):
        return f"{node.id}: {node.source} fed back after {node.samples} samples, {channels}"
    reads = ", ".join(
        f"{port}={point}" if port != "in" else str(point) for port, point in node.sources.items()
    )
    settings = ", ".join(f"{key}={value}" for key, value in node.settings.model_dump().items())
    bound = ", ".join(f"{key}={_binding(value)}" for key, value in node.bindings.items())
    text = f"{node.id}: {node.effect.type}({reads}), {node.domain}, {channels}"
    return text + (f" [{settings}]" if settings else "") + (f" {{{bound}}}" if bound else "")


def _binding(binding: Binding) -> str:
    if isinstance(binding, Constant):
        return f"{binding.value:g}"
    if isinstance(binding, Free):
        return f"@{binding.column}"
    if isinstance(binding, Blend):
        return " + ".join("·".join(map(_binding, term)) for term in binding.terms)
    points = " ".join(f"{x:g}→{y:g}" for x, y in binding.points)
    return f"@{binding.column}({points})"
