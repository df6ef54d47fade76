"""Names of one kind that differ in one letter, where one of them is probably misspelt."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from djgraph.errors import Problem
from djgraph.graph.build import Built
from djgraph.language.site import Site

SHORTEST = 4
"""Letters of the shortest words that are compared: shorter ones (left and right as l and r) differ on purpose."""

MOST = 400
"""Different names that are compared; more have too many pairs, and come from repeats."""

_WORDS = re.compile(r"[._]")
_SERIES = "abcdefghlrxyz"
"""Last letters by which names of a series differ: decka, deckb."""


def alike(built: Built) -> Iterator[Problem]:
    """A warning at the later one of each two names of strips, of buses, or of columns behind their owners' names."""
    strips, buses, columns = dict[str, Site](), dict[str, Site](), dict[str, Site]()
    uses: dict[str, int] = defaultdict(int)
    for owner in built.owners.values():
        (strips if owner.sum is None else buses)[owner.name] = owner.site.below(owner.placed.kind)
        for node in owner.effects:
            for override in node.overrides.values():
                if override.as_ is not None:
                    uses[override.as_] += 1
                    columns.setdefault(override.as_, node.site)
            if node.effect is not None and node.name != node.effect.type:
                uses[node.name] += 1
                columns.setdefault(node.name, node.site)
    for what, places in (("strips", strips), ("buses", buses), ("names within strips", columns)):
        for first, second in combinations(list(places)[:MOST], 2):
            if differ_by_a_slip(first, second):
                rarer = first if uses[first] < uses[second] else second
                message = f"{what} {first!r} and {second!r} differ in one letter"
                hint = "if both are meant, names that are less alike are easier to tell apart"
                yield places[rarer].problem(message, hint=hint)


def differ_by_a_slip(first: str, second: str) -> bool:
    """Whether one word of two names differs by one letter, or two neighbours that are swapped, as slips do.

    Numbers, single last letters of a series (``decka``, ``deckb``), plurals and short words differ on purpose.
    """
    one, other = _WORDS.split(first), _WORDS.split(second)
    if len(one) != len(other):
        return False
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    if len(pairs) != 1:
        return False
    a, b = sorted(pairs[0], key=len)
    if len(a) < SHORTEST or b in (f"{a}s", f"{a}es"):
        return False
    return _swapped(a, b) or _one_more(a, b) or _one_other(a, b)


def _swapped(a: str, b: str) -> bool:
    if len(a) != len(b):
        return False
    at = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    if len(at) != 2 or at[1] != at[0] + 1:
        return False
    two = a[at[0] : at[1] + 1]
    return two.isalpha() and two[::-1] == b[at[0] : at[1] + 1]


def _one_more(a: str, b: str) -> bool:
    if len(b) != len(a) + 1:
        return False
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    more = b[at]
    return a[at:] == b[at + 1 :] and more.isalpha() and not (at == len(a) and more in _SERIES)


def _one_other(a: str, b: str) -> bool:
    if len(a) != len(b):
        return False
    at = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    if len(at) != 1 or not (a[at[0]].isalpha() and b[at[0]].isalpha()):
        return False
    in_series = at[0] == len(a) - 1 and a[-1] in _SERIES and b[-1] in _SERIES
    return not in_series
