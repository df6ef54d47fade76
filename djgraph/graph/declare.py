"""First step of building: resolve effects in the registry, check settings, and give every node its id."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, get_args

from pydantic import BaseModel, ValidationError

from djgraph.effects import Effect
from djgraph.errors import Problem
from djgraph.graph.draft import EffectDraft, InputDraft, OwnerDraft, SumDraft
from djgraph.graph.expand import Placed, PlacedOwner
from djgraph.language.faults import Fault, explain
from djgraph.language.model import Header
from djgraph.language.parts import Node, Override
from djgraph.language.site import Site
from djgraph.language.words import describe

CHANNELS = {"mono": 1, "stereo": 2}
SEND_EFFECT = "gain"


class EffectRegistry(Protocol):
    """What building needs of a registry: name → anything with an ``effect`` class.

    :class:`djgraph.plugins.Registry` is one. Its ``hint()``, where it has one, says why a name may be missing.
    """

    @property
    def effects(self) -> Mapping[str, Any]: ...


class Declarer:
    """Makes drafts of inputs, strips and buses. ``problems`` fills with what is wrong."""

    def __init__(self, registry: EffectRegistry) -> None:
        self._registry = registry
        hint = getattr(registry, "hint", None)
        self._hint = hint() if callable(hint) else None
        self.problems: list[Problem] = []

    def inputs(self, header: Placed[Header]) -> list[InputDraft]:
        drafts = []
        for index, source in enumerate(header.model.inputs):
            site = header.site.below("inputs", index)
            channels = CHANNELS[source.channels]
            if not source.stems:
                drafts.append(
                    InputDraft(f"in:{source.name}", source.name, None, channels, source.optional, site)
                )
            for number, stem in enumerate(source.stems):
                drafts.append(
                    InputDraft(
                        f"in:{source.name}.{stem.name}",
                        source.name,
                        stem.name,
                        channels,
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
        chain: list[EffectDraft] = []
        sites: dict[str, Site] = {}
        for placed in item.chain:
            node = self.node(item.name, placed)
            if node.name in sites:
                message = f"{item.name!r} has a node {node.name!r} already, {sites[node.name].where()}"
                self.problems.append(
                    placed.site.problem(message, "id", hint="give one of them another `id`", name=None)
                )
                continue
            sites[node.name] = placed.site
            chain.append(node)
        sends: list[EffectDraft | None] = []
        targets: set[str] = set()
        for index, send in enumerate(item.model.sends):
            site = item.site.below("sends", index)
            if send.to in targets:
                self.problems.append(site.problem(f"{item.name!r} has a send to {send.to!r} already", "to"))
            targets.add(send.to)
            sends.append(
                None if send.level.value == 1.0 else self._send(item.name, send.to, send.level, site)
            )
        total = SumDraft(f"sum:{item.name}", item.site) if item.kind == "bus" else None
        return OwnerDraft(item, chain, sends, total)

    def node(self, owner: str, placed: Placed[Node]) -> EffectDraft:
        """The draft of one node of an owner's chain."""
        model, site = placed.model, placed.site
        name = model.id or model.effect
        effect = self.effect(model.effect, site)
        settings = self._settings(effect, model.settings, site) if effect is not None else None
        return EffectDraft(
            f"{owner}.{name}",
            owner,
            name,
            effect,
            settings,
            model.controls,
            site,
            controls=effect.controls if effect is not None else (),
            ports=model.inputs,
        )

    def effect(self, name: str, site: Site) -> type[Effect] | None:
        """The effect that a node names; None, with the problem noted, where there is none."""
        entry = self._registry.effects.get(name)
        if entry is not None:
            effect: type[Effect] = entry.effect
            return effect
        known = sorted(self._registry.effects)
        message = f"there is no effect {name!r}"
        self.problems.append(site.problem(message, "effect", allowed=known, name=name, hint=self._hint))
        return None

    def _settings(self, effect: type[Effect], given: Mapping[str, Any], site: Site) -> BaseModel | None:
        # As JSON, because pydantic's strict mode then allows exactly what a file can say: a list for a
        # tuple, a text for an enumeration, but no text for a number.
        place = site.below("settings")
        if faults := list(_true_for_one(effect.Settings, given)):
            self.problems += [place.fault(fault) for fault in faults]
            return None
        # What names a file finds it from there, as djgraph.audio.SoundFile does.
        folder = None if site.source.file is None else Path(site.source.file).parent
        try:
            return effect.Settings.model_validate_json(
                json.dumps(given), strict=True, context={"folder": folder}
            )
        except ValidationError as error:
            ids = [control.id for control in effect.controls]
            self.problems += [
                place.fault(fault) for fault in explain(error, effect.Settings, effect.type, ids)
            ]
            return None

    def _send(self, owner: str, to: str, level: Override, site: Site) -> EffectDraft:
        entry = self._registry.effects.get(SEND_EFFECT)
        effect: type[Effect] | None = entry.effect if entry is not None else None
        if effect is None:
            message = f"a send needs the effect {SEND_EFFECT!r}, which no plugin provides"
            self.problems.append(site.problem(message, hint=self._hint))
            return EffectDraft(f"{owner}.send:{to}", owner, f"send:{to}", None, None, {}, site, is_send=True)
        control = effect.controls[0]
        label = f"Send to {to.replace('_', ' ').replace('.', ' ')}"
        return EffectDraft(
            f"{owner}.send:{to}",
            owner,
            f"send:{to}",
            effect,
            effect.Settings(),
            {control.id: level},
            site,
            is_send=True,
            controls=(control.replace(default=0.0, neutral=0.0, label=label, aliases=()),),
        )


def _true_for_one(settings: type[BaseModel], given: Mapping[str, Any]) -> Iterator[Fault]:
    """``true`` equals 1, so that pydantic takes it where 1 is a choice."""
    for name, value in given.items():
        field = settings.model_fields.get(name)
        choices = get_args(field.annotation) if field is not None else ()
        if isinstance(value, bool) and value in choices and not any(isinstance(one, bool) for one in choices):
            yield Fault(f"{describe(value)} is not allowed here", (name,), tuple(map(str, choices)))
