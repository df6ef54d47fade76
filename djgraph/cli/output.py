"""Printing: aligned columns, JSON, numbers."""

from __future__ import annotations

import json
import math
import os
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import typer

from djgraph.cli.streams import answers, is_unicode
from djgraph.text import json_printable, printable

NARROWEST = 24
"""Characters of a folded column at least, however narrow the terminal is."""


def table(header: Sequence[str], rows: Iterable[Sequence[object]], width: int | None = None) -> str:
    """Text in aligned columns, never cut off, so that it can be searched and piped; numbers to the right.

    width: characters of a line beyond which the last column goes on in the next one, between words; lines are as long
    as they are where it is None.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    rights = [bool(cells) and all(_is_number(row[i]) for row in cells) for i in range(len(header))]
    if width is not None:
        before = sum(max(len(row[i]) for row in [list(header), *cells]) + 2 for i in range(len(header) - 1))
        cells = [line for row in cells for line in _folded(row, max(width - before, NARROWEST))]
    widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]
    lines = []
    for row in [list(header), ["─" * width for width in widths], *cells]:
        aligned = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, rights)
        ]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def line_width() -> int | None:
    """Characters of a line of the terminal that answers go to, or what COLUMNS says; None where there is neither."""
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(answers().fileno()).columns or None
    except (OSError, ValueError, AttributeError):  # a file, a pipe, a stream of a test
        return None


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


def _folded(row: list[str], width: int) -> list[list[str]]:
    """The row as rows of which the last cell is no longer than ``width``, but for words that are."""
    texts = textwrap.wrap(row[-1], width, break_long_words=False, break_on_hyphens=False) or [""]
    return [[*(row[:-1] if place == 0 else [""] * (len(row) - 1)), text] for place, text in enumerate(texts)]


def _cell(value: object) -> str:
    text = number(value) if isinstance(value, float) else "" if value is None else str(value)
    return printable(" ".join(text.split()))


def _is_number(text: str) -> bool:
    try:
        float(text or "0")
    except ValueError:
        return False
    return True
