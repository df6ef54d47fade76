"""What a project is played with, opened: graph, material, and what a new project begins with."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import djgraph.graph
from djgraph.automation import TempoMap
from djgraph.decks.placement import NoRoom
from djgraph.errors import InputError
from djgraph.graph.ir import InputNode
from djgraph.layout import ParameterLayout
from djgraph.playing import Completed, Feed, FeedBlocks, FileFeed, Fitted, SoughtFeed
from djgraph.rendering import (
    BlockSource,
    InputBlocks,
    PlayedBlocks,
    Silent,
    Steps,
    SyncedBlocks,
    find_inputs,
)
from djgraph.studio.project import Origin
from djgraph.studio.samples import DemoFeed, demo_feed

if TYPE_CHECKING:
    from djgraph.graph.ir import Graph
    from djgraph.sets import SetPlan

SILENCE = 300.0
"""Seconds of a clip on which nothing is given."""
LENGTHS = (32.0, 16.0, 8.0, 4.0)
"""Beats of a transition, the first for which there is room."""
TEMPO = 120.0
"""BPM, where nothing says another."""


@dataclass(frozen=True)
class Opened:
    """What is open. origin: what was asked for. feed: what a player plays. tempo: the clip's clock, where it is known.
    blocks: opens the same for a mix-down, from its beginning; where every input that the graph needs is given, that is
    what ``djgraph render --pad`` reads. plan: of a set, or of tracks at one mix's beats what was found of them, synced.
    said: what is played, for people, a line each. retimed: where the material follows the tempo, the same at another
    one; raises InputError for one that it cannot be played at."""

    origin: Origin
    graph: Graph
    feed: Feed
    blocks: Callable[[], AbstractContextManager[Any]]
    tempo: TempoMap | None = None
    plan: SetPlan | None = None
    synced: SyncedBlocks | None = None
    said: tuple[str, ...] = field(default=())
    retimed: Callable[[TempoMap], Opened] | None = None

    @cached_property
    def layout(self) -> ParameterLayout:
        """Of the graph."""
        return ParameterLayout.from_graph(self.graph)

    @property
    def seconds(self) -> float:
        """How long the clip is."""
        return self.feed.samples / self.graph.sample_rate

    def at_tempo(self, clock: TempoMap, graph: Graph) -> Opened | None:
        """The same at another tempo, for the graph that plays by now; None where it stays as it is. Raises InputError
        for a tempo at which it cannot be played."""
        own = self.tempo
        if self.retimed is None or own is None or (own.points, own.ramps) == (clock.points, clock.ramps):
            return None
        made = self.retimed(clock)
        if made.graph is graph:
            return made
        fits = made.graph.inputs == graph.inputs
        blocks = made.blocks if fits else partial(FeedBlocks, Fitted(made.feed, graph))
        return replace(made, graph=graph, blocks=blocks)


def open_origin(
    origin: Origin, text: str = "", clock: TempoMap | None = None, steps: Steps | None = None
) -> Opened:
    """Open what a project is played with.

    text: of its graph, where it is not what the origin's graph says any more. clock: the project's, at which the demo's
    tracks are played, and tracks in sync that were placed before or for which the origin says no tempo. Raises
    DJGraphError as loading a graph, reading a set file and opening audio files do.
    """
    steps = Silent() if steps is None else steps
    if origin.set:
        return _open_set(origin, text, steps)
    args: dict[str, Any] = dict(origin.args)
    graph = djgraph.graph.load(text or origin.graph, **args)
    given = {name: Path(path) for name, path in origin.inputs.items()}
    if not given:
        return _open_demo(origin, graph, clock)
    needed = {node.input for node in graph.nodes if isinstance(node, InputNode) and not node.optional}
    find_inputs(graph, given, some=True)  # what is wrong is told before an analysis
    whole = needed <= given.keys()
    if origin.sync:
        return _open_synced(origin, graph, given, clock, steps, whole)
    said = tuple(f"{name}: {path}" for name, path in given.items())
    sources = {name: path for name, path in given.items() if name in graph.sources}
    if not sources:
        feed = _completed(FileFeed(graph, given), graph)
        blocks = (lambda: InputBlocks(graph, given, True)) if whole else (lambda: FeedBlocks(feed))
        return Opened(origin, graph, feed, blocks, said=said)
    played = PlayedBlocks(graph, given, True, None, steps, some=True)
    played.__exit__()
    feed = _completed(FileFeed(graph, given, all_material(graph, played.material)), graph)
    return Opened(origin, graph, feed, lambda: FeedBlocks(feed), said=said)


def _open_demo(origin: Origin, graph: Graph, clock: TempoMap | None) -> Opened:
    tempo = TempoMap(origin.tempo[0] if origin.tempo else TEMPO) if clock is None else clock
    feed, said = demo_feed(graph, tempo)
    feed = feed.with_material(all_material(graph, feed.material))

    def of(feed: DemoFeed, tempo: TempoMap) -> Opened:
        made = _completed(feed, graph)
        opened = Opened(origin, graph, made, lambda: FeedBlocks(made), tempo, said=said)
        if not feed.read(0, 1):  # sources play all of it
            return opened
        return replace(opened, retimed=lambda other: of(feed.at_tempo(other), other))

    return of(feed, tempo)


def _open_synced(
    origin: Origin,
    graph: Graph,
    given: dict[str, Path],
    clock: TempoMap | None,
    steps: Steps,
    whole: bool,
) -> Opened:
    if graph.sources:
        raise InputError(
            f"--sync plays the tracks itself, and graph {graph.name} has sources that do; leave it out, or `source` in "
            "the graph"
        )
    tempo: Any = clock
    if origin.clock:  # they were placed before, and follow the project's tempo
        tempo = TempoMap([list(entry) for entry in origin.clock]) if clock is None else clock
    elif origin.tempo is not None:
        tempo = origin.tempo if len(origin.tempo) == 2 else origin.tempo[0]

    return _of_synced(origin, graph, _synced(origin, graph, given, tempo, steps), whole)


def _of_synced(origin: Origin, graph: Graph, source: SyncedBlocks, whole: bool) -> Opened:
    feed = _completed(SoughtFeed(source), graph)
    # An analysis is not made again; where an input is missing, silence is read in its place.
    again = _again(source) if whole else (lambda: FeedBlocks(feed))
    lines = (f"at {source.tempos} BPM, the second track from beat {source.start:g}", *source.said())

    def retimed(tempo: TempoMap) -> Opened:
        return _of_synced(origin, graph, source.at_tempo(tempo), whole)

    return Opened(origin, graph, feed, again, source.tempo, synced=source, said=lines, retimed=retimed)


def _synced(origin: Origin, graph: Graph, given: dict[str, Path], tempo: Any, steps: Steps) -> SyncedBlocks:
    """The second track enters where ``render --sync`` lets it, for the longest transition for which there is room; with
    the first one, where there is room for none."""
    more = (steps, origin.sync, origin.key_lock)
    for length in LENGTHS if origin.at is None else ():
        with contextlib.suppress(NoRoom):
            return SyncedBlocks(graph, given, True, None, tempo, None, length, *more, some=True)
    at = 0.0 if origin.at is None else origin.at
    return SyncedBlocks(graph, given, True, None, tempo, at, LENGTHS[-1], *more, some=True)


def _again(source: SyncedBlocks) -> Callable[[], SyncedBlocks]:
    def blocks() -> SyncedBlocks:
        return source.anew()

    return blocks


def _open_set(origin: Origin, text: str, steps: Steps) -> Opened:
    from djgraph.sets.build import plan_set
    from djgraph.sets.play import SetBlocks

    plan = plan_set(origin.set, steps.analysed)
    if text:
        plan = replace(plan, graph=djgraph.graph.load(text))
    feed = SoughtFeed(SetBlocks(plan))
    said = tuple(f"{number}. {track.title}" for number, track in enumerate(plan.tracks, 1))
    return Opened(origin, plan.graph, feed, lambda: SetBlocks(plan), plan.tempo, plan, said=said)


def all_material(graph: Graph, material: Mapping[str, Any]) -> Mapping[str, Any]:
    """With silence for the sources that need something to play and were given nothing."""
    import torch

    from djgraph.analysis import Grid
    from djgraph.decks import MemoryMaterial

    out = dict(material)
    for name in graph.sources:
        nodes = [node for node in graph.nodes if isinstance(node, InputNode) and node.input == name]
        if name in out or all(node.optional for node in nodes):
            continue
        signals = {
            node.stem or name: torch.zeros(
                node.channels, graph.sample_rate, dtype=torch.float32, device="cpu"
            )
            for node in nodes
        }
        out[name] = MemoryMaterial(signals, Grid.at_tempo(TEMPO, meter=4))
    return out if len(out) > len(material) else material


def _completed(feed: Feed, graph: Graph) -> Feed:
    """With silence for what is not given, some minutes of it where nothing is."""
    return Completed(feed, graph, 0 if feed.samples else round(SILENCE * graph.sample_rate))


def is_set(name: str) -> bool:
    """Whether a name is the path of a set file. Raises DJGraphError for a file that cannot be read."""
    from djgraph.language.load import read
    from djgraph.sets.document import SET

    path = Path(os.path.expanduser(name))
    if path.suffix.lower() not in (".yaml", ".yml", ".json") or not path.is_file():
        return False
    data = read(path, {}, None, SET).data
    return isinstance(data, dict) and "set" in data and "djgraph" not in data


def open_blocks(opened: Opened) -> AbstractContextManager[BlockSource]:
    """What a mix-down reads."""
    blocks: AbstractContextManager[BlockSource] = opened.blocks()
    return blocks
