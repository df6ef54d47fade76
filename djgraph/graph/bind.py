"""Third step of building: what each control reads; columns, constants, ties and macros, in document order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from djgraph.effects import Control
from djgraph.errors import DocumentError, Problem
from djgraph.graph import controls
from djgraph.graph.controls import Points
from djgraph.graph.draft import EffectDraft, OwnerDraft
from djgraph.graph.expand import Placed, PlacedOwner
from djgraph.graph.ir import Column, Constant, Free, MacroCurve
from djgraph.language import limits
from djgraph.language.model import Macro
from djgraph.language.parts import Knob, Override
from djgraph.language.site import Site

_NOTHING = Override()


@dataclass(eq=False)
class _Column:
    """A column on its way: ``readers`` fills in document order once every column is known."""

    name: str
    control: Control
    kind: Literal["control", "macro", "send"]
    effect: str
    site: Site
    readers: list[tuple[EffectDraft, Control]] = field(default_factory=list)


@dataclass(eq=False)
class _Drive:
    """That a macro drives a control, or another macro. ``curve`` is as the file has it; None for a straight line."""

    macro: _Macro
    curve: Sequence[tuple[float, float]] | str | None
    site: Site


@dataclass(eq=False)
class _Macro:
    """A macro: its column, where it stands, and what drives it in turn."""

    model: Knob
    prefix: str
    column: _Column
    driven: _Drive | None = None
    used: bool = False
    """Whether it drives anything."""

    @property
    def name(self) -> str:
        return self.column.name


@dataclass(eq=False)
class _Use:
    """One control of one node, with the override that the file has for it."""

    node: EffectDraft
    control: Control
    override: Override
    site: Site

    @property
    def label(self) -> str:
        """Its column's name below the owner."""
        if self.override.as_ is not None:
            return self.override.as_
        if self.node.is_send:
            return self.node.name.removeprefix("send:") + "_send"
        return f"{self.node.name}.{self.control.id}"


