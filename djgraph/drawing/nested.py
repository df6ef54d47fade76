"""Places for boxes in frames in frames: what stands in a frame is laid out by itself, and is one item of what is
around it, with places on its borders where edges come in and go out. So nothing else stands in a frame, and an edge
that does not belong there runs around it. What would be too wide for a page is cut into bands (:mod:`.bands`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

from djgraph.drawing import bands
from djgraph.drawing.bands import Columns
from djgraph.drawing.coordinates import lower, place
from djgraph.drawing.laid import End, Laid, Piece, PlacedBox, PlacedFrame, moved
from djgraph.drawing.layers import LANE, Item, ItemKind, Layers, Wire, layered
from djgraph.drawing.measure import width
from djgraph.drawing.picture import Edge, Frame, Picture
from djgraph.drawing.routes import Routes, item_left, routed
from djgraph.drawing.sizes import NOTE, TITLE, sized

WIDEST = 1170
"""Wider pictures are cut into bands: text of 12 pixels can still be read where they are shown on 900."""
AROUND, HEAD = 12, 28
"""Between a frame and what stands in it, and above that, where its title is."""

MOST_LOWERED = 40
"""How often something is lowered where lines would lie on one another."""


def laid_out(about: Picture, widest: float = WIDEST) -> Laid:
    """The whole picture, with a place for everything in it.

    widest: what is wider is cut into bands below one another.
    """
    return _Nest(about).lay("", widest)


def _end(edge: Edge) -> End:
    if edge.kind == "control":
        return End(edge.source, 0, edge.kind)
    return End(edge.target, edge.target_row, edge.kind)


class _Nest:
    def __init__(self, about: Picture) -> None:
        self._about = about
        self._sized = {name: sized(box) for name, box in about.boxes.items()}
        self._framed: dict[str, Laid] = {}
        self._within: dict[str, list[Hashable]] = defaultdict(list)
        """Frame → what stands in it, in order: boxes by name, and frames."""
        self._around: dict[str, list[str]] = {"": [""]}
        """Frame → itself and those that it stands in, from the inside out; the last is none."""
        for frame in about.frames.values():
            self._around[frame.id] = [frame.id, *self._around[frame.around]]
        told: set[str] = set()
        for name, box in about.boxes.items():
            for id in reversed(self._around[box.frame][:-1]):
                if id not in told:
                    told.add(id)
                    self._within[about.frames[id].around].append(about.frames[id])
            self._within[box.frame].append(name)

    def lay(self, frame: str, widest: float) -> Laid:
        """What stands in a frame, or in none, without the frame itself."""
        items = self._within[frame]
        for item in items:
            if isinstance(item, Frame):
                self._framed[item.id] = self._frame(item, widest)
        pieces = [piece for edge in self._about.edges if (piece := self._piece(edge, frame)) is not None]
        whole, columns = self._flat(items, pieces)
        if whole.width <= widest:
            return whole
        kinds = {item: self._item(item).kind for item in items}
        in_bands = bands.cut(kinds, pieces, columns, widest, self._flat)
        return whole if in_bands is None or in_bands.width >= whole.width else in_bands

    def _frame(self, frame: Frame, widest: float) -> Laid:
        """A frame with all that stands in it."""
        inner = self.lay(frame.id, widest - 2 * AROUND)
        title = width(frame.title, TITLE, bold=True) + width(" · ".join(frame.notes), NOTE) + 2 * AROUND
        wide, high = max(inner.width + 2 * AROUND, title), inner.height + AROUND + HEAD
        made = Laid(wide, high)
        made.put(inner, AROUND, HEAD)
        made.frames.insert(0, PlacedFrame(frame, 0, 0, wide, high))
        made.entries = {end: y + HEAD for end, y in inner.entries.items()}
        made.exits = {end: y + HEAD for end, y in inner.exits.items()}
        for edge, ways in inner.ways.items():
            shifted = [moved(way, AROUND, HEAD) for way in ways]
            piece = self._piece(edge, frame.id)
            if piece is not None and piece.source is None:
                shifted.insert(0, [(0.0, shifted[0][0][1])])
            if piece is not None and piece.target is None:
                shifted.append([(wide, shifted[-1][-1][1])])
            made.ways[edge] = shifted
        return made

    def _piece(self, edge: Edge, frame: str) -> Piece | None:
        """What of an edge lies in a frame, and not in one within it."""
        source, target = self._in(edge.source, frame), self._in(edge.target, frame)
        if source == target and (source is None or isinstance(source, Frame)):
            return None
        return Piece(edge, source, target, _end(edge))

    def _in(self, box: str, frame: str) -> Hashable | None:
        """What of a frame a box is: itself, a frame that it stands in, or nothing."""
        around = self._around[self._about.boxes[box].frame]
        if frame not in around:
            return None
        place = around.index(frame)
        return box if place == 0 else self._about.frames[around[place - 1]]

    def _item(self, item: Hashable) -> Item:
        if isinstance(item, Frame):
            laid = self._framed[item.id]
            return Item(item, "frame", laid.width, laid.height)
        assert isinstance(item, str)
        box = self._sized[item]
        return Item(item, box.box.kind, box.width, box.height)

    def _flat(self, items: Sequence[Hashable], pieces: Sequence[Piece]) -> tuple[Laid, Columns]:
        """Items side by side in layers; edges that lead beyond them begin and end at their borders."""
        placed = [self._item(item) for item in items]
        ends = {("entry", piece.end): "entry" for piece in pieces if piece.source is None}
        ends |= {("exit", piece.end): "exit" for piece in pieces if piece.target is None}
        kinds: dict[Hashable, ItemKind] = {
            id: "entry" if kind == "entry" else "exit" for id, kind in ends.items()
        }
        placed += [Item(id, kind, 0, LANE) for id, kind in kinds.items()]
        wires = {piece.edge: self._wire(piece) for piece in pieces}
        made = layered(placed, list(dict.fromkeys(wires.values())))
        place(made)
        routes = routed(made)
        for _ in range(MOST_LOWERED):
            if not routes.overlaps:
                break
            lower(made, {routes.overlaps[0].slot})
            routes = routed(made)
        return self._put(made, routes, wires), _columns(made, routes)

    def _wire(self, piece: Piece) -> Wire:
        edge, end = piece.edge, piece.end
        source, leaves = piece.source, LANE / 2
        if source is None:
            source = ("entry", end)
        elif isinstance(source, Frame):
            leaves = self._framed[source.id].exits[end]
        else:
            leaves = self._sized[edge.source].port(edge.source_row, edge.kind, incoming=False)
        target, enters = piece.target, LANE / 2
        if target is None:
            target = ("exit", end)
        elif isinstance(target, Frame):
            enters = self._framed[target.id].entries[end]
        else:
            enters = self._sized[edge.target].port(edge.target_row, edge.kind, incoming=True)
        return Wire(source, leaves, target, enters, edge.kind, end)

    def _put(self, made: Layers, routes: Routes, wires: dict[Edge, Wire]) -> Laid:
        """Everything where layers and routes have it."""
        laid = Laid(
            routes.width, max((slot.y + slot.height for layer in made.slots for slot in layer), default=0.0)
        )
        laid.junctions += routes.junctions
        inner: dict[str, dict[Edge, list[list[tuple[float, float]]]]] = {}
        for number, layer in enumerate(made.slots):
            for slot in layer:
                if slot.item is None:
                    continue
                id = slot.item.id
                x = item_left(slot.item, routes.lefts[number], routes.widths[number])
                if isinstance(id, Frame):
                    child = self._framed[id.id]
                    laid.put(child, x, slot.y)
                    inner[id.id] = {
                        edge: [moved(way, x, slot.y) for way in ways] for edge, ways in child.ways.items()
                    }
                elif isinstance(id, str):
                    laid.boxes.append(PlacedBox(self._sized[id], x, slot.y))
                elif isinstance(id, tuple):
                    side, end = id
                    (laid.entries if side == "entry" else laid.exits)[end] = slot.y + LANE / 2
        for ways in inner.values():
            laid.ways |= {edge: way for edge, way in ways.items() if edge not in wires}
        for edge, wire in wires.items():
            before = inner[wire.source.id][edge] if isinstance(wire.source, Frame) else []
            behind = inner[wire.target.id][edge] if isinstance(wire.target, Frame) else []
            laid.ways[edge] = [*before, routes.ways[wire], *behind]
        return laid


def _columns(made: Layers, routes: Routes) -> Columns:
    numbers = {
        slot.item.id: number
        for number, layer in enumerate(made.slots)
        for slot in layer
        if slot.item is not None
    }
    return Columns(numbers, routes.lefts, routes.widths)
