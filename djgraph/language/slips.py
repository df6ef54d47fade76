"""What YAML's parser says of a wrong indentation or an unquoted ``*``, in the words of somebody who edits a file."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ENTRY = re.compile(r"(?:- +)+")
_KEY = re.compile(r"""(?:- +)*(?:"[^"]*"|'[^']*'|[^\s#"'\[\]{},&*!|>%@`-][^:#\[\]{},]*):(?:\s|$)""")
_WORD = re.compile(r"\*[^\s,\[\]{}]*")


def indentation(text: str, line: int, problem: str) -> str | None:
    """What is wrong with the indentation of a line (counted from 0), where that is what the parser stumbled over.

    problem: what the parser says.
    """
    lines = text.split("\n")
    if line >= len(lines):
        return None
    here = lines[line]
    own = _indent(here)
    if here.strip().startswith("- "):
        before = [indent for indent, text in _before(lines, line) if text.startswith("- ")]
        kind = "this list"
    elif _KEY.match(here.strip()):
        before = [at for indent, text in _before(lines, line) if (at := _keys(indent, text)) is not None]
        kind = "these keys"
    else:
        return None
    if not before or before[0] == own:
        return None
    if "mapping values are not allowed" in problem and before[0] > own:
        return None
    if not any(words in problem for words in ("<block end>", "<document start>", "mapping values are not")):
        return None
    # Deeper lists and mappings lie between; of those around this line the innermost is meant.
    deeper = [indent for indent in before if indent > own]
    began = before[0] if before[0] < own else min(deeper)
    return f"indented by {own}; {kind} began at {began}"


def quoted(text: str, line: int, column: int) -> str | None:
    """How to write the word that begins with ``*`` at a place, which YAML takes for an alias; None for other words."""
    lines = text.split("\n")
    match = _WORD.match(lines[line][column:]) if line < len(lines) else None
    return f'quote it: "{match[0].removesuffix(":")}"' if match else None


def _before(lines: list[str], line: int) -> Iterator[tuple[int, str]]:
    """Indentation and text of the lines above, upwards, to the one that holds this line's list or mapping."""
    own = _indent(lines[line])
    for text in reversed(lines[:line]):
        if not text.strip() or text.strip().startswith(("#", "---")):
            continue
        yield _indent(text), text.strip()
        if _indent(text) < own:
            break


def _keys(indent: int, text: str) -> int | None:
    """The column at which the key of a line stands."""
    if not _KEY.match(text):
        return None
    entry = _ENTRY.match(text)
    return indent + (len(entry[0]) if entry else 0)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))
