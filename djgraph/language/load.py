"""A graph's name, path, text or dict → a validated Document."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from djgraph.errors import DocumentError, DocumentPath, Problem
from djgraph.guard import reading
from djgraph.language import limits
from djgraph.language.faults import Fault
from djgraph.language.fold import in_file_order
from djgraph.language.losses import Loss
from djgraph.language.mend import Mended, examine
from djgraph.language.model import DocumentModel
from djgraph.language.source import Source, plain
from djgraph.language.text import parse
from djgraph.language.words import IDENTIFIER
from djgraph.regular import NotRegular, open_regular


@dataclass(frozen=True)
class Document:
    """A graph file: data and positions, and the same as models (values may still be references).

    problems: what is wrong with it as text; then source and model are what of it is sound, ``written`` says how a path
    of theirs is written in the file, and ``losses`` what was left out.
    """

    source: Source
    model: DocumentModel
    problems: tuple[Problem, ...] = ()
    mended: Mended | None = None

    @property
    def file(self) -> str | None:
        return self.source.file

    @property
    def losses(self) -> tuple[Loss, ...]:
        return () if self.mended is None else self.mended.losses

    def written(self, path: DocumentPath) -> DocumentPath:
        """How the file has a path of ``source``."""
        return path if self.mended is None else self.mended.original(path)

    def as_written(self, problems: Iterable[Problem]) -> list[Problem]:
        """Problems of the sound part, with their paths as the file has them."""
        return [replace(problem, path=self.written(problem.path)) for problem in problems]


Graphs = Mapping[str, str | os.PathLike[str]]
"""Graphs known by name: name → path."""


def load_document(
    source: str | os.PathLike[str] | Mapping[str, Any],
    graphs: Graphs | None = None,
    *,
    hint: str | None = None,
) -> Document:
    """Read and validate one document.

    source: a name in ``graphs``, the path of a YAML or JSON file, the text itself (anything with a line break
    in it, or beginning with ``{``), or a mapping. hint: why a name may be missing, for the error. Raises
    DocumentError that holds every problem found.
    """
    return validate(read(source, graphs or {}, hint))


def validate(source: Source) -> Document:
    """Check everything that can be checked without knowing effects."""
    document = sound(source)
    if document.problems:
        raise DocumentError(*document.problems)
    return document


SCHEMA_KEY = "$schema"
"""Where JSON files tell an editor their schema; it says nothing about the graph."""


def _without_schema(source: Source) -> Source:
    """A document without the key that names its schema, as far as that is a text."""
    data = source.data
    if not (isinstance(data, dict) and isinstance(data.get(SCHEMA_KEY), str)):
        return source
    return replace(source, data={key: value for key, value in data.items() if key != SCHEMA_KEY})


def sound(source: Source) -> Document:
    """What of a document is sound, with its problems. Raises DocumentError where that is too little to go on."""
    source = _without_schema(source)
    examined = examine(source, DocumentModel)
    problems = tuple(in_file_order(problem(source, fault) for fault in examined.faults))
    if examined.model is None:
        raise DocumentError(*problems)
    if not problems:
        return Document(source, examined.model)
    return Document(examined.mended.source, examined.model, problems, examined.mended)


def read(
    source: str | os.PathLike[str] | Mapping[str, Any],
    graphs: Graphs,
    hint: str | None = None,
    kind: limits.Kind = limits.GRAPH,
) -> Source:
    """The plain data of a source, with positions where it is text. ``graphs``: what is known by name."""
    if isinstance(source, Mapping):
        return plain(source, kind)
    if isinstance(source, str):
        if "\n" in source or source.lstrip().startswith("{"):
            _check_size(len(source), "the text", kind)
            return parse(source, kind=kind)
        if source in graphs:
            return _read_file(Path(graphs[source]), kind)
        if IDENTIFIER.match(source) and not Path(source).is_file():
            raise DocumentError(
                Problem(
                    f"there is no {kind.noun} named {source!r}",
                    allowed=tuple(graphs),
                    name=source,
                    hint=hint or f"a file is given by its path, with its ending ({_endings(kind)})",
                )
            )
    elif not isinstance(source, os.PathLike):
        kinds = ("a name", "a path", "a mapping", "the text of a document")
        raise DocumentError(Problem(f"cannot load {kind.one} from {type(source).__name__}", allowed=kinds))
    return _read_file(Path(source), kind)


def problem(source: Source, fault: Fault, prefix: DocumentPath = ()) -> Problem:
    """A fault with its place in the file."""
    path = known(source, (*prefix, *fault.loc))
    return Problem(
        fault.message,
        source.position(path, key=fault.key),
        path,
        tuple(fault.allowed),
        fault.name,
        fault.hint,
    )


def known(source: Source, path: DocumentPath) -> DocumentPath:
    """As much of a path as the data really has."""
    value: Any = source.data
    for depth, part in enumerate(path):
        if isinstance(value, dict) and part in value:  # noqa: SIM114 - one condition would say less
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return path[:depth]
    return path


def _read_file(path: Path, kind: limits.Kind) -> Source:
    return parse(read_text(path, kind), str(path), kind)


def read_text(path: Path, kind: limits.Kind) -> str:
    """The text of a file; DocumentError where it is missing, no text or too large."""
    name = str(path)
    reading(path)
    try:
        with open_regular(path) as file:
            raw = file.read(kind.file_bytes + 1)
    except NotRegular as problem:
        raise DocumentError(Problem(f"{name} is {problem}, not {kind.one} file", hint=_PIPES)) from None
    except FileNotFoundError:
        raise DocumentError(_missing(path, kind)) from None
    except IsADirectoryError:
        raise DocumentError(
            Problem(f"{name} is a folder, not {kind.one} file", allowed=_files(path, kind)[:12])
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DocumentError(Problem(f"cannot read {name}: {reason}")) from error
    _check_size(len(raw), name, kind)
    if b"\0" in raw:
        words = "YAML, JSON or CSV" if ".csv" in kind.suffixes else "YAML or JSON"
        raise DocumentError(Problem(f"{name} is not text; {kind.one} file is {words} in UTF-8"))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DocumentError(
            Problem(f"{name} is not UTF-8: byte 0x{raw[error.start]:02x} in line {line}")
        ) from None


_PIPES = "what another program prints is read from /dev/stdin"


def _check_size(size: int, name: str, kind: limits.Kind) -> None:
    if size > kind.file_bytes:
        limit = limits.readable(kind.file_bytes)
        raise DocumentError(Problem(f"{name} is larger than {limit} bytes (the limit for {kind.one} file)"))


def _missing(path: Path, kind: limits.Kind) -> Problem:
    folder = path.parent
    if not folder.is_dir():
        return Problem(f"there is no file {path}, nor a folder {folder}")
    hint = None if path.suffix else f"a file is given with its ending ({_endings(kind)})"
    return Problem(f"there is no file {path}", allowed=_files(folder, kind), name=path.name, hint=hint)


def files_beside(path: Path, kind: limits.Kind = limits.GRAPH) -> list[str]:
    """The names of the files of a kind in the folder of ``path``, itself too."""
    return _files(path.parent, kind)


def _files(folder: Path, kind: limits.Kind) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.suffix in kind.suffixes)
    except OSError:
        return []


def _endings(kind: limits.Kind) -> str:
    return " or ".join(suffix for suffix in kind.suffixes if suffix != ".yml")
