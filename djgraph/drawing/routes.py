"""The way of every wire: horizontal through boxes' sides and lanes, vertical on tracks in the channels between layers.

In a channel the hops of one net share one vertical track, and every net has a track of its own. Their order from left
to right is the one with the fewest crossings that moving one track at a time finds. There are no boxes in channels and
nothing else beside lanes, so no wire can run behind a box that it does not belong to.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from djgraph.drawing.layers import Hop, Item, Layers, Net, Pin, Wire
from djgraph.drawing.picture import EdgeKind

TRACK = 9
"""Between two tracks."""
MARGIN = 16
"""From a box to the next track: room for an arrowhead."""
CROSSING, OVERLAP = 1, 1000
"""What it costs if two nets cross, or if one is drawn over another or too near to it."""
APART = 5
"""Lines that are nearer than this look like one."""
MOST_SORTED = 80
"""Of channels with more tracks the order is not improved."""
ROUNDS = 10
"""How often each track is tried elsewhere, at most."""

Place = tuple[float, float]


@dataclass
class Trunk:
    """A net in one channel: the ends of its hops, and its track, ``x``, if any of them bends."""

    net: Net
    pins: dict[Pin, None] = field(default_factory=dict)
    x: float | None = None

    @property
    def ys(self) -> list[float]:
        return [pin.y for pin in self.pins]

    @property
    def bends(self) -> bool:
        """Whether it needs a track: its ends are not all at one height, or it turns round."""
        return len(set(self.ys)) > 1 or len({pin.left for pin in self.pins}) == 1


@dataclass
class Routes:
    """Where all is: the left of each layer, each wire's corners, junctions of a kind, and the right end."""

    lefts: list[float]
    widths: list[float]
    ways: dict[Wire, list[Place]]
    junctions: list[tuple[Place, EdgeKind]]
    width: float
    overlaps: list[Pin]
    """Where lines come into channels that lie on others there, as no order of tracks avoids."""


def routed(made: Layers) -> Routes:
    """Corners of every wire, for slots that have their heights."""
    channels: dict[int, dict[Net, Trunk]] = defaultdict(dict)
    for hop in made.different():
        trunk = channels[hop.channel].setdefault(hop.net, Trunk(hop.net))
        trunk.pins |= {hop.start: None, hop.stop: None}
    order = {number: _ordered([t for t in nets.values() if t.bends]) for number, nets in channels.items()}
    lefts: list[float] = []
    widths: list[float] = []
    x = _channel(order.get(-1, []), 0.0) if -1 in channels else 0.0
    for number, layer in enumerate(made.slots):
        lefts.append(x)
        widths.append(max((slot.item.width for slot in layer if slot.item), default=0.0))
        x += widths[-1]
        if number + 1 < len(made.slots) or number in channels:
            x = _channel(order.get(number, []), x)
    places = _Places(lefts, widths)
    ways = {wire: _way(hops, channels, places) for wire, hops in made.hops.items()}
    junctions = [point for nets in channels.values() for point in _junctions(nets)]
    overlaps = [pin for trunks in order.values() for pin in _overlaps(trunks)]
    return Routes(lefts, widths, ways, junctions, x, overlaps)


def item_left(item: Item, left: float, width: float) -> float:
    """Where an item begins in its layer: inputs and knobs stand at the right, beside what reads them."""
    return left + width - item.width if item.kind in ("input", "knob") else left


def _channel(tracks: Sequence[Trunk], left: float) -> float:
    """Place a channel's tracks behind ``left``; returns where the channel ends."""
    for number, trunk in enumerate(tracks):
        trunk.x = left + MARGIN + TRACK * number
    return left + 2 * MARGIN + TRACK * max(0, len(tracks) - 1)


def _ordered(trunks: list[Trunk]) -> list[Trunk]:
    """Tracks from left to right."""
    # A good order to begin with: of those that lead down the lowest first, of those that lead up the highest.
    order = sorted(trunks, key=_slant)
    if len(order) > MOST_SORTED:
        return order
    costs: dict[tuple[int, int], int] = {}

    def cost(a: Trunk, b: Trunk) -> int:
        key = (id(a), id(b))
        if key not in costs:
            costs[key] = _cost(a, b)
        return costs[key]

    for _ in range(ROUNDS):
        before = list(order)
        for trunk in before:
            _reinsert(trunk, order, cost)
        if order == before:
            break
    return order


