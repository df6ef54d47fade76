"""Which strips and inputs are equal, so that one box of a picture, or one paragraph, can stand for all of them.

Strips are equal if they have the same chain with the same bindings, feed the same buses and outputs, read equal
sources and are read alike. That is found by partition refinement, as states of an automaton are minimised: all are in
one class by what they are themselves, and classes are parted by the classes of their neighbours until nothing changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

from djgraph.graph.ir import Binding, Blend, Column, EffectNode, Graph, InputNode, Owner
from djgraph.graph.links import Link, place_of, tap_of

FEWEST = 3
"""As many equal strips are folded; two are shown side by side."""
ROUNDS = 64
"""Refinement goes so far along chains of strips; what is not settled by then is not folded."""


def vertex(graph: Graph, source: str) -> str:
    """The box of a link's source: the stems of an input share one."""
    node = graph.by_id.get(source)
    return f"in:{node.input}" if isinstance(node, InputNode) else source


def box_of(owner: Owner) -> str:
    """The box of a strip, a bus, or an input."""
    return f"in:{owner.name}" if owner.kind == "input" else owner.name


def groups(graph: Graph, links: Sequence[Link], by_part: bool = False) -> dict[str, list[str]]:
    """Strips and inputs (``in:`` and its name) that are folded: the first of each group → all of it, in order.

    by_part: strips of different parts are told apart.
    """
    columns: dict[str, dict[str, Column]] = defaultdict(dict)
    for column in graph.columns:
        for node, _ in column.drives:
            columns[box_of(graph.owner_of[node])][column.name] = column
    own: dict[str, Hashable] = {
        f"in:{name}": _input(graph, name, columns[f"in:{name}"].values()) for name in graph.inputs
    }
    own |= {
        owner.name: (_owner(graph, owner, columns[owner.name].values()), owner.part if by_part else "")
        for owner in graph.owners
    }
    ends: dict[str, list[Hashable]] = defaultdict(list)
    near: dict[str, list[tuple[Hashable, str]]] = defaultdict(list)
    owners = {owner.name: owner for owner in graph.owners}
    for link in links:
        source = vertex(graph, link.source)
        place = _place(graph, owners, link)
        if link.kind == "output":
            ends[source].append((link.kind, place, link.target))
            continue
        if link.kind in ("to", "send"):
            ends[source].append((link.kind, place, link.target))
        else:
            node = owners[link.target].name_of(link.node) if link.node else ""
            near[source].append((("out", link.kind, place, node, link.port), link.target))
            # "Equal sources": the stem's own name does not count.
            place = None if isinstance(graph.by_id[link.point.node], InputNode) else place
            near[link.target].append((("in", link.kind, place, node, link.port), source))
    classes = _refined(
        {name: (what, tuple(sorted(ends[name], key=repr))) for name, what in own.items()}, near
    )
    members: dict[int, list[str]] = defaultdict(list)
    for name, number in classes.items():
        members[number].append(name)
    folded = {group[0]: group for group in members.values() if len(group) >= FEWEST}
    inside = {name for group in folded.values() for name in group}
    return {
        first: group
        for first, group in folded.items()
        if first in owners or all(other in inside for name in group for _, other in near[name])
    }


def ranged(names: Sequence[str]) -> str:
    """``c1 … c24``; what the last name shares with the first up to a dot is left out."""
    if len(names) == 1:
        return names[0]
    first, last = names[0], names[-1]
    prefix = first.rpartition(".")[0]
    return f"{first} … {last.removeprefix(f'{prefix}.') if prefix else last}"


def starred(names: Sequence[str]) -> str:
    """One pattern that matches all of them: ``*``, ``track_a.*``."""
    parts = [name.split(".") for name in names]
    if len({len(words) for words in parts}) > 1:
        return "*"
    return ".".join(words[0] if len(set(words)) == 1 else "*" for words in zip(*parts))


