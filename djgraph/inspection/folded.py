"""Texts about equal strips as one: what is the same is written once, what differs as ``c1 … c24`` or ``*.eq_low``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from djgraph.graph.alike import ranged, starred

_BETWEEN = re.compile(r"([\s,;:()=]+)")
_NUMBER = re.compile(r"[-−+]?[\d.]")


def merged(texts: Sequence[str], members: Sequence[str]) -> str | None:
    """One text for those of all members, in their order; None where they differ in more than names."""
    parts = [_BETWEEN.split(text) for text in texts]
    if len({len(words) for words in parts}) > 1:
        return None
    found = [_word(words, members) for words in zip(*parts)]
    said = [word for word in found if word is not None]
    return "".join(said) if len(said) == len(found) else None


def _word(words: Sequence[str], members: Sequence[str]) -> str | None:
    if len(set(words)) == 1:
        return words[0]
    rests = {
        word.removeprefix(f"{member}.") if word.startswith(f"{member}.") else None
        for word, member in zip(words, members)
    }
    if len(rests) == 1 and None not in rests:  # a column, or a place, of each one's own
        return f"{starred(members)}.{rests.pop()}"
    if any(_NUMBER.match(word) or not word.strip(" ,;:()=") for word in words):
        return None
    return ranged(words)


class Folds:
    """Which strips share a paragraph, and lists in which they share an entry.

    groups: the first of each → all of it, in order.
    """

    def __init__(self, groups: Mapping[str, Sequence[str]]) -> None:
        self._groups = groups
        self._first = {name: first for first, group in groups.items() for name in group}

    def members(self, name: str) -> Sequence[str]:
        """All that share the paragraph of a strip or bus, itself included; none where it stands in another's."""
        return self._groups.get(name, () if name in self._first else (name,))

    def group_of(self, name: str) -> Sequence[str]:
        """All that are equal to a strip or bus, itself included."""
        return self._groups.get(self._first.get(name, ""), (name,))

    def gathered(self, items: Sequence[tuple[str, str]]) -> list[str]:
        """Texts, each about a strip or bus, in order; one for all members of a group if each has as many."""
        about: dict[str, list[str]] = defaultdict(list)
        for name, text in items:
            about[name].append(text)
        found: list[str] = []
        done: set[str] = set()
        for name, text in items:
            group = self.group_of(name)
            if name in done:
                continue
            if len(group) == 1 or len({len(about[member]) for member in group}) > 1:
                found.append(text)
                continue
            one = [merged(texts, group) for texts in zip(*(about[member] for member in group))]
            said = [text for text in one if text is not None]
            if len(said) < len(one):
                found.append(text)
                continue
            found += said
            done |= set(group)
        return found
