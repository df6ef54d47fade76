"""First step of building: resolve effects in the registry, check settings, and give every node its id."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, get_args

from pydantic import BaseModel, ValidationError

from djgraph.effects import Control, Effect, SourceEffect, Unit
from djgraph.errors import Problem
from djgraph.graph.controls import in_units
from djgraph.graph.draft import EffectDraft, FeedbackDraft, InputDraft, OwnerDraft, SumDraft, SwitchDraft
from djgraph.graph.placed import Placed, PlacedChain, PlacedOwner, PlacedSwitch
from djgraph.language.faults import Fault, explain
from djgraph.language.model import Header
from djgraph.language.parts import Node, Override, Source
from djgraph.language.quantity import Quantity, quantity
from djgraph.language.site import Site
from djgraph.language.switches import RouteSwitch
from djgraph.language.words import describe

SEND_EFFECT = "gain"
BEATS_EFFECT = "delay_beats"
"""What a loop with a delay in beats comes back through."""


class EffectRegistry(Protocol):
    """What building needs of a registry: name → anything with an ``effect`` class.

    :class:`djgraph.plugins.Registry` is one. Its ``hint()``, where it has one, says why a name may be missing.
    """

    @property
    def effects(self) -> Mapping[str, Any]: ...


class Declarer:
    """Makes drafts of inputs, strips and buses. ``problems`` fills with what is wrong."""

    def __init__(self, registry: EffectRegistry, sample_rate: int) -> None:
        self._registry = registry
        self._sample_rate = sample_rate
        hint = getattr(registry, "hint", None)
        self._hint = hint() if callable(hint) else None
        self.problems: list[Problem] = []

    def inputs(self, header: Placed[Header]) -> list[InputDraft]:
        drafts = []
        for index, source in enumerate(header.model.inputs):
            site = header.site.below("inputs", index)
            if not source.stems:
                drafts.append(
                    InputDraft(f"in:{source.name}", source.name, None, source.channels, source.optional, site)
                )
            for number, stem in enumerate(source.stems):
                drafts.append(
                    InputDraft(
                        f"in:{source.name}.{stem.name}",
                        source.name,
                        stem.name,
                        source.channels,
                        source.optional or stem.optional,
                        site.below("stems", number),
                    )
                )
        return drafts

    def owners(self, placed: Iterable[PlacedOwner]) -> dict[str, OwnerDraft]:
        """Strips and buses by name, in document order; one name for two is a problem."""
        owners: dict[str, OwnerDraft] = {}
        for item in placed:
            first = owners.get(item.name)
            if first is not None:
                message = f"{item.name!r} is the name of a {first.placed.kind} already, {first.site.where()}"
                self.problems.append(item.site.problem(message, item.kind))
                continue
            owners[item.name] = self._owner(item)
        return owners

    def _owner(self, item: PlacedOwner) -> OwnerDraft:
        total = SumDraft(f"sum:{item.name}", item.site) if item.kind == "bus" else None
        owner = OwnerDraft(item, [], [], total, [])
        if total is not None:
            total.channels = item.model.channels
        last = self._chain(owner, item.chain, {}, None)
        if item.model.mute or item.model.solo is not False:
            owner.mute = self._route(item.name, "mute", "solo", item.site)
            owner.mute.before = last
            owner.chain.append(owner.mute)
        if total is None:
            for node in owner.chain:
                if isinstance(node, EffectDraft) and node.before is None:
                    node.channels = item.model.channels
        if item.model.switch is not None:
            owner.way_out = self._routes(owner, "to", item.model.switch, item.site.below("switch"))
        targets: set[str] = set()
        for index, send in enumerate(item.model.sends):
            site = item.site.below("sends", index)
            name = send.name or send.to or ""
            if name in targets:
                message = f"{item.name!r} has a send {'called' if send.name else 'to'} {name!r} already"
                hint = "two sends to one bus need two names: `name: …`"
                self.problems.append(site.problem(message, "name" if send.name else "to", hint=hint))
                name = f"{name}_{index + 1}"  # so that its column is not told as well
            targets.add(name)
            owner.sends.append(self._send(item.name, name, send.level, site))
            if send.feedback:
                owner.feedback[index] = self._back(item.name, name, send.delay, site)
            elif send.delay is not None:
                hint = "`feedback: true` closes a loop; a delay by itself is an effect, `delay_samples` or `delay`"
                message = "only a send with `feedback: true` has a `delay`"
                self.problems.append(site.problem(message, "delay", key=True, hint=hint))
            if send.switch is not None:
                owner.send_switches[index] = self._routes(owner, name, send.switch, site.below("switch"))
        return owner

    def _chain(
        self,
        owner: OwnerDraft,
        items: PlacedChain,
        sites: dict[str, Site],
        before: EffectDraft | SumDraft | None,
    ) -> EffectDraft | SumDraft | None:
        """Put a chain behind ``before``, and return its last. sites: where the nodes of the whole owner stand."""
        for placed in items:
            if isinstance(placed, PlacedSwitch):
                before = self._switch(owner, placed, sites, before)
                continue
            node = self.node(owner.name, placed)
            if self._is_new(owner, node.name, placed.site, sites):
                node.before = before
                owner.chain.append(node)
                before = node
        return before

    def _is_new(self, owner: OwnerDraft, name: str, site: Site, sites: dict[str, Site]) -> bool:
        if name in sites:
            message = f"{owner.name!r} has a node {name!r} already, {sites[name].where()}"
            self.problems.append(site.problem(message, "id", hint="give one of them another `id`", name=None))
            return False
        sites[name] = site
        return True

    def _switch(
        self,
        owner: OwnerDraft,
        placed: PlacedSwitch,
        sites: dict[str, Site],
        before: EffectDraft | SumDraft | None,
    ) -> EffectDraft | SumDraft | None:
        """A switch among chains: a route into each, and the sum of what they give."""
        model, site = placed.model, placed.site
        name = model.id or model.switch or (model.by or "").rpartition(".")[2]
        if not self._is_new(owner, name, site, sites):
            return before
        draft = SwitchDraft(model.switch or model.by or "", model.by is not None, model, site)
        owner.switches.append(draft)
        total = SumDraft(f"sum:{owner.name}.{name}", site, name=name)
        for choice, chain in zip(model.choices, placed.chains, strict=True):
            route = self._route(owner.name, name, choice, site)
            route.before = before
            draft.routes[choice] = route
            owner.chain.append(route)
            last = self._chain(owner, chain, sites, route)
            assert last is not None
            total.feeds.append(last)
        owner.chain.append(total)
        return total

    def _routes(self, owner: OwnerDraft, name: str, model: RouteSwitch, site: Site) -> SwitchDraft:
        """A switch among buses: a route to each choice that feeds any."""
        draft = SwitchDraft(model.name or model.by or "", model.by is not None, model, site)
        owner.switches.append(draft)
        for choice, buses in model.choices.items():
            if buses:
                draft.routes[choice] = self._route(owner.name, name, choice, site)
        return draft

    def _route(self, owner: str, name: str, choice: str, site: Site) -> EffectDraft:
        """One way of a switch: a gain that the switch drives."""
        entry = self._registry.effects.get(SEND_EFFECT)
        effect: type[Effect] | None = entry.effect if entry is not None else None
        node = f"{name}:{choice}"
        if effect is None:
            message = f"a switch needs the effect {SEND_EFFECT!r}, which no plugin provides"
            self.problems.append(site.problem(message, hint=self._hint))
            return EffectDraft(f"{owner}.{node}", owner, node, None, None, {}, site, is_route=True)
        return EffectDraft(
            f"{owner}.{node}",
            owner,
            node,
            effect,
            effect.Settings(),
            {},
            site,
            is_route=True,
            controls=effect.controls,
        )

    def node(self, owner: str, placed: Placed[Node]) -> EffectDraft:
        """The draft of one node of an owner's chain."""
        model, site = placed.model, placed.site
        effect = self.effect(model.effect, site)
        if effect is not None and issubclass(effect, SourceEffect):
            message = f"{model.effect} makes an input's sound, and is no part of a chain"
            hint = f"it stands at an input: {{name: …, source: {model.effect}}}"
            self.problems.append(site.problem(message, "effect", hint=hint))
            effect = None
        return self._draft(owner, model.id or model.effect, effect, model, site, ports=model.inputs)

    def _draft(
        self,
        owner: str,
        name: str,
        effect: type[Effect] | None,
        model: Node | Source,
        site: Site,
        *,
        ports: Mapping[str, str] | None = None,
        is_source: bool = False,
    ) -> EffectDraft:
        settings = self._settings(effect, model.settings, site) if effect is not None else None
        controls = self._controls(effect, site) if effect is not None else ()
        return EffectDraft(
            f"{owner}.{name}",
            owner,
            name,
            effect,
            settings,
            {key: self._in_units(one, key, controls, site) for key, one in model.controls.items()},
            site,
            controls=controls,
            ports=ports or {},
            is_source=is_source,
        )

    def sources(self, header: Placed[Header]) -> dict[str, EffectDraft]:
        """What plays inputs, by input."""
        drafts: dict[str, EffectDraft] = {}
        for index, item in enumerate(header.model.inputs):
            if item.source is None or item.name in drafts:
                continue
            site = header.site.below("inputs", index).below("source")
            effect = self.effect(item.source.effect, site, source=True)
            if effect is not None and not issubclass(effect, SourceEffect):
                message = f"{item.source.effect} works on a signal, and cannot play an input"
                self.problems.append(
                    site.problem(message, "effect", allowed=self._known(True), name=item.source.effect)
                )
                effect = None
            drafts[item.name] = self._draft(
                item.name, item.source.effect, effect, item.source, site, is_source=True
            )
        return drafts

    def _controls(self, effect: type[Effect], site: Site) -> tuple[Control, ...]:
        """The effect's controls as they are at the graph's sample rate."""
        controls = tuple(control.at_rate(self._sample_rate) for control in effect.controls)
        for control in controls:
            if not control.min < control.max:
                message = (
                    f"{effect.type} does not run at {self._sample_rate} Hz: its {control.id} begins at "
                    f"{control.min:g} {control.unit} and has to stay below {control.max:g}"
                )
                self.problems.append(site.problem(message, "effect"))
        return controls

    def _in_units(self, override: Override, name: str, known: Iterable[Control], site: Site) -> Override:
        control = next((one for one in known if name == one.id or name in one.aliases), None)
        if control is None:
            return override  # a problem that binding tells
        changed, problems = in_units(override, control, site.below("controls", name))
        self.problems += problems
        return changed

    def effect(self, name: str, site: Site, *, source: bool = False) -> type[Effect] | None:
        """The effect that a node names, or what plays an input; None, with the problem noted, where there is none."""
        entry = self._registry.effects.get(name)
        if entry is not None:
            effect: type[Effect] = entry.effect
            return effect
        known = self._known(source)
        message = f"there is no {'source ' * source}effect {name!r}"
        self.problems.append(site.problem(message, "effect", allowed=known, name=name, hint=self._hint))
        return None

    def _known(self, source: bool) -> list[str]:
        """The names of all source effects, or of all others."""
        effects = self._registry.effects.items()
        return sorted(name for name, entry in effects if issubclass(entry.effect, SourceEffect) == source)

    def _settings(self, effect: type[Effect], given: Mapping[str, Any], site: Site) -> BaseModel | None:
        # As JSON, because pydantic's strict mode then allows exactly what a file can say: a list for a
        # tuple, a text for an enumeration, but no text for a number.
        place = site.below("settings")
        given, faults = _plain_settings(effect.Settings, given)
        faults = [*_true_for_one(effect.Settings, given), *faults]
        told = {fault.loc for fault in faults}
        # What names a file finds it from there, as djgraph.audio.SoundFile does.
        folder = None if site.source.file is None else Path(site.source.file).parent
        try:
            settings = effect.Settings.model_validate_json(
                json.dumps(given), strict=True, context={"folder": folder}
            )
        except ValidationError as error:
            ids = [control.id for control in effect.controls]
            found = explain(error, effect.Settings, effect.type, ids)
            faults += [fault for fault in found if fault.loc not in told]
        self.problems += [place.fault(fault) for fault in faults]
        return None if faults else settings

    def _send(self, owner: str, name: str, level: Override, site: Site) -> EffectDraft | None:
        """A send's node; None where it needs none, for its level is exactly 1."""
        entry = self._registry.effects.get(SEND_EFFECT)
        effect: type[Effect] | None = entry.effect if entry is not None else None
        node = f"send:{name}"
        if effect is None:
            if level.value == 1.0:
                return None
            message = f"a send needs the effect {SEND_EFFECT!r}, which no plugin provides"
            self.problems.append(site.problem(message, hint=self._hint))
            return EffectDraft(f"{owner}.{node}", owner, node, None, None, {}, site, is_send=True)
        control = effect.controls[0]
        level, problems = in_units(level, control, site.below("level"))
        self.problems += problems
        if level.value == 1.0:
            return None
        label = f"Send to {name.replace('_', ' ').replace('.', ' ')}"
        return EffectDraft(
            f"{owner}.{node}",
            owner,
            node,
            effect,
            effect.Settings(),
            {control.id: level},
            site,
            is_send=True,
            controls=(control.replace(default=0.0, neutral=0.0, label=label, aliases=(), role=""),),
        )

    def _back(self, owner: str, name: str, delay: Any, site: Site) -> FeedbackDraft:
        """A way back; delay: in ms, a quantity in beats, or None."""
        back = FeedbackDraft(f"{owner}.feedback:{name}", 0.0, site)
        if not isinstance(delay, Quantity):
            back.milliseconds = delay or 0.0
            return back
        entry = self._registry.effects.get(BEATS_EFFECT)
        node, effect, settings = f"beats:{name}", None, None
        if entry is None:
            message = f"a delay in beats needs the effect {BEATS_EFFECT!r}, which no plugin provides"
            self.problems.append(site.problem(message, "delay", hint=self._hint))
        else:
            effect = entry.effect
            settings = effect.Settings(beats=delay.plain("beats"))
        back.held = EffectDraft(f"{owner}.{node}", owner, node, effect, settings, {}, site)
        return back


