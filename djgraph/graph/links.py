"""The graph as a mixer person sees it: which strip, bus, input and output is connected with which, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from djgraph.graph.ir import EffectNode, FeedbackNode, Graph, Owner, Point, SumNode


@dataclass(frozen=True)
class Link:
    """A connection between two of: inputs, strips, buses, outputs.

    source: a strip's or bus's name, or the id of an input node. point: the signal. target: a strip's or bus's name,
    or an output's. kind: ``input`` (what a strip reads), ``port`` (a further port of a node), ``to`` (the end feeds a
    bus), ``send`` (a branch feeds a bus), ``output``. node: of a send the level that feeds the bus, or None where the
    level is a constant 1; of a port the node that reads. port: the name of that port. back: of a send that closes a
    loop with a delay of its own, after how many samples it comes round; beats: or after how many beats. feedback:
    whether it closes a loop; it may without a delay, through an effect that holds its signal back.
    """

    source: str
    point: Point
    target: str
    kind: Literal["input", "port", "to", "send", "output"]
    node: str | None = None
    port: str = ""
    back: int = 0
    feedback: bool = False
    beats: float = 0.0


def links(graph: Graph) -> list[Link]:
    """All connections between inputs, strips, buses and outputs, in the order of what reads.

    What stays within a strip or bus is none, and neither is a port that hears what its node's chain hears.
    """
    found: list[Link] = []
    for owner in graph.owners:
        if owner.kind == "strip" and owner.start is not None:
            found.append(Link(source_of(graph, owner.start), owner.start, owner.name, "input"))
        for name in owner.nodes:
            node = graph.by_id[name]
            if isinstance(node, SumNode) and owner.kind == "bus" and name == owner.nodes[0]:
                found += _into_bus(graph, owner, node)
            elif isinstance(node, EffectNode):
                found += _into_ports(graph, owner, node)
    found += (Link(source_of(graph, point), point, name, "output") for name, point in graph.outputs.items())
    return found


def source_of(graph: Graph, point: Point) -> str:
    """The strip or bus that a point is of, or else the id of its input node."""
    if point.of:
        return point.of
    owner = graph.owner_of.get(point.node)
    return point.node if owner is None else owner.name


def tap_of(graph: Graph, owner: Owner, link: Link) -> str:
    """Where a send branches off: ``post`` (the end of the chain), ``pre`` (before the fader), ``input`` (before the
    chain), or the name of the node that it comes after, with its port unless that is the first."""
    levels = levels_of(graph, owner, link)
    point = next(iter(levels[0].sources.values())) if levels else link.point
    if point == graph.taps[owner.name]:
        return "post"
    fader = None if owner.fader is None else graph.by_id[owner.fader]
    if isinstance(fader, EffectNode) and point == next(iter(fader.sources.values()), None):
        return "pre"
    if point.node not in owner.nodes or isinstance(graph.by_id[point.node], SumNode):
        return "input"
    return place_of(graph, owner, point)


def levels_of(graph: Graph, owner: Owner, link: Link) -> list[EffectNode]:
    """The levels between the point where a send branches off and its bus, in order; none if that is a constant 1."""
    levels: list[EffectNode] = []
    name = link.node
    while name in owner.branches:
        node = graph.by_id[name]
        assert isinstance(node, EffectNode)
        levels.insert(0, node)
        name = next(iter(node.sources.values())).node
    return levels


def comes_back(link: Link, graph: Graph) -> str:
    """Where a send closes a loop, that it leads back, and after how long if it has a delay of its own; else nothing."""
    if not link.feedback:
        return ""
    if link.beats:
        return f"back after {link.beats:g} {'beat' if link.beats == 1 else 'beats'}"
    return (
        f"back after {in_milliseconds(link.back, graph)}" if link.back else "back, held back on its way round"
    )


def in_milliseconds(samples: int, graph: Graph) -> str:
    """A time as people read it: ``375 ms``."""
    return f"{round(1000 * samples / graph.sample_rate, 1):g} ms"


def place_of(graph: Graph, owner: Owner, point: Point) -> str:
    """A point behind one of an owner's nodes as graph files write it, without the owner: ``split.high``."""
    node = graph.by_id[point.node]
    first = node.effect.outputs[0].name if isinstance(node, EffectNode) else "out"
    name = owner.name_of(point.node)
    return name if point.port == first else f"{name}.{point.port}"


def before_beats(graph: Graph, point: Point) -> tuple[Point, float]:
    """What a way back that is delayed by beats comes from, and by how many; 0 where it is not."""
    node = graph.by_id[point.node]
    owner = graph.owner_of.get(point.node)
    if not isinstance(node, EffectNode) or owner is None or point.node not in owner.branches:
        return point, 0.0
    if not node.id.startswith(f"{owner.name}.beats:"):
        return point, 0.0
    return next(iter(node.sources.values())), node.settings.model_dump()["beats"]


def _into_bus(graph: Graph, owner: Owner, node: SumNode) -> Iterator[Link]:
    for point in node.sources:
        source = source_of(graph, point)
        feeder = graph.owner_of.get(point.node)
        way = graph.by_id[point.node]
        if isinstance(way, FeedbackNode) and feeder is not None:
            point, beats = before_beats(graph, way.source)
            level = point.node if point.node in feeder.branches else None
            yield Link(feeder.name, point, owner.name, "send", level, "", way.samples, True, beats)
        elif feeder is not None and point.node in feeder.branches:
            yield Link(source, point, owner.name, "send", point.node)
        elif source in graph.taps and point != graph.taps[source]:
            yield Link(source, point, owner.name, "send")
        elif source != owner.name:
            yield Link(source, point, owner.name, "to")


def _into_ports(graph: Graph, owner: Owner, node: EffectNode) -> Iterator[Link]:
    """The further ports of a node; its first is what the chain goes through."""
    through = next(iter(node.sources.values()), None)
    for port, point in list(node.sources.items())[1:]:
        source = source_of(graph, point)
        if source != owner.name and point != through:
            yield Link(source, point, owner.name, "port", node.id, port)