def _refined(own: Mapping[str, Hashable], near: Mapping[str, list[tuple[Hashable, str]]]) -> dict[str, int]:
    """Name → the number of its class."""
    classes = _numbered(own)
    for _ in range(ROUNDS):
        finer = _numbered(
            {
                name: (
                    number,
                    tuple(sorted((repr(how), classes[other]) for how, other in near.get(name, ()))),
                )
                for name, number in classes.items()
            }
        )
        if len(set(finer.values())) == len(set(classes.values())):
            return classes
        classes = finer
    return {name: number for number, name in enumerate(classes)}


def _numbered(keys: Mapping[str, Hashable]) -> dict[str, int]:
    numbers: dict[Hashable, int] = {}
    return {name: numbers.setdefault(key, len(numbers)) for name, key in keys.items()}


def _input(graph: Graph, name: str, columns: Iterable[Column]) -> Hashable:
    nodes = [node for node in graph.nodes if isinstance(node, InputNode) and node.input == name]
    stems = tuple((node.stem, node.channels, node.optional) for node in nodes)
    source = graph.sources.get(name)
    return ("input", stems, None if source is None else _owner(graph, graph.owner_of[source.id], columns))


def _owner(graph: Graph, owner: Owner, columns: Iterable[Column]) -> Hashable:
    """What a strip is itself; ``columns`` are those that it reads. Buses differ by their names: each has its own."""
    if owner.kind == "bus":
        return owner.name
    read = list(columns)
    common = _common((column.name for column in read), owner)
    nodes = []
    for name in owner.nodes:
        node = graph.by_id[name]
        if isinstance(node, EffectNode):
            settings = node.settings.model_dump_json()
            bound = tuple(_binding(binding, owner, common) for binding in node.bindings.values())
            ports = tuple(
                place_of(graph, owner, point)
                for point in list(node.sources.values())[1:]
                if point.node in owner.nodes
            )
            nodes.append((owner.name_of(name), node.effect.type, settings, node.channels, bound, ports))
    own, group = [], []
    for column in read:
        control = column.control
        about = (column.kind, control.min, control.max, control.default, column.role != "fader")
        if column.name in common:
            group.append((column.name, about))
        else:
            own.append((_relative(f"column='{column.name}'", owner), about))
    return ("strip", tuple(nodes), tuple(own), tuple(group))


def _common(names: Iterable[str], owner: Owner) -> frozenset[str]:
    """Columns that a group reads as a whole, as it reads its solos: the owner's own one, and those of others that are
    called alike. Their full names are the same for each of the group."""
    read = list(names)
    others = [name for name in read if "." in name and not name.startswith(f"{owner.name}.")]
    alike = {name.rpartition(".")[2] for name in others}
    return frozenset(name for name in read if name.rpartition(".")[2] in alike)


def _binding(binding: Binding, owner: Owner, common: frozenset[str]) -> Hashable:
    """A binding with the owner's own columns named without it. What belongs to a group keeps its name where the others'
    stand beside it, and not where the owner reads its own one alone."""
    if not isinstance(binding, Blend):
        return _relative(repr(binding), owner)
    terms = []
    for term in binding.terms:
        whole = len({curve.column for curve in term} & common) > 1
        terms.append(
            tuple(
                repr(curve) if whole and curve.column in common else _relative(repr(curve), owner)
                for curve in term
            )
        )
    return tuple(terms)


def _relative(text: str, owner: Owner) -> str:
    """A binding's text with the owner's own columns named without it."""
    return text.replace(f"column='{owner.name}.", "column='.")


def _place(graph: Graph, owners: Mapping[str, Owner], link: Link) -> Hashable:
    """Where within its source a link begins."""
    owner = owners.get(link.source)
    if owner is None:
        return getattr(graph.by_id[link.source], "stem", None)
    if link.kind == "send":
        return (
            tap_of(graph, owner, link),
            owner.name_of(link.node) if link.node else None,
            link.back,
            link.beats,
            link.feedback,
        )
    return place_of(graph, owner, link.point) if link.point.node in owner.nodes else ""
