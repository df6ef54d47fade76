"""What is wrong with a graph's text, as ``djgraph validate`` says it, as plain data for a page; and its drawing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from djgraph.drawing import to_svg
from djgraph.errors import DJGraphError, DocumentError, Problem, format_path, nearest
from djgraph.graph import Graph, load
from djgraph.language import limits, parse
from djgraph.language.load import Document, sound
from djgraph.validation import validate

MOST = 200
"""Problems that are told."""
SHOWN = 24
"""Of what is allowed."""


def document_of(text: str, file: str | None = None) -> Document:
    """A graph's text as a document, as far as it is sound. file: where it is kept; graphs that are parts of it are
    looked for in that folder and nowhere else. Raises DocumentError."""
    if len(text.encode("utf-8", "surrogatepass")) > limits.FILE_BYTES:
        limit = limits.readable(limits.FILE_BYTES)
        raise DocumentError(Problem(f"the text is larger than {limit} bytes (the limit for a graph file)"))
    if "\0" in text:
        raise DocumentError(Problem("there is a NUL in the text; a graph file is YAML or JSON"))
    return sound(parse(text, file))


def findings(text: str, file: str | None = None, args: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """``problems``, each with ``level`` (``error`` or ``warning``), ``message``, ``line`` and ``column`` from 1 in this
    text or None, ``file`` where it is in a part's, ``at``, ``allowed``, ``guess``, ``hint``; and of a graph without
    errors its ``name``, ``nodes`` and ``controls``."""
    try:
        validated = validate(document_of(text, file), **(args or {}))
    except DocumentError as error:
        return {"problems": [told(one, file, "error") for one in error.problems[:MOST]]}
    except DJGraphError as error:
        return {"problems": [told(Problem(str(error)), file, "error")]}
    graph = validated.graph
    return {
        "problems": [told(one, file, "warning") for one in validated.warnings[:MOST]],
        "name": graph.name,
        "nodes": len(graph.nodes),
        "controls": len(graph.columns),
    }


def told(problem: Problem, file: str | None, level: str) -> dict[str, Any]:
    """One problem as data."""
    place = problem.position
    here = place is not None and place.file == (file or "<text>")
    guess = nearest(problem.name, problem.allowed) if problem.name is not None else None
    hints = [problem.hint] if problem.hint else []
    if problem.copy is not None and problem.copy.values:
        hints.append(f"here {problem.copy.values}")
    alone = Problem(problem.message)  # its words as a terminal would have them: escaped, and cut
    return {
        "level": level,
        "message": str(alone),
        "line": place.line if place is not None and here else None,
        "column": place.column if place is not None and here else None,
        "file": None if place is None or here else _base(str(place)),
        "at": format_path(problem.path),
        "allowed": [str(Problem(str(one))) for one in problem.allowed[:SHOWN]],
        "more": max(0, len(problem.allowed) - SHOWN),
        "guess": guess,
        "hint": str(Problem("; ".join(hints))) if hints else None,
    }


def drawn(
    text: str, file: str | None, args: Mapping[str, Any], theme: str, unfold: bool = False
) -> dict[str, Any]:
    """The drawing of a text's graph, as :func:`drawing_of` gives it. Raises DJGraphError."""
    return drawing_of(load(document_of(text, file), **args), theme, unfold)


def drawing_of(graph: Graph, theme: str, unfold: bool = False) -> dict[str, Any]:
    """A graph's drawing with marks as plain data, from which a page builds it without reading any markup: ``tag``,
    ``attributes``, ``text`` and ``children``, likewise."""
    return _data(ElementTree.fromstring(to_svg(graph, theme=theme, unfold=unfold, marks=True)))


def _data(element: ElementTree.Element) -> dict[str, Any]:
    return {
        "tag": element.tag.rpartition("}")[2],
        "attributes": dict(element.attrib),
        "text": (element.text or "").strip("\n"),
        "children": [_data(child) for child in element],
    }


def _base(place: str) -> str:
    """A place without the folder, which is nobody's business."""
    return place.replace("\\", "/").rpartition("/")[2]
