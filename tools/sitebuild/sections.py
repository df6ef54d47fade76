"""Sections of pages of docs/: what stands below which heading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^ {0,3}```")
_HEADING = re.compile(r"^(#+) (.*)$")


@dataclass(frozen=True)
class Section:
    """level: how many ``#``. body: all below the heading up to the next one of any level."""

    level: int
    title: str
    body: str

    @property
    def anchor(self) -> str:
        """The heading's id, as MkDocs and repository viewers make it."""
        return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", self.title).strip().lower())


def sections(text: str) -> Iterator[Section]:
    """The sections of a page in order; what stands above the first heading is none."""
    level, title, lines = 0, "", list[str]()
    fenced = False
    for line in text.splitlines():
        fenced ^= bool(_FENCE.match(line))
        heading = None if fenced else _HEADING.match(line)
        if heading is None:
            lines.append(line)
            continue
        if level:
            yield Section(level, title, "\n".join(lines).strip("\n"))
        level, title, lines = len(heading[1]), heading[2], []
    if level:
        yield Section(level, title, "\n".join(lines).strip("\n"))
