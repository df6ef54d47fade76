"""Templates: files of this package, with words in double braces that are replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from djgraph.errors import DJGraphError
from djgraph.reading import read_text

FOLDER = Path(__file__).parent / "templates"
SUFFIX = ".txt"
"""Behind the name of each, so that no tool takes a template for what it becomes."""

_WORD = re.compile(r"\{\{(\w+)\}\}")


def template(name: str) -> str:
    """The text of a template, by its place below the folder: ``delay/effect.py``."""
    return read_text(FOLDER / f"{name}{SUFFIX}", DJGraphError)


def fill(text: str, words: Mapping[str, str]) -> str:
    """The text with each ``{{word}}`` replaced; KeyError for a word that is not given."""
    return _WORD.sub(lambda match: words[match[1]], text)
