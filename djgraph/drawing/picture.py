"""What a picture of a graph consists of, before anything has a place: boxes with rows, and edges between rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

BoxKind = Literal["input", "strip", "bus", "output", "knob"]
RowKind = Literal["title", "macro", "node", "port", "out", "send", "stem"]
EdgeKind = Literal["signal", "send", "feedback", "port", "control"]


@dataclass(frozen=True)
class Row:
    """One line of a box: ``text``, and behind it ``notes``, words that may be broken over several lines. of: the node
    or the column that it shows, where it is one."""

    text: str
    notes: tuple[str, ...] = ()
    kind: RowKind = "node"
    of: str = ""


@dataclass(frozen=True)
class Box:
    """An input, strip, bus, output or knob; its first row is its title. count: how many equal ones it stands for.

    frame: the id of the frame that it stands in, or nothing. members: the inputs, strips or buses that it stands for,
    by name.
    """

    id: str
    kind: BoxKind
    rows: tuple[Row, ...]
    count: int = 1
    frame: str = ""
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frame:
    """What stands around the boxes of a part. around: the id of the frame that it stands in, or nothing."""

    id: str
    title: str
    notes: tuple[str, ...] = ()
    around: str = ""


@dataclass(frozen=True)
class Edge:
    """A line from the right of one box's row to the left of another's.

    kind: ``signal``, ``send``, ``feedback`` (a send that closes a loop), ``port`` (a sidechain, say)
    or ``control`` (a knob and what it moves).
    """

    source: str
    source_row: int
    target: str
    target_row: int
    kind: EdgeKind


@dataclass(frozen=True)
class Picture:
    """A graph to draw: boxes by id in the graph's order, edges, each once, and frames, each before those in it."""

    title: str
    boxes: dict[str, Box] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()
    frames: dict[str, Frame] = field(default_factory=dict)
