"""References: ``$name``, ``$(name)`` and sums, ``$(n + 1)``, in texts, replaced by values; ``$$`` is a dollar.

Repeats among the items of lists are put in place on the way: their items, once for each value of the variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from djgraph.errors import Copy, DocumentError, DocumentPath, Problem
from djgraph.language import limits
from djgraph.language.repeats import is_repeat
from djgraph.language.site import Moved, Site, spoken
from djgraph.language.sums import NoSum, evaluate
from djgraph.language.words import REFERENCE, describe

UNKNOWN = object()
"""The value of an argument that nothing gives: what refers to it cannot be known."""

_DOLLAR = re.compile(r"\$(?:(\$)|([a-z][a-z0-9_]*)|\(([^()$]*)\))?")

Values = Callable[[Any, Site], tuple[str, list[Any]] | None]
"""What ``for`` says, without references, and where → the variable and its values; None, with problems noted."""


class Exhausted(DocumentError):
    """A limit is reached, so that expansion ends."""


class Budget:
    """What expansion may still make; one for a whole document, so that no file can eat all memory."""

    def __init__(self) -> None:
        self._steps = limits.STEPS
        self._nodes = limits.NODES

    def step(self, site: Site, count: int = 1) -> None:
        self._steps -= count
        if self._steps < 0:
            _stop(
                site,
                f"templates and repeats make more than {limits.readable(limits.STEPS)} values (the limit)",
            )

    def node(self, site: Site, count: int = 1) -> None:
        self._nodes -= count
        if self._nodes < 0:
            _stop(site, f"the graph has more than {limits.readable(limits.NODES)} nodes (the limit)")

    def value(self, value: Any, site: Site) -> None:
        """Spend as much as a value holds; it may share parts and be far larger than it looks."""
        self.step(site)
        if isinstance(value, dict):
            for item in value.values():
                self.value(item, site)
        elif isinstance(value, list):
            for item in value:
                self.value(item, site)


class Substitution:
    """Replaces the references in one piece of a document, and puts repeats in its lists in place.

    values: what repeats run over; without it there are none. ``problems`` fills with what could not be replaced;
    ``moves`` with where what is not at its place came from. ``unknown`` says whether a reference had the value
    UNKNOWN; ``holes`` fills with the places, after replacing, of what is not known for either reason, and ``lost`` with
    what is left out altogether: repeats over nothing that is known, and values under such keys.
    """

    def __init__(
        self, scope: Mapping[str, Any], site: Site, budget: Budget, values: Values | None = None
    ) -> None:
        self._scope = scope
        self._site = site
        self._budget = budget
        self._values = values
        self._depth = 0
        self.problems: list[Problem] = []
        self.moves: dict[DocumentPath, Moved] = {}
        self.unknown = False
        self.holes: list[DocumentPath] = []
        self.lost: list[tuple[Site, Any]] = []
        self._unknowns = 0

    def replace(self, value: Any) -> Any:
        """``value``, which stands at the site, without references.

        What holds no reference is returned as it is, the same object; anything else is a copy.
        """
        return self._replace(value, (), ())

    def _replace(self, value: Any, at: DocumentPath, to: DocumentPath) -> Any:
        """at: where it is written, and to: where it comes to stand, both below the site."""
        self._budget.step(self._site)
        if isinstance(value, str):
            if "$" not in value:
                return value
            before = len(self.problems), self._unknowns
            text = self._text(value, at)
            if (len(self.problems), self._unknowns) != before:
                self.holes.append(to)
            return text
        if isinstance(value, list):
            items = self._items(value, at, to)
            return value if len(items) == len(value) and _same(items, value) else items
        if isinstance(value, dict):
            return self._mapping(value, at, to)
        return value

    def _items(self, value: list[Any], at: DocumentPath, to: DocumentPath, first: int = 0) -> list[Any]:
        """The items of a list, which come to stand from index ``first`` on."""
        items: list[Any] = []
        for index, item in enumerate(value):
            place = first + len(items)
            if self._values is not None and is_repeat(item):
                items += self._repeat(item, (*at, index), to, place)
                continue
            if place != index or first or self._depth:
                self._move((*to, place), (*at, index))
            items.append(self._replace(item, (*at, index), (*to, place)))
        return items

    def _repeat(self, item: dict[str, Any], at: DocumentPath, to: DocumentPath, first: int) -> list[Any]:
        """The items of a repeat, for one value after the other."""
        assert self._values is not None
        holes = len(self.holes)
        over = self._replace(item["for"], (*at, "for"), (*at, "for"))
        loop = self._values(over, self._site.below(*at)) if len(self.holes) == holes else None
        if loop is None:
            del self.holes[holes:]
            self.lost.append((self._site.below(*at), item))
            return []
        self._depth += 1
        if self._depth > limits.DEPTH:
            _stop(self._site, f"repeats lie more than {limits.DEPTH} deep in one another (the limit)")
        variable, values = loop
        scope, site = self._scope, self._site
        items: list[Any] = []
        copies: list[Copy] = []
        for value in values:
            self._budget.step(site)
            self._scope = {**scope, variable: value}
            variables = {**site.variables, variable: value}
            copies.append(Copy(spoken(variables), copies))
            self._site = replace(site, variables=variables, copy=copies[-1])
            items += self._items(item["do"], (*at, "do"), to, first + len(items))
        self._scope, self._site = scope, site
        self._depth -= 1
        return items

    def _move(self, to: DocumentPath, at: DocumentPath) -> None:
        path = self._site.path
        self.moves[(*path, *to)] = Moved((*path, *at), self._site.copy)

    def _mapping(self, value: dict[str, Any], at: DocumentPath, to: DocumentPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for written, item in value.items():
            here = (*at, written)
            key = self._key(written, here) if "$" in written else written
            if key is None:
                self.lost.append((self._site.below(*here), item))
                continue
            if key in result:
                self._problem(f"duplicate key {key!r}", here, key=True)
                continue
            if key != written:
                self._move((*to, key), here)
            result[key] = self._replace(item, here, (*to, key))
        unchanged = list(result) == list(value) and _same(result.values(), value.values())
        return value if unchanged else result

    def _key(self, written: str, at: DocumentPath) -> str | None:
        """A key without references; None where one of them has no value."""
        before = len(self.problems), self._unknowns
        key = self._join(written, at, key=True)
        return key if (len(self.problems), self._unknowns) == before else None

    def _text(self, text: str, at: DocumentPath) -> Any:
        match = REFERENCE.match(text)
        if match is None:
            return self._join(text, at)
        value = self._look_up(match[1], at) if match[1] else self._sum(match[2], at)
        self._budget.value(value, self._site)
        return value

    def _join(self, text: str, at: DocumentPath, key: bool = False) -> str:
        def put(match: re.Match[str]) -> str:
            if match[1]:
                return "$"
            if match[2] is None and match[3] is None:
                hint = "write $name or $(name) for a reference, $$ for a dollar"
                self._problem("a $ that begins no reference", at, key=key, hint=hint)
                return "$"
            name = match[2] or match[3]
            value = self._look_up(name, at, key) if match[2] else self._sum(name, at, key)
            if value is None or isinstance(value, list | dict):
                self._problem(f"${name} is {describe(value)}, which cannot stand within a text", at, key=key)
                return ""
            return str(value).lower() if isinstance(value, bool) else str(value)

        joined = _DOLLAR.sub(put, text)
        if len(joined) > limits.TEXT:
            _stop(
                self._site.below(*at),
                f"a text of more than {limits.readable(limits.TEXT)} characters (the limit)",
            )
        return joined

    def _sum(self, text: str, at: DocumentPath, key: bool = False) -> Any:
        before = len(self.problems)
        try:
            return evaluate(text, lambda name: self._look_up(name, at, key))
        except NoSum as fault:
            if len(self.problems) == before and not self.unknown:  # a name that is not there is told already
                self._problem(str(fault), at, key=key)
            return ""

    def _look_up(self, name: str, at: DocumentPath, key: bool = False) -> Any:
        if name in self._scope:
            if self._scope[name] is UNKNOWN:
                self.unknown = True
                self._unknowns += 1
                return ""
            return self._scope[name]
        self._problem(
            f"there is no argument or variable {name!r}",
            at,
            key=key,
            allowed=tuple(self._scope),
            name=name,
            seeks="argument",
        )
        return ""

    def _problem(self, message: str, at: DocumentPath, **details: Any) -> None:
        self.problems.append(self._site.problem(message, *at, **details))


def _same(items: Iterable[Any], others: Iterable[Any]) -> bool:
    """Whether these are the same objects in the same order."""
    return all(item is other for item, other in zip(items, others, strict=True))


def _stop(site: Site, message: str) -> None:
    raise Exhausted(site.problem(message))
