"""The signal flow of a graph in the words of who mixes: for each strip and bus what it hears, its chain with the column
of each control, where it goes, and what each macro moves."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from djgraph.graph.alike import groups, ranged
from djgraph.graph.ir import Column, Constant, EffectNode, Graph, MacroCurve, Owner, SumNode
from djgraph.graph.links import Link, comes_back, levels_of, links, place_of, source_of, tap_of
from djgraph.graph.muted import CLOSES, Muted, muted
from djgraph.inspection.folded import Folds, merged

INDENT = 9
"""Characters of a line's first word: ``hears``, ``chain``, ``sends``, ``feeds``, ``moves``."""
WIDEST = 100
"""Lines are broken between words where they are longer."""


def flow_text(graph: Graph, unfold: bool = False) -> str:
    """The graph's strips, buses, macros and outputs in document order, a paragraph each.

    unfold: one for every strip; else three and more that are equal share one (:mod:`djgraph.graph.alike`), in which
    ``*`` stands for what their names differ in.
    """
    return _Flow(graph, unfold).text()


Said = tuple[str, str]
"""A line's first word, and the line."""


class _Flow:
    def __init__(self, graph: Graph, unfold: bool) -> None:
        self._graph = graph
        self._folds = Folds({})
        self._owners = {owner.name: owner for owner in graph.owners}
        self._into: dict[str, list[Link]] = defaultdict(list)
        self._out: dict[str, list[Link]] = defaultdict(list)
        for link in links(graph):
            (self._into if link.kind != "output" else self._out)[link.target].append(link)
            self._out[f"of {link.source}"].append(link)
        self._columns: dict[tuple[str, str], list[Column]] = defaultdict(list)
        for column in graph.columns:
            for driven in column.drives:
                self._columns[driven].append(column)
        if not unfold:  # what cannot be said of all at once is said of each
            alike = groups(graph, links(graph))
            self._folds = Folds(
                {
                    first: names
                    for first, names in alike.items()
                    if first in self._owners
                    and self._folded([self._owner(self._owners[n]) for n in names], names)
                }
            )

    def text(self) -> str:
        graph = self._graph
        kinds = [owner.kind for owner in graph.owners]
        counts = [
            _count(len(graph.inputs), "input"),
            _count(kinds.count("strip"), "strip"),
            _count(kinds.count("bus"), "bus"),
            _count(len(graph.columns), "control"),
            _count(len(graph.outputs), "output"),
        ]
        parts = [f"{graph.name}: {', '.join(counts)}"]
        parts += [self._source(name, node) for name, node in graph.sources.items()]
        for owner in graph.owners:
            parts += self._paragraphs(owner)
        parts += self._macros()
        outputs = [
            f"output {name} ← {self._from(link)}{', the main output' if number == 0 else ''}"
            for number, name in enumerate(graph.outputs)
            for link in self._out[name]
            if link.kind == "output"
        ]
        return "\n\n".join([*parts, "\n".join(outputs)])

    def _source(self, name: str, node: EffectNode) -> str:
        """What plays an input."""
        return _paragraph(f"input {name}", [("source", self._node(self._graph.owner_of[node.id], node))])

    def _paragraphs(self, owner: Owner) -> Iterator[str]:
        """Of a strip or bus, and of those that are equal, with the first of them."""
        names = self._folds.members(owner.name)
        said = [self._owner(self._owners[name]) for name in names]
        if len(said) > 1 and (one := self._folded(said, names)) is not None:
            own = f"{owner.kind} {ranged(names)}"
            yield _paragraph(f"{own} ×{len(names)}{one[0][1].removeprefix(own)}", one[1:])
        else:
            for (_, title), *lines in said:
                yield _paragraph(title, lines)

    def _folded(self, said: Sequence[Sequence[Said]], names: Sequence[str]) -> list[Said] | None:
        """What is said of each of equal strips, as one; None where it cannot be."""
        if len({tuple(word for word, _ in lines) for lines in said}) > 1:
            return None
        found = []
        for same in zip(*said):
            line = merged([line for _, line in same], names)
            if line is None:
                return None
            found.append((same[0][0], line))
        return found

    def _owner(self, owner: Owner) -> list[Said]:
        """Its title, and what is said of it."""
        said = [("", f"{owner.kind} {owner.name}{self._width(owner)}")]
        into = self._into[owner.name]
        plain = [(link.source, self._from(link)) for link in into if link.kind in ("input", "to")]
        heard = [", ".join(self._folds.gathered(plain))] if plain else []
        heard += self._folds.gathered(
            [
                (link.source, f"{link.source} by a send, {self._send(link)}")
                for link in into
                if link.kind == "send"
            ]
        )
        if not heard:
            heard = ["nothing: silence" if owner.kind == "bus" else "nothing: it makes its own sound"]
        said += [("hears", line) for line in heard]
        said += [("chain", self._node(owner, node)) for node in self._chain(owner)]
        out = self._out[f"of {owner.name}"]
        said += [("sends", f"to {link.target}, {self._send(link)}") for link in out if link.kind == "send"]
        feeds = [f"bus {link.target}" for link in out if link.kind == "to"]
        feeds += [f"output {link.target}" for link in out if link.kind == "output"]
        reads = [link for link in out if link.kind in ("input", "port")]
        feeds += self._folds.gathered([(link.target, self._reader(owner, link)) for link in reads])
        if not feeds and not any(link.kind == "send" for link in out):
            feeds = ["nothing: it leads nowhere"]
        return said + ([("feeds", ", ".join(feeds))] if feeds else [])

    def _width(self, owner: Owner) -> str:
        """How many channels it has, where that is not stereo."""
        width = self._graph.width(owner)
        return "" if width == "stereo" else f" ({width})"

    def _chain(self, owner: Owner) -> Iterator[EffectNode | SumNode]:
        for name in owner.nodes:
            node = self._graph.by_id[name]
            own_sum = isinstance(node, SumNode) and owner.name_of(name) == owner.name
            if isinstance(node, (EffectNode, SumNode)) and name not in owner.branches and not own_sum:
                yield node

    def _from(self, link: Link) -> str:
        """A link's source, with the place within it unless that is its end."""
        owner = self._owners.get(link.source)
        if owner is None:
            return f"input {link.source.removeprefix('in:')}"
        node = self._graph.by_id[link.point.node]
        ports = len(node.effect.outputs) if isinstance(node, EffectNode) else 1
        if link.point == self._graph.taps[owner.name]:
            end = f" after {owner.name_of(node.id)}.{link.point.port}" if ports > 1 else ""
            return f"{owner.kind} {owner.name}{end}"
        if link.point.node in owner.nodes and not isinstance(node, SumNode):
            return f"{owner.kind} {owner.name} after {place_of(self._graph, owner, link.point)}"
        return f"{owner.kind} {owner.name} before its chain"

    def _reader(self, owner: Owner, link: Link) -> str:
        """What reads a strip or bus, and from where."""
        target = self._owners[link.target]
        about = [] if link.node is None else [f"{link.port} of {target.name_of(link.node)}"]
        after = self._from(link).removeprefix(f"{owner.kind} {owner.name}")
        about += [after.strip()] if after else []
        return f"{target.kind} {target.name}" + (f" ({'; '.join(about)})" if about else "")

    def _send(self, link: Link) -> str:
        """Where a send branches off, and its level."""
        owner = self._owners[link.source]
        tap = tap_of(self._graph, owner, link)
        where = {
            "post": "post-fader" if owner.fader is not None else "post",
            "pre": "pre-fader",
            "input": "before the chain",
        }
        said = where.get(tap, f"after {tap}")
        levels = levels_of(self._graph, owner, link)
        words = [self._control(owner, level, next(iter(level.bindings))) for level in levels]
        round_ = comes_back(link, self._graph)
        return f"{said}, level {' × '.join(words) or '1'}" + (f", {round_}" if round_ else "")

    def _node(self, owner: Owner, node: EffectNode | SumNode) -> str:
        called = owner.name_of(node.id)
        if called == CLOSES and (closed := muted(self._graph, owner)) is not None:
            return f"{closed.words}: {_closing(closed)}"
        if isinstance(node, SumNode):
            return f"{called}: sum of {', '.join(owner.name_of(point.node) for point in node.sources)}"
        if ":" in called:
            switch, _, way = called.partition(":")
            return f"way {way} of {switch}: {self._control(owner, node, next(iter(node.bindings)))}"
        name = called if called == node.effect.type else f"{called} ({node.effect.type})"
        words = []
        if node.id == owner.fader:
            words.append("the fader")
        for port, point in list(node.sources.items())[1:]:
            link = Link(source_of(self._graph, point), point, owner.name, "port", node.id, port)
            if point != next(iter(node.sources.values())):
                words.append(f"{port} hears {self._from(link)}")
        settings = node.settings.model_dump(exclude_defaults=True)
        words += [f"{key}: {_plain(value)}" for key, value in settings.items()]
        words += [f"{control} = {self._control(owner, node, control)}" for control in node.bindings]
        return f"{name}: {', '.join(words)}" if words else name

    def _control(self, owner: Owner, node: EffectNode, control: str) -> str:
        """What a control is: a number, its column, or the macro that moves it."""
        binding = node.bindings[control]
        if isinstance(binding, Constant):
            return f"{binding.value:g}"
        columns = self._columns[node.id, control]
        names = [f"macro {column.name}" if column.kind == "macro" else column.name for column in columns]
        tied = [column.name for column in columns if self._reads_from_others(owner, column)]
        return " and ".join(names) + (" (tied)" if tied else "")

    def _reads_from_others(self, owner: Owner, column: Column) -> bool:
        """Whether a control of this strip or bus is tied to another's column."""
        return column.kind != "macro" and not column.name.startswith(f"{owner.name}.")

    def _macros(self) -> Iterator[str]:
        macros = {column.name: column for column in self._graph.columns if column.kind == "macro"}
        done: set[str] = set()
        for name, column in macros.items():
            if name in done:
                continue
            owner = self._graph.owner_of[column.drives[0][0]].name if column.drives else ""
            group = self._folds.group_of(owner)
            alike = [f"{member}{name.removeprefix(owner)}" for member in group]
            if len(group) > 1 and name.startswith(f"{owner}.") and macros.keys() >= set(alike):
                said = self._folded([self._macro(macros[other]) for other in alike], group)
                if said is not None:
                    done |= set(alike)
                    yield _paragraph(said[0][1], said[1:])
                    continue
            (_, title), *lines = self._macro(column)
            yield _paragraph(title, lines)

    def _macro(self, column: Column) -> list[Said]:
        control = column.control
        rests = f"{control.min:g} … {control.max:g}, rests at {control.default:g}"
        moved = []
        for name, id in column.drives:
            node = self._graph.by_id[name]
            owner = self._graph.owner_of[name]
            assert isinstance(node, EffectNode)
            called = owner.name_of(name)
            what = f"{called.removeprefix('send:')}_send" if name in owner.branches else f"{called}.{id}"
            moved.append((owner.name, f"{owner.name}.{what}{_curve(node, id)}"))
        lines = self._folds.gathered(moved) or ["nothing"]
        return [("", f"macro {column.name} ({rests})"), *(("moves", line) for line in lines)]


