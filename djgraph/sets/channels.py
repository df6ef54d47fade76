"""The strips and buses of a graph as channels of a DAW: volumes, devices, sends, and where each leads."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from djgraph.daw import Band, Channel, Device, Lane, LanePoint, Send
from djgraph.effects import Control
from djgraph.effects.roles import FADER
from djgraph.graph.ir import EffectNode, Graph, Owner
from djgraph.graph.links import Link, levels_of, links, tap_of
from djgraph.sets.courses import Courses

Array = NDArray[np.float64]

SILENT = -60.0
"""dB that stand for silence in equalisers and levels that are said in dB."""
NEAR = 0.1
"""dB by which a lane in dB may differ from the amplitudes that it is made of."""
NEAR_PITCH = 0.01
"""Share by which a lane in Hz may differ."""
NEAR_POSITION = 0.001
"""Of a knob's travel, by which a lane may differ."""


class Channels:
    """The channels of a graph, by the names of its strips and buses.

    Only what leads to the main output has one. ``notes`` says what of the graph a DAW's mixer has no place for.
    """

    def __init__(self, graph: Graph, courses: Courses) -> None:
        self._graph, self._courses = graph, courses
        self.links = links(graph)
        self.main = self._main()
        self.notes: list[str] = []
        self.by_name: dict[str, Channel] = {}
        heard = self._heard()
        for owner in graph.owners:
            if owner.name in heard:
                self.by_name[owner.name] = self._channel(owner, heard)
        for link in self.links:
            if link.kind == "port" and link.target in heard and link.source not in heard:
                self.notes.append(f"Left out: {link.source}, which {link.target} reads at {link.port}.")
        if len(graph.outputs) > 1:
            self.notes.append(f"Left out: the outputs {', '.join(list(graph.outputs)[1:])}.")

    def plain(self, name: str, to: str) -> Channel:
        """A channel that lets everything pass."""
        return Channel(name, Lane.constant(f"{name} volume", "amplitude", 0.0, 1.0, 1.0), to=to)

    def _main(self) -> str:
        first = next(iter(self._graph.outputs))
        return next(link.source for link in self.links if link.kind == "output" and link.target == first)

    def _heard(self) -> set[str]:
        """The strips and buses that lead to the main output."""
        before: dict[str, list[str]] = defaultdict(list)
        for link in self.links:
            if link.kind in ("to", "send", "input"):
                before[link.target].append(link.source)
        heard, left = {self.main}, [self.main]
        while left:
            new = [name for name in before[left.pop()] if name not in heard]
            heard.update(new)
            left += new
        return heard

    def _channel(self, owner: Owner, heard: set[str]) -> Channel:
        fader = self._fader(owner)
        before = ""
        volume = Lane.constant(f"{owner.name} volume", "amplitude", 0.0, 1.0, 1.0)
        devices = []
        for name in owner.nodes:
            node = self._graph.by_id[name]
            if not isinstance(node, EffectNode) or name in owner.branches:
                continue
            source = next(iter(node.sources.values())).node if node.sources else before
            if before and source != before and not any(note.startswith(owner.name) for note in self.notes):
                self.notes.append(f"{owner.name} has chains side by side; here their effects stand in a row.")
            before = name
            if fader is not None and fader[0] is node:
                volume = self._level(node, fader[1])
            if not (fader is not None and fader[0] is node and len(node.effect.controls) == 1):
                devices.append(self._device(owner, node))
        ways = [link for link in self.links if link.source == owner.name and link.target in heard]
        to, sends = "", []
        for link in ways:
            if link.feedback:
                self.notes.append(f"Left out: the way of {owner.name} back to {link.target}, a loop.")
            elif link.kind == "to" and not to:
                to = link.target
            elif link.kind in ("to", "send", "input"):
                sends.append(self._send(owner, link))
            elif link.kind == "port":
                self.notes.append(f"Left out: {owner.name} at the port {link.port} of {link.target}.")
        if not to and sends and owner.name != self.main:
            whole = next(
                (send for send in sends if not (send.pre or send.level.moves) and send.level.first == 1), None
            )
            if whole is not None:
                to = whole.to
                sends.remove(whole)
        return Channel(owner.name, volume, tuple(devices), tuple(sends), to)

    def _fader(self, owner: Owner) -> tuple[EffectNode, Control] | None:
        """The node and the control that are the fader of a strip or bus."""
        for column in self._graph.columns:
            if column.role != FADER or column.part is None or column.part.owner != owner.name:
                continue
            for name, control in column.drives:
                node = self._graph.by_id[name]
                if name in owner.nodes and isinstance(node, EffectNode):
                    return node, _control(node, control)
        if owner.fader is None:
            return None
        node = self._graph.by_id[owner.fader]
        assert isinstance(node, EffectNode)
        return node, next((one for one in node.effect.controls if one.role == FADER), node.effect.controls[0])

    def _level(self, node: EffectNode, control: Control) -> Lane:
        """A level as amplitudes."""
        lane = self._courses.lane(node, control)
        if control.unit != "dB":
            return dataclasses.replace(lane, unit="amplitude")
        lowest = control.min

        def amplitude(decibels: Array) -> Array:
            return np.where(decibels <= max(lowest, SILENT), 0.0, 10 ** (decibels / 20))

        return lane.said_as("amplitude", 0.0, 10 ** (control.max / 20), amplitude, 1e-3)

    def _send(self, owner: Owner, link: Link) -> Send:
        levels = levels_of(self._graph, owner, link) if link.kind == "send" else []
        tap = tap_of(self._graph, owner, link) if link.kind == "send" else "post"
        values: Array = np.ones(1)
        for node in levels:
            values = values * self._courses.values(node.bindings[node.effect.controls[0].id])
        name = f"{owner.name} to {link.target}"
        control = levels[0].effect.controls[0] if levels else Control(0, 1)
        lane = self._courses.lane_of(values, control, name, "amplitude")
        if tap not in ("post", "pre"):
            self.notes.append(
                f"The send of {owner.name} to {link.target} leaves at {tap}; here it leaves pre fader."
            )
        return Send(link.target, lane, pre=tap != "post")

    def _device(self, owner: Owner, node: EffectNode) -> Device:
        name = owner.name_of(node.id)
        make = _BANDS.get(node.effect.type)
        bands = () if make is None else make(self._courses, node)
        if bands:
            return Device(name, node.effect.type, bands=bands)
        lanes = [self._courses.lane(node, control) for control in node.effect.controls]
        return Device(name, node.effect.type, tuple(lanes))


