"""The first half of a layered layout after Sugiyama, Tagawa and Toda (IEEE Trans. SMC 11(2), 1981): boxes in layers
from left to right, lanes for edges that pass a layer, and an order within layers that crosses few edges.

An edge is a row of *hops*, each from one side of a *channel* (the space between two layers) to the other. Where it
passes a layer it has a *lane*, a slot of its own between the boxes, and so it never runs behind one. Edges of a kind
that end at one row share lanes. An edge that leads back, in a circle of strips or within a layer, leaves its box to the
right, turns into a lane of that layer and runs to the left.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import networkx as nx

from djgraph.drawing.picture import Edge, EdgeKind
from djgraph.drawing.sizes import SizedBox

FAN = 6
"""Between two lines that leave one row; several share twice as much."""
LANE = 12
"""Height of a lane."""
SWEEPS = 12
"""Passes over all layers that look for fewer crossings."""


@dataclass(eq=False)
class Slot:
    """A box's or a lane's place in a layer."""

    layer: int
    box: SizedBox | None = None
    y: float = 0.0

    @property
    def height(self) -> float:
        return self.box.height if self.box else LANE


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


Net = tuple[str, int, EdgeKind, bool]
"""Edges that are drawn as one where they meet: the row that they lead to (of a knob's edges: that they come from),
their kind, and whether they lead back."""


@dataclass(frozen=True)
class Hop:
    """A way through a channel; channel *c* is behind layer *c*."""

    channel: int
    start: Pin
    stop: Pin
    net: Net


@dataclass
class Layers:
    """Slots by layer, in order from the top, and each edge's hops."""

    slots: list[list[Slot]] = field(default_factory=list)
    hops: dict[Edge, list[Hop]] = field(default_factory=dict)

    def different(self) -> list[Hop]:
        """All hops, each once: edges share those between lanes, as the same objects."""
        return list({id(hop): hop for hops in self.hops.values() for hop in hops}.values())

    def near(self) -> dict[Slot, list[tuple[Pin, Pin]]]:
        """Slot → each of its pins with the one that it is connected with."""
        near: dict[Slot, list[tuple[Pin, Pin]]] = {slot: [] for layer in self.slots for slot in layer}
        for hop in self.different():
            near[hop.start.slot].append((hop.start, hop.stop))
            near[hop.stop.slot].append((hop.stop, hop.start))
        return near


def layered(boxes: Mapping[str, SizedBox], edges: Sequence[Edge]) -> Layers:
    """Boxes in layers, edges as hops, ordered with few crossings."""
    numbers = _layers(boxes, edges)
    made = Layers([[] for _ in range(max(numbers.values(), default=0) + 1)])
    slots = {name: Slot(numbers[name], box) for name, box in boxes.items()}
    for slot in slots.values():
        made.slots[slot.layer].append(slot)
    lanes: dict[tuple[Net, int], Slot] = {}
    shared: dict[Hop, Hop] = {}
    for edge in edges:
        made.hops[edge] = _hops(edge, slots, lanes, shared)
    for (_, layer), lane in lanes.items():
        made.slots[layer].append(lane)
    _order(made)
    made.hops = _fanned_out(made)
    return made


def _layers(boxes: Mapping[str, SizedBox], edges: Sequence[Edge]) -> dict[str, int]:
    """The longest way that signals take to a box. Inputs and knobs stand just before what reads them, outputs last."""
    kinds = {name: sized.box.kind for name, sized in boxes.items()}
    forward = _without_circles(boxes, (edge for edge in edges if edge.kind != "control"))
    first = 1 if "input" in kinds.values() else 0
    numbers: dict[str, int] = {}
    for name in nx.topological_sort(forward):
        lowest = first if kinds[name] in ("strip", "bus") else 0
        numbers[name] = max((numbers[source] + 1 for source in forward.pred[name]), default=lowest)
        numbers[name] = max(numbers[name], lowest)
    last = max(numbers.values(), default=0)
    reads: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        reads[edge.source].append(edge.target)
    for name, kind in kinds.items():
        if kind == "output":
            numbers[name] = last
    for name, kind in kinds.items():
        if kind in ("input", "knob") and reads[name]:
            numbers[name] = min(numbers[target] for target in reads[name]) - 1
    least = min(numbers.values(), default=0)
    return {name: number - least for name, number in numbers.items()}


def _without_circles(boxes: Iterable[str], edges: Iterable[Edge]) -> nx.DiGraph:
    """The edges that lead forward. Signals never go in a circle, but strips and buses may feed one another (one's
    sidechain is another that reads it): of such a group those edges are left out that lead to an earlier one."""
    graph = nx.DiGraph()
    graph.add_nodes_from(boxes)
    graph.add_edges_from((edge.source, edge.target) for edge in edges)
    place = {name: index for index, name in enumerate(boxes)}
    for group in list(nx.strongly_connected_components(graph)):
        inner = [edge for edge in graph.subgraph(group).edges if place[edge[1]] <= place[edge[0]]]
        graph.remove_edges_from(inner)
    return graph


def _hops(
    edge: Edge,
    slots: Mapping[str, Slot],
    lanes: dict[tuple[Net, int], Slot],
    shared: dict[Hop, Hop],
) -> list[Hop]:
    """An edge's way. lanes: those of each net by layer; shared: the hops behind the first; both fill."""
    source, target = slots[edge.source], slots[edge.target]
    assert source.box is not None
    assert target.box is not None
    back = target.layer <= source.layer
    knob = edge.kind == "control"
    net = (edge.source if knob else edge.target, 0 if knob else edge.target_row, edge.kind, back)
    here = Pin(source, source.box.port(edge.source_row, edge.kind, incoming=False), left=True)
    end = Pin(target, target.box.port(edge.target_row, edge.kind, incoming=True), left=False)
    hops: list[Hop] = []

    def go(channel: int, start: Pin, stop: Pin) -> None:
        """One hop. Edges of a net share those that begin and end alike."""
        hop = Hop(channel, start, stop, net)
        hops.append(shared.setdefault(hop, hop) if hops else hop)

    for layer in range(source.layer, target.layer - 1, -1) if back else range(source.layer + 1, target.layer):
        lane = lanes.setdefault((net, layer), Slot(layer))
        # Forward a lane is entered from the channel before its layer, backward from the one behind it.
        go(layer if back else layer - 1, here, Pin(lane, LANE / 2, left=back))
        here = Pin(lane, LANE / 2, left=not back)
    go(target.layer - 1, here, end)
    return hops


def _fanned_out(made: Layers) -> dict[Edge, list[Hop]]:
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
        edge: [replace(first, start=pins[first.start, first.net]), *others]
        for edge, (first, *others) in made.hops.items()
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
