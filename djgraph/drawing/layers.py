"""The first half of a layered layout after Sugiyama, Tagawa and Toda (IEEE Trans. SMC 11(2), 1981): boxes in layers
from left to right, lanes for edges that pass a layer, and an order within layers that crosses few edges.

What is placed are *items*, boxes and whole frames, and *wires* between them, parts of edges. A wire is a row of *hops*,
each from one side of a *channel* (the space between two layers) to the other. Where it passes a layer it has a *lane*,
a slot of its own between the items, and so it never runs behind one. Wires of a net share lanes. A wire that leads
back, in a circle of strips or within a layer, leaves its item to the right, turns into a lane of that layer and runs to
the left. Wires that come from outside begin at *entries*, left of all else, and those that lead out end at *exits*.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import networkx as nx

from djgraph.drawing.picture import BoxKind, EdgeKind

FAN = 6
"""Between two lines that leave one row; several share twice as much."""
LANE = 12
"""Height of a lane."""
SWEEPS = 12
"""Passes over all layers that look for fewer crossings."""


ItemKind = BoxKind | Literal["frame", "entry", "exit"]


@dataclass(frozen=True)
class Item:
    """A rectangle to place, or the end of a wire at the left or right border."""

    id: Hashable
    kind: ItemKind
    width: float
    height: float


@dataclass(frozen=True)
class Wire:
    """A line from an item's right to another's left, ``leaves`` and ``enters`` below their tops.

    end: what is the same of all that are one line where they meet.
    """

    source: Hashable
    leaves: float
    target: Hashable
    enters: float
    kind: EdgeKind
    end: Hashable


@dataclass(eq=False)
class Slot:
    """An item's or a lane's place in a layer."""

    layer: int
    item: Item | None = None
    y: float = 0.0

    @property
    def is_box(self) -> bool:
        """Whether it is a rectangle, not a lane or the end of one."""
        return self.item is not None and self.item.kind not in ("entry", "exit")

    @property
    def height(self) -> float:
        return self.item.height if self.item else LANE


@dataclass(frozen=True)
class Pin:
    """Where a hop begins or ends: at a slot, ``offset`` below its top. ``left``: on the channel's left side, which is
    the slot's right."""

    slot: Slot
    offset: float
    left: bool

    @property
    def y(self) -> float:
        return self.slot.y + self.offset


Net = tuple[Hashable, EdgeKind, bool]
"""Wires that are drawn as one where they meet: their ``end``, their kind, and whether they lead back."""


@dataclass(frozen=True)
class Hop:
    """A way through a channel; channel *c* is behind layer *c*."""

    channel: int
    start: Pin
    stop: Pin
    net: Net


@dataclass
class Layers:
    """Slots by layer, in order from the top, and each wire's hops."""

    slots: list[list[Slot]] = field(default_factory=list)
    hops: dict[Wire, list[Hop]] = field(default_factory=dict)

    def different(self) -> list[Hop]:
        """All hops, each once: wires share those between lanes, as the same objects."""
        return list({id(hop): hop for hops in self.hops.values() for hop in hops}.values())

    def near(self) -> dict[Slot, list[tuple[Pin, Pin]]]:
        """Slot → each of its pins with the one that it is connected with."""
        near: dict[Slot, list[tuple[Pin, Pin]]] = {slot: [] for layer in self.slots for slot in layer}
        for hop in self.different():
            near[hop.start.slot].append((hop.start, hop.stop))
            near[hop.stop.slot].append((hop.stop, hop.start))
        return near


def layered(items: Sequence[Item], wires: Sequence[Wire]) -> Layers:
    """Items in layers, wires as hops, ordered with few crossings."""
    numbers = _layers({item.id: item.kind for item in items}, wires)
    made = Layers([[] for _ in range(max(numbers.values(), default=0) + 1)])
    slots = {item.id: Slot(numbers[item.id], item) for item in items}
    for slot in slots.values():
        made.slots[slot.layer].append(slot)
    lanes: dict[tuple[Net, int], Slot] = {}
    shared: dict[Hop, Hop] = {}
    for wire in wires:
        made.hops[wire] = _hops(wire, slots, lanes, shared)
    for (_, layer), lane in lanes.items():
        made.slots[layer].append(lane)
    _order(made)
    made.hops = _fanned_out(made)
    return made


def _layers(kinds: Mapping[Hashable, ItemKind], wires: Sequence[Wire]) -> dict[Hashable, int]:
    """The longest way that signals take to an item. Inputs and knobs stand just before what reads them, outputs last,
    entries and exits beyond all."""
    borders = {name for name, kind in kinds.items() if kind in ("entry", "exit")}
    inner = {name: kind for name, kind in kinds.items() if name not in borders}
    wires_within = [wire for wire in wires if wire.source in inner and wire.target in inner]
    forward = _without_circles(inner, (wire for wire in wires_within if wire.kind != "control"))
    first = 1 if "input" in inner.values() else 0
    numbers: dict[Hashable, int] = {}
    for name in nx.topological_sort(forward):
        lowest = 0 if inner[name] in ("input", "knob", "output") else first
        numbers[name] = max((numbers[source] + 1 for source in forward.pred[name]), default=lowest)
        numbers[name] = max(numbers[name], lowest)
    last = max(numbers.values(), default=0)
    reads: dict[Hashable, list[Hashable]] = defaultdict(list)
    for wire in wires_within:
        reads[wire.source].append(wire.target)
    for name, kind in inner.items():
        if kind == "output":
            numbers[name] = last
    for name, kind in inner.items():
        if kind in ("input", "knob") and reads[name]:
            numbers[name] = min(numbers[target] for target in reads[name]) - 1
    entries = any(kind == "entry" for kind in kinds.values())
    shift = int(entries) - min(numbers.values(), default=0)
    numbers = {name: number + shift for name, number in numbers.items()}
    beyond = max(numbers.values(), default=0) + 1
    return numbers | {name: 0 if kinds[name] == "entry" else beyond for name in borders}


