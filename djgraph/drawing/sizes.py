"""How large boxes are, and where in them their rows and the ends of edges lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil

from djgraph.drawing.measure import fitted, width
from djgraph.drawing.picture import Box, EdgeKind, Row

TITLE, TEXT, NOTE = 12.5, 12.0, 11.0
"""Font sizes of titles, of rows and of the words behind them, in pixels."""
LINE, PAD, GAP = 18, 10, 8
"""Height of a row; between border and text; between a row's text and its notes."""
BELOW = 8
"""How far notes below a row are set in."""
BESIDE: dict[EdgeKind, int] = {"send": 7, "feedback": -6}
"""How much lower than others edges of a kind come in."""
WIDEST = 230
"""Boxes are no wider; notes are broken over lines, and text is cut."""


@dataclass(frozen=True)
class SizedRow:
    """A row with its text cut to fit and its notes in lines; ``y`` is where it begins, from the box's top."""

    row: Row
    y: float
    text: str
    lines: tuple[str, ...]
    inline: bool
    """The first line of notes stands behind the text; else all stand below it."""

    @property
    def height(self) -> float:
        return LINE * max(1, len(self.lines) + (not self.inline))


@dataclass(frozen=True)
class SizedBox:
    """A box whose rows have places."""

    box: Box
    width: float
    rows: tuple[SizedRow, ...]

    @cached_property
    def height(self) -> float:
        return self.rows[-1].y + self.rows[-1].height + 5

    def port(self, row: int, kind: EdgeKind, incoming: bool) -> float:
        """Where an edge meets a row, from the box's top. Into a bus sends come below what feeds it plainly, those that
        close a loop above."""
        return self.rows[row].y + LINE / 2 + (BESIDE.get(kind, 0) if incoming else 0)


def sized(box: Box) -> SizedBox:
    """The box with a place for every row: as wide as its widest row, once notes are broken over lines."""
    room = min(max(_wanted(row) for row in box.rows), WIDEST - 2 * PAD)
    rows: list[SizedRow] = []
    y = 4.0
    for row in box.rows:
        rows.append(_row(row, y, room))
        y += rows[-1].height
    return SizedBox(box, ceil(max(map(_taken, rows))) + 2 * PAD, tuple(rows))


def indent(row: Row) -> float:
    """How far a row's text lies from the box's border."""
    return PAD if row.kind in ("title", "port") else PAD + 6


def note_start(sized_row: SizedRow, line: int) -> float:
    """How far a line of notes lies from the box's border."""
    row = sized_row.row
    behind = sized_row.inline and line == 0
    return indent(row) + (_text_width(row, sized_row.text) + GAP if behind else BELOW)


def _text_width(row: Row, text: str) -> float:
    bold = row.kind == "title"
    return width(text, TITLE if bold else TEXT, bold)


def _wanted(row: Row) -> float:
    """The width at which a row needs one line, within the box's padding."""
    notes = width(" · ".join(row.notes), NOTE) + GAP if row.notes else 0.0
    return indent(row) - PAD + _text_width(row, row.text) + notes + 1


def _taken(sized_row: SizedRow) -> float:
    """The width that a row takes, within the box's padding."""
    row = sized_row.row
    ends = [indent(row) + _text_width(row, sized_row.text)]
    ends += [note_start(sized_row, place) + width(line, NOTE) for place, line in enumerate(sized_row.lines)]
    return max(ends) - PAD


def _row(row: Row, y: float, room: float) -> SizedRow:
    room -= indent(row) - PAD
    title = row.kind == "title"
    text = fitted(row.text, room, TITLE if title else TEXT, title)
    if not row.notes:
        return SizedRow(row, y, text, (), True)
    beside = room - _text_width(row, text) - GAP
    # What a title says of its box stays whole, and beside it if there is room.
    inline = width(" · ".join(row.notes) if title else row.notes[0], NOTE) <= beside
    lines: list[str] = []
    left = beside if inline else 0.0
    for place, note in enumerate(row.notes):
        word = fitted(note, room - BELOW, NOTE)
        needed = width(f" · {word}", NOTE)
        if lines and needed <= left:
            lines[-1] += f" · {word}"
            left -= needed
        else:
            lines.append(word)
            left = (beside if inline and place == 0 else room - BELOW) - width(word, NOTE)
    return SizedRow(row, y, text, tuple(lines), inline)
