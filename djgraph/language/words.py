"""How values, names and references are written, and how an error speaks of them."""

from __future__ import annotations

import re
from typing import Any

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*\Z")
NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*\Z")

REFERENCE = re.compile(r"\$(?:([a-z][a-z0-9_]*)|\(([^()$]+)\))\Z")
"""A text that is exactly one reference: ``$name``, ``$(name)`` or a sum, ``$(n + 1)``."""

GRAPH_NAME = re.compile(r"^[^./\\:$\x00-\x1f][^/\\:$\x00-\x1f]*$")
"""A graph's name, or a file's without its folder."""

IDENTIFIER_RULE = "a lower-case letter, then lower-case letters, digits and underscores"
NAME_RULE = f"{IDENTIFIER_RULE}; dots between such words"

RESERVED_IDS = ("input", "output", "pre", "post")
"""Words that points and taps use, so that no node can be called so."""

_WITH_UNIT = re.compile(
    r"([+-]?\d+(?:\.\d+)?)\s*(k?Hz|dB|LUFS|ms|s|sec|seconds|beats|octaves|bpm|%)\Z", re.IGNORECASE
)


def is_reference(value: Any) -> bool:
    return isinstance(value, str) and REFERENCE.match(value) is not None


def has_reference(value: Any) -> bool:
    return isinstance(value, str) and "$" in value


def describe(value: Any) -> str:
    """What stands there, in words: ``text 'abc'``, ``a list``, ``nothing``."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"text {value!r}" if len(value) <= 60 else f"text {value[:60] + '…'!r}"
    return "a list" if isinstance(value, list | tuple) else "a mapping"


def no_number(value: Any) -> str:
    """What is said where a number is expected and something else stands; of ``8kHz`` how it is written."""
    message = f"expected a number, got {describe(value)}"
    match = _WITH_UNIT.match(value.strip()) if isinstance(value, str) and len(value) < 60 else None
    if match is None:
        return message
    number, unit = float(match[1]), match[2].lower()
    return f"{message}; numbers are written without their unit: {number * (1000 if unit == 'khz' else 1):g}"
