"""What is too wide for a page, in bands below one another, as lines of text are.

Layers are cut where few edges pass, and each band is laid out by itself. An edge from one band to another leaves at the
right, runs down or up beside the bands, along the *corridor* above the band where it leads, and down at the left: there
are no boxes in margins and corridors, and each end has a track of its own in them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from djgraph.drawing.laid import End, Laid, Piece, moved
from djgraph.drawing.layers import ItemKind
from djgraph.drawing.picture import EdgeKind
from djgraph.drawing.routes import MARGIN, TRACK, Place

APART = 30
"""Between two bands that no edge connects."""
BESIDE = 8
"""Between the margin's last track and what is beside it."""
TRIES, NARROWER = 6, 0.88
"""How often cuts are tried, and how much narrower bands are meant to be each time that they came out too wide."""
A_BAND = 1000.0
"""What one more band costs; an edge that is cut costs 1."""


@dataclass(frozen=True)
class Columns:
    """Which layer each item is in, of items that are laid out side by side, and where layers begin and end."""

    numbers: Mapping[Hashable, int]
    lefts: Sequence[float]
    widths: Sequence[float]

    def span(self, first: int, last: int) -> float:
        """How wide some layers are, with what lies between them."""
        return self.lefts[last] + self.widths[last] - self.lefts[first]


Flat = Callable[[Sequence[Hashable], Sequence[Piece]], tuple[Laid, Columns]]


def cut(
    kinds: Mapping[Hashable, ItemKind],
    pieces: Sequence[Piece],
    columns: Columns,
    widest: float,
    flat: Flat,
) -> Laid | None:
    """Items in bands no wider than ``widest``, or as narrow as can be; None where there is nothing to cut.

    kinds: of all items, in order. flat: lays items out side by side.
    """
    best: Laid | None = None
    room = widest
    if all(map(_is_free, kinds.values())):
        return None
    for _ in range(TRIES):
        bands = _bands(kinds, pieces, _last_layers(kinds, pieces, columns, room), columns)
        if len(bands) > 1:
            made = _Joined(bands, pieces, flat).laid
            if best is None or made.width < best.width:
                best = made
            if made.width <= widest:
                break
        room *= NARROWER
    return best


def _is_free(kind: ItemKind) -> bool:
    """Whether an item goes where what it is connected with is."""
    return kind in ("input", "knob", "output")


def _last_layers(
    kinds: Mapping[Hashable, ItemKind], pieces: Sequence[Piece], columns: Columns, room: float
) -> list[int]:
    """The last layer of each band: the fewest bands that fit, and of these those that cut the fewest edges."""
    numbers = columns.numbers
    layers = sorted({numbers[item] for item, kind in kinds.items() if not _is_free(kind)})
    before = {numbers[item] + 1 for item, kind in kinds.items() if kind in ("input", "knob")}
    ends: dict[int, set[End]] = defaultdict(set)
    for piece in pieces:
        if piece.source is not None and piece.target is not None:
            low, high = sorted((numbers[piece.source], numbers[piece.target]))
            for layer in range(low, high):
                ends[layer].add(piece.end)
    costs: dict[int, tuple[float, tuple[int, ...]]] = {-1: (0.0, ())}
    for place, last in enumerate(layers):
        options = []
        for start in range(place, -1, -1):
            first = layers[start]
            wide = columns.span(first - (first in before and first > 0), last) + 2 * MARGIN
            if wide > room and start < place:
                break
            total, cuts = costs[start - 1]
            options.append((total + A_BAND + len(ends[last]) + (wide / room) ** 2, (*cuts, last)))
        costs[place] = min(options)
    return list(costs[len(layers) - 1][1])


def _bands(
    kinds: Mapping[Hashable, ItemKind], pieces: Sequence[Piece], lasts: Sequence[int], columns: Columns
) -> list[list[Hashable]]:
    """The items of each band, in their order. What is free goes where it is read, or where it reads."""
    band: dict[Hashable, int] = {}
    for item, kind in kinds.items():
        if not _is_free(kind):
            band[item] = next(number for number, last in enumerate(lasts) if columns.numbers[item] <= last)
    for item, kind in kinds.items():
        if _is_free(kind):
            near = [piece.target for piece in pieces if piece.source == item]
            near += [piece.source for piece in pieces if piece.target == item]
            band[item] = min((band[other] for other in near if other in band), default=0)
    found: list[list[Hashable]] = [[] for _ in lasts]
    for item in kinds:
        found[band[item]].append(item)
    return [items for items in found if items]


