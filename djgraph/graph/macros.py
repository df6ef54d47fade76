"""Macros and switches: what they drive, what follows them, and the curves of columns that come of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain, product
from math import prod
from typing import Any

from djgraph.effects import Control
from djgraph.errors import Problem
from djgraph.graph import controls
from djgraph.graph.binding import ColumnDraft, ControlUse, Drive, MacroDraft
from djgraph.graph.controls import Points
from djgraph.graph.draft import EffectDraft, OwnerDraft, SwitchDraft
from djgraph.graph.ir import MacroCurve
from djgraph.graph.placed import Placed, PlacedItem
from djgraph.language.curves import CurveSwitch
from djgraph.language.parts import ChainSwitch, Knob, Override
from djgraph.language.site import Site
from djgraph.language.switches import RouteSwitch, Switch, place_of

Terms = tuple[tuple[MacroCurve, ...], ...]
"""A sum of products of curves, each of a column: what a control follows in the end."""

MOST_TERMS = 1000
"""Most products of such a sum."""


class Macros:
    """All macros and switches of a graph.

    ``problems`` fills with what is wrong, ``missing`` with names of controls, macros and curves that nothing has.

    owners: strips and buses by name. curves: those of the document, by name.
    """

    def __init__(self, owners: Mapping[str, OwnerDraft], curves: Mapping[str, Points]) -> None:
        self._owners = owners
        self._curves = curves
        self._targets: Mapping[str, ControlUse] = {}
        self._macros: dict[str, MacroDraft] = {}
        self._drives: dict[tuple[str, str], Drive] = {}
        self._choosers: dict[int, MacroDraft] = {}
        self.problems: list[Problem] = []
        self.missing: list[Problem] = []

    def __getitem__(self, name: str) -> MacroDraft:
        return self._macros[name]

    @property
    def by_name(self) -> Mapping[str, MacroDraft]:
        """All of them, by the names of their columns."""
        return self._macros

    def drive(self, use: ControlUse) -> Drive | None:
        """What drives a control, if anything does."""
        return self._drives.get((use.node.id, use.control.id))

    def chooser(self, draft: SwitchDraft) -> MacroDraft | None:
        """The switch that chooses among chains or buses; None where there is none, which is a problem noted."""
        return self._choosers.get(id(draft))

    def declare(self, item: PlacedItem) -> list[MacroDraft]:
        """What an item declares beside controls: an owner's switches first, where they choose, then its macros."""
        if isinstance(item, Placed):
            if isinstance(item.model, Switch):
                switch, space = item.model, item.site.space
                return [self._add_switch(switch.switch, switch, switch.choices, space, item.site)]
            return [self._add(item.model.macro, item.model, item.site.space, item.site)]
        prefix = f"{item.name}."
        declared = [
            self._add_on_off(name, label, prefix, item.site)
            for name, label in (("mute", "Mute"), ("solo", "Solo"))
            if getattr(item.model, name) is not False
        ]
        declared += [
            self._add_switch(draft.name, draft.model, tuple(draft.model.choices), prefix, draft.site)
            for draft in self._owners[item.name].switches
            if not draft.shared
        ]
        for index, model in enumerate(item.model.macros):
            site = item.site.below("macros", index)
            if isinstance(model, Switch):
                declared.append(self._add_switch(model.switch, model, model.choices, prefix, site))
            else:
                declared.append(self._add(model.name, model, prefix, site))
        return declared

    def _add_on_off(self, name: str, label: str, prefix: str, site: Site) -> MacroDraft:
        """The column of mute or solo: a switch of two positions that rests off, where it changes nothing."""
        model = Switch.model_construct(switch=name, choices=["off", "on"], label=label)
        macro = self._add_switch(name, model, model.choices, prefix, site.below(name))
        macro.column.control = macro.column.control.replace(neutral=0.0)
        macro.used = True
        return macro

    def _add_switch(
        self,
        name: str,
        model: Switch | ChainSwitch | RouteSwitch,
        choices: Sequence[str],
        prefix: str,
        site: Site,
    ) -> MacroDraft:
        """A switch is a macro from 0 to its last position: the ways that it chooses are curves of it."""
        at_rest = float(choices.index(model.default)) if model.default in choices else None
        last = float(len(choices) - 1)
        knob = Knob.model_construct(
            max=last, default=at_rest, label=model.label, description=model.description
        )
        macro = self._add(name, knob, prefix, site)
        macro.choices = tuple(choices)
        macro.column.control = macro.column.control.replace(names=macro.choices)
        macro.column.kind = "switch"
        if model.default is not None and model.default not in choices:
            message = f"there is no choice {model.default!r}"
            self.missing.append(site.problem(message, "default", allowed=choices, name=model.default))
        return macro

    def _add(self, name: str, model: Knob, prefix: str, site: Site) -> MacroDraft:
        control, problems = controls.knob(name, model, [prefix + alias for alias in model.aliases], site)
        self.problems += problems
        owner = prefix.removesuffix(".")
        column = ColumnDraft(prefix + name, control, "macro", "", site, owner)
        macro = MacroDraft(model, prefix, column)
        self._macros.setdefault(macro.name, macro)
        return macro

    def connect(self, targets: Mapping[str, ControlUse], uses: Iterable[ControlUse]) -> None:
        """Note what each macro drives: what it says so of, and then what says that it follows the macro.

        targets: controls by their nodes and by their columns' names. uses: all of them.
        """
        self._targets = targets
        for macro in self._macros.values():
            site = macro.column.site
            exact = {
                self._find(macro.prefix, target, site) for target in macro.model.drives if "*" not in target
            }
            for target, curve in macro.model.drives.items():
                here = _drive_site(macro.model, site, target)
                found = (
                    self._matching(macro, target)
                    if "*" in target
                    else [self._find(macro.prefix, target, site)]
                )
                for one in found:
                    if one is None:
                        macro.used = True  # it would be: one problem is enough
                        self._unknown_target(target, macro, here)
                        self._check_alone(macro, curve, here)
                    elif one not in exact or "*" not in target:
                        self._drive(Drive(macro, curve, here), one, target)
            if macro.model.follow is not None:
                self._follow(macro, macro.prefix, macro.model, site)
        for use in uses:
            if use.override.follow is not None:
                self._follow(use, f"{use.node.owner}.", use.override, use.site)
        for owner in self._owners.values():
            for draft in owner.switches:
                chooser = self.switch(f"{owner.name}.", draft.name, draft.model, draft.site)
                if chooser is not None:
                    self._choosers[id(draft)] = chooser
        self._refuse_circles()

    def _find(self, prefix: str, target: str, site: Site) -> ControlUse | MacroDraft | None:
        """A control, or a macro, below the same strip or bus, or else by its whole name."""
        for name in (prefix + target, site.space + target):
            found = self._targets.get(name) or self._macros.get(name)
            if found is not None:
                return found
        return None

    def control(self, prefix: str, name: str, site: Site) -> ControlUse | None:
        """The control that a tie names: by its node, or its column's name."""
        return self._targets.get(prefix + name) or self._targets.get(site.space + name)

    def _matching(self, macro: MacroDraft, pattern: str) -> list[ControlUse | MacroDraft | None]:
        """What a macro's pattern matches, but for the macro itself: below the same strip or bus, or else by whole
        names; [None] where nothing."""
        known: dict[str, ControlUse | MacroDraft] = {**self._targets, **self._macros}
        known.pop(macro.name, None)
        for start in dict.fromkeys([macro.prefix, macro.column.site.space]):
            matches = pattern_of(start + pattern).fullmatch
            found: list[ControlUse | MacroDraft | None] = [
                one for name, one in known.items() if matches(name)
            ]
            if found:
                return list(dict.fromkeys(found))
        return [None]

    def _follow(self, what: ControlUse | MacroDraft, prefix: str, model: Override | Knob, site: Site) -> None:
        assert model.follow is not None
        names = (prefix + model.follow, site.space + model.follow)
        name = next((name for name in names if name in self._macros), None)
        if name is None:
            message = f"there is no macro {model.follow!r} to follow"
            known = below(self._macros, prefix, site)
            is_control = site.space + model.follow in self._targets
            hint = "to read a column as it is, `tie` to it" if is_control else None
            self.missing.append(site.problem(message, "follow", allowed=known, name=model.follow, hint=hint))
            return
        macro = self._macros[name]
        drive = Drive(macro, model.curve, site.below("follow" if model.curve is None else "curve"))
        self._drive(drive, what, what.name if isinstance(what, MacroDraft) else what.label)

    def switch(
        self, prefix: str, name: str, chosen: CurveSwitch | ChainSwitch | RouteSwitch, site: Site
    ) -> MacroDraft | None:
        """The switch of a name; None, with the problem noted, where there is none with these choices."""
        found = self._macros.get(prefix + name) or self._macros.get(site.space + name)
        switches = {key: macro for key, macro in self._macros.items() if macro.choices}
        if found is None or not found.choices:
            message = (
                f"there is no switch {name!r}" if found is None else f"{name!r} is a macro, and no switch"
            )
            known = below(switches, prefix, site)
            self.missing.append(site.problem(message, "by", allowed=known, name=name))
            return None
        found.used = True
        if set(chosen.choices) != set(found.choices):
            message = f"switch {found.name!r} has the choices {', '.join(found.choices)}, {found.column.site.where()}"
            odd = next((one for one in chosen.choices if one not in found.choices), None)
            tail: tuple[str | int, ...] = ("choices",)
            if odd is not None:
                tail = ("choices", *place_of(chosen.written()["choices"], odd))
            self.missing.append(
                site.problem(message, *tail, allowed=found.choices, name=odd, key=odd is not None)
            )
            return None
        return found

    def _drive(self, drive: Drive, what: ControlUse | MacroDraft, target: str) -> None:
        """Note a drive; one control is driven by one macro."""
        drive.macro.used = True
        key = (what.node.id, what.control.id) if isinstance(what, ControlUse) else None
        other = (
            what.driven if isinstance(what, MacroDraft) else self._drives.get((what.node.id, what.control.id))
        )
        if isinstance(drive.curve, CurveSwitch):
            prefix = what.prefix if isinstance(what, MacroDraft) else f"{what.node.owner}."
            drive.chooser = self.switch(prefix, drive.curve.by, drive.curve, drive.site)
        if other is not None:
            message = f"{target!r} is driven by macro {other.macro.name!r} already, {other.site.where()}"
            self.problems.append(drive.site.problem(message, key=True))
        elif isinstance(what, MacroDraft):
            what.driven = drive
        else:
            assert key is not None
            self._drives[key] = drive

    def check_driven(self) -> None:
        """Curves of macros that are driven, whether anything follows these macros or not."""
        for macro in self._macros.values():
            drive, control = macro.driven, macro.column.control
            if drive is not None and isinstance(drive.curve, CurveSwitch):
                self.chosen(drive, drive.curve, control, drive.site)
            elif drive is not None:
                self.curve(drive, control)

    def idle(self) -> list[Problem]:
        """Macros and switches that nothing reads: somebody forgot to connect them, where all else is right."""
        problems = []
        for macro in self._macros.values():
            if not macro.used:
                kind, does = ("switch", "chooses") if macro.choices else ("macro", "drives")
                message = f"{kind} {macro.name!r} {does} nothing"
                hint = "name controls in its `drives`, or let controls `follow` it"
                if macro.choices:
                    hint = f"choose `by: {macro.own_name}` among chains, buses or curves"
                problems.append(macro.column.site.problem(message, hint=hint))
        return problems

    def _refuse_circles(self) -> None:
        """Macros that drive one another in a circle, each told once and taken apart; and choices among so many curves
        that nothing could follow them."""
        order: dict[str, MacroDraft] = {}
        for macro in self._macros.values():
            while (circle := _circle(macro, order)) is not None:
                last, first = circle[-1], circle[0]
                names = " → ".join(one.name for one in (first, *reversed(circle)))
                assert last.driven is not None
                self.problems.append(
                    last.driven.site.problem(f"macros drive one another in a circle: {names}")
                )
                first.driven = None
        counts: dict[str, int] = {}
        for name, macro in order.items():
            counts[name] = 1
            if (drive := macro.driven) is None:
                continue
            counts[name] = counts[drive.macro.name]
            if drive.chooser is not None:
                counts[name] *= len(drive.chooser.choices) * counts[drive.chooser.name]
            if counts[name] > MOST_TERMS:
                self.problems.append(drive.site.problem(_TOO_MANY, hint="choices among choices in a row"))
                macro.driven, counts[name] = None, 1

    def _check_alone(self, macro: MacroDraft, curve: Any, site: Site) -> None:
        """What can be said of curves where nothing is known of what they drive."""
        if isinstance(curve, CurveSwitch):
            self.switch(macro.prefix, curve.by, curve, site)
            for name, one in curve.choices.items():
                here = site.below("choices", *place_of(curve.written()["choices"], name))
                self._check_alone(macro, one, here)
        elif isinstance(curve, str) and site.space + curve not in self._curves:
            allowed = below(self._curves, site.space, site)
            message = f"there is no curve {curve!r}"
            self.missing.append(site.problem(message, allowed=allowed, name=curve, seeks="curve"))
        elif not isinstance(curve, str) and isinstance(curve, Sequence):
            self.problems += controls.places(macro.column.control, curve, site)

    def _unknown_target(self, target: str, macro: MacroDraft, site: Site) -> None:
        prefix = macro.prefix
        if any(self._may_be_unknown(name) for name in (prefix + target, site.space + target)):
            return  # its effect is unknown, which is a problem noted already
        names = [*self._targets, *(name for name in self._macros if name != macro.name)]
        known = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
        what = "no control matches" if "*" in target else "there is no control"
        self.missing.append(site.problem(f"{what} {target!r} to drive", allowed=known, name=target, key=True))

    @cached_property
    def _unknown(self) -> list[OwnerDraft]:
        """Strips and buses with effects that nothing has."""
        return [one for one in self._owners.values() if any(node.effect is None for node in one.effects)]

    def _may_be_unknown(self, name: str) -> bool:
        """Whether a control may be one of an effect that nothing has: a misspelt effect's node has no better name."""
        for owner in self._unknown:
            node, dot, _ = name.removeprefix(f"{owner.name}.").partition(".")
            if name.startswith(f"{owner.name}.") and dot:
                known = owner.nodes.get(node)
                if known is None or (isinstance(known, EffectDraft) and known.effect is None):
                    return True
        return False

    def weight(self, switch: MacroDraft, choice: str, site: Site) -> Terms | None:
        """How far a switch lets one of its choices through."""
        last = len(switch.choices) - 1
        points = tuple((float(x), float(switch.choices[x] == choice)) for x in range(last + 1))
        return self.through(switch, points, site)

    def through(self, macro: MacroDraft, points: Points, site: Site) -> Terms | None:
        """What follows ``macro`` through a curve, by the columns that in the end drive it; None where something is
        wrong.

        Behind a choice among curves it follows the choice among each of them with ``points`` after it.
        """
        while (drive := macro.driven) is not None:
            if isinstance(drive.curve, CurveSwitch):
                return self.chosen(drive, drive.curve, macro.column.control, site, points)
            before = self.curve(drive, macro.column.control)
            after = before and self._composed(before, points, site)
            if not after:
                return None
            macro, points = drive.macro, after
        return ((MacroCurve(macro.name, points),),)

    def _composed(self, inner: Points, outer: Points, site: Site) -> Points | None:
        points = controls.composed(inner, outer)
        if len(points) <= controls.LONGEST_CURVE:
            return points
        message = f"a curve of more than {controls.LONGEST_CURVE} points (the limit)"
        self.problems.append(site.problem(message, hint="through several macros in a row"))
        return None

    def chosen(
        self,
        drive: Drive,
        choice: CurveSwitch,
        driven: Control,
        site: Site,
        points: Points | None = None,
    ) -> Terms | None:
        """What follows a choice among curves, and then ``points``; None, with the problems noted, where something is
        wrong."""
        switch = drive.chooser
        if switch is None:
            return None
        parts: list[tuple[Terms, ...]] = []
        for name in switch.choices:
            here = drive.site.below("choices", *place_of(choice.written()["choices"], name))
            own = self.points(choice.choices[name], drive.macro, driven, here)
            if own and points:
                own = self._composed(own, points, site)
            curve = own and self.through(drive.macro, own, here)
            weight = self.weight(switch, name, drive.site)
            if curve and weight:
                parts.append((weight, curve))
        return self.sum_of_products(parts, site) if len(parts) == len(switch.choices) else None

    def sum_of_products(self, parts: Iterable[Sequence[Terms]], site: Site) -> Terms | None:
        """The terms of products of sums, multiplied out; None, with the problem noted, where these are too many."""
        parts = list(parts)
        if sum(prod(map(len, factors)) for factors in parts) > MOST_TERMS:
            self._once(self.problems, site.problem(_TOO_MANY))
            return None
        return tuple(tuple(chain.from_iterable(term)) for factors in parts for term in product(*factors))

    def curve(self, drive: Drive, driven: Control) -> Points | None:
        """A drive's points in the driven control's unit; None, with the problems noted, where something is wrong."""
        if drive.curve is None:
            return controls.straight(drive.macro.column.control, driven)
        assert not isinstance(drive.curve, CurveSwitch)
        return self.points(drive.curve, drive.macro, driven, drive.site)

    def points(
        self,
        given: Sequence[tuple[float, float]] | str | float,
        macro: MacroDraft,
        driven: Control,
        site: Site,
    ) -> Points | None:
        """Points, those of a named curve, or a value that is kept."""
        name = given if isinstance(given, str) else None
        if isinstance(given, str):
            if site.space + given not in self._curves:
                message = f"there is no curve {given!r}"
                allowed = below(self._curves, site.space, site)
                self._once(self.missing, site.problem(message, allowed=allowed, name=given, seeks="curve"))
                return None
            given = self._curves[site.space + given]
        elif not isinstance(given, Sequence):
            control = macro.column.control
            given = ((control.min, given), (control.max, given))
        assert not isinstance(given, str)
        points, problems = controls.in_units_of(driven, given, site)
        problems = problems or controls.curve(macro.column.control, driven, points, site)
        for problem in problems:
            # A named curve stands elsewhere: its points may be what is missing.
            if name is None:
                self._once(self.problems, problem)
            else:
                self._once(self.missing, replace(problem, name=name, seeks="curve"))
        return None if problems else points

    @staticmethod
    def _once(problems: list[Problem], problem: Problem) -> None:
        """Note a problem that several ways lead to, once for each copy of the piece that it is in."""
        if not any(one == problem and one.copy is problem.copy for one in problems):
            problems.append(problem)


