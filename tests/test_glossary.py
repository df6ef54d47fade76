"""docs/glossary.md: a word has one row, and its modules are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| word |")
]


def test_a_word_has_one_row() -> None:
    assert len(ROWS) > 140
    words = [row[0] for row in ROWS]
    assert sorted(words) == sorted(set(words))
    assert all(len(row) == 3 and all(row) for row in ROWS)


def test_the_modules_are_there() -> None:
    for word, _, modules in ROWS:
        for module in modules.split(", "):
            assert (ROOT / "djgraph" / module.strip("`")).exists(), f"{word}: {module}"
