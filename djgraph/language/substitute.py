"""References: ``$name`` and ``$(name)`` in texts, replaced by values; ``$$`` is a dollar."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from djgraph.errors import DocumentError, DocumentPath, Problem
from djgraph.language import limits
from djgraph.language.site import Site
from djgraph.language.words import REFERENCE, describe

UNKNOWN = object()
"""The value of an argument that nothing gives: what refers to it cannot be known."""

_DOLLAR = re.compile(r"\$(?:(\$)|([a-z][a-z0-9_]*)|\(([a-z][a-z0-9_]*)\))?")


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
    """Replaces the references in one piece of a document.

    ``problems`` fills with what could not be replaced; ``renames`` with the paths of keys that changed. ``unknown``
    says whether a reference had the value UNKNOWN, so that what was made is of no use.
    """

    def __init__(self, scope: Mapping[str, Any], site: Site, budget: Budget) -> None:
        self._scope = scope
        self._site = site
        self._budget = budget
        self.problems: list[Problem] = []
        self.renames: dict[DocumentPath, str] = {}
        self.unknown = False

    def replace(self, value: Any, *tail: str | int) -> Any:
        """``value``, which stands at ``tail`` below the site, without references.

        What holds no reference is returned as it is, the same object; anything else is a copy.
        """
        self._budget.step(self._site)
        if isinstance(value, str):
            return self._text(value, tail) if "$" in value else value
        if isinstance(value, list):
            items = [self.replace(item, *tail, index) for index, item in enumerate(value)]
            return value if _same(items, value) else items
        if isinstance(value, dict):
            return self._mapping(value, tail)
        return value

    def _mapping(self, value: dict[str, Any], tail: DocumentPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for written, item in value.items():
            key = self._join(written, (*tail, written), key=True) if "$" in written else written
            if key in result:
                self._problem(f"duplicate key {key!r}", (*tail, written), key=True)
            if key != written:
                self.renames[(*self._site.path, *tail, key)] = written
            result[key] = self.replace(item, *tail, written)
        unchanged = list(result) == list(value) and _same(result.values(), value.values())
        return value if unchanged else result

    def _text(self, text: str, tail: DocumentPath) -> Any:
        match = REFERENCE.match(text)
        if match is None:
            return self._join(text, tail)
        value = self._look_up(match[1] or match[2], tail)
        self._budget.value(value, self._site)
        return value

    def _join(self, text: str, tail: DocumentPath, key: bool = False) -> str:
        def put(match: re.Match[str]) -> str:
            if match[1]:
                return "$"
            name = match[2] or match[3]
            if name is None:
                hint = "write $name or $(name) for a reference, $$ for a dollar"
                self._problem("a $ that begins no reference", tail, key=key, hint=hint)
                return "$"
            value = self._look_up(name, tail, key)
            if value is None or isinstance(value, list | dict):
                self._problem(
                    f"${name} is {describe(value)}, which cannot stand within a text", tail, key=key
                )
                return ""
            return str(value).lower() if isinstance(value, bool) else str(value)

        joined = _DOLLAR.sub(put, text)
        if len(joined) > limits.TEXT:
            _stop(
                self._site.below(*tail),
                f"a text of more than {limits.readable(limits.TEXT)} characters (the limit)",
            )
        return joined

    def _look_up(self, name: str, tail: DocumentPath, key: bool = False) -> Any:
        if name in self._scope:
            if self._scope[name] is UNKNOWN:
                self.unknown = True
                return ""
            return self._scope[name]
        self._problem(
            f"there is no argument or variable {name!r}", tail, key=key, allowed=tuple(self._scope), name=name
        )
        return ""

    def _problem(self, message: str, tail: DocumentPath, **details: Any) -> None:
        self.problems.append(self._site.problem(message, *tail, **details))


def _same(items: Iterable[Any], others: Iterable[Any]) -> bool:
    """Whether these are the same objects in the same order."""
    return all(item is other for item, other in zip(items, others, strict=True))


def _stop(site: Site, message: str) -> None:
    raise DocumentError(site.problem(message))
