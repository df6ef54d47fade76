"""Feeds of what lies on disk: tracks read where they are played, blocks that can be sought in, silence for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from djgraph.graph.ir import InputNode
from djgraph.playing.feed import Feed, Nested, mapped
from djgraph.rendering.files import find_inputs, materials_of, nested

if TYPE_CHECKING:
    from djgraph.graph.ir import Graph


class FileFeed:
    """Audio files and folders of stems for the inputs of a graph, each read where it is played. Shorter ones go on as
    silence, and so do inputs that are not given.

    given: by input. material: as of :class:`djgraph.playing.Feed`. Raises InputError and AudioFileError as
    :func:`djgraph.rendering.find_inputs` does.
    """

    def __init__(
        self, graph: Graph, given: Mapping[str, Path], material: Mapping[str, Any] | None = None
    ) -> None:
        self.material: Mapping[str, Any] = material or {}
        plain = {name: path for name, path in given.items() if name not in self.material}
        files = find_inputs(graph, plain, some=True) if plain else {}
        self._keys = list(files)
        self._tracks = list(materials_of(graph, files, pad=True).values())
        lengths = [one.samples for one in (*self._tracks, *self.material.values())]
        self.samples: int = max(lengths, default=0)

    def read(self, first: int, samples: int) -> Nested:
        signals: dict[str, Tensor] = {}
        for track in self._tracks:
            rows = track.read(first, samples)
            signals |= dict(zip(track.widths, rows.split(list(track.widths.values())), strict=True))
        return nested(self._keys, signals)


class Sought(Protocol):
    """Blocks of the inputs of a graph that can be gone on with anywhere: :class:`djgraph.rendering.SyncedBlocks`,
    :class:`djgraph.sets.play.SetBlocks`."""

    @property
    def samples(self) -> int: ...

    def seek(self, sample: int) -> None: ...

    def read(self, samples: int) -> dict[str, Any]: ...


class SoughtFeed:
    """Blocks that can be sought in, as a feed."""

    material: Mapping[str, Any] = {}

    def __init__(self, blocks: Sought) -> None:
        self.samples: int = blocks.samples
        self._blocks = blocks

    def read(self, first: int, samples: int) -> Nested:
        begin, end = (min(max(at, 0), self.samples) for at in (first, first + samples))
        self._blocks.seek(begin)
        read = self._blocks.read(end - begin)
        before = min(max(begin - first, 0), samples)
        return mapped(read, lambda one: _padded(one, before, samples))


class Completed:
    """A feed with silence for the inputs that the graph needs and the feed has not. samples: at least so many."""

    def __init__(self, feed: Feed, graph: Graph, samples: int = 0) -> None:
        self._feed = feed
        self.samples = max(feed.samples, samples)
        has = feed.read(0, 1)
        self._silent = [
            node
            for node in graph.nodes
            if isinstance(node, InputNode)
            and node.input not in graph.sources
            and not node.optional
            and (node.input not in has or (node.stem is not None and node.stem not in has[node.input]))
        ]

    @property
    def material(self) -> Mapping[str, Any]:
        return self._feed.material

    def read(self, first: int, samples: int) -> Nested:
        read = self._feed.read(first, samples)
        for node in self._silent:
            silence = torch.zeros(node.channels, samples, dtype=torch.float32, device="cpu")
            if node.stem is None:
                read[node.input] = silence
            else:
                read[node.input] = {**read.get(node.input, {}), node.stem: silence}
        return read


class FeedBlocks:
    """A feed from its first sample to its last, in blocks: what a mix-down reads."""

    def __init__(self, feed: Feed) -> None:
        self._feed, self.samples, self._at = feed, feed.samples, 0
        if feed.material:
            self.material = feed.material

    def read(self, samples: int) -> dict[str, Any]:
        """The next block; fewer samples at the end, and then none."""
        samples = min(samples, self.samples - self._at)
        read = self._feed.read(self._at, samples)
        self._at += samples
        return read

    def __enter__(self) -> FeedBlocks:
        return self

    def __exit__(self, *_: object) -> None:
        """Files are open only while they are read."""


def _padded(signal: Tensor, before: int, samples: int) -> Tensor:
    return torch.nn.functional.pad(signal, (before, samples - before - signal.shape[-1]))
