"""A compressor or limiter that the graph itself has on its output: where it is, and the mixer cut in two before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from djgraph.graph.ir import Constant, EffectNode, Free, Graph, InputNode, Node, Point, SumNode, heard
from djgraph.mixer import Mixer

TURNING = ("compressor", "limiter")
"""Types of effects that turn down what is loud."""
INPUT = "before the master"
WINDOW = 65
"""Samples over which the gain that they make is taken."""


@dataclass(frozen=True, eq=False)
class Own:
    """nodes: the compressors and limiters, the last one first. columns: of the layout, that drive nothing else, by
    ``(node, control)``. The mixer's output is what ``tail`` makes of what ``head`` makes; all take the mixer's params,
    and ``plain`` is ``tail`` with the nodes at rest."""

    nodes: tuple[EffectNode, ...]
    columns: Mapping[tuple[str, str], int]
    head: Mixer
    tail: Mixer
    plain: Mixer

    def before(self, inputs: Mapping[str, Any], values: Tensor, tempo: float | None) -> Tensor:
        """What goes in, ``[channels, samples]``. values: params in plain units, ``[frames, controls]``."""
        made: Tensor = self.head(inputs, values.float(), tempo=tempo)
        return made[0]

    def through(self, audio: Tensor, values: Tensor, resting: bool = False) -> Tensor:
        """What comes out, ``[channels, samples]``, differentiable."""
        made: Tensor = (self.plain if resting else self.tail)({INPUT: audio[None]}, values.float())
        return made[0]

    def gain(self, audio: Tensor, values: Tensor) -> Tensor:
        """By how much they turn down what goes in, ``[1, samples]``: least squares over 1.5 ms."""
        out, plain = self.through(audio, values), self.through(audio, values, resting=True)
        cross, power = ((one * plain).sum(0, keepdim=True) for one in (out, plain))
        cross, power = (
            torch.nn.functional.avg_pool1d(one[None], WINDOW, 1, WINDOW // 2, count_include_pad=False)[0]
            for one in (cross, power)
        )
        quiet = 1e-10 + 1e-6 * float(power.mean())
        return ((cross + quiet) / (power + quiet)).clamp(0, 16)


def own_of(mixer: Mixer, output: str) -> Own | None:
    """The compressors and limiters that all of an output goes through; None where there are none, or others that turn
    down a part of it."""
    graph, place = mixer.graph, mixer.outputs[output]
    nodes: list[Node] = []
    while True:
        node = graph.by_id[place.node]
        points = list(dict.fromkeys(heard(node)))
        if len(points) != 1 or not isinstance(node, EffectNode | SumNode):
            break
        if isinstance(node, EffectNode) and (
            set(node.sources.values()) != set(points) or node.effect.uses_clock
        ):
            break
        nodes.append(node)
        place = points[0]
    # What lies before the first of them belongs to the part in front.
    turning = [
        i for i, node in enumerate(nodes) if isinstance(node, EffectNode) and node.effect.type in TURNING
    ]
    dynamic = [n for n in graph.nodes if isinstance(n, EffectNode) and n.effect.family == "dynamics"]
    if not turning or len(turning) != len(dynamic):
        return None
    behind = nodes[: turning[-1] + 1]
    place = next(iter(heard(behind[-1])))
    found = tuple(node for node in behind if isinstance(node, EffectNode) and node.effect.type in TURNING)
    ids = {node.id for node in found}
    columns = {
        (node.id, control): index
        for node in found
        for control, binding in node.bindings.items()
        if isinstance(binding, Free)
        for index, column in enumerate(graph.columns)
        if column.name == binding.column and {drive for drive, _ in column.drives} <= ids
    }
    end = mixer.outputs[output]
    resting = [
        replace(
            node,
            bindings={
                c.id: Constant(c.default if c.neutral is None else c.neutral) for c in node.effect.controls
            },
        )
        if node in found
        else node
        for node in behind
    ]
    parts = (
        replace(graph, outputs={output: place}, taps={}, owners=()),
        _behind(graph, behind, place, end),
        _behind(graph, resting, place, end),
    )
    head, tail, plain = (Mixer(one, lowering=mixer.lowering) for one in parts)
    return Own(found, columns, head, tail, plain)


def _behind(graph: Graph, nodes: list[Node], place: Point, end: Point) -> Graph:
    """These nodes, the last one first, as a graph of one input."""
    start = InputNode(INPUT, INPUT, None, graph.channels(place))

    def moved(node: Node) -> Node:
        if isinstance(node, EffectNode):
            return replace(node, sources={port: _at(point, place) for port, point in node.sources.items()})
        assert isinstance(node, SumNode)
        return replace(node, sources=tuple(_at(point, place) for point in node.sources))

    ids = {node.id for node in nodes}
    columns = tuple(
        replace(column, drives=tuple(d for d in column.drives if d[0] in ids)) for column in graph.columns
    )
    return replace(
        graph,
        nodes=(start, *(moved(node) for node in reversed(nodes))),
        columns=columns,
        inputs={INPUT: None},
        outputs={"out": end},
        taps={},
        owners=(),
        sources={},
    )


def _at(point: Point, place: Point) -> Point:
    return Point(INPUT) if point == place else point
