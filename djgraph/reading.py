"""Reading files that anybody may have written: limits on all of it, and errors that say file, line and column."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from djgraph.arguments import shown
from djgraph.errors import DJGraphError, DocumentPath, Position, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIB = 1024**2
DEPTH = 64
"""How deep lists and mappings may lie in one another."""
DIGITS = 40
"""Digits of a whole number; 2^128 has 39."""
PROBLEMS = 10
"""Problems of one file that an error tells; it counts the rest."""

NotFinite = Literal["refuse", "null", "keep"]
"""What becomes of NaN and Infinity, which are no JSON: an error, None (not known), or the number."""


class Stored(BaseModel):
    """Base of models of what files hold: nothing is converted from one type to another, numbers are finite,
    further keys are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)


_Model = TypeVar("_Model", bound=Stored)


@dataclass(frozen=True)
class Json:
    """Plain data from a JSON text, which knows where each of its values stood.

    error: what :meth:`refuse` and :meth:`read_as` raise. name: of the file, for messages.
    """

    data: Any
    text: str
    name: str
    error: type[DJGraphError]

    def place(self, path: DocumentPath = ()) -> Position:
        """Where the value at a path stands, or the nearest thing around it. Reads the text again: for errors."""
        return _position(self.text, self.name, _offset(self.text, path))

    def refuse(self, message: str, path: DocumentPath = (), hint: str | None = None) -> NoReturn:
        """Raise the error: what is wrong with the value at a path."""
        raise self.error(str(Problem(message, self.place(path), path, hint=hint)))

    def read_as(self, model: type[_Model], tuples: bool = False) -> _Model:
        """The data as a model; the error lists what does not fit, each with its place. tuples: the model has fields
        that are tuples, for which a list stands in the file."""
        from djgraph.language.faults import explain

        if not isinstance(self.data, dict):
            self.refuse("expected a mapping")
        try:
            # Strict models take lists for tuples from JSON alone.
            return model.model_validate_json(self.text) if tuples else model.model_validate(self.data)
        except ValidationError as problem:
            faults = explain(problem, model)
        lines = [
            str(Problem(f.message, self.place(f.loc), f.loc, tuple(f.allowed), f.name, f.hint))
            for f in faults[:PROBLEMS]
        ]
        if len(faults) > PROBLEMS:
            lines.append(f"… and {len(faults) - PROBLEMS} more problems")
        raise self.error("\n".join(lines)) from None


def read_bytes(path: str | os.PathLike[str], error: type[DJGraphError], limit: int) -> bytes:
    """All of an ordinary file of at most ``limit`` bytes; ``error`` where there is none, or it cannot be read."""
    try:
        # Not blocking, or a pipe in a file's place would hang.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise error(f"{path} is not an ordinary file")
            content = file.read(limit + 1)
    except FileNotFoundError:
        raise error(f"{path} does not exist") from None
    except IsADirectoryError:
        raise error(f"{path} is not an ordinary file") from None
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror or problem}") from problem
    except ValueError as problem:
        if isinstance(problem, DJGraphError):
            raise
        # A name with a NUL in it.
        raise error(f"{str(path)!r} is no name of a file: {problem}") from problem
    if len(content) > limit:
        raise error(f"{path} is larger than the limit of {_size(limit)} for such a file")
    return content


def read_arrays(
    path: str | os.PathLike[str], error: type[DJGraphError], limit: int
) -> dict[str, NDArray[Any]]:
    """Arrays by name from NumPy's ``.npz``, of at most ``limit`` bytes packed and unpacked; numbers only, nothing that
    is in it is run. ``error`` for anything else; see :func:`read_bytes`."""
    import io
    import zipfile

    import numpy as np

    content = read_bytes(path, error, limit)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > limit:
            raise error(f"{path} holds more than the limit of {_size(limit)} for such a file")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: np.array(arrays[name]) for name in arrays.files}
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, MemoryError) as problem:
        if isinstance(problem, DJGraphError):
            raise
        raise error(f"{path} is damaged, or none of NumPy's files: {problem}") from None


def read_text(path: str | os.PathLike[str], error: type[DJGraphError], limit: int = 16 * MIB) -> str:
    """A UTF-8 text, with or without a byte order mark; see :func:`read_bytes`."""
    content = read_bytes(path, error, limit)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        before = content[: problem.start]
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        place = Position(str(path), before.count(b"\n") + 1, column)
        raise error(f"{place}: this is not UTF-8 text: byte 0x{content[problem.start]:02x}") from None


