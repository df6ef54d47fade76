"""Third step of building: what each control reads; columns, constants, ties and macros, in document order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from djgraph.effects import Control
from djgraph.errors import DocumentError, Problem
from djgraph.graph import controls
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
    """One control that a macro drives."""

    macro: _Column
    points: tuple[tuple[float, float], ...]
    site: Site


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
        return self.default_label

    @property
    def default_label(self) -> str:
        """The same where the file gives it no name."""
        if self.node.is_send:
            return self.node.name.removeprefix("send:") + "_send"
        return f"{self.node.name}.{self.control.id}"


class Binder:
    """Gives every control its binding, and the graph its columns.

    ``problems`` fills with what is wrong, ``missing`` with names of controls and columns that nothing has.
    """

    def __init__(
        self, owners: Mapping[str, OwnerDraft], items: Iterable[PlacedOwner | Placed[Macro]]
    ) -> None:
        self._owners = owners
        self._items = tuple(items)
        self._uses: dict[str, list[_Use]] = {}
        self._targets: dict[str, _Use] = {}
        self._labels: dict[str, _Use] = {}
        self._columns: dict[str, _Column] = {}
        self._drives: dict[tuple[str, str], _Drive] = {}
        self._macros = set(self._macro_names())
        self.problems: list[Problem] = []
        self.missing: list[Problem] = []

    def bind(self) -> tuple[Column, ...]:
        """Set ``bindings`` of every draft, and return the columns in document order."""
        for owner in self._owners.values():
            self._collect(owner)
        macros = [self._declare_macros(item) for item in self._items]
        for item, own in zip(self._items, macros, strict=True):
            self._add_columns(item, own)
        for owner in self._owners.values():
            for use in self._uses[owner.name]:
                self._bind(owner.name, use)
        return tuple(self._finish(column) for column in self._columns.values())

    @property
    def sites(self) -> dict[str, Site]:
        """Where each column stands in the document."""
        return {name: column.site for name, column in self._columns.items()}

    def check(self, node: EffectDraft) -> None:
        """Note what is wrong with the controls of a node that is no part of the mixer."""
        for use, _ in self._match(node):
            if use.override.value is not None:
                self.problems += controls.constant(use.control, use.override.value, use.site)
            elif use.override.tie is None:
                self._declared("", use)

    def _collect(self, owner: OwnerDraft) -> None:
        """Match overrides with controls; note the names by which macros can find them."""
        uses = self._uses[owner.name] = []
        for node in (*owner.chain, *(send for send in owner.sends if send is not None)):
            for use, ids in self._match(node):
                uses.append(use)
                names = [use.default_label] if node.is_send else [f"{node.name}.{key}" for key in ids]
                for target in names:
                    self._targets.setdefault(f"{owner.name}.{target}", use)
                self._labels.setdefault(f"{owner.name}.{use.label}", use)

    def _match(self, node: EffectDraft) -> list[tuple[_Use, list[str]]]:
        """The controls of a node with their overrides, which may be under old ids, and all ids of each."""
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
        matched = []
        for control in node.controls:
            name, override = given.get(control.id, (control.id, _NOTHING))
            use = _Use(node, control, override, node.control_site(name))
            matched.append((use, [key for key in known if known[key] == control.id]))
        return matched

    def _macro_names(self) -> Iterator[str]:
        """What the columns of all macros are called."""
        for item in self._items:
            if isinstance(item, Placed):
                yield item.model.macro
            else:
                yield from (f"{item.name}.{macro.name}" for macro in item.model.macros)

    def _declare_macros(self, item: PlacedOwner | Placed[Macro]) -> list[_Column]:
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

    def _macro(self, name: str, model: Knob, prefix: str, site: Site) -> _Column:
        """A macro's column; notes which controls it drives."""
        control, problems = controls.knob(name, model, [prefix + alias for alias in model.aliases], site)
        self.problems += problems
        column = _Column(prefix + name, control, "macro", "", site)
        for target, points in model.drives.items():
            here = site.below("drives", target)
            use = self._find(prefix, target)
            if use is None:
                self._unknown_target(target, prefix, here)
                continue
            key = (use.node.id, use.control.id)
            if key in self._drives:
                other = self._drives[key]
                message = f"{target!r} is driven by macro {other.macro.name!r} already, {other.site.where()}"
                self.problems.append(here.problem(message, key=True))
                continue
            self._drives[key] = _Drive(column, tuple(points), here)
        return column

    def _find(self, prefix: str, name: str) -> _Use | None:
        """The control that a macro or a tie names, by its node or its column; those of its own strip or bus first."""
        for full in (prefix + name, name):
            use = self._targets.get(full) or self._labels.get(full)
            if use is not None:
                return use
        return None

    def _unknown_target(self, target: str, prefix: str, site: Site) -> None:
        owner = self._owners.get(prefix.removesuffix("."))
        broken = [node for node in owner.chain if node.effect is None] if owner else []
        if any(target.startswith(f"{node.name}.") for node in broken):
            return  # its effect is unknown, which is a problem noted already
        known = [name.removeprefix(prefix) for name in self._targets if name.startswith(prefix)]
        message = f"there is no control {target!r} to drive"
        macros = self._macros.intersection((prefix + target, target))
        if macros:
            message = f"{target!r} is a macro; a macro drives controls of effects and levels of sends"
        self.missing.append(site.problem(message, allowed=known, name=None if macros else target, key=True))

    def _add_columns(self, item: PlacedOwner | Placed[Macro], macros: Iterable[_Column]) -> None:
        uses = self._uses[item.name] if isinstance(item, PlacedOwner) and self._owns(item) else ()
        for use in uses:
            if (use.node.id, use.control.id) in self._drives or use.override.tie is not None:
                continue
            if use.override.value is not None:
                continue
            self._add(self._own_column(use.node.owner, use))
        for column in macros:
            self._add(column)

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
        for key in ("value", "tie", "default", "neutral"):
            if getattr(use.override, key) is not None:
                message = (
                    f"{use.label!r} is driven by macro {drive.macro.name!r} ({drive.site.where()}), "
                    f"so it cannot have `{key}` as well"
                )
                self.problems.append(use.site.problem(message, key))
        control, problems = controls.narrowed(use.control, use.override, use.site)
        self.problems += problems
        self.problems += controls.curve(drive.macro.control, control, drive.points, drive.site)
        drive.macro.readers.append((use.node, use.control))
        use.node.bindings[use.control.id] = MacroCurve(drive.macro.name, drive.points)

    def _bind_tied(self, owner: str, use: _Use, tie: str) -> None:
        column = self._columns.get(f"{owner}.{tie}") or self._columns.get(tie)
        site = use.site.below("tie")
        other_use = self._find(f"{owner}.", tie) if column is None else None
        if other_use is not None:
            column = self._columns.get(f"{other_use.node.owner}.{other_use.label}")
            if column is None or other_use is use:
                self.problems.append(self._no_column(tie, use, other_use, site))
                return
        if column is None:
            prefix = f"{owner}."
            known = [name.removeprefix(prefix) for name in self._columns]
            message = f"there is no column {tie!r} to be tied to"
            hint = "a control that is a constant, tied or driven by a macro has no column"
            self.missing.append(site.problem(message, allowed=known, name=tie, hint=hint))
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

    def _no_column(self, tie: str, use: _Use, other: _Use, site: Site) -> Problem:
        """Why a control cannot be tied to another one, which has no column."""
        if other is use:
            return site.problem(f"{tie!r} is tied to itself", hint="a tie names another control's column")
        drive = self._drives.get((other.node.id, other.control.id))
        if drive is not None:
            message = f"{tie!r} is driven by macro {drive.macro.name!r}, so it has no column to be tied to"
            hint = "let the macro drive this control, too"
        elif other.override.tie is not None:
            message = f"{tie!r} is tied to {other.override.tie!r} itself, so it has no column"
            hint = f"tie: {other.override.tie}, or its whole name"
        else:
            message = f"{tie!r} is a constant, so it has no column to be tied to"
            hint = "give this control the same value"
        return site.problem(message, hint=hint)

    def _finish(self, column: _Column) -> Column:
        control = column.control
        if column.kind == "macro" and column.readers:
            rate = controls.finest(reader.rate for _, reader in column.readers)
            control = control.replace(rate=rate)
        drives = tuple((node.id, reader.id) for node, reader in column.readers)
        return Column(column.name, control, column.kind, column.effect, drives, column.site.position())
