"""Where an expanded piece of a document stands in the file, and why it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from djgraph.errors import Copy, DocumentPath, Position, Problem, format_path
from djgraph.language.faults import Fault
from djgraph.language.load import known
from djgraph.language.source import Source
from djgraph.text import brief, clip


@dataclass(frozen=True)
class Moved:
    """Where a piece that expansion put elsewhere, or under another key, is written; and which of the copies it is."""

    path: DocumentPath
    copy: Copy | None


@dataclass(frozen=True, eq=False)
class Site:
    """A path into a source, as one expansion sees it.

    variables: the values of the repeats around it. uses: where the templates around it were used. moves:
    paths after expansion → where that is written. space: what begins the names of all that is declared there: the names
    of the graphs that it is a part of, with dots.
    """

    source: Source
    path: DocumentPath = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    uses: tuple[str, ...] = ()
    moves: Mapping[DocumentPath, Moved] = field(default_factory=dict)
    copy: Copy | None = None
    """Which of the copies this is that repeats and templates make."""
    space: str = ""

    def below(self, *tail: str | int) -> Site:
        path = (
            *self.path,
            *tail,
        )  # by hand: `replace` takes three times as long, and this is called everywhere
        return Site(self.source, path, self.variables, self.uses, self.moves, self.copy, self.space)

    def at(self, tail: DocumentPath = ()) -> DocumentPath:
        """The path, in the source, of what stands at ``tail`` below."""
        return self._written((*self.path, *tail))

    def mended(self, data: Any, original: Callable[[DocumentPath], DocumentPath]) -> Site:
        """The same for what is left of a piece, ``data``, after mending. original: how its paths were before."""
        moves = {}
        for path in _paths(data):
            before = original(path)
            whole = (*self.path, *before)
            if before != path or whole in self.moves:
                moves[(*self.path, *path)] = Moved(self._written(whole), self._copy(whole))
        return replace(self, moves=moves)

    def position(self, *, key: bool = False) -> Position | None:
        return self.source.position(self._written(self.path), key=key)

    def problem(
        self,
        message: str,
        *tail: str | int,
        allowed: Sequence[str] = (),
        name: str | None = None,
        hint: str | None = None,
        key: bool = False,
        seeks: str | None = None,
    ) -> Problem:
        """A problem with what stands here, or at ``tail`` below; hints tell template, repeat and reference."""
        path = self._written((*self.path, *tail))
        hints = [hint] if hint else []
        written = self._value(path)
        if isinstance(written, str) and "$" in written and not key:
            hints.append(f"it is written as {clip(written)}")
        hints += self.uses
        return Problem(
            message,
            self.source.position(path, key=key),
            path,
            tuple(allowed),
            name,
            "; ".join(hints) or None,
            self._copy((*self.path, *tail)),
            seeks,
        )

    def fault(self, fault: Fault) -> Problem:
        return self.problem(
            fault.message, *fault.loc, allowed=fault.allowed, name=fault.name, hint=fault.hint, key=fault.key
        )

    def where(self) -> str:
        """The place in words, for messages that name a second place."""
        position = self.position()
        text = f"at {position}" if position else f"in {format_path(self._written(self.path))}"
        copy = self._copy(self.path)
        if copy is not None and copy.values:
            text += f" ({copy.values})"
        return text

    def _copy(self, path: DocumentPath) -> Copy | None:
        """Which of the copies it is that stands at ``path`` after expansion."""
        moved = (self.moves.get(path[:depth]) for depth in range(len(path), 0, -1)) if self.moves else ()
        return next((one.copy for one in moved if one is not None), self.copy)

    def written(self) -> Any:
        """What stands here, as it is written, references and all."""
        return self._value(self._written(self.path))

    def _written(self, path: DocumentPath) -> DocumentPath:
        if not self.moves:
            return known(self.source, path)
        for depth in range(len(path), 0, -1):
            moved = self.moves.get(path[:depth])
            if moved is not None:
                return known(self.source, (*moved.path, *path[depth:]))
        return known(self.source, path)

    def _value(self, path: DocumentPath) -> Any:
        value: Any = self.source.data
        for part in path:
            value = value[part]
        return value


def _paths(value: Any, path: DocumentPath = ()) -> Iterator[DocumentPath]:
    """All places below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, item in items:
        yield (*path, part)
        yield from _paths(item, (*path, part))


def spoken(variables: Mapping[str, Any]) -> str:
    """The values of repeats' variables: ``track = a, stem = drums``."""
    return ", ".join(f"{name} = {brief(value)}" for name, value in variables.items())
