"""Mono into wider signals: where the two meet, the compiler puts a copy of the mono one on every channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from djgraph.effects import Block, Port, SettingModel, State, TimeEffect
from djgraph.graph.ir import EffectNode, Graph, Node, Point, SumNode


class Spread(TimeEffect):
    """A mono signal on ``channels`` channels. No graph names it, so that it is no plugin's."""

    type = "spread"
    memoryless = True
    inputs = (Port("in", 1),)

    class Settings(SettingModel):
        channels: int = 2

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        """A view for each channel, copied: what follows may write to it."""
        settings: Any = self.settings
        return {"out": audio["in"].expand(-1, settings.channels, -1).contiguous()}, state


def spread(graph: Graph) -> Graph:
    """The graph in which every sum and every node reads signals as wide as it is; itself where that is so already."""
    nodes: list[Node] = []
    made: dict[tuple[Point, int], Point] = {}

    def wide(point: Point, channels: int) -> Point:
        """The point with so many channels, behind a node that is put before the one that is next."""
        if channels == 1 or graph.channels(point) != 1:
            return point
        key = Point(point.node, point.port), channels
        if key not in made:
            settings = Spread.Settings(channels=channels)
            node = EffectNode(f"spread:{point}:{channels}", Spread, settings, {"in": point}, {}, channels)
            nodes.append(node)
            made[key] = Point(node.id)
        return made[key]

    for node in graph.nodes:
        if isinstance(node, SumNode):
            sources = tuple(wide(point, node.channels) for point in node.sources)
            nodes.append(replace(node, sources=sources) if made else node)
        elif isinstance(node, EffectNode):
            widths = dict(widths_of(node))
            ports = {port: wide(point, widths.get(port, 1)) for port, point in node.sources.items()}
            nodes.append(replace(node, sources=ports) if made else node)
        else:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes)) if made else graph


def widths_of(node: EffectNode) -> Iterator[tuple[str, int]]:
    """The channels that each input port takes; those of sidechains, which take any number, are left out."""
    for port in node.effect.inputs:
        if not port.apart:
            yield port.name, node.channels if port.channels is None else port.channels
