"""What has its place: boxes, frames and the ways of edges, of a whole picture or of a piece of one."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from djgraph.drawing.picture import Edge, EdgeKind, Frame
from djgraph.drawing.routes import Place
from djgraph.drawing.sizes import SizedBox


@dataclass(frozen=True)
class PlacedBox:
    """A box and its upper left corner."""

    sized: SizedBox
    x: float
    y: float


@dataclass(frozen=True)
class PlacedFrame:
    """A frame and its rectangle."""

    frame: Frame
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class End:
    """What is the same of edges that are drawn as one where they meet: the row that they lead to, or of a knob's the
    knob, and their kind."""

    box: str
    row: int
    kind: EdgeKind


@dataclass(frozen=True)
class Piece:
    """Of an edge what lies within a frame or band: the items that it runs between; None is outside."""

    edge: Edge
    source: Hashable | None
    target: Hashable | None
    end: End


@dataclass
class Laid:
    """Places from the upper left corner of a piece.

    ways: each edge's pieces, in the order in which it runs through them. entries, exits: how high edges come in on the
    left and go out on the right.
    """

    width: float = 0.0
    height: float = 0.0
    boxes: list[PlacedBox] = field(default_factory=list)
    frames: list[PlacedFrame] = field(default_factory=list)
    ways: dict[Edge, list[list[Place]]] = field(default_factory=dict)
    junctions: list[tuple[Place, EdgeKind]] = field(default_factory=list)
    entries: dict[End, float] = field(default_factory=dict)
    exits: dict[End, float] = field(default_factory=dict)

    def put(self, other: Laid, x: float, y: float) -> None:
        """Take in what another piece holds, ``x`` to the right and ``y`` below; its borders stay its own."""
        self.boxes += [PlacedBox(box.sized, box.x + x, box.y + y) for box in other.boxes]
        self.frames += [
            PlacedFrame(one.frame, one.x + x, one.y + y, one.width, one.height) for one in other.frames
        ]
        self.junctions += [((left + x, top + y), kind) for (left, top), kind in other.junctions]

    def way(self, edge: Edge) -> list[Place]:
        """An edge's corners from box to box."""
        return [place for part in self.ways[edge] for place in part]


def moved(way: list[Place], x: float, y: float) -> list[Place]:
    """The same corners elsewhere."""
    return [(left + x, top + y) for left, top in way]
