"""Second step of building: what each node reads; points, chains, sends and buses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from djgraph.graph.draft import EffectDraft, InputDraft, OwnerDraft, PlacedPoint, SumDraft, SwitchDraft
from djgraph.graph.ir import Point
from djgraph.graph.placed import PlacedGraph
from djgraph.graph.spaces import Given, Space, Spaces
from djgraph.language.model import Strip
from djgraph.language.site import Site
from djgraph.language.switches import place_of


class Wirer:
    """Connects drafts.

    ``problems`` fills with what cannot be connected, ``missing`` with names of signals, buses and nodes that nothing
    has; ``read`` with the strips and buses of which something names a point, ``heard`` with outputs of parts likewise,
    ``given`` with what parts are given. ``silences`` take the place of inputs that parts are not given.
    """

    def __init__(
        self,
        inputs: Sequence[InputDraft],
        owners: Mapping[str, OwnerDraft],
        parts: Sequence[PlacedGraph] = (),
    ) -> None:
        self._owners = owners
        self._parts = parts
        self._spaces = Spaces(inputs, owners, parts)
        self._starts: dict[str, Point | None] = {}
        self._followed: list[Given] = []
        self.problems = self._spaces.problems
        self.missing = self._spaces.missing
        self.silences = self._spaces.silences
        self.read: set[str] = set()
        self.heard: set[Given] = set()
        self.given: list[tuple[Given, Point | OwnerDraft | None]] = []

    def _in(self, site: Site) -> Space:
        """The names that are known at a place."""
        return self._spaces[site.space]

    def connect(self) -> None:
        """Give every effect and bus its sources."""
        for part in self._parts:
            self._check(part)
        for owner in self._owners.values():
            self._chain(owner)
        for owner in self._owners.values():
            self._ways_out(owner)
        for part in self._parts:
            seen: set[str] = set()
            for index, name in enumerate(part.model.to):
                site = part.site.below("to", index)
                if name in seen:
                    self.problems.append(site.problem(f"bus {name!r} is named twice"))
                seen.add(name)
                self._feed(name, self.point(part.model.as_, part.site.below("as")), site)

    def _check(self, part: PlacedGraph) -> None:
        """Note what a part's inputs and outputs are, whether anything reads them or not."""
        for signal in self._spaces[f"{part.name}."].signals.values():
            if isinstance(signal, Given):
                self.given.append((signal, self._follow(signal)))
        site = part.header.site.below("outputs")
        names: set[str] = set()
        for index, output in enumerate(part.header.model.outputs):
            if output.name in names:
                self.problems.append(
                    site.problem(f"a second output is called {output.name!r}", index, "name")
                )
            names.add(output.name)
            self.point(output.from_, site.below(index, "from"))

    def outputs_of(self, part: PlacedGraph) -> dict[str, Point]:
        """The points that a part's outputs are."""
        site = part.header.site.below("outputs")
        points = {
            output.name: self.point(output.from_, site.below(index, "from"))
            for index, output in enumerate(part.header.model.outputs)
        }
        return {name: point for name, point in points.items() if point is not None}

    def unheard(self) -> list[tuple[PlacedGraph, str, Point]]:
        """The outputs of parts that nothing reads."""
        return [
            (part, name, point)
            for part in self._parts
            for name, point in self.outputs_of(part).items()
            if self._in(part.site).outputs.get(f"{part.model.as_}.{name}") not in self.heard
        ]

    def given_points(self) -> list[tuple[PlacedPoint, int]]:
        """What parts are given for their inputs, and how many channels these have at most."""
        points = []
        for signal, located in self.given:
            point = self.start(located) if isinstance(located, OwnerDraft) else located
            if point is not None and signal.channels is not None:
                points.append((PlacedPoint(point, signal.site), signal.channels))
        return points

    def _within_part(self, name: str, site: Site) -> str | None:
        """What is said of a name that begins with that of a part."""
        for part in self._parts:
            own = part.model.as_
            if part.site.space == site.space and (name == own or name.startswith(f"{own}.")):
                outputs = ", ".join(f"{own}.{output.name}" for output in part.header.model.outputs)
                inputs = ", ".join(declared.name for declared in part.header.model.inputs)
                return (
                    f"{own!r} is a graph: only its outputs are signals here ({outputs}), "
                    f"and what goes in is said under its `inputs` ({inputs})"
                )
        return None

    def _follow(self, signal: Point | Given) -> Point | OwnerDraft | None:
        """What a signal is on the other side."""
        if isinstance(signal, Point):
            return signal
        if signal in self._followed:
            names = [given.text for given in self._followed[self._followed.index(signal) :]]
            circle = " → ".join([*names, names[0]])
            self.problems.append(signal.site.problem(f"the signal goes round in a circle: {circle}"))
            return None
        self._followed.append(signal)
        try:
            return self._locate(signal.text, signal.site, inputs_first=signal.channels is not None)
        finally:
            self._followed.pop()

    def end(self, owner: OwnerDraft) -> Point | None:
        """The end of a strip or bus: after its last node, or where it begins if it has none."""
        return owner.chain[-1].out if owner.chain else _passed_by(owner, self.start(owner))

    def start(self, owner: OwnerDraft) -> Point | None:
        """What a strip or bus has before its chain; None for a strip that makes its own sound.

        A strip may begin where another ends that has no chain either, and so on: followed in a loop, because
        such a row can be as long as the file.
        """
        passed: dict[str, OwnerDraft] = {}
        here: Point | OwnerDraft | None = owner
        while isinstance(here, OwnerDraft):
            model = here.placed.model
            if here.sum is not None:
                here = Point(here.sum.id)
            elif here.name in self._starts:
                start = self._starts[here.name]
                here = start if here is owner else _passed_by(here, start)
            elif here.name in passed:
                names = list(passed)
                circle = " → ".join([*names[names.index(here.name) :], here.name])
                message = f"strips read one another in a circle: {circle}"
                self.problems.append(here.site.problem(message, "input"))
                here = None
            elif isinstance(model, Strip) and model.input is not None:
                passed[here.name] = here
                here = self._read(model.input, here)
            else:
                if passed:
                    self._note_no_input(here, list(passed.values())[-1].site.below("input"))
                here = None
        for reader in reversed(passed.values()):
            self._starts[reader.name] = here
            here = _passed_by(reader, here)
        return self._starts[owner.name] if passed else here

    def _read(self, text: str, strip: OwnerDraft) -> Point | OwnerDraft | None:
        """What a strip's ``input`` names. By its bare name no strip means itself: an input is missing."""
        site = strip.site.below("input")
        space = self._in(site)
        if text == strip.placed.own_name and text not in space.signals and text not in space.stems:
            others = tuple(name for name in space.known_to_strips if name != text)
            self.missing.append(
                site.problem(f"there is no input {text!r}", allowed=others, name=text, seeks="signal")
            )
            return None
        return self._locate(text, site, inputs_first=True)

    def point(self, text: str, site: Site) -> Point | None:
        """The point that a text names; None, with the problem noted, where there is none."""
        located = self._locate(text, site)
        if not isinstance(located, OwnerDraft):
            return located
        start = self.start(located)
        if start is None and located.generates:
            self._note_no_input(located, site)
        return _passed_by(located, start)

    def _locate(self, text: str, site: Site, *, inputs_first: bool = False) -> Point | OwnerDraft | None:
        """A point, or a strip or bus, which then stands for where it begins.

        Strips and buses may be called like inputs and stems: a strip's ``input`` means the input then, and
        any other place the strip or bus.
        """
        name, at, rest = text.partition("@")
        if at:
            return self._locate_within(name, rest, site)
        space = self._in(site)
        owner, signal = space.owners.get(name), space.signals.get(name)
        if signal is not None and (inputs_first or owner is None):
            return self._follow(signal)
        if name in space.stems and (inputs_first or owner is None):
            message = f"input {name!r} has stems; name one of them"
            hint = f"`{name}@output` is the {owner.placed.kind} of that name" if owner else None
            self.problems.append(site.problem(message, allowed=space.stems[name], hint=hint))
            return None
        if owner is not None:
            self.read.add(owner.name)
            return owner.chain[-1].out if owner.chain else owner
        if name in space.outputs:
            self.heard.add(space.outputs[name])
            return self._follow(space.outputs[name])
        known = space.known_to_strips if inputs_first else space.known
        message, hint = f"there is no signal called {name!r}", self._within_part(name, site)
        self.missing.append(site.problem(message, allowed=known, name=name, hint=hint, seeks="signal"))
        return None

    def _locate_within(self, name: str, rest: str, site: Site) -> Point | OwnerDraft | None:
        owners = self._in(site).owners
        owner = owners.get(name)
        if owner is None:
            message = f"there is no strip or bus {name!r}"
            hint = self._within_part(name, site)
            self.missing.append(
                site.problem(message, allowed=tuple(owners), name=name, hint=hint, seeks="signal")
            )
            return None
        self.read.add(owner.name)
        if rest == "input":
            return owner
        if rest == "output":
            return owner.chain[-1].out if owner.chain else owner
        node_name, _, port = rest.partition(".")
        node = owner.nodes.get(node_name)
        if node is None:
            known = [*owner.nodes, "input", "output"]
            message = f"{owner.placed.kind} {name!r} has no node {node_name!r}"
            self.missing.append(site.problem(message, allowed=known, name=node_name, seeks="signal"))
            return None
        if not port or (isinstance(node, EffectDraft) and node.effect is None):
            return node.out
        if isinstance(node, SumDraft):
            self.problems.append(site.problem(f"a switch has one output: {name}@{node_name}"))
            return None
        assert node.effect is not None
        ports = [output.name for output in node.effect.outputs]
        if port not in ports:
            message = f"{node.effect.type} has no output port {port!r}"
            self.problems.append(site.problem(message, allowed=ports, name=port))
            return None
        return Point(node.id, port)

    def _chain(self, owner: OwnerDraft) -> None:
        start = self.start(owner)
        generates = owner.generates
        if generates and not owner.chain:
            self._note_silent(owner)
        for node in owner.chain:
            if isinstance(node, SumDraft):
                node.sources += [PlacedPoint(one.out, one.site) for one in node.feeds]
            elif node.effect is not None:
                first = generates and node.before is None
                if not node.effect.inputs:
                    if not first:
                        message = f"{node.effect.type} makes sound of its own and reads nothing"
                        hint = "it can only be the first of a strip without `input`"
                        self.problems.append(node.site.problem(message, "effect", hint=hint))
                else:
                    if first:
                        self._note_silent(owner)
                    current = start if node.before is None else node.before.out
                    site = owner.site.below("input") if node.before is None else node.before.site
                    if current is not None:
                        node.sources[node.effect.inputs[0].name] = PlacedPoint(current, site)
                self._ports(node)

    def _ports(self, node: EffectDraft) -> None:
        """The further input ports, in the effect's order."""
        assert node.effect is not None
        rest = [port.name for port in node.effect.inputs[1:]]
        first = [port.name for port in node.effect.inputs[:1]]
        for port in node.ports:
            if port in first:
                message = f"port {port!r} of {node.effect.type} is what the chain goes through"
                self.problems.append(node.site.problem(message, "inputs", port, key=True, allowed=rest))
            elif port not in rest:
                message = f"{node.effect.type} has no input port {port!r} beside the chain"
                self.problems.append(
                    node.site.problem(message, "inputs", port, key=True, allowed=rest, name=port)
                )
        defaults = {port.name: port.default for port in node.effect.inputs}
        for port in rest:
            default = defaults[port]
            if port not in node.ports and default is not None:
                if default in node.sources:
                    node.sources[port] = node.sources[default]
                continue
            if port not in node.ports:
                message = f"input port {port!r} of {node.effect.type} is not connected"
                self.problems.append(node.site.problem(message, hint=f"inputs: {{{port}: a strip or bus}}"))
                continue
            site = node.site.below("inputs", port)
            point = self.point(node.ports[port], site)
            if point is not None:
                node.sources[port] = PlacedPoint(point, site)

    def _ways_out(self, owner: OwnerDraft) -> None:
        """Feed buses: first the strip's or bus's end, then its sends."""
        model = owner.placed.model
        seen: set[str] = set()
        end = self.end(owner)
        for index, name in enumerate(model.to):
            site = owner.site.below("to", index)
            if name in seen:
                self.problems.append(site.problem(f"bus {name!r} is named twice"))
            seen.add(name)
            self._feed(name, end, site)
        if owner.way_out is not None:
            self._route(owner.way_out, end)
        for index, (send, node) in enumerate(zip(model.sends, owner.sends, strict=True)):
            site = owner.site.below("sends", index)
            tap = self._tap(owner, send.tap, site.below("tap"))
            if node is not None:
                if node.effect is not None and tap is not None:
                    node.sources[node.effect.inputs[0].name] = PlacedPoint(tap, site)
                tap = node.out
            if index in owner.send_switches:
                self._route(owner.send_switches[index], tap)
            elif send.to is not None:
                back = owner.feedback.get(index)
                if back is not None and tap is not None:
                    back.source = PlacedPoint(tap, site)
                    if back.held is not None and back.held.effect is not None:
                        back.held.sources[back.held.effect.inputs[0].name] = back.source
                        back.source = PlacedPoint(back.held.out, site)
                    tap = back.out
                self._feed(send.to, tap, site.below("to"))
        if model.fader is not None and model.fader not in owner.nodes:
            known = list(owner.nodes)
            message = f"{owner.placed.kind} {owner.name!r} has no node {model.fader!r}"
            self.missing.append(
                owner.site.problem(message, "fader", allowed=known, name=model.fader, seeks="signal")
            )

    def _route(self, switch: SwitchDraft, point: Point | None) -> None:
        """Feed what a switch chooses."""
        for choice, buses in switch.model.choices.items():
            route = switch.routes.get(choice)
            if route is None:
                continue
            if route.effect is not None and point is not None:
                route.sources[route.effect.inputs[0].name] = PlacedPoint(point, switch.site)
            here = switch.site.below("choices", *place_of(switch.model.written()["choices"], choice))
            for index, bus in enumerate(buses):
                self._feed(str(bus), route.out, here.below(index) if len(buses) > 1 else here)

    def _feed(self, bus: str, point: Point | None, site: Site) -> None:
        owner = self._in(site).owners.get(bus)
        if owner is None or owner.sum is None:
            what = (
                f"{bus!r} is a strip, and only a bus takes signals in"
                if owner
                else f"there is no bus {bus!r}"
            )
            hint = self._within_part(bus, site)
            self.missing.append(
                site.problem(what, allowed=self._in(site).buses, name=bus, hint=hint, seeks="bus")
            )
        elif point is not None:
            owner.sum.sources.append(PlacedPoint(point, site))

    def _tap(self, owner: OwnerDraft, tap: str, site: Site) -> Point | None:
        if tap == "post":
            return self.end(owner)
        names = list(owner.nodes)
        if tap == "input":
            if owner.generates:
                self._note_no_input(owner, site)
            return self.start(owner)
        if tap == "pre":
            fader = owner.placed.model.fader or "fader"
            if fader in names:
                before = getattr(owner.nodes[fader], "before", None)
                if before is None and owner.generates:
                    self._note_no_input(owner, site)
                return self.start(owner) if before is None else before.out
            if owner.placed.model.fader is None:
                hint = "name it with `fader: <node id>`, or give the node the id `fader`"
                message = f"tap `pre` means before the fader, and {owner.name!r} says no node is its fader"
                self.missing.append(site.problem(message, hint=hint, allowed=names, seeks="signal"))
            return None
        node = owner.nodes.get(tap)
        if node is None:
            message = f"{owner.placed.kind} {owner.name!r} has no node {tap!r}"
            known = ["post", "pre", "input", *names]
            self.missing.append(site.problem(message, allowed=known, name=tap, seeks="signal"))
            return None
        return node.out

    def _note_silent(self, owner: OwnerDraft) -> None:
        hint = "give it an `input`, or begin its chain with an effect that makes sound of its own"
        self.problems.append(owner.site.problem(f"strip {owner.name!r} reads nothing", hint=hint))

    def _note_no_input(self, owner: OwnerDraft, site: Site) -> None:
        message = f"strip {owner.name!r} reads nothing, so there is no signal before its chain"
        self.missing.append(site.problem(message, seeks="signal"))


def _passed_by(owner: OwnerDraft, start: Point | None) -> Point | None:
    """What a strip or bus gives where it begins, under its name if it has no chain."""
    return start if start is None or owner.chain else replace(start, of=owner.name)