def read_json(
    path: str | os.PathLike[str],
    error: type[DJGraphError],
    limit: int = 16 * MIB,
    not_finite: NotFinite = "refuse",
) -> Json:
    """Plain data from a JSON file of at most ``limit`` bytes; see :func:`parse_json`."""
    return parse_json(read_text(path, error, limit), str(path), error, not_finite)


def parse_json(
    text: str,
    name: str,
    error: type[DJGraphError],
    not_finite: NotFinite = "refuse",
    depth: int = DEPTH,
) -> Json:
    """Plain data from JSON.

    Raises ``error``, with line and column, for what is no JSON, nests deeper than ``depth``, gives a key twice,
    holds half a surrogate pair (no character; nothing could write it down), or numbers that cannot be: of more
    than :data:`DIGITS` digits, or beyond 1e308. ``not_finite`` says what becomes of NaN and Infinity; instead
    of "refuse" and "keep", "null" takes them for "not known", and half a pair for U+FFFD.
    """
    _check_nesting(text, name, error, depth)
    scan = _Scan(text, name, error, not_finite)
    decoder = json.JSONDecoder(
        object_pairs_hook=scan.mapping,
        parse_int=scan.whole,
        parse_float=scan.real,
        parse_constant=scan.constant,
    )
    try:
        data = decoder.decode(text)
    except json.JSONDecodeError as problem:
        place = Position(name, problem.lineno, problem.colno)
        raise error(f"{place}: this is no JSON: {problem.msg}") from None
    except RecursionError:
        raise error(f"{name}: this is no JSON that can be read: nested too deep") from None
    if "\\u" in text and _SURROGATE.search(text):
        data = _characters(data, lambda path: Json(data, text, name, error), not_finite == "null", ())
    return Json(data, text, name, error)


