"""Plain data with a tree of positions kept beside it; nothing of what the data means."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from djgraph.arguments import is_truth
from djgraph.errors import DocumentError, DocumentPath, Position, Problem, format_path
from djgraph.language import limits

Data = None | bool | int | float | str | list[Any] | dict[str, Any]
"""Plain data: what JSON can say. Treated as immutable; aliases share it."""


@dataclass(slots=True)
class Mark:
    """Where a value stands (line and column count from 0), and the marks of what it holds."""

    line: int
    column: int
    children: dict[str | int, Mark] = field(default_factory=dict)
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Plain data and where each value of it came from. ``marks`` is None for data that never was text."""

    data: Data
    marks: Mark | None = None
    file: str | None = None

    @property
    def name(self) -> str:
        """What positions in it are said to be in."""
        return self.file or "<text>"

    def position(self, path: DocumentPath, *, key: bool = False) -> Position | None:
        """Where the value at ``path`` stands, or its key; if there is none, the nearest thing around it."""
        mark = self.marks
        if mark is None:
            return None
        line, column = mark.line, mark.column
        for depth, part in enumerate(path):
            child = mark.children.get(part)
            if child is None:
                break
            line, column = child.line, child.column
            if key and depth == len(path) - 1 and isinstance(part, str):
                line, column = mark.keys[part]
            mark = child
        return Position(self.name, line + 1, column + 1)


def plain(data: Any, kind: limits.Kind = limits.GRAPH) -> Source:
    """Take data from Python (a dict), under the same rules and limits as text."""
    return Source(_Plain(kind).convert(data, (), 0))


class _Plain:
    """Copies Python data into plain data, counting."""

    def __init__(self, kind: limits.Kind) -> None:
        self._count = 0
        self._limit = kind.values

    def convert(self, data: Any, path: DocumentPath, depth: int) -> Data:
        self._count += 1
        if self._count > self._limit:
            raise DocumentError(Problem(f"more than {limits.readable(self._limit)} values (the limit)"))
        if depth > limits.DEPTH:
            raise DocumentError(
                Problem(f"nested more than {limits.DEPTH} deep (the limit): {format_path(path[:4])}…")
            )
        if data is None or isinstance(data, bool | str):
            return data
        if is_truth(data) and not data.shape:  # NumPy's
            return bool(data)
        if isinstance(data, numbers.Integral):
            if abs(int(data)) >= 10**limits.NUMBER_DIGITS:
                message = f"a number of more than {limits.NUMBER_DIGITS} characters (the limit)"
                raise DocumentError(Problem(message, path=path))
            return int(data)
        if isinstance(data, numbers.Real):
            if not math.isfinite(data):
                raise DocumentError(Problem(f"{data} is not a finite number", path=path))
            return float(data)
        if isinstance(data, Mapping):
            for key in data:
                if not isinstance(key, str):
                    raise DocumentError(Problem(f"a key must be text, and {key!r} is not", path=path))
            return {str(key): self.convert(value, (*path, key), depth + 1) for key, value in data.items()}
        if isinstance(data, list | tuple):
            return [self.convert(value, (*path, index), depth + 1) for index, value in enumerate(data)]
        raise DocumentError(
            Problem(
                f"{type(data).__name__} is not plain data",
                path=path,
                allowed=("text", "number", "true or false", "null", "list", "mapping"),
            )
        )
