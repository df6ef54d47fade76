"""Docstrings of the package as Markdown: parameters that begin a line become a list, roles become code."""

from __future__ import annotations

import re
from collections.abc import Collection

ROLE = re.compile(r":(?:data|class|func|meth|mod|attr|exc):`~?([^`]+)`")
_ENDS = re.compile(r"(?:(?<=\n)|(?<=\. ))(?:Returns|Raises|Yields) ")


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
        paragraphs.append(_items(paragraph, parameters))
    return "\n\n".join(paragraphs)


def _code(paragraph: str) -> str:
    return f"```python\n{paragraph}\n```" if paragraph.startswith(">>> ") else paragraph


def _items(paragraph: str, parameters: Collection[str]) -> str:
    """A paragraph, with an item for each parameter that a line or a sentence of it begins with."""
    if not parameters:
        return paragraph
    name = "|".join(sorted(map(re.escape, parameters), key=len, reverse=True))
    begins = re.compile(rf"(?:^|(?<=\n)|(?<=\.)[ \n])((?:{name})(?:, (?:{name}))*): ")
    found = list(begins.finditer(paragraph))
    if not found:
        return paragraph
    made = [paragraph[: found[0].start()].rstrip()] if found[0].start() else []
    items = []
    for here, there in zip(found, [*found[1:], None]):
        text = paragraph[here.end() : there.start() if there else None].strip()
        if there is None and (end := _ENDS.search(text)):
            text, rest = text[: end.start()].rstrip(), text[end.start() :].lstrip()
        else:
            rest = ""
        names = ", ".join(f"`{one}`" for one in here[1].split(", "))
        items.append(f"- {names}: " + text.replace("\n", "\n  "))
    made.append("\n".join(items))
    return "\n\n".join([*made, *([rest] if rest else [])])
