"""A graph → the boxes and edges of its picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from djgraph.drawing.picture import Box, BoxKind, Edge, EdgeKind, Frame, Picture, Row
from djgraph.graph.alike import box_of, groups, ranged, vertex
from djgraph.graph.ir import Column, Constant, EffectNode, Graph, InputNode, Owner, Point, SumNode
from djgraph.graph.links import Link, comes_back, levels_of, links, source_of, tap_of
from djgraph.graph.muted import CLOSES, muted
from djgraph.speakers import word

MACRO = "◆ "
"""Marks macros, shared columns, and what they move."""
WAY = "◇ "
"""What the row of a way of a switch begins with."""
BACK = "↺ "
"""Marks sends that close a loop."""

WAY_OF = ":"
"""What parts a switch's name and the choice in the name of a node."""

MOST = 8
"""Columns that a node names; of more the first, and how many more there are."""

_EDGES: dict[str, EdgeKind] = {
    "input": "signal",
    "to": "signal",
    "output": "signal",
    "send": "send",
    "port": "port",
}


def picture(graph: Graph, unfold: bool = False) -> Picture:
    """What a picture of the graph shows.

    unfold: a box for every strip and input; else equal ones share a box (:mod:`djgraph.graph.alike`).
    """
    return _Builder(graph, unfold).build()


