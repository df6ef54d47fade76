"""Finding columns by name: exact names, old names (aliases), dotted prefixes and patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate

from djgraph.errors import LayoutError, did_you_mean
from djgraph.graph.ir import Column

MANY_WORDS = 200
"""With more words than this in a layout's names, no patterns are suggested."""


def parted(column: Column) -> tuple[str, str]:
    """A column's name as what it belongs to and what it is there: ``track_a.eq3`` and ``low``; of a send, whose bus may
    have dots in its name, ``track_a`` and ``fx.wet_send``."""
    for node, _ in column.drives:
        owner, send, _ = node.partition(".send:")
        if column.kind == "send" and send and column.name.startswith(f"{owner}."):
            return owner, column.name.removeprefix(f"{owner}.")
    owner, _, label = column.name.rpartition(".")
    return owner, label


class Names:
    """The names of a layout's columns.

    An alias is an old name. Written without a dot it is relative: it stands where the last part of the
    column's name stands (``low_gain`` of ``track_a.drums.eq_low`` is ``track_a.drums.low_gain``). With a dot
    it is the whole old name. A column's own name always wins over another column's alias.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.names = tuple(column.name for column in columns)
        self.aliases = tuple(_aliases(column) for column in columns)
        self._index = {name: i for i, name in enumerate(self.names)}
        self._by_alias: dict[str, list[int]] = {}
        self._columns = tuple(columns)
        for i, aliases in enumerate(self.aliases):
            for alias in aliases:
                if alias not in self._index:
                    self._by_alias.setdefault(alias, []).append(i)
        # Every dotted prefix, whole names included; a dict keeps document order and drops repeats.
        self.prefixes = tuple(
            dict.fromkeys(
                prefix for name in self.names for prefix in accumulate(name.split("."), "{}.{}".format)
            )
        )

    def find(self, name: str) -> int | None:
        """The column of that name or alias, or None. Raises LayoutError where two columns share the alias."""
        if name in self._index:
            return self._index[name]
        columns = self._by_alias.get(name, [])
        if len(columns) > 1:
            owners = " and ".join(self.names[i] for i in columns)
            raise LayoutError(
                f"{name!r} is an old name of more than one control: {owners}; use a present name"
            )
        return columns[0] if columns else None

    def instead(self, name: str) -> str | None:
        """Of a control without a column of its own, what moves it: a macro, or the column that it is tied to."""
        for column in self._columns:
            for node, control in column.drives:
                owner, send, bus = node.partition(".send:")
                if name == (f"{owner}.{bus}_send" if send else f"{node}.{control}"):
                    what = "driven by macro" if column.kind == "macro" else "tied to"
                    return f"{name!r} is {what} {column.name!r}"
        return None

    def index(self, name: str) -> int:
        """The column of that name or alias; LayoutError with the nearest name otherwise."""
        column = self.find(name) if isinstance(name, str) else None
        if column is None:
            if isinstance(name, str) and (instead := self.instead(name)) is not None:
                raise LayoutError(f"{instead}, so it has no column of its own")
            guess = did_you_mean(name, self.names) if isinstance(name, str) else "; a control's name is text"
            raise LayoutError(f"there is no control {name!r}{guess}")
        return column

    def slice(self, prefix: str) -> slice:
        """The columns under a dotted prefix; LayoutError where there are none or they do not lie together."""
        start = prefix + "."
        columns = [i for i, name in enumerate(self.names) if name == prefix or name.startswith(start)]
        if not columns:
            alias = self.find(prefix)
            if alias is None:
                raise LayoutError(f"no control lies under {prefix!r}{did_you_mean(prefix, self.prefixes)}")
            columns = [alias]
        if columns[-1] - columns[0] + 1 != len(columns):
            raise LayoutError(
                f"the controls under {prefix!r} do not lie together (columns {columns[0]} … {columns[-1]} "
                f"hold others too); use select({prefix + '.**'!r})"
            )
        return slice(columns[0], columns[-1] + 1)

    def select(self, pattern: str) -> list[int]:
        """The columns whose name matches, or else those whose alias does; LayoutError where none is found."""
        columns = self._matches(pattern)
        if not columns:
            raise LayoutError(
                f"no control matches {pattern!r}{did_you_mean(pattern, self.similar(pattern) or self.names)} "
                "('*' stands for any text between two dots, '**' for any number of parts)"
            )
        return columns

    def similar(self, pattern: str) -> list[str]:
        """Patterns that do match something: with ``**`` as a part of its own, or with one word exchanged."""
        parts = pattern.split(".")
        apart = ".".join(re.sub(r"^\*\*(?=.)", "**.*", part) for part in parts)
        if apart != pattern and self._matches(apart):
            return [apart]
        words = dict.fromkeys(word for name in self.names for word in name.split("."))
        if len(words) > MANY_WORDS:
            return []
        tried = (
            ".".join((*parts[:i], word, *parts[i + 1 :]))
            for i, part in enumerate(parts)
            if "*" not in part
            for word in words
        )
        return [other for other in tried if self._matches(other)]

    def _matches(self, pattern: str) -> list[int]:
        expression = _pattern(pattern)
        columns = [i for i, name in enumerate(self.names) if expression.fullmatch(name)]
        return columns or [i for i, old in enumerate(self.aliases) if any(map(expression.fullmatch, old))]


def _aliases(column: Column) -> tuple[str, ...]:
    owner, dot, _ = column.name.rpartition(".")
    full = (alias if "." in alias else owner + dot + alias for alias in column.control.aliases)
    return tuple(dict.fromkeys(name for name in full if name != column.name))


def _pattern(pattern: str) -> re.Pattern[str]:
    """``*`` stands for any text without a dot, a part ``**`` for any number of whole parts, even none."""
    parts = pattern.split(".")
    parts = [part for i, part in enumerate(parts) if not (i and part == parts[i - 1] == "**")]
    text, glue = "", ""
    for position, part in enumerate(parts):
        if part == "**" and position == len(parts) - 1:  # the rest, with the dot before it if there is one
            text += rf"(?:{glue}[^.]+(?:\.[^.]+)*)?"
        elif part == "**":
            text, glue = text + rf"{glue}(?:[^.]+\.)*", ""
        else:
            text, glue = text + glue + "[^.]*".join(map(re.escape, part.split("*"))), r"\."
    return re.compile(text)