class _Scan:
    """What the decoder asks about every number and mapping."""

    def __init__(self, text: str, name: str, error: type[DJGraphError], not_finite: NotFinite) -> None:
        self.text, self.name, self.error, self.not_finite = text, name, error, not_finite

    def mapping(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        mapping = dict(pairs)
        if len(mapping) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            key = json.dumps(twice, ensure_ascii=False)
            where = [match for match in _TOKEN.finditer(self.text) if match[0] == key]
            self._refuse(f"{shown(twice)} is given twice", where[-1].start() if where else 0)
        return mapping

    def whole(self, digits: str) -> int:
        if len(digits) > DIGITS:
            self._refuse_number(digits, f"this is no JSON that can be read: a number of {len(digits)} digits")
        return int(digits)

    def real(self, digits: str) -> float:
        value = float(digits)
        if value - value:  # an infinity: what is written is finite, and beyond what can be counted
            self._refuse_number(digits, f"the number {digits[:40]} is too large")
        return value

    def constant(self, word: str) -> float | None:
        if self.not_finite == "refuse":
            self._refuse_number(word, f"{word} is no number, and not allowed in JSON")
        return None if self.not_finite == "null" else float(word.replace("Infinity", "inf"))

    def _refuse_number(self, token: str, message: str) -> NoReturn:
        self._refuse(message, next((m.start() for m in _TOKEN.finditer(self.text) if m[0] == token), 0))

    def _refuse(self, message: str, at: int) -> NoReturn:
        place = _position(self.text, self.name, at)
        raise self.error(str(Problem(message, place, _path(self.text, at))))


_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"?'
_TOKEN = re.compile(rf"{_STRING}|[\[\]{{}}:,]|[^\s\[\]{{}}:,\"]+", re.DOTALL)
_BRACKET = re.compile(rf"{_STRING}|[\[\]{{}}]", re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _check_nesting(text: str, name: str, error: type[DJGraphError], limit: int) -> None:
    """Before anything is built of a text: the decoder calls itself for each level."""
    if text.count("[") + text.count("{") <= limit:
        return
    depth = 0
    for match in _BRACKET.finditer(text):
        first = match[0][0]
        if first in "[{":
            depth += 1
            if depth > limit:
                place = _position(text, name, match.start())
                raise error(f"{place}: this is no JSON that can be read: nested more than {limit} deep")
        elif first in "]}":
            depth -= 1


def _characters(data: Any, source: Callable[[DocumentPath], Json], mend: bool, path: DocumentPath) -> Any:
    """The data with all text checked for half surrogate pairs."""
    if isinstance(data, str):
        try:
            data.encode()
        except UnicodeEncodeError:
            if not mend:
                source(path).refuse("half a surrogate pair is no character", path)
            return data.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return data
    if isinstance(data, list):
        return [_characters(item, source, mend, (*path, i)) for i, item in enumerate(data)]
    if isinstance(data, dict):
        return {
            _characters(key, source, mend, path): _characters(item, source, mend, (*path, key))
            for key, item in data.items()
        }
    return data


def _offset(text: str, path: DocumentPath) -> int:
    """Where in a JSON text the value at a path begins; of what is not there, what it would stand in."""
    tokens = _TOKEN.finditer(text)
    here = next(tokens, None)
    if here is None:
        return 0
    offset = here.start()
    for part in path:
        if here is None or here[0] not in ("{", "["):
            break
        here = _below(tokens, here[0], part)
        if here is None:
            break
        offset = here.start()
    return offset


def _path(text: str, at: int) -> DocumentPath:
    """The path of the value, or of the key, that begins at a place in a JSON text."""
    path: list[str | int] = []
    key: str | None = None
    for token in _TOKEN.finditer(text, 0, at + 1):
        sign = token[0]
        if token.start() >= at:
            break
        if sign == "[":
            path.append(0)
        elif sign == "{":
            path.append("")
        elif sign in ("]", "}"):
            path.pop()
        elif sign == ":":
            path[-1] = _key(key) or ""
        elif sign == "," and isinstance(path[-1], int):
            path[-1] += 1
        key = sign
    return tuple(path)


def _below(tokens: Any, opened: str, part: str | int) -> re.Match[str] | None:
    """The first token of a part of the mapping or list that has just been opened; None where it has none such."""
    index, depth, key = 0, 0, None
    fresh = True  # the next token begins a key, or an item
    for token in tokens:
        text = token[0]
        if depth == 0 and text in ("]", "}"):
            return None
        if depth == 0 and fresh and opened == "[":
            if index == part:
                return token
            fresh = False
        elif depth == 0 and fresh and key is None:
            key = text
            continue
        elif depth == 0 and fresh and text == ":":
            continue
        elif depth == 0 and fresh:
            if _key(key) == part:
                return token
            fresh = False
        if text in ("[", "{"):
            depth += 1
        elif text in ("]", "}"):
            depth -= 1
        elif text == "," and depth == 0:
            index, fresh, key = index + 1, True, None
    return None


def _key(token: str | None) -> str | None:
    try:
        return str(json.loads(token or ""))
    except ValueError:
        return None


def _position(text: str, name: str, at: int) -> Position:
    return Position(name, text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1)


def _size(limit: int) -> str:
    return f"{limit // MIB} MiB" if limit >= MIB else f"{limit} bytes"


def read_array(path: str | os.PathLike[str], error: type[DJGraphError], limit: int) -> Any:
    """A NumPy array of numbers from an ``.npy`` file; a view of what was read.

    Nothing in the file is run, and its header cannot claim more than the file holds. Raises ``error`` for
    anything else than plain numbers (objects, text, records) and for sizes that do not agree.
    """
    import io
    import tokenize

    import numpy as np

    content = read_bytes(path, error, limit)
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read:
            raise error(f"{path} is a NumPy file of version {version}; versions 1.0 and 2.0 hold numbers")
        shape, fortran, dtype = read[version](file)
    except (
        tokenize.TokenError,  # NumPy reads headers of Python 2 with it
        ValueError,
        TypeError,
        SyntaxError,
        OverflowError,
        RecursionError,
        MemoryError,
        KeyError,
    ) as problem:
        what = " ".join(str(problem).split())[:200]
        raise error(f"{path} is no NumPy array of numbers: {what}") from problem
    if dtype.kind not in "fiub" or dtype.subdtype is not None:
        raise error(f"{path} is no NumPy array of numbers: it holds {str(dtype)[:60]}; expected real numbers")
    count = 1
    for length in shape:
        if not 0 <= length <= limit:
            raise error(
                f"{path} is no NumPy array of numbers: its header promises the shape {str(shape)[:60]}"
            )
        count *= length
    if count * dtype.itemsize != len(content) - file.tell():
        raise error(
            f"{path} is no NumPy array of numbers: its header promises {list(shape)} {dtype}, after it come"
            f" {len(content) - file.tell()} bytes, not {count * dtype.itemsize}"
        )
    array = np.frombuffer(content, dtype, count, file.tell())
    return array.reshape(shape, order="F" if fortran else "C")