class _Builder:
    def __init__(self, graph: Graph, unfold: bool) -> None:
        self._graph = graph
        self._links = links(graph)
        self._from_box: dict[str, list[Link]] = defaultdict(list)
        self._into_box: dict[str, list[Link]] = defaultdict(list)
        for link in self._links:
            self._from_box[link.source].append(link)
            self._into_box[link.target].append(link)
        folded = {} if unfold else groups(graph, self._links, by_part=True)
        self._members = folded
        self._first = {name: first for first, group in folded.items() for name in group}
        self._columns: dict[tuple[str, str], list[Column]] = defaultdict(list)
        for column in graph.columns:
            for driven in self._shown_drives(column):
                self._columns[driven].append(column)
        self._knobs = [column for column in graph.columns if self._is_knob(column)]
        self._knob_names = {column.name for column in self._knobs}
        self._own_macros: dict[str, list[Column]] = defaultdict(list)
        for column in graph.columns:
            if column.kind == "macro" and column.drives and column.name not in self._knob_names:
                self._own_macros[box_of(graph.owner_of[column.drives[0][0]])].append(column)
        self._boxes: dict[str, Box] = {}
        self._rows: dict[str, list[Row]] = {}
        self._places: dict[tuple[str, object], int] = {}
        """Box and what has a row in it (a node, a point, a port, a link) → that row."""

    def build(self) -> Picture:
        for column in self._knobs:
            part = self._part_of(column)
            title = Row(MACRO + _within(column.name, part), kind="title", of=column.name)
            self._add(f"knob:{column.name}", "knob", [title], (column.name,), part)
        for name in self._graph.inputs:
            self._input(name)
        for owner in self._graph.owners:
            if self._first.get(owner.name, owner.name) == owner.name:
                self._owner(owner)
        for name in self._graph.outputs:
            self._add(f"out:{name}", "output", [Row(name, kind="title")], (name,))
        edges = dict.fromkeys(self._edge(link) for link in self._links)
        edges |= dict.fromkeys(edge for column in self._knobs for edge in self._control_edges(column))
        frames = {
            name: Frame(name, _within(name, around := self._around(name)), (graph,), around)
            for name, graph in self._graph.parts.items()
        }
        return Picture(self._graph.title or self._graph.name, self._boxes, tuple(edges), frames)

    def _add(
        self, name: str, kind: BoxKind, rows: Sequence[Row], members: Sequence[str], part: str = ""
    ) -> None:
        self._boxes[name] = Box(name, kind, tuple(rows), len(members), part, tuple(members))

    def _around(self, part: str) -> str:
        """The part that a part belongs to, or nothing."""
        return max((name for name in self._graph.parts if part.startswith(f"{name}.")), key=len, default="")

    def _part_of(self, column: Column) -> str:
        """The part that a knob belongs to, by its name, if it moves something there."""
        owners = {self._graph.owner_of[node].part for node, _ in column.drives}
        around = self._around(column.name)
        return around if any(f"{part}.".startswith(f"{around}.") for part in owners) else ""

    def _box(self, source: str) -> str:
        """The box of a link's end."""
        name = vertex(self._graph, source)
        return self._first.get(name, name)

    def _input(self, name: str) -> None:
        key = f"in:{name}"
        if self._first.get(key, key) != key:
            return
        nodes = [node for node in self._graph.nodes if isinstance(node, InputNode) and node.input == name]
        names = [group.removeprefix("in:") for group in self._members.get(key, [key])]
        whole = nodes[0] if nodes and nodes[0].stem is None else None
        rows = [Row(ranged(names), _about(whole, len(names)), "title")]
        source = self._graph.sources.get(name)
        if source is not None:
            owner = self._graph.owner_of[source.id]
            rows += self._macros(owner)
            self._places[key, source.id] = len(rows)
            rows.append(Row(source.effect.type, self._words(owner, source), of=source.id))
        for node in nodes:
            self._places[key, node.id] = len(rows) if node.stem else 0
            if node.stem:
                rows.append(Row(node.stem, _about(node, 1), "stem"))
        self._add(key, "input", rows, names)

    def _owner(self, owner: Owner) -> None:
        """A strip or bus: title, macros, chain with its ports, sends."""
        graph, name = self._graph, owner.name
        members = self._members.get(name, [name])
        width = graph.width(owner)
        about = [f"×{len(members)}"] * (len(members) > 1) + [width] * (width != "stereo")
        title = ranged([_within(member, owner.part) for member in members])
        rows = [Row(title, tuple(about), "title")]
        self._places[name, "title"] = 0
        rows += self._macros(owner)
        taken = {link.point for link in self._from_box[name] if link.kind != "send"}
        ports = [link for link in self._into_box[name] if link.kind == "port"]
        for id in owner.nodes:
            node, called = graph.by_id[id], owner.name_of(id)
            if id in owner.branches or (isinstance(node, SumNode) and called == name):
                continue
            self._places[name, id] = len(rows)
            if not isinstance(node, EffectNode):
                rows.append(Row(f"{WAY}{called}: all ways"))
                continue
            label = called if called == node.effect.type else f"{called} ({node.effect.type})"
            if WAY_OF in called:  # of a switch, or what mute and solo close
                label = WAY + called.replace(WAY_OF, ": ")
            notes = (*self._inner_ports(owner, node), *self._words(owner, node))
            if called == CLOSES and (closed := muted(graph, owner)) is not None:
                label = closed.words
                group = [_within(one, owner.part) for one in closed.group]
                notes = tuple(_among(word, group) for word in notes)
            rows.append(Row(label, notes, of=id))
            for link in ports:
                if link.node == id:
                    self._places[name, (id, link.port)] = len(rows)
                    rows.append(Row(f"▸ {link.port}", kind="port", of=id))
            outs = [port.name for port in node.effect.outputs if Point(id, port.name) in taken]
            if any(port != node.effect.outputs[0].name for port in outs):
                for port in outs:
                    self._places[name, Point(id, port)] = len(rows)
                    rows.append(Row(port, kind="out"))
        for link in self._from_box[name]:
            if link.kind == "send":
                row = self._places.setdefault((name, link.node or link), len(rows))
                for level in levels_of(graph, owner, link):
                    self._places.setdefault((name, level.id), row)
                if row == len(rows):
                    target = _within(link.target, owner.part)
                    rows.append(Row(f"→ {target}", self._send(owner, link), "send", link.node or ""))
        self._add(name, owner.kind, rows, members, owner.part)

    def _macros(self, owner: Owner) -> list[Row]:
        """The macros that move nothing but what is in here."""
        rows = []
        for column in self._own_macros[box_of(owner)]:
            words = tuple(_control(owner, node, control) for node, control in column.drives)
            rows.append(Row(MACRO + column.name.removeprefix(f"{owner.name}."), words, "macro", column.name))
        return rows

    def _is_knob(self, column: Column) -> bool:
        """Whether a column has a box of its own: macros and tied columns that reach beyond one strip or bus."""
        owners = {self._graph.owner_of[node].name for node, _ in self._shown_drives(column)}
        if len(owners) == 1:
            return not column.name.startswith(f"{owners.pop()}.")
        return len(owners) > 1 or column.kind in ("macro", "switch")

    def _shown_drives(self, column: Column) -> list[tuple[str, str]]:
        """What a column moves, but for what a solo does to the others of its group: that goes without saying."""
        if column.kind != "switch" or not column.name.endswith(".solo"):
            return [*column.drives]
        shown = []
        for node, control in column.drives:
            owner = self._graph.owner_of[node]
            if owner.name_of(node) != CLOSES or column.name == f"{owner.name}.solo":
                shown.append((node, control))
        return shown

    def _words(self, owner: Owner, node: EffectNode) -> tuple[str, ...]:
        """The columns that a node's controls read, named as within the owner."""
        called = owner.name_of(node.id)
        words = []
        for control in node.bindings:
            for column in self._columns[node.id, control]:
                word = column.name.removeprefix(f"{owner.name}.").removeprefix(f"{called}.")
                word = _within(word, owner.part)
                moved = column.kind in ("macro", "switch") or column.name in self._knob_names
                words.append(MACRO + word if moved else word)
        words = list(dict.fromkeys(words))
        shown = words if len(words) <= MOST else words[: MOST - 1]
        return (*shown, f"{len(words) - len(shown)} more") if len(shown) < len(words) else tuple(shown)

    def _inner_ports(self, owner: Owner, node: EffectNode) -> list[str]:
        """Ports that hear another point of the same strip or bus."""
        through, *others = [*node.sources.items()] or [("", Point(""))]
        return [
            f"{port} ← {owner.name_of(point.node)}"
            for port, point in others
            if source_of(self._graph, point) == owner.name and point != through[1]
        ]

    def _send(self, owner: Owner, link: Link) -> tuple[str, ...]:
        """Where a send branches off, its level, and after how long it comes back where it closes a loop."""
        tap = tap_of(self._graph, owner, link)
        where = tap if tap in ("post", "pre") else "before the chain" if tap == "input" else f"after {tap}"
        words: list[str] = []
        for level in levels_of(self._graph, owner, link):
            (binding, *_) = level.bindings.values()
            words += [f"{binding.value:g}"] if isinstance(binding, Constant) else self._words(owner, level)
        back = [f"{BACK}{said}"] if (said := comes_back(link, self._graph)) else []
        return (where, *(dict.fromkeys(words) or ["1"]), *back)

    def _edge(self, link: Link) -> Edge:
        source, target = self._box(link.source), self._box(link.target)
        if link.kind == "output":
            return Edge(source, self._from(source, link), f"out:{link.target}", 0, "signal")
        row = 0
        if link.kind == "port":
            assert link.node is not None
            row = self._places[target, (self._in_first(target, link.target, link.node), link.port)]
        kind = "feedback" if link.feedback else _EDGES[link.kind]
        return Edge(source, self._from(source, link), target, row, kind)

    def _from(self, box: str, link: Link) -> int:
        """The row that a link leaves."""
        if box.startswith("in:"):
            return self._places.get((box, link.source), 0)
        if link.kind == "send":
            if link.node is not None:
                return self._places[box, self._in_first(box, link.source, link.node)]
            return self._places.get((box, link), self._constant_send(box, link))
        point = Point(self._in_first(box, link.source, link.point.node), link.point.port)
        return self._places.get((box, point), self._places.get((box, point.node), 0))

    def _constant_send(self, box: str, link: Link) -> int:
        """The row of a folded strip's send of level 1, by its bus."""
        return next(
            row
            for (name, key), row in self._places.items()
            if name == box and isinstance(key, Link) and key.target == link.target
        )

    def _in_first(self, box: str, owner: str, node: str) -> str:
        """A node of a folded strip → that of the strip which stands for it."""
        return node if box == owner else node.replace(f"{owner}.", f"{box}.", 1)

    def _control_edges(self, column: Column) -> list[Edge]:
        edges = []
        for node, _ in column.drives:
            owner = self._graph.owner_of[node]
            box = self._box(box_of(owner))
            row = self._places.get((box, self._in_first(box.removeprefix("in:"), owner.name, node)), 0)
            edges.append(Edge(f"knob:{column.name}", 0, box, row, "control"))
        return edges


def _control(owner: Owner, node: str, control: str) -> str:
    """A driven control as a macro's ``drives`` names it."""
    name = owner.name_of(node)
    return f"{name.removeprefix('send:')}_send" if node in owner.branches else f"{name}.{control}"


def _within(name: str, part: str) -> str:
    """A name as the part that it belongs to has it; others as they are."""
    return name.removeprefix(f"{part}.") if part else name


def _among(word: str, group: Sequence[str]) -> str:
    """A column of mute or solo; of a solo also among which strips and buses it is one."""
    return f"{word} of {ranged(group)}" if word == f"{MACRO}solo" and len(group) > 1 else word


def _about(node: InputNode | None, count: int) -> tuple[str, ...]:
    words = [f"×{count}"] if count > 1 else []
    if node is not None:
        words += [word(node.channels)] * (node.channels != 2) + ["optional"] * node.optional
    return tuple(words)
