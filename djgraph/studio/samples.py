"""The demo's tracks for the inputs of any graph: what is played where nothing is given."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from djgraph.graph.ir import InputNode

if TYPE_CHECKING:
    from djgraph.automation import TempoMap
    from djgraph.graph.ir import Graph


class DemoFeed:
    """The demo's tracks as a graph's inputs take them, read as they are played. material: of inputs with a source.

    tracks: by input, the track's name and its stems. tempo: at which they are beat-matched.
    """

    def __init__(
        self,
        graph: Graph,
        tracks: Mapping[str, tuple[str, Mapping[str, Tensor]]],
        tempo: TempoMap | None,
        material: Mapping[str, Any],
    ) -> None:
        from djgraph.rendering.matched import decks_of

        self._graph, self._tracks, self.material = graph, tracks, material
        made = decks_of({track: stems for track, stems in tracks.values()}, graph.sample_rate, tempo)
        self._decks = {name: made[track] for name, (track, _) in tracks.items()}
        longest = max((one.samples for one in material.values()), default=0)
        self.samples = max((samples for _, samples in self._decks.values()), default=longest)

    def at_tempo(self, tempo: TempoMap) -> DemoFeed:
        """The same at another one. Raises InputError for one that a track cannot be played at."""
        return DemoFeed(self._graph, self._tracks, tempo, self.material)

    def with_material(self, material: Mapping[str, Any]) -> DemoFeed:
        """The same with other material."""
        other = copy.copy(self)
        other.material = material
        return other

    def read(self, first: int, samples: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, (deck, length) in self._decks.items():
            begin, end = (min(max(place, 0), length) for place in (first, first + samples))
            before = min(max(begin - first, 0), samples)
            read = {
                stem: torch.nn.functional.pad(one, (before, samples - before - one.shape[-1]))
                for stem, one in deck.read(begin, end - begin).items()
            }
            signals = _fitted(_nodes(self._graph, name), read, name)
            out[name] = signals if self._graph.inputs[name] else signals[name]
        return out


def demo_feed(graph: Graph, tempo: TempoMap | None = None) -> tuple[DemoFeed, tuple[str, ...]]:
    """The first two inputs that can take them play the two tracks, bars on bars; sources play them as they are, each
    at its own tempo. With what is played, for people. Inputs of more than two channels get nothing. tempo: at which
    they are beat-matched; the first one's where there is none."""
    from djgraph.analysis import Grid
    from djgraph.decks import MemoryMaterial
    from djgraph.demo import BPM, PICKUP, demo_tracks

    names = [name for name in graph.inputs if all(node.channels <= 2 for node in _nodes(graph, name))][:2]
    if not names:
        said = "silence: no input can play the demo's tracks; give audio with -i"
        return DemoFeed(graph, {}, tempo, {}), (said,)
    tracks = demo_tracks(graph.sample_rate)
    plain: dict[str, tuple[str, Mapping[str, Tensor]]] = {}
    material: dict[str, Any] = {}
    lines = []
    for name, track in zip(names, tracks):
        if name in graph.sources:
            signals = _fitted(_nodes(graph, name), tracks[track], name)
            grid = Grid.at_tempo(BPM[track], meter=4, downbeat=PICKUP[track])
            material[name] = MemoryMaterial(signals, grid)
            lines.append(f"{name}: the demo's {track}, {BPM[track]:g} BPM")
        else:
            plain[name] = track, tracks[track]
            lines.append(f"{name}: the demo's {track}, beat-matched")
    return DemoFeed(graph, plain, tempo, material), tuple(lines)


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
