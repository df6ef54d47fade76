"""What sources play over a clip, as they are told to play it: for the waveforms of their inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from djgraph.graph.ir import InputNode, Point
from djgraph.mixer import compile_graph
from djgraph.playing import Course, Fitted, Hands, MemoryFeed
from djgraph.playing.line import Line

if TYPE_CHECKING:
    from torch import Tensor

    from djgraph.graph import Graph
    from djgraph.mixer import Mixer
    from djgraph.playing import Feed

PIECE = 1 << 15
"""Samples that are made at a time."""
Key = tuple[str, str | None]
"""An input, and its stem."""


def nodes_of(graph: Graph) -> list[InputNode]:
    """Where what sources play enters a graph."""
    return [node for node in graph.nodes if isinstance(node, InputNode) and node.input in graph.sources]


def heard(mixer: Mixer, feed: Feed, course: Course) -> Iterator[dict[Key, Tensor]]:
    """What each such input gets, ``[channels, samples]``, from the clip's beginning to its end.

    Nothing else of the mixer is made, and of what is read ahead for the sound nothing is taken. Raises as reading the
    material does.
    """
    graph = mixer.graph
    nodes = {node.id: node for node in nodes_of(graph)}
    points = {name: Point(name) for name in nodes}
    first = next(iter(points))
    alone = compile_graph(
        replace(graph, outputs={first: points[first]}, taps=points), lowering=mixer.lowering
    )
    quiet = Fitted(MemoryFeed({}, feed.material, feed.samples), graph)
    line, done = Line(alone, quiet, course, Hands(alone.layout)), 0
    while done < feed.samples:
        samples = min(PIECE, feed.samples - done)
        _, taps = line.block(samples)
        done += samples
        yield {(nodes[name].input, nodes[name].stem): signal for name, signal in taps.items()}


def score_of(graph: Graph, course: Course) -> tuple[Any, ...]:
    """What sources are told, to know when they play something else: two courses with the same are played alike."""
    sources = {node.id for node in graph.sources.values()}
    driven = [
        index
        for index, column in enumerate(course.layout)
        if any(node in sources for node, _ in column.drives)
    ]
    rows = course.params[:, driven]
    steady = bool((rows == rows[:1]).all())
    tempo = course.tempo
    clock = (
        tempo if not isinstance(tempo, tuple) else (tempo[0].numpy().tobytes(), tempo[1].numpy().tobytes())
    )
    told = (
        rows[:1].numpy().tobytes() if steady else (rows.numpy().tobytes(), course.positions.numpy().tobytes())
    )
    return clock, told