_TOO_MANY = f"it follows more than {MOST_TERMS} curves at once (the limit)"


def _circle(macro: MacroDraft, order: dict[str, MacroDraft]) -> list[MacroDraft] | None:
    """Macros of which each is driven, or switched, by the next one, and the last by the first.

    order: fills with what is in no circle, each behind all that drives it.
    """
    if macro.name in order:
        return None
    path = [(macro, iter(macro.drivers))]
    while path:
        driver = next(path[-1][1], None)
        if driver is None:
            done, _ = path.pop()
            order[done.name] = done
        elif driver.name not in order:
            names = [one.name for one, _ in path]
            if driver.name in names:
                return [one for one, _ in path[names.index(driver.name) :]]
            path.append((driver, iter(driver.drivers)))
    return None


def below(names: Iterable[str], prefix: str, site: Site) -> list[str]:
    """Names as they are written at a place: without what begins them there."""
    known = (name for name in names if name.startswith(site.space))
    return [name.removeprefix(prefix).removeprefix(site.space) for name in known]


def _drive_site(macro: Knob, site: Site, target: str) -> Site:
    """Where a macro's ``drives`` has a target: in a mapping, or in a list of mappings."""
    drives = macro.written().get("drives")
    if isinstance(drives, list):
        index = next(index for index, part in enumerate(drives) if target in part)
        return site.below("drives", index, target)
    return site.below("drives", target)


def pattern_of(text: str) -> re.Pattern[str]:
    """``*`` is any part of one word of a name, ``**`` of several words."""
    parts = re.split(r"(\*+)", text)
    return re.compile("".join(_WILD.get(part, re.escape(part)) for part in parts))


_WILD = {"*": r"[^.]*", "**": r".*"}
