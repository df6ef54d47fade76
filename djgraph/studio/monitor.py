"""Mute and solo of a console: which faders have to be shut so that a strip is not heard, or alone is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from djgraph.effects.roles import FADER
from djgraph.graph.ir import Graph
from djgraph.graph.links import links


def silencing(graph: Graph, name: str) -> frozenset[str]:
    """The columns that silence a strip or bus at their minimum: its own fader, or where it has none those of all that
    feeds it, as far as there are some on every way; nothing where one way has none."""
    feeds, faders = _feeding(graph), _faders(graph)

    def shut(owner: str, seen: frozenset[str]) -> frozenset[str] | None:
        if owner in faders:
            return frozenset(faders[owner])
        before = feeds.get(owner, frozenset()) - seen
        parts = [shut(one, seen | {owner}) for one in before]
        if not parts or any(part is None for part in parts):
            return None
        return frozenset().union(*(part for part in parts if part is not None))

    return shut(name, frozenset({name})) or frozenset()


def closed(graph: Graph, muted: Collection[str], soloed: Collection[str]) -> frozenset[str]:
    """The columns at their minimum while some strips and buses are muted and some are heard alone.

    Soloed are those named, all that feeds them, and what they feed: a strip that leads to none of them is silent.
    """
    shut = [silencing(graph, name) for name in muted]
    if soloed:
        feeds = _feeding(graph)
        onward: dict[str, set[str]] = defaultdict(set)
        for target, before in feeds.items():
            for source in before:
                onward[source].add(target)
        heard = _reached(soloed, feeds) | _reached(soloed, onward)
        shut += [silencing(graph, owner.name) for owner in graph.owners if owner.name not in heard]
        # A fader that something which is heard needs stays open, unless it is muted itself.
        own = _faders(graph)
        kept = {column for name in heard for column in own.get(name, ())}
        kept -= {column for name in muted for column in silencing(graph, name)}
        return frozenset().union(*shut) - kept
    return frozenset().union(*shut)


def _reached(names: Collection[str], ways: Mapping[str, Collection[str]]) -> set[str]:
    found, left = set(names), list(names)
    while left:
        for one in ways.get(left.pop(), ()):
            if one not in found:
                found.add(one)
                left.append(one)
    return found


def _feeding(graph: Graph) -> dict[str, frozenset[str]]:
    """Strip or bus → the strips and buses that it hears."""
    owners = {owner.name for owner in graph.owners}
    found: dict[str, set[str]] = defaultdict(set)
    for link in links(graph):
        if link.source in owners and link.target in owners and link.kind != "port":
            found[link.target].add(link.source)
    return {target: frozenset(sources) for target, sources in found.items()}


def _faders(graph: Graph) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for column in graph.columns:
        if column.part is not None and column.role == FADER and column.kind == "control":
            found[column.part.owner].append(column.name)
    return found
