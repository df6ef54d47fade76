"""How wide text is, at most: a picture is laid out before anybody knows in which font it will be seen.

Widths are those of DejaVu Sans, the widest sans-serif that systems commonly ship; text in Helvetica, Arial or Verdana
is narrower or as wide.
"""

from __future__ import annotations

from djgraph.text import one_line

_FIRST = 32
_REGULAR = (
    "32 40 46 84 64 95 78 27 39 39 50 84 32 36 32 34 64 64 64 64 64 64 64 64 64 64 34 34 84 84 84 53 100 "
    "68 69 70 77 63 58 77 75 29 29 66 56 86 75 79 60 79 69 63 61 73 68 99 69 61 69 39 34 39 84 50 50 61 "
    "63 55 63 62 35 63 63 28 28 58 28 97 63 61 63 63 41 52 39 63 59 82 59 59 52 64 34 64 84"
)
_BOLD = (
    "35 46 52 84 70 100 87 31 46 46 52 84 38 42 38 37 70 70 70 70 70 70 70 70 70 70 40 40 84 84 84 58 100 "
    "77 76 73 83 68 68 82 84 37 37 77 64 100 84 85 73 85 77 72 68 81 77 110 77 72 73 46 37 46 84 50 50 67 "
    "72 59 72 68 44 72 71 34 34 67 34 104 71 69 72 72 49 60 48 71 65 92 65 65 58 71 37 71 84"
)
_MARKS = {"→": 0.84, "←": 0.84, "▸": 0.5, "◆": 0.84, "◇": 0.84, "↺": 0.84, "·": 0.4, "…": 1.0, "×": 0.84}
_WIDTHS = {
    bold: {chr(_FIRST + place): int(width) / 100 for place, width in enumerate(table.split())} | _MARKS
    for bold, table in ((False, _REGULAR), (True, _BOLD))
}
_OTHER = 1.1
"""Of a character beyond ASCII, in ems: as wide as the widest of East Asian scripts."""


def width(text: str, size: float, bold: bool = False) -> float:
    """How many pixels a text of that font size takes, at most."""
    widths = _WIDTHS[bold]
    return size * sum(widths.get(character, _OTHER) for character in text)


def fitted(text: str, room: float, size: float, bold: bool = False) -> str:
    """The text on one line, cut with ``…`` where it is wider than ``room`` pixels; nothing where that has no room."""
    text = one_line(text)
    if width(text, size, bold) <= room:
        return text
    kept = 0
    left = room - width("…", size, bold)
    if left < 0:
        return ""
    while kept < len(text) and (left := left - width(text[kept], size, bold)) >= 0:
        kept += 1
    return f"{text[:kept]}…"
