"""Problems in file order, those of equal copies told once: what repeats and templates copy goes wrong in each copy."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from djgraph.errors import Copy, Problem
from djgraph.language import limits

SHOWN = 6
"""Copies that a folded problem names."""

_VALUE = re.compile(r"'[^']*'|[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
"""What in a message comes from the values of one copy: quoted names and numbers."""


def in_file_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems by line and column, each once; of a flood only the first, and how many more there are."""
    ordered = sorted(_folded(problems), key=_order)
    if len(ordered) <= limits.PROBLEMS:
        return ordered
    more = Problem(f"… and {len(ordered) - limits.PROBLEMS} more problems")
    return [*ordered[: limits.PROBLEMS], more]


def _folded(problems: Iterable[Problem]) -> list[Problem]:
    """Each problem once; one for the copies of a piece in which the same went wrong at the same place."""
    unique: dict[tuple[Any, ...], Problem] = {}
    for problem in problems:
        unique.setdefault((problem.position, problem.message, problem.path, id(problem.copy)), problem)
    groups: dict[tuple[Any, ...], list[Problem]] = defaultdict(list)
    told: dict[tuple[Any, ...], int] = defaultdict(int)
    for problem in unique.values():
        key = (problem.position, problem.path, _VALUE.sub("…", problem.message))
        # Several of one copy are several problems: the first of each copy are told together, then the second ones.
        nth = told[(*key, id(problem.copy))]
        told[(*key, id(problem.copy))] += 1
        own = None if problem.copy is not None else problem.message
        groups[(*key, nth, own)].append(problem)
    return [_as_one(group) for group in groups.values()]


def _as_one(group: Sequence[Problem]) -> Problem:
    first = group[0]
    if first.copy is None:
        return first
    hints = [first.hint] if first.hint else []
    if len(group) > 1:
        hints.append(_in_copies([problem.copy for problem in group if problem.copy is not None]))
    elif first.copy.values:
        hints.append(f"here {first.copy.values}")
    return replace(first, hint="; ".join(hints) or None, copy=None)


def _in_copies(copies: Sequence[Copy]) -> str:
    """``in 3 of 4: n = 1, 2, 4``."""
    count = f"in {len(copies)} of {len(copies[0].all)}"
    if not copies[0].values:
        return f"{count} copies"
    shown = [copy.values for copy in copies[:SHOWN]]
    name = shown[0].partition(" = ")[0]
    if all(text.startswith(f"{name} = ") and text.count(" = ") == 1 for text in shown):
        text = f"{name} = {', '.join(text.partition(' = ')[2] for text in shown)}"
    else:
        text = "; ".join(shown)
    return f"{count}: {text}" + (", …" if len(copies) > SHOWN else "")


def _order(problem: Problem) -> tuple[str, int, int]:
    where = problem.position
    return (where.file, where.line, where.column) if where else ("", 0, 0)