def _control(node: EffectNode, name: str) -> Control:
    return next(control for control in node.effect.controls if control.id == name)


def _fixed(node: EffectNode, name: str, hertz: float) -> Lane:
    return Lane.constant(f"{node.id} {name}", "Hz", 20.0, 20000.0, hertz)


def _decibels(amplitudes: Array) -> Array:
    out: Array = 20 * np.log10(np.maximum(amplitudes, 10 ** (SILENT / 20)))
    return out


def _three_bands(courses: Courses, node: EffectNode) -> tuple[Band, ...]:
    """Low shelf, bell and high shelf in place of bands that crossovers cut."""
    settings = node.settings.model_dump()
    low, high = float(settings["low"]), float(settings["high"])
    bands = []
    for name, kind, hertz in (
        ("low", "lowShelf", low), ("mid", "bell", math.sqrt(low * high)), ("high", "highShelf", high),
    ):  # fmt: skip
        control = _control(node, name)
        gain = courses.lane(node, control)
        if control.unit != "dB":
            gain = gain.said_as("dB", SILENT, float(_decibels(np.array(control.max))), _decibels, NEAR)
        bands.append(Band(kind, _fixed(node, f"{name} frequency", hertz), gain))
    return tuple(bands)


def _sweep(courses: Courses, node: EffectNode) -> tuple[Band, ...]:
    """A sweepable filter: positions of its knob as frequencies."""
    kind = {"lowpass": "lowPass", "highpass": "highPass"}[node.effect.type]
    return (Band(kind, _hertz(courses.lane(node, _control(node, "cutoff")), node)),)


def _knob(courses: Courses, node: EffectNode) -> tuple[Band, ...]:
    """A lowpass to the left of a knob's middle, and a highpass to the right."""
    lane = courses.lane(node, node.effect.controls[0])
    left = lane.said_as("ratio", 0, 1, lambda knob: 1 - np.maximum(-knob, 0), NEAR_POSITION)
    right = lane.said_as("ratio", 0, 1, lambda knob: np.maximum(knob, 0), NEAR_POSITION)
    return (Band("lowPass", _hertz(left, node)), Band("highPass", _hertz(right, node)))


def _hertz(lane: Lane, node: EffectNode) -> Lane:
    """A lane of positions 0…1 as frequencies from a node's lowest to its highest, in equal ratios.

    Between two points DAWs go straight in Hz: a way of ratio e^a is cut into so many, n, that a chord of e^(a·u/n) is
    within :data:`NEAR_PITCH` of it, (a/n)²/8.
    """
    settings = node.settings.model_dump()
    low, high = float(settings["lowest"]), float(settings["highest"])
    span = math.log(high / low)
    points: list[LanePoint] = []
    for here, there in zip(lane.points, [*lane.points[1:], lane.points[-1]]):
        way = 0.0 if here.shape == "hold" else abs(there.value - here.value) * span
        pieces = max(1, math.ceil(way / math.sqrt(8 * NEAR_PITCH)))
        for share in (i / pieces for i in range(pieces)):
            position = here.value + (there.value - here.value) * (share if way else 0.0)
            beat = here.beat + (there.beat - here.beat) * share
            points.append(LanePoint(beat, low * math.exp(span * position), here.shape))
    return Lane(lane.name, "Hz", low, high, tuple(points))


_BANDS: dict[str, Callable[[Courses, EffectNode], tuple[Band, ...]]] = {
    "eq3": _three_bands,
    "isolator": _three_bands,
    "lowpass": _sweep,
    "highpass": _sweep,
    "filter_knob": _knob,
}
"""Shipped effects that DAWs have, too, as bands of an equaliser."""
