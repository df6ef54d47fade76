"""Text to plain data, with a tree of positions kept beside the data; nothing of what the data means."""

from __future__ import annotations

import io
import math
import numbers
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    StreamStartEvent,
)

from djgraph.document import limits
from djgraph.errors import DocumentError, DocumentPath, Position, Problem, format_path

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
        return Position(self.file or "<text>", line + 1, column + 1)


def parse(text: str, file: str | None = None) -> Source:
    """Read YAML 1.2, or JSON, which is nearly a part of it.

    Everything that could make the same text mean two things is refused: duplicate keys, merge keys, keys that
    are not text, YAML tags (so no file can name a class), several documents. Raises DocumentError with file,
    line and column.
    """
    return _Composer(text, file).compose()


def plain(data: Any) -> Source:
    """Take data from Python (a dict), under the same rules and limits as text."""
    return Source(_Plain().convert(data, (), 0))


class _Composer:
    """Builds data and marks from a stream of YAML events."""

    def __init__(self, text: str, file: str | None) -> None:
        self._file = file
        self._text = _without_json_tabs(text)
        self._anchors: dict[str, _Composed | None] = {}
        self._count = 0

    def compose(self) -> Source:
        self._events = YAML(typ="safe", pure=True).parse(io.StringIO(self._text))
        try:
            self._expect(StreamStartEvent)
            start = self._next()
            if isinstance(start, StreamEndEvent):
                raise DocumentError(
                    Problem(
                        "there is nothing in it; a graph begins with `djgraph: 1`",
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
                self._fail(after, "a second YAML document begins here; a graph file holds one")
        except MarkedYAMLError as error:
            raise DocumentError(self._syntax_problem(error)) from None
        except YAMLError as error:
            raise DocumentError(self._reader_problem(error)) from None
        except (ValueError, IndexError, OverflowError) as error:
            if isinstance(error, DocumentError):
                raise
            # The YAML library lets these through for a few kinds of broken escapes.
            raise DocumentError(Problem(f"this is not YAML: {error}", Position(self._name, 1, 1))) from error
        return Source(root.data, root.mark, self._name)

    @property
    def _name(self) -> str:
        return self._file or "<text>"

    def _next(self) -> Event:
        return next(self._events)

    def _expect(self, kind: type[Event]) -> None:
        assert isinstance(self._next(), kind)

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
                f"tag {_short_tag(tag)} is not allowed: a graph is plain data and never names a type to build",
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
            item = self._value(self._next(), (*path, key), depth + 1)
            mark.children[key] = item.mark
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
            return _resolve(text)
        except ValueError as error:
            self._fail(event, str(error), path)

    def _spend(self, count: int, event: Event, path: DocumentPath) -> None:
        self._count += count
        if self._count > limits.VALUES:
            self._fail(
                event,
                f"more than {limits.readable(limits.VALUES)} values after aliases are expanded (the limit)",
                path,
            )

    def _fail(self, event: Event, message: str, path: DocumentPath = ()) -> NoReturn:
        mark = event.start_mark
        raise DocumentError(Problem(message, Position(self._name, mark.line + 1, mark.column + 1), path))

    def _syntax_problem(self, error: MarkedYAMLError) -> Problem:
        mark = error.problem_mark or error.context_mark
        position = (
            Position(self._name, mark.line + 1, mark.column + 1) if mark else Position(self._name, 1, 1)
        )
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
        hint = None
        if "\\t" in what:
            hint = "indent with spaces; YAML does not allow tabs there"
        elif "mapping values are not allowed" in what:
            hint = "a text that holds `: ` needs quotes, and each key its own line"
        return Problem(f"this is not YAML: {what}", position, hint=hint)

    def _reader_problem(self, error: YAMLError) -> Problem:
        index = getattr(error, "position", None)
        if not isinstance(index, int):
            return Problem(f"this is not YAML: {error}", Position(self._name, 1, 1))
        before = self._text[:index]
        line, column = before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1
        character = self._text[index : index + 1]
        return Problem(
            f"character {character!a} is not allowed in a graph file", Position(self._name, line, column)
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

# YAML 1.2.2, section 10.3.2: the core schema. (`no` is text, `1e-3` a number.)
_NULL = re.compile(r"(?:null|Null|NULL|~|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCT = re.compile(r"0o[0-7]+\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")


def _resolve(text: str) -> Data:
    """A plain (unquoted) scalar by the YAML 1.2 core schema; ValueError for a number that is none."""
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text.lower() == "true"
    if _NOT_FINITE.match(text):
        raise ValueError(f"{text} is not a finite number")
    kinds = ((_INT, 10), (_OCT, 8), (_HEX, 16))
    base = next((base for pattern, base in kinds if pattern.match(text)), None)
    if base is None and not _FLOAT.match(text):
        return text
    if len(text) > limits.NUMBER_DIGITS:
        raise ValueError(f"a number of more than {limits.NUMBER_DIGITS} characters (the limit)")
    if base is not None:
        return int(text, base=0 if base != 10 else 10)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large for a number")
    return value


def _short_tag(tag: str) -> str:
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag


_QUOTED_OR_TAB = re.compile(r'"(?:[^"\\]|\\.)*"|\t', re.DOTALL)


def _without_json_tabs(text: str) -> str:
    """JSON may indent with tabs and YAML may not: each becomes one space, so that columns stay."""
    if "\t" not in text or not text.lstrip().startswith(("{", "[")):
        return text
    return _QUOTED_OR_TAB.sub(lambda match: " " if match[0] == "\t" else match[0], text)


class _Plain:
    """Copies Python data into plain data, counting."""

    def __init__(self) -> None:
        self._count = 0

    def convert(self, data: Any, path: DocumentPath, depth: int) -> Data:
        self._count += 1
        if self._count > limits.VALUES:
            raise DocumentError(Problem(f"more than {limits.readable(limits.VALUES)} values (the limit)"))
        if depth > limits.DEPTH:
            raise DocumentError(
                Problem(f"nested more than {limits.DEPTH} deep (the limit): {format_path(path[:4])}…")
            )
        if data is None or isinstance(data, bool | str):
            return data
        if isinstance(data, numbers.Integral):
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
