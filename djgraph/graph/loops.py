"""The loops of a graph: nodes whose signals come round again, through ways back that delay them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import networkx as nx

from djgraph.graph.ir import EffectNode, FeedbackNode, Graph, Node, Point, fed_back, sources


@dataclass(frozen=True)
class Loop:
    """Nodes of which each hears each, in an order in which only feedback nodes read what comes later.

    So the first ``block`` samples of all depend on nothing that is in the loop but on what the feedback nodes hold.
    """

    nodes: tuple[Node, ...]

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
        return min(way.samples for way in self.ways)

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
    """Nodes and loops in an order in which each comes after what it reads."""
    if not any(isinstance(node, FeedbackNode) for node in graph.nodes):
        yield from graph.nodes
        return
    place = {node.id: index for index, node in enumerate(graph.nodes)}
    plain: nx.DiGraph[int] = nx.DiGraph()
    plain.add_nodes_from(place.values())
    for node in graph.nodes:
        read = (*sources(node), *fed_back(node))
        plain.add_edges_from((place[point.node], place[node.id]) for _, point in read)
    joined = nx.condensation(plain)
    members = joined.nodes(data="members")
    for part in nx.lexicographical_topological_sort(joined, key=lambda part: min(members[part])):
        nodes = tuple(graph.nodes[index] for index in sorted(members[part]))
        yield Loop(nodes) if any(isinstance(node, FeedbackNode) for node in nodes) else nodes[0]
