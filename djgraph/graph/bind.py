"""Third step of building: what each control reads; columns, constants, ties and macros, in document order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

from djgraph.effects import Control
from djgraph.errors import DocumentError, Problem
from djgraph.graph import controls
from djgraph.graph.binding import ColumnDraft, ControlUse, Drive, MacroDraft, Reader
from djgraph.graph.controls import Points
from djgraph.graph.draft import EffectDraft, OwnerDraft, SwitchDraft
from djgraph.graph.ir import Blend, Column, Constant, Free
from djgraph.graph.macros import Macros, Terms, below
from djgraph.graph.placed import Placed, PlacedItem, PlacedOwner
from djgraph.graph.roles import RoleReader
from djgraph.language import limits
from djgraph.language.curves import CurveSwitch
from djgraph.language.parts import Knob, Override
from djgraph.language.site import Site

_NOTHING = Override()


class Binder:
    """Gives every control its binding, and the graph its columns.

    ``problems`` fills with what is wrong, ``missing`` with names of controls and columns that nothing has.
    curves: those of the document, by name. sources: what plays inputs, by input.
    """

    def __init__(
        self,
        owners: Mapping[str, OwnerDraft],
        items: Iterable[PlacedItem],
        curves: Mapping[str, Points],
        sources: Mapping[str, EffectDraft] | None = None,
    ) -> None:
        self._sources = sources or {}
        self._of_sources: dict[str, list[ControlUse]] = {}
        self._owners = owners
        self._items = tuple(items)
        self._uses: dict[str, list[ControlUse]] = {}
        self._targets: dict[str, ControlUse] = {}
        self._labels: dict[str, ControlUse] = {}
        self._columns: dict[str, ColumnDraft] = {}
        self._tied: dict[str, list[tuple[ControlUse, Site]]] = defaultdict(list)
        self._macros = Macros(owners, curves)
        self.problems = self._macros.problems
        self.missing = self._macros.missing

    def bind(self) -> tuple[Column, ...]:
        """Set ``bindings`` of every draft, and return the columns in document order."""
        for name, source in self._sources.items():
            self._of_sources[name] = self._collect_node(name, source)
        for owner in self._owners.values():
            self._collect(owner)
        macros = [self._declare(item) for item in self._items]
        every = [use for uses in (*self._of_sources.values(), *self._uses.values()) for use in uses]
        self._macros.connect({**self._labels, **self._targets}, every)
        for uses in self._of_sources.values():
            self._add_own_columns(uses)
        for item, own in zip(self._items, macros, strict=True):
            self._add_columns(item, own)
        for name, uses in self._of_sources.items():
            for use in uses:
                self._bind(name, use)
        for owner in self._owners.values():
            for use in self._uses[owner.name]:
                self._bind(owner.name, use)
            for draft in owner.switches:
                self._bind_switch(draft)
            self._bind_mute(owner)
        self._check_ties()
        self._macros.check_driven()
        return tuple(self._finish(column) for column in self._columns.values())

    def idle(self) -> list[Problem]:
        """Macros and switches that nothing reads, once all is bound."""
        return self._macros.idle()

    @property
    def ties(self) -> list[tuple[str, ControlUse, Site]]:
        """Columns with the controls that are tied to them, and where that is said."""
        return [(name, use, site) for name, tied in self._tied.items() for use, site in tied]

    @property
    def sites(self) -> dict[str, Site]:
        """Where each column stands in the document."""
        return {name: column.site for name, column in self._columns.items()}

    @property
    def column_owners(self) -> dict[str, str]:
        """The strip or bus that each column belongs to; nothing for macros of the whole graph."""
        return {name: column.owner for name, column in self._columns.items()}

    def roles(self) -> RoleReader:
        """Reads the document's roles, once all is bound."""
        return RoleReader({**self._labels, **self._targets}, self._macros, self._columns)

    def check(self, node: EffectDraft) -> None:
        """Note what is wrong with the controls of a node that is no part of the mixer."""
        for use, _ in self._match(node):
            if use.override.value is not None:
                self.problems += controls.constant(use.control, use.override.value, use.site)
            elif use.override.tie is None and use.override.follow is None:
                self._declared("", use)

    def _collect(self, owner: OwnerDraft) -> None:
        """Match overrides with controls; note the names by which macros can find them."""
        uses = self._uses[owner.name] = []
        for node in (*owner.effects, *(send for send in owner.sends if send is not None)):
            uses += self._collect_node(owner.name, node)

    def _collect_node(self, owner: str, node: EffectDraft) -> list[ControlUse]:
        uses = []
        for use, ids in self._match(node):
            uses.append(use)
            names = [use.default_label] if node.is_send else [f"{node.name}.{key}" for key in ids]
            for target in names:
                self._targets.setdefault(f"{owner}.{target}", use)
            self._labels.setdefault(f"{owner}.{use.label}", use)
        return uses

    def _match(self, node: EffectDraft) -> list[tuple[ControlUse, list[str]]]:
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
            use = ControlUse(node, control, override, node.control_site(name))
            matched.append((use, [key for key in known if known[key] == control.id]))
        return matched

    def _declare(self, item: PlacedItem) -> list[MacroDraft]:
        return self._macros.declare(item) if isinstance(item, Placed) or self._owns(item) else []

    def _owns(self, item: PlacedOwner) -> bool:
        """Whether this has its name; a second strip or bus of a name is a problem noted already."""
        return self._owners[item.name].placed is item

    def _add_columns(self, item: PlacedItem, macros: Iterable[MacroDraft]) -> None:
        uses = self._uses[item.name] if isinstance(item, PlacedOwner) and self._owns(item) else ()
        self._add_own_columns(uses)
        for macro in macros:
            if macro.driven is None:
                self._add(macro.column)
            else:
                self._refuse_beside(macro.driven, macro.model, macro.name, ("default",), macro.column.site)

    def _add_own_columns(self, uses: Iterable[ControlUse]) -> None:
        for use in uses:
            if self._macros.drive(use) is not None or use.override.tie is not None:
                continue
            if use.override.value is not None:
                continue
            self._add(self._own_column(use.node.owner, use))

    def _own_column(self, owner: str, use: ControlUse) -> ColumnDraft:
        control = self._declared(owner, use)
        kind: Literal["control", "send"] = "send" if use.node.is_send else "control"
        assert use.node.effect is not None
        return ColumnDraft(f"{owner}.{use.label}", control, kind, use.node.effect.type, use.site, owner)

    def _declared(self, owner: str, use: ControlUse) -> Control:
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

    def _add(self, column: ColumnDraft) -> None:
        first = self._columns.get(column.name)
        if first is not None:
            message = f"column {column.name!r} is there already, {first.site.where()}"
            hint = "rename one of them with `as`"
            if column.kind in ("macro", "switch"):
                hint = "give one of them another name"
            self.problems.append(column.site.problem(message, hint=hint))
            return
        self._columns[column.name] = column
        if len(self._columns) > limits.COLUMNS:
            limit = limits.readable(limits.COLUMNS)
            raise DocumentError(column.site.problem(f"the layout has more than {limit} columns (the limit)"))

    def _bind(self, owner: str, use: ControlUse) -> None:
        drive = self._macros.drive(use)
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
            column.readers[use.node, use.control] = None
            use.node.bindings[use.control.id] = Free(name)

    def _bind_driven(self, owner: str, use: ControlUse, drive: Drive) -> None:
        keys = ("value", "tie", "default", "neutral")
        self._refuse_beside(drive, use.override, use.label, keys, use.site)
        control, problems = controls.narrowed(use.control, use.override, use.site)
        self.problems += problems
        reader = use.node, use.control
        if isinstance(drive.curve, CurveSwitch):
            terms = self._macros.chosen(drive, drive.curve, control, use.site)
        else:
            points = self._macros.curve(drive, control)
            terms = self._macros.through(drive.macro, points, drive.site) if points else None
        self._bind_terms(terms, reader)

    def _bind_switch(self, draft: SwitchDraft) -> None:
        """Each way of a switch is open at its position, and cross-fades with its neighbours on both sides."""
        macro = self._macros.chooser(draft)
        if macro is None:
            return
        for choice, route in draft.routes.items():
            weight = self._macros.weight(macro, choice, draft.site)
            if route.effect is not None:
                self._bind_terms(weight, (route, route.controls[0]))

    def _bind_terms(self, terms: Terms | None, reader: Reader) -> None:
        """Let a control follow a curve, or a sum of products of curves; nothing where something is wrong with them."""
        if terms and len(terms) == 1 and len(terms[0]) == 1:
            ((curve,),) = terms
            self._macros[curve.column].column.readers[reader] = None
            reader[0].bindings[reader[1].id] = curve
        elif terms:
            self._bind_blend(Blend(terms), reader)

    def _bind_blend(self, blend: Blend, reader: Reader) -> None:
        for name in blend.columns:
            self._macros[name].column.readers[reader] = None
        reader[0].bindings[reader[1].id] = blend

    def _bind_mute(self, owner: OwnerDraft) -> None:
        """(1 − mute)·(solo + (1 − solo_1)·(1 − solo_2)·…): of those in its group some are on, it too, or none is.

        With switches that are on or off it is 1 or 0; between, each factor is a straight line.
        """
        node = owner.mute
        if node is None or node.effect is None:
            return
        on: Points = ((0.0, 0.0), (1.0, 1.0))
        off: Points = ((0.0, 1.0), (1.0, 0.0))
        solo = owner.placed.model.solo
        group = [
            one
            for one in self._owners.values()
            if solo is not False and one.placed.model.solo == solo and one.site.space == owner.site.space
        ]
        if len(group) > limits.SOLOS:
            if owner is group[0]:
                message = f"more than {limits.SOLOS} strips and buses solo in one group (the limit)"
                self.problems.append(owner.site.problem(message, "solo", hint="`solo: <name>` makes a group"))
            return
        muted = [(owner, "mute", off)] if owner.placed.model.mute else []
        terms: list[list[tuple[OwnerDraft, str, Points]]] = [muted]
        if group:
            terms = [[*muted, (owner, "solo", on)], [*muted, *((one, "solo", off) for one in group)]]
        sums = [
            [
                self._macros.through(self._macros[f"{one.name}.{name}"], points, node.site)
                for one, name, points in term
            ]
            for term in terms
        ]
        sound = [[one for one in factors if one is not None] for factors in sums]
        if sound == sums:
            product = self._macros.sum_of_products(sound, node.site)
            if product is not None:
                self._bind_blend(Blend(product), (node, node.controls[0]))

    def _refuse_beside(
        self, drive: Drive, model: Override | Knob, label: str, keys: Iterable[str], site: Site
    ) -> None:
        for key in keys:
            if getattr(model, key, None) is not None:
                message = (
                    f"{label!r} is driven by macro {drive.macro.name!r} ({drive.site.where()}), "
                    f"so it cannot have `{key}` as well"
                )
                self.problems.append(site.problem(message, key))

    def _bind_tied(self, owner: str, use: ControlUse, tie: str) -> None:
        site = use.site.below("tie")
        column = self._columns.get(f"{owner}.{tie}") or self._columns.get(site.space + tie)
        other_use = self._macros.control(f"{owner}.", tie, site) if column is None else None
        if other_use is not None:
            column = self._columns.get(f"{other_use.node.owner}.{other_use.label}")
            if column is None or other_use is use:
                self.problems.append(self._no_column(tie, use, other_use, site))
                return
        if column is None:
            prefix = f"{owner}."
            known = below(self._columns, prefix, site)
            message = f"there is no column {tie!r} to be tied to"
            hint = "a control that is a constant, tied or driven by a macro has no column"
            self.missing.append(site.problem(message, allowed=known, name=tie, hint=hint))
            return
        self._tied[column.name].append((use, site))
        column.readers[use.node, use.control] = None
        use.node.bindings[use.control.id] = Free(column.name)

    def _check_ties(self) -> None:
        """Every position of a column is one of all that are tied to it: it says itself where they are narrower."""
        for name, tied in self._tied.items():
            column = self._columns[name]
            own = column.control
            shared = (
                max(own.min, *(use.control.min for use, _ in tied)),
                min(own.max, *(use.control.max for use, _ in tied)),
            )
            for use, site in tied:
                control = use.control
                if not (control.min <= own.min and own.max <= control.max):
                    message = (
                        f"{name!r} goes from {own.min:g} to {own.max:g}, "
                        f"and {control.id} only from {control.min:g} to {control.max:g}"
                    )
                    hint = "a macro can drive both, each through its own curve"
                    if narrower := controls.range_in_words(own, *shared):
                        where = column.site.where()
                        hint = f"say where {name!r} stands ({where}) what all have in common: {narrower}; or {hint}"
                    # The column's range may be what is wrong, or a narrower one what is missing.
                    self.missing.append(site.problem(message, hint=hint, seeks="range"))

    def _no_column(self, tie: str, use: ControlUse, other: ControlUse, site: Site) -> Problem:
        """Why a control cannot be tied to another one, which has no column."""
        if other is use:
            return site.problem(f"{tie!r} is tied to itself", hint="a tie names another control's column")
        drive = self._macros.drive(other)
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

    def _finish(self, column: ColumnDraft) -> Column:
        control = column.control
        if column.kind in ("macro", "switch") and column.readers:
            rate = controls.finest(reader.rate for _, reader in column.readers)
            control = control.replace(rate=rate)
        drives = tuple((node.id, reader.id) for node, reader in column.readers)
        return Column(column.name, control, column.kind, column.effect, drives, column.site.position())
