"""A feed as another graph takes it: what it has by name, and silence for what is new."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from djgraph.graph import Graph, InputNode
from djgraph.playing.feed import Feed, Nested, for_inputs


class Fitted:
    """The inputs of ``graph`` from the feed of another: by name and stem, stems added up where the graph takes one
    signal, silence ``[channels, samples]`` for what the feed has not. silent: those, as ``input`` or ``input.stem``.

    Where the graph takes stems and the feed has one signal, all of the input is silent. material: of inputs that have
    a source, those of the feed and others; what neither has plays silence.
    """

    def __init__(self, feed: Feed, graph: Graph, material: Mapping[str, Any] | None = None) -> None:
        self.feed, self._graph = feed, graph
        nodes = [
            node for node in graph.nodes if isinstance(node, InputNode) and node.input not in graph.sources
        ]
        there = feed.read(0, 1)
        self.silent = tuple(
            node.input if node.stem is None else f"{node.input}.{node.stem}"
            for node in nodes
            if (signal := _found(there.get(node.input), node.stem)) is None
            or not _fits(signal, node.channels)
        )
        given = feed.material if material is None else material
        self.material: Mapping[str, Any] = {
            name: given[name] if name in given else self._silence(name) for name in graph.sources
        }
        self.silent += tuple(name for name in graph.sources if name not in feed.material)

    @property
    def samples(self) -> int:
        return self.feed.samples

    def read(self, first: int, samples: int) -> Nested:
        there = self.feed.read(first, samples)

        def taken(node: InputNode) -> Tensor:
            signal = _found(there.get(node.input), node.stem)
            if signal is None or not _fits(signal, node.channels):
                return torch.zeros(node.channels, samples, dtype=torch.float32, device="cpu")
            return signal

        return for_inputs(self._graph, taken)

    def _silence(self, name: str) -> Any:
        nodes = [one for one in self._graph.nodes if isinstance(one, InputNode) and one.input == name]
        quiet = {
            one.stem: torch.zeros(1, one.channels, self._graph.sample_rate, dtype=torch.float32, device="cpu")
            for one in nodes
        }
        return quiet.get(None, quiet)


def _found(there: Any, stem: str | None) -> Tensor | None:
    """A signal of what a feed has of an input."""
    if there is None:
        return None
    if isinstance(there, Mapping):
        return reduce(torch.add, there.values()) if stem is None and there else there.get(stem)
    return there if stem is None else None


def _fits(signal: Tensor, channels: int) -> bool:
    """Whether an input takes a signal; mono is up-mixed."""
    return len(signal) in (1, channels)