@dataclass
class _Track:
    """A vertical line in a margin, and the lines that meet it: how high, and whether on its left."""

    x: float
    meets: set[tuple[float, bool]] = field(default_factory=set)

    def junctions(self, kind: EdgeKind) -> Iterable[tuple[Place, EdgeKind]]:
        heights = [y for y, _ in self.meets]
        low, high = min(heights, default=0.0), max(heights, default=0.0)
        for y in sorted(set(heights)):
            lines = sum(height == y for height, _ in self.meets)
            if lines + (y > low) + (y < high) >= 3:
                yield (self.x, y), kind


class _Joined:
    """Bands below one another, and the ways between them."""

    def __init__(self, bands: Sequence[Sequence[Hashable]], pieces: Sequence[Piece], flat: Flat) -> None:
        self._pieces = pieces
        self._band = {item: number for number, items in enumerate(bands) for item in items}
        self._parts = [flat(items, self._of_band(number))[0] for number, items in enumerate(bands)]
        self.laid = Laid()
        self._tops = [0.0] * len(bands)
        across = [piece for piece in pieces if self._is_across(piece)]
        self._coming = [self._into(across, number) for number in range(len(bands))]
        """For each band the ends that come into it from others, the topmost first."""
        self._stack()
        self._left_margin, self._lefts, self._far_lefts = self._left()
        inner = self._left_margin + max(part.width for part in self._parts)
        self._rights = self._right(across, inner)
        self.laid.width = inner + (MARGIN + TRACK * len(self._rights) if self._rights else 0)
        self._lead()

    def _of_band(self, number: int) -> list[Piece]:
        """What of all edges lies within a band."""
        found = []
        for piece in self._pieces:
            source = piece.source if self._band.get(piece.source) == number else None
            target = piece.target if self._band.get(piece.target) == number else None
            if source is not None or target is not None:
                found.append(Piece(piece.edge, source, target, piece.end))
        return found

    def _is_across(self, piece: Piece) -> bool:
        source, target = self._band.get(piece.source), self._band.get(piece.target)
        return source is not None and target is not None and source != target

    def _into(self, across: Sequence[Piece], number: int) -> list[End]:
        ends = {piece.end for piece in across if self._band[piece.target] == number}
        return sorted(ends, key=self._parts[number].entries.__getitem__)

    def _stack(self) -> None:
        """Heights of bands and of the corridors above them."""
        y = 0.0
        for number, (part, coming) in enumerate(zip(self._parts, self._coming)):
            if coming:
                y += 2 * MARGIN + TRACK * (len(coming) - 1)
            elif number:
                y += APART
            self._tops[number] = y
            y += part.height
        self.laid.height = y

    def _corridor(self, number: int, end: End) -> float:
        """How high the way to a band runs: the topmost end of it lowest."""
        return self._tops[number] - MARGIN - TRACK * self._coming[number].index(end)

    def _left(self) -> tuple[float, dict[tuple[int, End], _Track], dict[End, _Track]]:
        """How wide the left margin is, the tracks of each band, and those of ends from outside that lead to several
        bands."""
        several = [end for end, numbers in self._outer("entries").items() if len(numbers) > 1]
        x = float(MARGIN + TRACK * (len(several) - 1) + BESIDE if several else 0)
        far = {end: _Track(float(MARGIN + TRACK * place)) for place, end in enumerate(several)}
        most = max(len(coming) for coming in self._coming)
        # The topmost end furthest to the right: so no way crosses another of its band.
        tracks = {
            (number, end): _Track(x + BESIDE + TRACK * (most - 1 - place))
            for number, coming in enumerate(self._coming)
            for place, end in enumerate(coming)
        }
        return x + (TRACK * most + BESIDE if most else 0), tracks, far

    def _right(self, across: Sequence[Piece], inner: float) -> dict[End, _Track]:
        """The tracks in the right margin, the topmost end furthest to the right."""
        ends = dict.fromkeys(piece.end for piece in across)
        ends |= dict.fromkeys(end for end, numbers in self._outer("exits").items() if len(numbers) > 1)
        height = {
            end: min(
                self._tops[n] + part.exits[end] for n, part in enumerate(self._parts) if end in part.exits
            )
            for end in ends
        }
        order = sorted(ends, key=lambda end: -height[end])
        return {end: _Track(inner + MARGIN + TRACK * place) for place, end in enumerate(order)}

    def _outer(self, side: str) -> dict[End, list[int]]:
        """Ends that come from outside of all bands, or lead there, and which bands have them."""
        found: dict[End, dict[int, None]] = defaultdict(dict)
        for piece in self._pieces:
            own, other = (piece.target, piece.source) if side == "entries" else (piece.source, piece.target)
            if other is None:
                found[piece.end][self._band[own]] = None
        return {end: list(numbers) for end, numbers in found.items()}

    def _lead(self) -> None:
        """Put everything in its place."""
        laid, left = self.laid, self._left_margin
        outer_in, outer_out = self._outer("entries"), self._outer("exits")
        laid.entries = {end: self._entry(numbers[0], end) for end, numbers in outer_in.items()}
        laid.exits = {end: self._exit(numbers[0], end) for end, numbers in outer_out.items()}
        of_edge = {piece.edge: piece for piece in self._pieces}
        for number, part in enumerate(self._parts):
            laid.put(part, left, self._tops[number])
        for number, part in enumerate(self._parts):
            for edge, ways in part.ways.items():
                shifted = [moved(way, left, self._tops[number]) for way in ways]
                piece = of_edge.get(edge)
                if piece is None or not self._is_across(piece):
                    laid.ways[edge] = shifted if piece is None else self._beyond(piece, number, shifted)
                elif self._band[piece.source] == number:
                    laid.ways[edge] = [*shifted, self._between(piece), *laid.ways.get(edge, [])]
                else:
                    laid.ways[edge] = [*laid.ways.get(edge, []), *shifted]
        tracks = [*self._rights.items(), *self._far_lefts.items()]
        tracks += [(end, track) for (_, end), track in self._lefts.items()]
        laid.junctions += [point for end, track in tracks for point in track.junctions(end.kind)]

    def _entry(self, number: int, end: End) -> float:
        return self._tops[number] + self._parts[number].entries[end]

    def _exit(self, number: int, end: End) -> float:
        return self._tops[number] + self._parts[number].exits[end]

    def _between(self, piece: Piece) -> list[Place]:
        """The corners of a way from one band to another."""
        source, target, end = self._band[piece.source], self._band[piece.target], piece.end
        right, left = self._rights[end], self._lefts[target, end]
        start, stop, along = self._exit(source, end), self._entry(target, end), self._corridor(target, end)
        right.meets |= {(start, True), (along, True)}
        left.meets |= {(along, False), (stop, False)}
        return [(right.x, start), (right.x, along), (left.x, along), (left.x, stop)]

    def _beyond(self, piece: Piece, number: int, ways: list[list[Place]]) -> list[list[Place]]:
        """A way that stays in one band, or that comes from outside or leads there."""
        end, laid = piece.end, self.laid
        if piece.source is None:
            border, own = laid.entries[end], self._entry(number, end)
            first = [(0.0, border)]
            if end in self._far_lefts:
                track = self._far_lefts[end]
                track.meets |= {(border, True), (own, False)}
                first += [(track.x, border), (track.x, own)]
            elif (number, end) in self._lefts:
                self._lefts[number, end].meets.add((own, True))
            return [first, *ways]
        if piece.target is None:
            border, own = laid.exits[end], self._exit(number, end)
            last = [(laid.width, border)]
            if end in self._rights:
                track = self._rights[end]
                track.meets |= {(border, False), (own, True)}
                last = [(track.x, own), (track.x, border), *last]
            return [*ways, last]
        return ways
