"""Which role each column has, and in what: by the effects' own declarations, unless the document says otherwise."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from djgraph.effects.roles import FADER, SENDS
from djgraph.errors import DocumentPath, Problem
from djgraph.graph.binding import ColumnDraft, ControlUse, MacroDraft
from djgraph.graph.faders import faders
from djgraph.graph.ir import Column, Constant, EffectNode, Free, Graph, Part, SumNode, sources
from djgraph.graph.macros import Macros, pattern_of
from djgraph.graph.placed import Placed
from djgraph.graph.tracks import Tracks
from djgraph.language.model import Header
from djgraph.language.site import Site


@dataclasses.dataclass(frozen=True)
class Declared:
    """The roles that a document, and graphs that are parts of it, declare.

    columns: role → the columns that have it. said: roles, with what begins the names where they are declared: they
    are declared for all of that document, and the parts of it.
    """

    columns: Mapping[str, Sequence[str]]
    said: frozenset[tuple[str, str]]

    def holds(self, role: str, space: str) -> bool:
        """Whether a role is declared for what is in a space."""
        return _holds(self.said, role, space)


def _holds(said: Collection[tuple[str, str]], role: str, space: str) -> bool:
    """Whether roles, with what begins the names where they are declared, are declared for what is in a space."""
    return bool(said) and any((around, role) in said for around in _around(space))


def _around(space: str) -> Iterator[str]:
    """A space and those that it is within, from the outside in: "", "a.", "a.b."."""
    words = space.split(".")
    for count in range(len(words)):
        yield "".join(f"{word}." for word in words[:count])


class RoleReader:
    """The roles that a document declares.

    ``problems`` fills with what is wrong, ``missing`` with names of controls that nothing has.

    targets: controls by their nodes and by their columns' names.
    """

    def __init__(
        self, targets: Mapping[str, ControlUse], macros: Macros, columns: Mapping[str, ColumnDraft]
    ) -> None:
        self._known: dict[str, ControlUse | MacroDraft] = {**targets, **macros.by_name}
        self._macros = macros
        self._columns = columns
        self.problems: list[Problem] = []
        self.missing: list[Problem] = []

    def read(self, headers: Iterable[Placed[Header]]) -> Declared:
        """Role → columns, in the order in which they are named. headers: of a document, then those of its parts, of
        which a document says what it says for its parts, too."""
        found: dict[str, dict[str, None]] = {}
        said: dict[str, tuple[str, Site]] = {}
        clashes: dict[tuple[int, DocumentPath], tuple[Site, bool, list[tuple[str, str]]]] = {}
        faders: dict[str, str] = {}
        spaces: set[tuple[str, str]] = set()
        roles = [(header, *item) for header in headers for item in header.model.roles.items()]
        for header, role, patterns in roles:
            space = header.site.space
            if _holds(spaces, role, space):
                continue
            spaces.add((space, role))
            own = found.setdefault(role, {})
            for index, pattern in enumerate(patterns):
                site = header.site.below("roles", role)
                if isinstance(site.written(), list):
                    site = site.below(index)
                for column in self._columns_of(pattern, site):
                    other, before = said.setdefault(column, (role, site))
                    if other != role:
                        # Where a document says something else than a part of it, it is to blame, once for all.
                        by_part = before.space != space
                        blame, its = (before, role) if by_part else (site, other)
                        key = id(blame.source), blame.path
                        clashes.setdefault(key, (blame, by_part, []))[2].append((column, its))
                        continue
                    if role == FADER:
                        owner = self._columns[column].owner or column
                        first = faders.setdefault(owner, column)
                        if first != column:
                            message = f"{owner!r} has two faders: {first!r} and {column!r}"
                            hint = "a strip or bus has one fader; a macro can drive both"
                            self.problems.append(site.problem(message, hint=hint))
                            continue
                    own[column] = None
        self.problems += [_clash(*clash) for clash in clashes.values()]
        columns = {role: tuple(names) for role, names in found.items()}
        return Declared(columns, frozenset(spaces))

    def _columns_of(self, pattern: str, site: Site) -> Iterator[str]:
        """The columns that a name or pattern stands for; problems are noted."""
        if "*" in pattern:
            matches = pattern_of(site.space + pattern).fullmatch
            found = [one for name, one in self._known.items() if matches(name)]
            columns = [self._column(one) for one in found]
            if found and not any(columns):
                self.problems.append(self._no_column(pattern, found[0], site))
            elif not any(columns):
                message = f"no control with a column matches {pattern!r}"
                self.missing.append(site.problem(message, allowed=tuple(self._columns), name=pattern))
            yield from dict.fromkeys(name for name in columns if name is not None)
            return
        what = self._known.get(site.space + pattern)
        if what is None:
            message = f"there is no control {pattern!r} to have a role"
            self.missing.append(site.problem(message, allowed=tuple(self._columns), name=pattern))
        elif (column := self._column(what)) is not None:
            yield column
        else:
            self.problems.append(self._no_column(pattern, what, site))

    def _column(self, what: ControlUse | MacroDraft) -> str | None:
        """The column of a control or macro of its own, if it has one."""
        if isinstance(what, MacroDraft):
            return None if what.driven else what.name
        if self._macros.drive(what) or what.override.tie is not None or what.override.value is not None:
            return None
        name = f"{what.node.owner}.{what.label}"
        return name if name in self._columns else None

    def _no_column(self, name: str, what: ControlUse | MacroDraft, site: Site) -> Problem:
        drive = what.driven if isinstance(what, MacroDraft) else self._macros.drive(what)
        if drive is not None:
            message = f"{name!r} is driven by macro {drive.macro.name!r}, so it has no column to have a role"
            return site.problem(message, hint=f"name the macro: {drive.macro.name}")
        assert isinstance(what, ControlUse)
        if what.override.tie is not None:
            message = f"{name!r} is tied to {what.override.tie!r}, so it has no column to have a role"
            return site.problem(message, hint=f"name what it is tied to: {what.override.tie}")
        return site.problem(f"{name!r} is a constant, so it has no column to have a role")


def _clash(site: Site, by_part: bool, columns: Sequence[tuple[str, str]]) -> Problem:
    """Columns that have other roles than the one which is said at a place; by_part: a part of the document says so."""
    (name, role), more = columns[0], len(columns) - 1
    others = f"; so {'has 1 other its' if more == 1 else f'have {more} others their'} own" if more else ""
    hint = "a control has one role"
    if by_part:
        hint += f"; name those that are meant, or say `{role}: []` here, so that what a part says of it does not count"
    return site.problem(f"{name!r} has the role {role!r} already{others}", hint=hint)


def with_parts(
    graph: Graph,
    named: Mapping[str, str | None],
    declared: Declared,
    owners: Mapping[str, str],
    spaces: Mapping[str, str],
) -> tuple[Column, ...]:
    """The graph's columns with their parts.

    named: for each strip and bus the node that its `fader:` names. owners: for each column the strip or bus that it
    belongs to, or nothing. spaces: for each column what begins the names in its document.
    """
    return _Parts(graph, named, declared, owners, spaces).columns()


class _Parts:
    def __init__(
        self,
        graph: Graph,
        named: Mapping[str, str | None],
        declared: Declared,
        owners: Mapping[str, str],
        spaces: Mapping[str, str],
    ) -> None:
        self._graph = graph
        self._named = named
        self._declared = declared
        self._owners = owners
        self._spaces = spaces
        self._tracks = Tracks(graph)
        self._resting = {column.name: column.control.default for column in graph.columns}
        self._fed: dict[str, list[str]] = defaultdict(list)
        for node in graph.nodes:
            if isinstance(node, SumNode):
                for _, point in sources(node):
                    self._fed[point.node].append(node.id)

    def columns(self) -> tuple[Column, ...]:
        by_name = {column.name: column for column in self._graph.columns}
        parts: dict[str, Part] = {}
        for role, names in self._by_role(by_name).items():
            parts |= self._parts(role, [by_name[name] for name in names])
        return tuple(
            dataclasses.replace(column, part=parts.get(column.name)) for column in self._graph.columns
        )

    def _by_role(self, columns: Mapping[str, Column]) -> dict[str, list[str]]:
        """Role → columns."""
        found: dict[str, list[str]] = {role: list(names) for role, names in self._declared.columns.items()}
        taken = {name for names in found.values() for name in names}
        own = [
            name for name in faders(self._graph, self._named).values() if not self._is_declared(FADER, name)
        ]
        own_faders = [name for name in own if name not in taken]
        if own_faders:
            found.setdefault(FADER, []).extend(own_faders)
        taken.update(own)
        for name, column in columns.items():
            role = self._default(column)
            if role and role != FADER and not self._is_declared(role, name) and name not in taken:
                found.setdefault(role, []).append(name)
        return found

    def _is_declared(self, role: str, column: str) -> bool:
        return self._declared.holds(role, self._spaces[column])

    def _default(self, column: Column) -> str:
        """The role that a column has unless the document says otherwise: its effect's, or that of the effect it is a
        send to."""
        if column.kind == "control":
            return column.control.role
        if column.kind != "send":
            return ""
        roles = {
            role
            for node, _ in column.drives
            for bus in self._fed.get(node, ())
            for name in self._graph.owner_of[bus].nodes
            for role in self._wet(name)
        }
        return roles.pop() if len(roles) == 1 else ""

    def _wet(self, name: str) -> Iterator[str]:
        """The roles of the wet levels of a node that are up at rest."""
        node = self._graph.by_id[name]
        if not isinstance(node, EffectNode):
            return
        for control in node.effect.controls:
            binding = node.bindings[control.id]
            if isinstance(binding, Constant):
                is_up = binding.value > 0
            else:
                is_up = not isinstance(binding, Free) or self._resting[binding.column] > 0
            if control.role in SENDS and is_up:
                yield control.role

    def _parts(self, role: str, columns: Sequence[Column]) -> dict[str, Part]:
        owners = {self._owners[column.name] for column in columns} - {""}
        tracks = self._tracks.of_owners(sorted(owners, key=list(self._graph.taps).index))
        parts = {}
        for column in columns:
            owner, nodes = self._owners[column.name], [node for node, _ in column.drives]
            track = tracks.get(owner) if owner else self._tracks.of_nodes(nodes)
            if track is not None and self._tracks.is_shared(nodes):
                track = None  # it is tied to by controls of other tracks, and moves those, too
            declared = self._is_declared(role, column.name)
            parts[column.name] = Part(role, owner or column.name, track, declared)
        if role == FADER:
            parts |= self._with_ways_past(
                {name: part for name, part in parts.items() if not part.declared},
                {column.name: column for column in columns},
            )
        return parts

    def _with_ways_past(self, parts: Mapping[str, Part], columns: Mapping[str, Column]) -> dict[str, Part]:
        """Faders' parts with the way that each track has past them."""
        past = {}
        for track in {part.track for part in parts.values()} - {None}:
            assert track is not None
            own = [name for name, part in parts.items() if part.track == track]
            nodes = {node for name in own for node, _ in columns[name].drives}
            past[track] = self._tracks.past(track, nodes) or ""
        return {
            name: part if part.track is None else dataclasses.replace(part, beside=past[part.track])
            for name, part in parts.items()
        }
