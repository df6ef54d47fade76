"""Printing: aligned columns, JSON, numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import typer

from djgraph.cli.streams import answers, is_unicode
from djgraph.text import json_printable, printable


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Text in aligned columns, never cut off, so that it can be searched and piped; numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    rights = [bool(cells) and all(_is_number(row[i]) for row in cells) for i in range(len(header))]
    widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]
    lines = []
    for row in [list(header), ["─" * width for width in widths], *cells]:
        aligned = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, rights)
        ]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def print_json(value: Any) -> None:
    """One JSON value as the command's answer; infinity and NaN, which JSON lacks, become null."""
    plain = not is_unicode(answers())
    text = json.dumps(finite(value), indent=2, ensure_ascii=plain, allow_nan=False, default=str)
    typer.echo(json_printable(text), file=answers())


def finite(value: Any) -> Any:
    """The value with None for every float that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def number(value: float | None) -> str:
    """A number as a person writes it; empty where there is none."""
    return "" if value is None else f"{value:g}"


def count(amount: int, what: str) -> str:
    """``1 node``, ``2 nodes``."""
    return f"{amount} {what}{'' if amount == 1 else 's'}"


def _cell(value: object) -> str:
    text = number(value) if isinstance(value, float) else "" if value is None else str(value)
    return printable(" ".join(text.split()))


def _is_number(text: str) -> bool:
    try:
        float(text or "0")
    except ValueError:
        return False
    return True