def _without_circles(names: Iterable[Hashable], wires: Iterable[Wire]) -> nx.DiGraph:
    """The wires that lead forward. Signals never go in a circle, but strips and buses may feed one another (one's
    sidechain is another that reads it): of such a group those are left out that lead to an earlier one."""
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from((wire.source, wire.target) for wire in wires)
    place = {name: index for index, name in enumerate(names)}
    for group in list(nx.strongly_connected_components(graph)):
        inner = [edge for edge in graph.subgraph(group).edges if place[edge[1]] <= place[edge[0]]]
        graph.remove_edges_from(inner)
    return graph


def _hops(
    wire: Wire,
    slots: Mapping[Hashable, Slot],
    lanes: dict[tuple[Net, int], Slot],
    shared: dict[Hop, Hop],
) -> list[Hop]:
    """A wire's way. lanes: those of each net by layer; shared: the hops behind the first; both fill."""
    source, target = slots[wire.source], slots[wire.target]
    back = target.layer <= source.layer
    net = (wire.end, wire.kind, back)
    here = Pin(source, wire.leaves, left=True)
    end = Pin(target, wire.enters, left=False)
    hops: list[Hop] = []

    def go(channel: int, start: Pin, stop: Pin) -> None:
        """One hop. Wires of a net share those that begin and end alike."""
        hop = Hop(channel, start, stop, net)
        hops.append(shared.setdefault(hop, hop) if hops else hop)

    for layer in range(source.layer, target.layer - 1, -1) if back else range(source.layer + 1, target.layer):
        lane = lanes.setdefault((net, layer), Slot(layer))
        # Forward a lane is entered from the channel before its layer, backward from the one behind it.
        go(layer if back else layer - 1, here, Pin(lane, LANE / 2, left=back))
        here = Pin(lane, LANE / 2, left=not back)
    go(target.layer - 1, here, end)
    return hops


def _fanned_out(made: Layers) -> dict[Wire, list[Hop]]:
    """The hops with a line of its own for each net that leaves a row, those that go higher above the others: lines that
    meet are one net then, and nothing that joins one line of a row seems to feed what its other lines feed."""
    position = {slot: place for layer in made.slots for place, slot in enumerate(layer)}
    rows: dict[Pin, dict[Net, tuple[float, float]]] = defaultdict(dict)
    for hops in made.hops.values():
        first = hops[0]
        towards = (position[first.stop.slot], first.stop.offset)
        rows[first.start].setdefault(first.net, towards)
    pins: dict[tuple[Pin, Net], Pin] = {}
    for pin, nets in rows.items():
        step = min(FAN, 2 * FAN / len(nets))
        for number, net in enumerate(sorted(nets, key=lambda net: nets[net])):
            offset = pin.offset + step * (number - (len(nets) - 1) / 2)
            pins[pin, net] = Pin(pin.slot, offset, pin.left)
    return {
        wire: [replace(first, start=pins[first.start, first.net]), *others]
        for wire, (first, *others) in made.hops.items()
    }


def _order(made: Layers) -> None:
    """Barycentres: slots in the order of the mean height of what they are connected with, layer by layer, there and
    back; the order with the fewest crossings stays."""
    near, different = made.near(), made.different()
    best, fewest = [list(layer) for layer in made.slots], _crossings(made, different)
    for sweep in range(SWEEPS):
        layers = made.slots if sweep % 2 == 0 else made.slots[::-1]
        position = _positions(made)
        for layer in layers:
            layer.sort(key=lambda slot: _barycentre(slot, near[slot], position, sweep))
            position |= {slot: place for place, slot in enumerate(layer)}
        crossings = _crossings(made, different)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in made.slots], crossings
    made.slots[:] = best


def _positions(made: Layers) -> dict[Slot, float]:
    return {slot: place for layer in made.slots for place, slot in enumerate(layer)}


def _barycentre(slot: Slot, near: list[tuple[Pin, Pin]], position: Mapping[Slot, float], sweep: int) -> float:
    """Where a slot wants to be: at what lies before it, or, on the way back, behind it."""
    ahead = sweep % 2 == 0
    wanted = [
        _end(other, position) for own, other in near if own.left != ahead or other.slot.layer == slot.layer
    ]
    return sum(wanted) / len(wanted) if wanted else position[slot]


def _end(pin: Pin, position: Mapping[Slot, float]) -> float:
    """A pin's place in its layer: slots count 1, and it lies within one."""
    return position[pin.slot] + pin.offset / (pin.slot.height + 1)


def _crossings(made: Layers, different: Iterable[Hop]) -> int:
    """How often hops between neighbouring layers cross, as inversions of their ends."""
    position = _positions(made)
    channels: dict[int, set[tuple[float, float]]] = defaultdict(set)
    for hop in different:
        left, right = (hop.start, hop.stop) if hop.start.left else (hop.stop, hop.start)
        if left.left != right.left:
            channels[hop.channel].add((_end(left, position), _end(right, position)))
    total = 0
    for pairs in channels.values():
        seen: list[float] = []
        for _, right_end in sorted(pairs):
            total += len(seen) - bisect_left(seen, right_end + 1e-9)
            insort(seen, right_end)
    return total
