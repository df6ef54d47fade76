"""YAML 1.2 or JSON text → plain data with positions, from the parser's events."""

from __future__ import annotations

import functools
import io
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from djgraph.errors import DocumentError, DocumentPath, Position, Problem
from djgraph.language import limits
from djgraph.language.scalars import resolve
from djgraph.language.slips import indentation, quoted
from djgraph.language.source import Data, Mark, Source
from djgraph.language.tabs import TabScanner


def parse(text: str, file: str | None = None, kind: limits.Kind = limits.GRAPH) -> Source:
    """Read YAML 1.2, or JSON, which is nearly a part of it.

    Everything that could make the same text mean two things is refused: duplicate keys, merge keys, keys that
    are not text, YAML tags (so no file can name a class), several documents. Raises DocumentError with file,
    line and column.
    """
    return _Composer(text, file, kind).compose()


class _Composer:
    """Builds data and marks from a stream of YAML events."""

    def __init__(self, text: str, file: str | None, kind: limits.Kind) -> None:
        self._file = file
        self._kind = kind
        self._text = _without_json_tabs(text)
        self._anchors: dict[str, _Composed | None] = {}
        self._count = 0

    def compose(self) -> Source:
        yaml = YAML(typ="safe", pure=True)
        if "\t" in self._text:
            yaml.Scanner = functools.partial(TabScanner, self._text)
        self._events = yaml.parse(io.StringIO(self._text))
        try:
            self._next()  # StreamStartEvent
            start = self._next()
            if isinstance(start, StreamEndEvent):
                raise DocumentError(
                    Problem(
                        f"there is nothing in it; {self._kind.one} begins with `{self._kind.beginning}`",
                        Position(self._name, 1, 1),
                    )
                )
            if isinstance(start, DocumentStartEvent) and start.version not in (None, (1, 2)):
                version = ".".join(map(str, start.version))
                self._fail(start, f"this says it is YAML {version}; djgraph reads YAML 1.2")
            root = self._value(self._next(), (), 0)
            self._next()
            after = self._next()
            if not isinstance(after, StreamEndEvent):
                self._fail(after, f"a second YAML document begins here; {self._kind.one} file holds one")
        except MarkedYAMLError as error:
            raise DocumentError(self._syntax_problem(error)) from None
        except YAMLError as error:
            raise DocumentError(self._reader_problem(error)) from None
        except (ValueError, IndexError, OverflowError) as error:
            if isinstance(error, DocumentError):
                raise
            # The YAML library lets these through for a few kinds of broken escapes.
            raise DocumentError(
                Problem(f"this is not {self._language}: {error}", Position(self._name, 1, 1))
            ) from error
        return Source(root.data, root.mark, self._file)

    @property
    def _name(self) -> str:
        return self._file or "<text>"

    @property
    def _language(self) -> str:
        return "JSON" if self._name.lower().endswith(".json") else "YAML"

    def _next(self) -> Event:
        return next(self._events)

    def _value(self, event: Event, path: DocumentPath, depth: int) -> _Composed:
        if isinstance(event, AliasEvent):
            return self._alias(event, path, depth)
        assert isinstance(event, NodeEvent)
        if depth > limits.DEPTH:
            self._fail(event, f"nested more than {limits.DEPTH} deep (the limit)", path)
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _CORE_TAGS:
            self._fail(
                event,
                f"tag {_short_tag(tag)} is not allowed: {self._kind.one} is plain data and never names a type to build",
                path,
            )
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        before = self._count
        self._spend(1, event, path)
        mark = Mark(event.start_mark.line, event.start_mark.column)
        if isinstance(event, ScalarEvent):
            composed = _Composed(self._scalar(event, path), mark)
        elif isinstance(event, SequenceStartEvent):
            composed = self._sequence(event, mark, path, depth)
        else:
            assert isinstance(event, MappingStartEvent)
            composed = self._mapping(event, mark, path, depth)
        if tag is not None and not isinstance(composed.data, _CORE_TAGS[tag]):
            self._fail(event, f"the value does not fit its tag {_short_tag(tag)}", path)
        composed.size = self._count - before
        if event.anchor is not None:
            self._anchors[event.anchor] = composed
        return composed

    def _sequence(self, start: Event, mark: Mark, path: DocumentPath, depth: int) -> _Composed:
        data: list[Any] = []
        height = 0
        while not isinstance(event := self._next(), SequenceEndEvent):
            item = self._value(event, (*path, len(data)), depth + 1)
            mark.children[len(data)] = item.mark
            data.append(item.data)
            height = max(height, item.height)
        return _Composed(data, mark, height=height + 1)

    def _mapping(self, start: Event, mark: Mark, path: DocumentPath, depth: int) -> _Composed:
        data: dict[str, Any] = {}
        height = 0
        while not isinstance(event := self._next(), MappingEndEvent):
            key = self._key(event, path)
            here = (event.start_mark.line, event.start_mark.column)
            if key in data:
                line, column = mark.keys[key]
                first = Position(self._name, line + 1, column + 1)
                self._fail(event, f"duplicate key {key!r}; it stands first at {first}", (*path, key))
            mark.keys[key] = here
            value = self._next()
            item = self._value(value, (*path, key), depth + 1)
            empty = item.data is None and value.start_mark.index == value.end_mark.index
            # The parser puts a value that is not there wherever the next thing begins.
            mark.children[key] = Mark(*here) if empty else item.mark
            data[key] = item.data
            height = max(height, item.height)
        return _Composed(data, mark, height=height + 1)

    def _key(self, event: Event, path: DocumentPath) -> str:
        if not isinstance(event, ScalarEvent) or event.tag is not None:
            self._fail(event, "a key must be plain text", path)
        if event.style is None and event.value == "<<":
            self._fail(event, "merge keys (<<) are not allowed; use a template with args", path)
        value = self._scalar(event, path)
        if not isinstance(value, str):
            quoted = f'"{event.value}"'
            self._fail(
                event, f"a key must be text, and {event.value or 'nothing'!r} is not; write {quoted}", path
            )
        return value

    def _alias(self, event: AliasEvent, path: DocumentPath, depth: int) -> _Composed:
        name = str(event.anchor)
        if name not in self._anchors:
            self._fail(event, f"alias *{name} names no anchor above it", path)
        target = self._anchors[name]
        if target is None:
            self._fail(event, f"alias *{name} lies inside what it names, so it would never end", path)
        if depth + target.height > limits.DEPTH:
            self._fail(event, f"nested more than {limits.DEPTH} deep (the limit)", path)
        self._spend(target.size, event, path)
        return target

    def _scalar(self, event: ScalarEvent, path: DocumentPath) -> Data:
        text = str(event.value)
        if event.style is not None or event.tag == _TAG + "str":
            if not any("\ud800" <= char <= "\udfff" for char in text):
                return text
            try:  # JSON writes a character beyond the basic plane as two escapes, which YAML reads one by one
                return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
            except UnicodeDecodeError:
                self._fail(event, "half a surrogate pair is no character", path)
        try:
            return resolve(text)
        except ValueError as error:
            self._fail(event, str(error), path)

    def _spend(self, count: int, event: Event, path: DocumentPath) -> None:
        self._count += count
        if self._count > self._kind.values:
            self._fail(
                event,
                f"more than {limits.readable(self._kind.values)} values after aliases are expanded (the limit)",
                path,
            )

    def _fail(self, event: Event, message: str, path: DocumentPath = ()) -> NoReturn:
        mark = event.start_mark
        hint = quoted(self._text, mark.line, mark.column) if isinstance(event, AliasEvent) else None
        raise DocumentError(
            Problem(message, Position(self._name, mark.line + 1, mark.column + 1), path, hint=hint)
        )

    def _syntax_problem(self, error: MarkedYAMLError) -> Problem:
        mark = error.problem_mark or error.context_mark
        position = (
            Position(self._name, mark.line + 1, mark.column + 1) if mark else Position(self._name, 1, 1)
        )
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
        if mark and self._language == "YAML" and (slip := indentation(self._text, mark.line, what)):
            return Problem(slip, Position(self._name, mark.line + 1, _first_column(self._text, mark.line)))
        if "scanning an alias" in what and (context := error.context_mark):
            position = Position(self._name, context.line + 1, context.column + 1)
            hint = quoted(self._text, context.line, context.column)
            return Problem("a text that begins with * is an alias in YAML", position, hint=hint)
        hint = None
        if "\\t" in what:
            hint = "put spaces there: YAML does not allow tabs in what a line begins with"
        elif mark and "\t" in self._text.split("\n")[mark.line].strip():
            hint = "a text with a tab in it needs quotes"
        elif "mapping values are not allowed" in what:
            hint = "a text that holds `: ` needs quotes, and each key its own line"
        return Problem(f"this is not {self._language}: {what}", position, hint=hint)

    def _reader_problem(self, error: YAMLError) -> Problem:
        index = getattr(error, "position", None)
        if not isinstance(index, int):
            return Problem(f"this is not {self._language}: {error}", Position(self._name, 1, 1))
        before = self._text[:index]
        line, column = before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1
        character = self._text[index : index + 1]
        return Problem(
            f"character {character!a} is not allowed in {self._kind.one} file",
            Position(self._name, line, column),
        )


@dataclass(slots=True)
class _Composed:
    data: Data
    mark: Mark
    size: int = 1
    height: int = 0


_TAG = "tag:yaml.org,2002:"
_CORE_TAGS: dict[str, type | tuple[type, ...]] = {
    _TAG + "str": str,
    _TAG + "int": int,
    _TAG + "float": (int, float),
    _TAG + "bool": bool,
    _TAG + "null": type(None),
    _TAG + "seq": list,
    _TAG + "map": dict,
}


def _first_column(text: str, line: int) -> int:
    """The column, counted from 1, at which what stands in a line begins."""
    written = text.split("\n")[line]
    return len(written) - len(written.lstrip(" ")) + 1


def _short_tag(tag: str) -> str:
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag


_QUOTED_OR_TAB = re.compile(r'"(?:[^"\\]|\\.)*"|\t', re.DOTALL)


def _without_json_tabs(text: str) -> str:
    """JSON may indent with tabs and YAML may not: each becomes one space, so that columns stay."""
    if "\t" not in text or not text.lstrip().startswith(("{", "[")):
        return text
    return _QUOTED_OR_TAB.sub(lambda match: " " if match[0] == "\t" else match[0], text)
