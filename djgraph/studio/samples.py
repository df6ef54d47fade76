"""The demo's tracks for the inputs of any graph: what is played where nothing is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from djgraph.graph.ir import InputNode
from djgraph.playing import MemoryFeed

if TYPE_CHECKING:
    from djgraph.automation import TempoMap
    from djgraph.graph.ir import Graph


def demo_feed(graph: Graph, tempo: TempoMap | None = None) -> tuple[MemoryFeed, tuple[str, ...]]:
    """The first two inputs that can take them play the two tracks, bars on bars; sources play them as they are, each
    at its own tempo. With what is played, for people. Inputs of more than two channels get nothing. tempo: at which
    they are beat-matched; the first one's where there is none."""
    from djgraph.analysis import Grid
    from djgraph.decks import MemoryMaterial
    from djgraph.demo import BPM, PICKUP, demo_tracks
    from djgraph.rendering.matched import matched

    names = [name for name in graph.inputs if all(node.channels <= 2 for node in _nodes(graph, name))][:2]
    if not names:
        return MemoryFeed({}), ("silence: no input can play the demo's tracks; give audio with -i",)
    tracks = demo_tracks(graph.sample_rate)
    beside = matched(tracks, graph.sample_rate, tempo)
    inputs: dict[str, Any] = {}
    material: dict[str, Any] = {}
    said = []
    for name, track in zip(names, tracks):
        nodes = _nodes(graph, name)
        if name in graph.sources:
            signals = _fitted(nodes, tracks[track], name)
            grid = Grid.at_tempo(BPM[track], meter=4, downbeat=PICKUP[track])
            material[name] = MemoryMaterial(signals, grid)
            said.append(f"{name}: the demo's {track}, {BPM[track]:g} BPM")
            continue
        signals = _fitted(nodes, beside[track], name)
        stems = graph.inputs[name]
        inputs[name] = signals if stems else signals[name]
        said.append(f"{name}: the demo's {track}, beat-matched")
    feed = MemoryFeed(inputs, material)
    if material and not inputs:
        feed.samples = max(one.samples for one in material.values())
    return feed, tuple(said)


def _nodes(graph: Graph, name: str) -> list[InputNode]:
    return [node for node in graph.nodes if isinstance(node, InputNode) and node.input == name]


def _fitted(nodes: list[InputNode], stems: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """A track's stems for an input's: by name, or else those that are left, in order; all of it for one without."""
    left = [stem for stem in stems if stem not in {node.stem for node in nodes}]
    out = {}
    for node in nodes:
        if node.stem is None:
            signal = torch.stack(list(stems.values())).sum(0)
        elif node.stem in stems:
            signal = stems[node.stem]
        elif left:
            signal = stems[left.pop(0)]
        else:
            signal = torch.zeros_like(next(iter(stems.values())))
        out[node.stem or name] = _wide(signal, node.channels)
    return out


def _wide(signal: Tensor, channels: int) -> Tensor:
    return signal.mean(0, keepdim=True) if channels == 1 else signal.expand(channels, -1)
