"""The loops of a graph: nodes whose signals come round again, later."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import networkx as nx

from djgraph.graph.ir import EffectNode, FeedbackNode, Graph, Node, Point, fed_back, sources


@dataclass(frozen=True)
class Loop:
    """Nodes of which each hears each, in an order in which each comes after what it reads, but for two kinds.

    Feedback nodes with a delay read what was; and ``held``, effects that hold their signal back, give what they hold
    before they read. So the next ``block`` samples of all depend on nothing in the loop but on what these hold.
    """

    nodes: tuple[Node, ...]
    held: tuple[EffectNode, ...] = ()

    @property
    def ways(self) -> tuple[FeedbackNode, ...]:
        """The ways back."""
        return tuple(node for node in self.nodes if isinstance(node, FeedbackNode))

    @property
    def effects(self) -> tuple[EffectNode, ...]:
        """The effects in the loop."""
        return tuple(node for node in self.nodes if isinstance(node, EffectNode))

    @property
    def block(self) -> int:
        """Samples after which something that went into the loop comes round at the earliest."""
        delays = [way.samples for way in self.ways if way.samples]
        return min(delays + [node.held_back for node in self.held])

    @property
    def outside(self) -> tuple[Point, ...]:
        """The points outside of the loop that its nodes read, each once."""
        own = {node.id for node in self.nodes}
        read = (point for node in self.nodes for _, point in sources(node))
        return tuple(dict.fromkeys(point for point in read if point.node not in own))


def loops(graph: Graph) -> list[Loop]:
    """The loops of a graph, in the order of its nodes."""
    return [part for part in parts(graph) if isinstance(part, Loop)]


def parts(graph: Graph) -> Iterator[Node | Loop]:
    """Nodes and loops in an order in which each comes after what it reads. Every loop has a delay."""
    if not any(isinstance(node, FeedbackNode) for node in graph.nodes):
        yield from graph.nodes
        return
    place = {node.id: index for index, node in enumerate(graph.nodes)}
    joined = nx.condensation(_reading(graph.nodes, place))
    members = joined.nodes(data="members")
    for part in nx.lexicographical_topological_sort(joined, key=lambda part: min(members[part])):
        nodes = tuple(graph.nodes[index] for index in sorted(members[part]))
        if any(isinstance(node, FeedbackNode) for node in nodes):
            yield _loop(nodes, place)
        else:
            yield nodes[0]


def undelayed(graph: Graph) -> list[str]:
    """The ids of the feedback nodes that close a circle in which nothing is delayed."""
    if all(node.samples for node in graph.nodes if isinstance(node, FeedbackNode)):
        return []
    place = {node.id: index for index, node in enumerate(graph.nodes)}
    reading = _reading(graph.nodes, place)
    for node in graph.nodes:
        if isinstance(node, EffectNode) and node.held_back:
            reading.remove_edges_from(list(reading.in_edges(place[node.id])))
    round_ = _round(_at_once(reading, graph.nodes, place))
    ways = (node for node in graph.nodes if isinstance(node, FeedbackNode))
    return [way.id for way in ways if place[way.id] in round_ and not way.samples]


def _loop(nodes: tuple[Node, ...], place: dict[str, int]) -> Loop:
    """A loop of these nodes. Of effects that hold back those are chosen that do by the most, no more than needed."""
    if all(node.samples for node in nodes if isinstance(node, FeedbackNode)):
        return Loop(nodes)
    reading = _at_once(_reading(nodes, place), nodes, place)
    holding = [node for node in nodes if isinstance(node, EffectNode) and node.held_back]
    held: list[EffectNode] = []
    for node in sorted(holding, key=lambda node: node.held_back, reverse=True):
        if place[node.id] in _round(reading):
            held.append(node)
            reading.remove_edges_from(list(reading.out_edges(place[node.id])))
    by_place = {place[node.id]: node for node in nodes}
    order = tuple(by_place[index] for index in nx.lexicographical_topological_sort(reading))
    return Loop(order, tuple(node for node in order if node in held))


def _reading(nodes: Collection[Node], place: dict[str, int]) -> nx.DiGraph[int]:
    """Edges from what is read, past or present, to who reads it, among these nodes, each by its place."""
    reading: nx.DiGraph[int] = nx.DiGraph()
    own = {node.id for node in nodes}
    reading.add_nodes_from(place[node.id] for node in nodes)
    for node in nodes:
        read = (point.node for _, point in (*sources(node), *fed_back(node)))
        reading.add_edges_from((place[name], place[node.id]) for name in read if name in own)
    return reading


def _at_once(reading: nx.DiGraph[int], nodes: Collection[Node], place: dict[str, int]) -> nx.DiGraph[int]:
    """The same without what delayed feedback nodes read."""
    for node in nodes:
        if isinstance(node, FeedbackNode) and node.samples:
            reading.remove_edges_from(list(reading.in_edges(place[node.id])))
    return reading


def _round(reading: nx.DiGraph[int]) -> set[int]:
    """The nodes that lie on a circle."""
    found: set[int] = set()
    for part in nx.strongly_connected_components(reading):
        if len(part) > 1 or any(reading.has_edge(node, node) for node in part):
            found |= part
    return found
