"""Pieces of a wrong document that are left out of further checks, and which problems may come of that alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
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

_SIGNALS = ("mixer", "do", "templates", "for", "inputs", "stems")

_BRING = {
    "values": ("inputs", "stems"),
    "argument": ("args", "for"),
    "bus": _SIGNALS,
    "signal": (*_SIGNALS, "chain", "input", "id", "effect", "switch", "choices"),
    "curve": ("curves",),
    "range": ("controls", "level"),
    "template": ("templates",),
}
"""What is sought → the parts of a document that bring such names, themselves or by what is repeated over them."""

_QUOTED = re.compile(r"'([^']*)'")


@dataclass(frozen=True)
class Loss:
    """A piece that is left out of further checks.

    path: where it stands; data: what stands there. owner: the name of the strip or bus around it, where there is one,
    as it is written; owner_path: where that stands. only_name: nothing is left out but what something is called.
    """

    path: DocumentPath
    data: Any
    owner: str | None = None
    owner_path: DocumentPath = ()
    only_name: bool = False

    def explains(self, problem: Problem) -> bool:
        """Whether a problem may be there only because this piece is not."""
        path, around = problem.path, self.path[:-1]
        if self.only_name:
            return path == self.path
        if path[: len(self.path)] == self.path or path == around:
            return True
        if path and path[-1] == "choices" and around[: len(path)] == path:
            return True  # there are too few of them, say
        last = self.path[-1] if self.path else None
        if isinstance(last, int) and self.path[-3:-2] != ("drives",):
            return path == around[:-1]
        if isinstance(last, int):  # one point of a curve: what is wrong with another by itself is told
            return path[: len(around)] == around and "is outside the range" not in problem.message
        if last in _AROUND:
            # Of a macro's curves its range says where they end, and its neutral place what they give there.
            drawn = "drives" in path[len(around) :] and not (
                (last in ("min", "max") and "the curve does not" in problem.message)
                or (last in ("min", "max", "neutral") and "neutral" in problem.message)
            )
            return not drawn and path[: len(around)] == around
        return around[-1:] == ("inputs",) and path == around[:-1]  # one port of a node

    def may_name(self, problem: Problem) -> bool:
        """Whether the name that a problem does not find may be one that this piece would have brought."""
        part = self._part
        if part not in (*_WHOLE, *_OWN):
            return False
        if problem.name is None and problem.seeks is None:
            return False  # it looks for nothing
        if problem.seeks is not None and part not in _BRING[problem.seeks]:
            return False
        words = {problem.name or "", *_QUOTED.findall(problem.message)}
        if part == "curves":
            return problem.seeks == "curve" and (len(self._place) < 2 or self._place[1] in words)
        if part == "choices" and not {"choices", "default", "by", "chain"} & {*problem.path, *self.path[:-1]}:
            return False
        if self._place[-3:-2] == ("controls",) and self._place[-1] in _AROUND:
            return problem.seeks == "range" and self._owns(words)
        if self.owner_path and part in _OWN:
            local = problem.path[: len(self.owner_path)] == self.owner_path
            return self._owns(words) or (local and bool(_LOCAL & set(problem.path)))
        words |= {part for word in words for part in re.split(r"[.@]", word)}
        if not self._is_named:
            return True
        names = set(_names(_part(self.data))) | {part for part in self._place[-1:] if isinstance(part, str)}
        names |= {slug(name) for name in names}
        return bool(words & (names | {part for name in names for part in name.split(".")}))

    def _owns(self, words: Iterable[str]) -> bool:
        """Whether any of these names begins with that of the strip or bus around the piece."""
        if self.owner is None:
            return True
        name = "".join(
            ".*" if part.startswith("$") else re.escape(part)
            for part in re.split(r"(\$\w+|\$\([^)]*\))", self.owner)
        )
        return any(re.match(f"{name}(?:[.@]|$)", word) for word in words)

    @property
    def _place(self) -> DocumentPath:
        """Where the whole stands that is not known, by name or altogether."""
        return self.path[:-1] if self.only_name else self.path

    @property
    def _part(self) -> str | int | None:
        """The part of the document that it belongs to: the key that it or its list stands under, or the mapping's."""
        place = self._place
        if "choices" in place[-3:-1] and "chain" in place:
            return "chain"
        for part in reversed(place[-2:]):
            ports = part == "inputs" and place[0] != "inputs"  # of a node: they bring no names
            if part in (*_WHOLE, *_OWN) and not ports:
                return part
        # What one control is called, what a repeat runs over and the points of a curve stand a level deeper.
        return place[-3] if place[-3:-2] in (("controls",), ("for",), ("curves",)) else None

    @property
    def _is_named(self) -> bool:
        """Whether all names that it may have brought are known: it is no repeat or template, and names no argument."""
        data = _part(self.data)
        if not isinstance(data, dict):
            return False
        named = [data[key] for key in _NAMING if key in data and key != "aliases"]
        return bool(named) and all(slug(name) and "$" not in name for name in named)


def _part(data: Any) -> Any:
    """What an element is called, where it is a graph: all names that it brings begin with that."""
    used = data.get("use") if isinstance(data, dict) else None
    return {"as": used.get("as")} if isinstance(used, dict) else data


def slug(name: Any) -> str:
    """The name that somebody who wrote ``Deck 1`` may use elsewhere; empty where there is none."""
    return re.sub(r"[^a-z0-9.]+", "_", name.lower()).strip("_") if isinstance(name, str) else ""


def certain(problems: Sequence[Problem], losses: Sequence[Loss]) -> list[Problem]:
    """The problems without those that may be there only because pieces were left out: what does not find a name."""
    return [one for one in problems if not any(loss.explains(one) or loss.may_name(one) for loss in losses)]


def certain_of_all(problems: Sequence[Problem], losses: Sequence[Loss]) -> list[Problem]:
    """The same for problems of all kinds, of which those that look for names say what they seek."""
    return [one for one in problems if (certain if one.seeks else unexplained)([one], losses)]


def unexplained(problems: Sequence[Problem], losses: Sequence[Loss]) -> list[Problem]:
    """The problems without those that may be there only because pieces were left out; none looks for a name."""
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