def _paragraph(title: str, lines: Sequence[Said]) -> str:
    words = dict.fromkeys(word for word, _ in lines)
    rest = [part for word in words for part in _said(word, [line for w, line in lines if w == word])]
    return "\n".join([title, *rest])


def _closing(closed: Muted) -> str:
    """The columns of mute and solo, and among which strips and buses the solo is one, once for all of them."""
    group = closed.group
    among = f" (alone among {ranged(group)})" if len(group) > 1 else ""
    return ", ".join([column for column in (closed.mute, closed.solo) if column]) + among


def _plain(value: Any) -> str:
    """A setting as graph files write it."""
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, default=str).strip('"')


def _curve(node: EffectNode, control: str) -> str:
    binding = node.bindings[control]
    if not isinstance(binding, MacroCurve):
        return ""
    return ": " + ", ".join(f"{y:g} at {x:g}" for x, y in binding.points)


def _said(word: str, lines: Sequence[str]) -> Iterator[str]:
    """Lines behind a word, the long ones broken."""
    for number, line in enumerate(lines):
        first, *rest = _broken(line)
        yield f"  {word if number == 0 else '':<{INDENT - 2}}{first}"
        yield from (f"{'':{INDENT + 2}}{more}" for more in rest)


def _broken(line: str) -> list[str]:
    parts = line.split(", ")
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + 2 > WIDEST - INDENT:
            lines[-1] += ","
            lines.append(part)
        else:
            lines[-1] += f", {part}"
    return lines


def _count(amount: int, what: str) -> str:
    plural = "buses" if what == "bus" else f"{what}s"
    return f"{amount} {what if amount == 1 else plural}"
