"""Pieces of a wrong document that are left out of further checks, and which problems may come of that alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from djgraph.errors import DocumentPath, Problem

_WHOLE = ("mixer", "do", "inputs", "stems", "templates", "args", "for", "curves", "choices")
"""Parts of a document that bring names which are seen everywhere."""

_OWN = (
    "chain",
    "sends",
    "macros",
    "controls",
    "level",
    "input",
    "id",
    "as",
    "aliases",
    "effect",
    "mute",
    "solo",
    "switch",
)
"""Parts of a strip or bus that bring names, which begin with its own."""

_LOCAL = {"tie", "drives", "tap", "fader", "follow", "by"}
"""Where names of the own strip or bus are used without its name before them."""

_NAMING = ("strip", "bus", "macro", "name", "id", "effect", "as", "aliases")
"""Keys that say what an element is called."""

_AROUND = (
    "min",
    "max",
    "default",
    "neutral",
    "value",
    "tie",
    "fader",
    "name",
    "follow",
    "curve",
    "feedback",
    "delay",
)
"""Keys on which the checks of the values beside them depend."""

_QUOTED = re.compile(r"'([^']*)'")


@dataclass(frozen=True)
class Loss:
    """A piece that is left out of further checks.

    path: where it stands; data: what stands there. owner, owner_path: the strip or bus around it, where there is one
    and its name is known.
    """

    path: DocumentPath
    data: Any
    owner: str | None = None
    owner_path: DocumentPath = ()

    def explains(self, problem: Problem) -> bool:
        """Whether a problem may be there only because this piece is not."""
        path, around = problem.path, self.path[:-1]
        if path[: len(self.path)] == self.path or path == around:
            return True
        if path and path[-1] == "choices" and around[: len(path)] == path:
            return True  # there are too few of them, say
        last = self.path[-1] if self.path else None
        if isinstance(last, int) and self.path[-3:-2] != ("drives",):
            return path == around[:-1]
        if last in _AROUND or isinstance(last, int):  # one point of a curve
            return path[: len(around)] == around
        return around[-1:] == ("inputs",) and path == around[:-1]  # one port of a node

    def may_name(self, problem: Problem) -> bool:
        """Whether the name that a problem does not find may be one that this piece would have brought."""
        part = self._part
        if part not in (*_WHOLE, *_OWN):
            return False
        words = {problem.name or "", *_QUOTED.findall(problem.message)}
        words |= {part for word in words for part in re.split(r"[.@]", word)}
        if self.owner is not None and part in _OWN:
            local = problem.path[: len(self.owner_path)] == self.owner_path
            return self.owner in words or (local and bool(_LOCAL & set(problem.path)))
        if not self._is_named:
            return True
        names = set(_names(_part(self.data))) | {part for part in self.path[-1:] if isinstance(part, str)}
        names |= {_slug(name) for name in names}
        return bool(words & (names | {part for name in names for part in name.split(".")}))

    @property
    def _part(self) -> str | int | None:
        """The part of the document that it belongs to: the key that it or its list stands under, or the mapping's."""
        for part in reversed(self.path[-2:]):
            ports = part == "inputs" and self.path[0] != "inputs"  # of a node: they bring no names
            if part in (*_WHOLE, *_OWN) and not ports:
                return part
        # What one control is called, and what a repeat runs over, stand a level deeper.
        return self.path[-3] if self.path[-3:-2] in (("controls",), ("for",), ("curves",)) else None

    @property
    def _is_named(self) -> bool:
        """Whether all names that it may have brought are known: it is no repeat or template, and names no argument."""
        data = _part(self.data)
        if not isinstance(data, dict):
            return False
        named = [data[key] for key in _NAMING if key in data and key != "aliases"]
        return bool(named) and all(_slug(name) and "$" not in name for name in named)


def _part(data: Any) -> Any:
    """What an element is called, where it is a graph: all names that it brings begin with that."""
    used = data.get("use") if isinstance(data, dict) else None
    return {"as": used.get("as")} if isinstance(used, dict) else data


def _slug(name: Any) -> str:
    """The name that somebody who wrote ``Deck 1`` may use elsewhere; empty where there is none."""
    return re.sub(r"[^a-z0-9.]+", "_", name.lower()).strip("_") if isinstance(name, str) else ""


def certain(problems: Sequence[Problem], losses: Sequence[Loss]) -> list[Problem]:
    """The problems without those that may be there only because pieces were left out."""
    return [one for one in problems if not any(loss.explains(one) or loss.may_name(one) for loss in losses)]


def unexplained(problems: Sequence[Problem], losses: Sequence[Loss]) -> list[Problem]:
    """The same for problems that do not look for names of the document."""
    return [one for one in problems if not any(loss.explains(one) for loss in losses)]


def _names(data: Any, key: str = "name") -> Iterator[str]:
    """What the elements in ``data``, which stands under ``key``, are called."""
    if isinstance(data, str):
        if key in (*_NAMING, "chain", "stems"):
            yield data
    elif isinstance(data, list):
        for item in data:
            yield from _names(item, key)
    elif isinstance(data, dict):
        for inner, value in data.items():
            yield from _names(value, inner)