class Binder:
    """Gives every control its binding, and the graph its columns. ``problems`` fills with what is wrong.

    curves: those of the document, by name.
    """

    def __init__(
        self,
        owners: Mapping[str, OwnerDraft],
        items: Iterable[PlacedOwner | Placed[Macro]],
        curves: Mapping[str, Points],
    ) -> None:
        self._owners = owners
        self._items = tuple(items)
        self._curves = curves
        self._uses: dict[str, list[_Use]] = {}
        self._targets: dict[str, _Use] = {}
        self._columns: dict[str, _Column] = {}
        self._macros: dict[str, _Macro] = {}
        self._drives: dict[tuple[str, str], _Drive] = {}
        self.problems: list[Problem] = []

    def bind(self) -> tuple[Column, ...]:
        """Set ``bindings`` of every draft, and return the columns in document order."""
        for owner in self._owners.values():
            self._collect(owner)
        macros = [self._declare_macros(item) for item in self._items]
        self._connect_macros()
        for item, own in zip(self._items, macros, strict=True):
            self._add_columns(item, own)
        for owner in self._owners.values():
            for use in self._uses[owner.name]:
                self._bind(owner.name, use)
        return tuple(self._finish(column) for column in self._columns.values())

    def _collect(self, owner: OwnerDraft) -> None:
        """Match overrides with controls, by id or by an old id; note the names by which macros can find them."""
        uses = self._uses[owner.name] = []
        for node in (*owner.chain, *(send for send in owner.sends if send is not None)):
            known = {control.id: control.id for control in node.controls}
            for control in node.controls:
                for alias in control.aliases:
                    known.setdefault(alias, control.id)
            given: dict[str, tuple[str, Override]] = {}
            for name, override in node.overrides.items():
                if node.effect is None:
                    break
                site = node.control_site(name)
                if name not in known:
                    message = f"{node.effect.type} has no control {name!r}"
                    ids = [control.id for control in node.controls]
                    setting = name in node.effect.Settings.model_fields
                    hint = f"{name} is a setting: it stands under `settings`" if setting else None
                    self.problems.append(site.problem(message, allowed=ids, name=name, hint=hint, key=True))
                elif known[name] in given:
                    message = f"{name!r} and {given[known[name]][0]!r} are the same control"
                    self.problems.append(site.problem(message, key=True))
                else:
                    given[known[name]] = (name, override)
            for control in node.controls:
                name, override = given.get(control.id, (control.id, _NOTHING))
                use = _Use(node, control, override, node.control_site(name))
                uses.append(use)
                names = (
                    [use.label]
                    if node.is_send
                    else [f"{node.name}.{key}" for key in known if known[key] == control.id]
                )
                for target in names:
                    self._targets.setdefault(f"{owner.name}.{target}", use)

    def _declare_macros(self, item: PlacedOwner | Placed[Macro]) -> list[_Macro]:
        if isinstance(item, Placed):
            return [self._macro(item.model.macro, item.model, "", item.site)]
        if not self._owns(item):
            return []
        return [
            self._macro(model.name, model, f"{item.name}.", item.site.below("macros", index))
            for index, model in enumerate(item.model.macros)
        ]

    def _owns(self, item: PlacedOwner) -> bool:
        """Whether this has its name; a second strip or bus of a name is a problem noted already."""
        return self._owners[item.name].placed is item

    def _macro(self, name: str, model: Knob, prefix: str, site: Site) -> _Macro:
        control, problems = controls.knob(name, model, [prefix + alias for alias in model.aliases], site)
        self.problems += problems
        macro = _Macro(model, prefix, _Column(prefix + name, control, "macro", "", site))
        self._macros.setdefault(macro.name, macro)
        return macro

    def _connect_macros(self) -> None:
        """Note what each macro drives: what it says so of, and then what says that it follows the macro."""
        for macro in self._macros.values():
            site = macro.column.site
            exact = {self._find(macro.prefix, target) for target in macro.model.drives if "*" not in target}
            for target, curve in macro.model.drives.items():
                here = _drive_site(macro.model, site, target)
                found = (
                    self._matching(macro.prefix, target)
                    if "*" in target
                    else [self._find(macro.prefix, target)]
                )
                for one in found:
                    if one is None:
                        macro.used = True  # it would be: one problem is enough
                        self._unknown_target(target, macro.prefix, here)
                    elif one not in exact or "*" not in target:
                        self._drive(_Drive(macro, curve, here), one, target)
            if macro.model.follow is not None:
                self._follow(macro, macro.prefix, macro.model, site)
        for owner, uses in self._uses.items():
            for use in uses:
                if use.override.follow is not None:
                    self._follow(use, f"{owner}.", use.override, use.site)
        for macro in self._macros.values():
            if not macro.used:
                message = f"macro {macro.name!r} drives nothing"
                hint = "name controls in its `drives`, or let controls `follow` it"
                self.problems.append(macro.column.site.problem(message, hint=hint))
        self._refuse_circles()

    def _find(self, prefix: str, target: str) -> _Use | _Macro | None:
        """A control, or a macro, below the same strip or bus, or else by its whole name."""
        for name in (prefix + target, target):
            found = self._targets.get(name) or self._macros.get(name)
            if found is not None:
                return found
        return None

    def _matching(self, prefix: str, pattern: str) -> list[_Use | _Macro | None]:
        """What a pattern matches: below the same strip or bus, or else by whole names; [None] where nothing."""
        known: dict[str, _Use | _Macro] = {**self._targets, **self._macros}
        for start in dict.fromkeys([prefix, ""]):
            matches = _pattern(start + pattern).fullmatch
            found: list[_Use | _Macro | None] = [one for name, one in known.items() if matches(name)]
            if found:
                return list(dict.fromkeys(found))
        return [None]

    def _follow(self, what: _Use | _Macro, prefix: str, model: Override | Knob, site: Site) -> None:
        assert model.follow is not None
        name = next((name for name in (prefix + model.follow, model.follow) if name in self._macros), None)
        if name is None:
            message = f"there is no macro {model.follow!r} to follow"
            known = [macro.removeprefix(prefix) for macro in self._macros]
            hint = "to read a column as it is, `tie` to it" if model.follow in self._targets else None
            self.problems.append(site.problem(message, "follow", allowed=known, name=model.follow, hint=hint))
            return
        macro = self._macros[name]
        drive = _Drive(macro, model.curve, site.below("follow" if model.curve is None else "curve"))
        self._drive(drive, what, what.name if isinstance(what, _Macro) else what.label)

    def _drive(self, drive: _Drive, what: _Use | _Macro, target: str) -> None:
        """Note a drive; one control is driven by one macro."""
        drive.macro.used = True
        key = (what.node.id, what.control.id) if isinstance(what, _Use) else None
        other = what.driven if isinstance(what, _Macro) else self._drives.get((what.node.id, what.control.id))
        if other is not None:
            message = f"{target!r} follows macro {other.macro.name!r} already, {other.site.where()}"
            self.problems.append(drive.site.problem(message, key=True))
        elif isinstance(what, _Macro):
            what.driven = drive
        else:
            assert key is not None
            self._drives[key] = drive

    def _refuse_circles(self) -> None:
        """Macros that drive one another in a circle: told once, and taken apart."""
        for macro in self._macros.values():
            passed = [macro]
            while (drive := passed[-1].driven) is not None:
                if drive.macro in passed:
                    circle = passed[passed.index(drive.macro) :]
                    names = " → ".join(one.name for one in (drive.macro, *reversed(circle)))
                    self.problems.append(drive.site.problem(f"macros drive one another in a circle: {names}"))
                    drive.macro.driven = None
                    break
                passed.append(drive.macro)

    def _unknown_target(self, target: str, prefix: str, site: Site) -> None:
        owner = self._owners.get(prefix.removesuffix("."))
        broken = [node for node in owner.chain if node.effect is None] if owner else []
        if any(target.startswith(f"{node.name}.") for node in broken):
            return  # its effect is unknown, which is a problem noted already
        names = [*self._targets, *(name for name in self._macros if name != prefix)]
        known = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
        what = "no control matches" if "*" in target else "there is no control"
        self.problems.append(
            site.problem(f"{what} {target!r} to drive", allowed=known, name=target, key=True)
        )

    def _add_columns(self, item: PlacedOwner | Placed[Macro], macros: Iterable[_Macro]) -> None:
        uses = self._uses[item.name] if isinstance(item, PlacedOwner) and self._owns(item) else ()
        for use in uses:
            if (use.node.id, use.control.id) in self._drives or use.override.tie is not None:
                continue
            if use.override.value is not None:
                continue
            self._add(self._own_column(use.node.owner, use))
        for macro in macros:
            if macro.driven is None:
                self._add(macro.column)
            else:
                self._refuse_beside(macro.driven, macro.model, macro.name, ("default",), macro.column.site)

    def _own_column(self, owner: str, use: _Use) -> _Column:
        control = self._declared(owner, use)
        kind: Literal["control", "send"] = "send" if use.node.is_send else "control"
        assert use.node.effect is not None
        return _Column(f"{owner}.{use.label}", control, kind, use.node.effect.type, use.site)

    def _declared(self, owner: str, use: _Use) -> Control:
        control = use.control
        if control.aliases:
            # An old id makes an old column name, unless the graph names the column itself.
            old = (
                ()
                if use.override.as_
                else tuple(f"{owner}.{use.node.name}.{alias}" for alias in control.aliases)
            )
            control = control.replace(aliases=old)
        changed, problems = controls.overridden(control, use.override, f"{owner}.", use.site)
        self.problems += problems
        return changed

    def _add(self, column: _Column) -> None:
        first = self._columns.get(column.name)
        if first is not None:
            message = f"column {column.name!r} is there already, {first.site.where()}"
            hint = "rename one of them with `as`"
            self.problems.append(column.site.problem(message, hint=hint))
            return
        self._columns[column.name] = column
        if len(self._columns) > limits.COLUMNS:
            limit = limits.readable(limits.COLUMNS)
            raise DocumentError(column.site.problem(f"the layout has more than {limit} columns (the limit)"))

    def _bind(self, owner: str, use: _Use) -> None:
        drive = self._drives.get((use.node.id, use.control.id))
        if drive is not None:
            self._bind_driven(owner, use, drive)
        elif use.override.tie is not None:
            self._bind_tied(owner, use, use.override.tie)
        elif use.override.value is not None:
            self.problems += controls.constant(use.control, use.override.value, use.site)
            use.node.bindings[use.control.id] = Constant(use.override.value)
        else:
            name = f"{owner}.{use.label}"
            column = self._columns[name]
            column.readers.append((use.node, use.control))
            use.node.bindings[use.control.id] = Free(name)

    def _bind_driven(self, owner: str, use: _Use, drive: _Drive) -> None:
        keys = ("value", "tie", "default", "neutral")
        self._refuse_beside(drive, use.override, use.label, keys, use.site)
        control, problems = controls.narrowed(use.control, use.override, use.site)
        self.problems += problems
        points = self._curve(drive, control)
        macro = drive.macro
        while points is not None and macro.driven is not None:
            before = self._curve(macro.driven, macro.column.control)
            points = None if before is None else controls.composed(before, points)
            if points is not None and len(points) > controls.LONGEST_CURVE:
                message = (
                    f"{use.label!r} follows a curve of more than {controls.LONGEST_CURVE} points (the limit)"
                )
                self.problems.append(use.site.problem(message, hint="through several macros in a row"))
                return
            macro = macro.driven.macro
        if points is not None:
            macro.column.readers.append((use.node, use.control))
            use.node.bindings[use.control.id] = MacroCurve(macro.name, points)

    def _curve(self, drive: _Drive, driven: Control) -> Points | None:
        """A drive's points in the driven control's unit; None, with the problems noted, where something is wrong."""
        macro = drive.macro.column.control
        given = drive.curve
        if given is None:
            return controls.straight(macro, driven)
        if isinstance(given, str):
            if given not in self._curves:
                message = f"there is no curve {given!r}"
                problem = drive.site.problem(message, allowed=tuple(self._curves), name=given)
                if problem not in self.problems:
                    self.problems.append(problem)
                return None
            given = self._curves[given]
        points, problems = controls.in_units_of(driven, given, drive.site)
        problems = problems or controls.curve(macro, driven, points, drive.site)
        self.problems += [problem for problem in problems if problem not in self.problems]
        return None if problems else points

    def _refuse_beside(
        self, drive: _Drive, model: Override | Knob, label: str, keys: Iterable[str], site: Site
    ) -> None:
        for key in keys:
            if getattr(model, key, None) is not None:
                message = (
                    f"{label!r} follows macro {drive.macro.name!r} ({drive.site.where()}), "
                    f"so it cannot have `{key}` as well"
                )
                self.problems.append(site.problem(message, key))

    def _bind_tied(self, owner: str, use: _Use, tie: str) -> None:
        column = self._columns.get(f"{owner}.{tie}") or self._columns.get(tie)
        site = use.site.below("tie")
        if column is None:
            prefix = f"{owner}."
            known = [name.removeprefix(prefix) for name in self._columns]
            message = f"there is no column {tie!r} to be tied to"
            hint = "a control that is a constant, tied or driven by a macro has no column"
            self.problems.append(site.problem(message, allowed=known, name=tie, hint=hint))
            return
        control, other = use.control, column.control
        if not (control.min <= other.min and other.max <= control.max):
            message = (
                f"{column.name!r} goes from {other.min:g} to {other.max:g}, "
                f"and {control.id} only from {control.min:g} to {control.max:g}"
            )
            self.problems.append(
                site.problem(message, hint="a macro can drive both, each through its own curve")
            )
        column.readers.append((use.node, control))
        use.node.bindings[control.id] = Free(column.name)

    def _finish(self, column: _Column) -> Column:
        control = column.control
        if column.kind == "macro" and column.readers:
            rate = controls.finest(reader.rate for _, reader in column.readers)
            control = control.replace(rate=rate)
        drives = tuple((node.id, reader.id) for node, reader in column.readers)
        return Column(column.name, control, column.kind, column.effect, drives, column.site.position())


def _drive_site(macro: Knob, site: Site, target: str) -> Site:
    """Where a macro's ``drives`` has a target: in a mapping, or in a list of mappings."""
    drives = macro.written().get("drives")
    if isinstance(drives, list):
        index = next(index for index, part in enumerate(drives) if target in part)
        return site.below("drives", index, target)
    return site.below("drives", target)


def _pattern(text: str) -> re.Pattern[str]:
    """``*`` is any part of one word of a name, ``**`` of several words."""
    parts = re.split(r"(\*+)", text)
    return re.compile("".join(_WILD.get(part, re.escape(part)) for part in parts))


_WILD = {"*": r"[^.]*", "**": r".*"}
