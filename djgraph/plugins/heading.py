"""Title and description of a graph file, read without loading the document."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Heading(NamedTuple):
    """What a graph file says of itself at its top; empty where it says nothing."""

    title: str = ""
    description: str = ""


def read_heading(path: Path) -> Heading:
    """The top-level ``title`` and ``description`` of a YAML or JSON graph file.

    Walks the parser's events and builds no document, so that listing a hundred graphs stays cheap. A file
    that cannot be read or parsed gives what was found before the fault: :func:`djgraph.load` reports faults,
    with their positions.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent, NodeEvent, ScalarEvent

    fields: dict[str, str] = {}
    depth, key = 0, None
    try:
        with path.open(encoding="utf-8") as stream:
            for event in YAML(typ="safe", pure=True).parse(stream):
                if isinstance(event, CollectionEndEvent):
                    depth -= 1
                    if depth == 1:
                        key = None
                elif depth == 1 and key is None:
                    key = event.value if isinstance(event, ScalarEvent) else ""
                    depth += isinstance(event, CollectionStartEvent)
                elif isinstance(event, CollectionStartEvent):
                    depth += 1
                elif depth == 1 and isinstance(event, NodeEvent):
                    if isinstance(event, ScalarEvent) and key in Heading._fields:
                        fields[str(key)] = " ".join(event.value.split())
                    key = None
                if len(fields) == len(Heading._fields):
                    break
    except (OSError, UnicodeDecodeError, YAMLError):
        return Heading(**fields)
    return Heading(**fields)
