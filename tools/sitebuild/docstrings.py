"""Docstrings of the package as Markdown: parameters that begin a line become a list, roles become code.

Griffe, which reads the sources for the API reference, loads this file as an extension.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import griffe

ROLE = re.compile(r":(?:data|class|func|meth|mod|attr|exc):`~?([^`]+)`")
BEGINS = ("Returns", "Raises", "Yields")


def markdown(text: str, parameters: Collection[str] = ()) -> str:
    """A docstring as Markdown.

    parameters: names that a line may begin with, followed by a colon (``rate, seconds: …`` for several): each becomes
    an item of a list, and so do sentences that begin with Returns or Raises.
    """
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if paragraph.startswith(("    ", ">>> ")):
            paragraphs.append(_code(paragraph))
            continue
        paragraph = ROLE.sub(lambda match: f"`{match[1]}`", paragraph)
        paragraph = re.sub(r"::$", ":", paragraph)
        paragraphs.append(_items(paragraph.splitlines(), parameters))
    return "\n\n".join(paragraphs)


def _code(paragraph: str) -> str:
    return f"```python\n{paragraph}\n```" if paragraph.startswith(">>> ") else paragraph


def _items(lines: list[str], parameters: Collection[str]) -> str:
    """Lines of a paragraph, those that begin with a parameter as items."""
    made: list[str] = []
    listing = False
    for line in lines:
        names, colon, rest = line.partition(":")
        known = [name.strip().strip("`*") for name in names.split(",")]
        if colon and known and all(name in parameters for name in known):
            if made and not listing:
                made.append("")
            made.append(f"- {', '.join(f'`{name}`' for name in known)}:{rest}")
            listing = True
        elif listing and line.split(" ")[0] in BEGINS:
            made += ["", line]
            listing = False
        else:
            made.append(f"  {line}" if listing and line and not line.startswith(("- ", "  ")) else line)
    return "\n".join(made)


class Prose(griffe.Extension):
    """Makes Markdown of each docstring as it is read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is None:
            return
        parameters = set()
        if isinstance(obj, griffe.Function):
            parameters = {parameter.name for parameter in obj.parameters}
        elif isinstance(obj, griffe.Class):
            parameters = set(obj.members)
            if (init := obj.members.get("__init__")) and isinstance(init, griffe.Function):
                parameters |= {parameter.name for parameter in init.parameters}
        obj.docstring.value = markdown(obj.docstring.value, parameters)