def _true_for_one(settings: type[BaseModel], given: Mapping[str, Any]) -> Iterator[Fault]:
    """``true`` equals 1, so that pydantic takes it where 1 is a choice."""
    for name, value in given.items():
        field = settings.model_fields.get(name)
        choices = get_args(field.annotation) if field is not None else ()
        if isinstance(value, bool) and value in choices and not any(isinstance(one, bool) for one in choices):
            yield Fault(f"{describe(value)} is not allowed here", (name,), tuple(map(str, choices)))


def _plain_settings(
    settings: type[BaseModel], given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Fault]]:
    """Settings with plain numbers in place of quantities (``375 ms``), where a setting says its unit."""
    plain, faults = dict(given), []
    for name, field in settings.model_fields.items():
        declared = next((item for item in field.metadata if isinstance(item, Unit)), None)
        if declared is None or name not in given:
            continue
        unit = declared.name or _named_by(settings, declared.by, given)
        value = given[name]
        items = value if isinstance(value, list | tuple) else [value]
        made = []
        for index, item in enumerate(items):
            loc = (name, index) if items is value else (name,)
            number, fault = _in_unit(item, name, unit, loc)
            faults += [fault] if fault is not None else []
            made.append(number)
        plain[name] = made if items is value else made[0]
    return plain, faults


def _named_by(settings: type[BaseModel], by: str, given: Mapping[str, Any]) -> str:
    """The unit that another setting says, as given or by default."""
    said = given.get(by, settings.model_fields[by].default)
    return said if isinstance(said, str) else ""


def _in_unit(value: Any, name: str, unit: str, loc: tuple[str | int, ...]) -> tuple[Any, Fault | None]:
    """A quantity as a plain number; what is none stays as it is."""
    said = quantity(value)
    if said is None:
        return value, None
    number = said.plain(unit)
    if number is None:
        return value, Fault(f"{said} does not fit {name}, which is in {unit}", loc)
    return float(f"{number:.12g}"), None