def _reinsert(trunk: Trunk, order: list[Trunk], cost: Callable[[Trunk, Trunk], int]) -> None:
    """Move a track to where it costs least beside the others, if that is less than where it is."""
    here = order.index(trunk)
    others = order[:here] + order[here + 1 :]
    total = sum(cost(trunk, other) for other in others)
    totals = [total]
    for other in others:
        total += cost(other, trunk) - cost(trunk, other)
        totals.append(total)
    least = min(totals)
    if least < totals[here]:
        others.insert(totals.index(least), trunk)
        order[:] = others


def _slant(trunk: Trunk) -> tuple[int, float]:
    lefts = [pin.y for pin in trunk.pins if pin.left]
    rights = [pin.y for pin in trunk.pins if not pin.left]
    start = sum(lefts) / len(lefts) if lefts else min(trunk.ys)
    stop = sum(rights) / len(rights) if rights else max(trunk.ys)
    return (0, -start) if stop > start else (1, start)


def _cost(a: Trunk, b: Trunk) -> int:
    """Crossings and overlaps if ``a``'s track is left of ``b``'s."""
    total = 0
    for near, far, left in ((a, b, True), (b, a, False)):
        low, high = min(near.ys), max(near.ys)
        # The far net's ends on the near one's side run past its track.
        total += CROSSING * sum(pin.left == left and low < pin.y < high for pin in far.pins)
    ends = [pin.y for pin in a.pins if not pin.left]
    starts = [pin.y for pin in b.pins if pin.left]
    return total + OVERLAP * sum(abs(end - start) < APART for end in ends for start in starts)


def _overlaps(order: Sequence[Trunk]) -> list[Pin]:
    """The ends on the left of tracks that run over ends on the right of tracks before."""
    found: dict[Pin, None] = {}
    ends: list[float] = []
    for trunk in order:
        for pin in trunk.pins:
            place = bisect_left(ends, pin.y - APART + 1e-9)
            if pin.left and place < len(ends) and ends[place] < pin.y + APART - 1e-9:
                found[pin] = None
        for pin in trunk.pins:
            if not pin.left:
                insort(ends, pin.y)
    return list(found)


@dataclass(frozen=True)
class _Places:
    lefts: Sequence[float]
    widths: Sequence[float]

    def side(self, pin: Pin) -> float:
        """The x of a slot's side: a lane is as wide as its layer."""
        layer = pin.slot.layer
        left, width = self.lefts[layer], self.widths[layer]
        if pin.slot.item is not None:
            left, width = item_left(pin.slot.item, left, width), pin.slot.item.width
        return left + width if pin.left else left


def _way(hops: Sequence[Hop], channels: Mapping[int, Mapping[Net, Trunk]], places: _Places) -> list[Place]:
    """A wire's corners, from item to item."""
    first, last = hops[0].start, hops[-1].stop
    way = [(places.side(first), first.y)]
    for hop in hops:
        trunk = channels[hop.channel][hop.net]
        if hop.start.y != hop.stop.y or hop.start.left == hop.stop.left:
            assert trunk.x is not None
            way += [(trunk.x, hop.start.y), (trunk.x, hop.stop.y)]
    way.append((places.side(last), last.y))
    return way


def _junctions(nets: Mapping[Net, Trunk]) -> list[tuple[Place, EdgeKind]]:
    """Where a channel's nets branch: at least three lines meet."""
    found: dict[Place, EdgeKind] = {}
    for trunk in nets.values():
        if trunk.x is None:
            continue
        sides: dict[float, set[bool]] = defaultdict(set)
        for pin in trunk.pins:
            sides[pin.y].add(pin.left)
        low, high = min(sides), max(sides)
        for y, here in sides.items():
            if len(here) + (y > low) + (y < high) >= 3:
                found[trunk.x, y] = trunk.net[1]
    return list(found.items())
