"""Text of strangers (files, file names, plugins) made fit to be shown: nothing hidden, nothing endless."""

from __future__ import annotations

import math
import re
import reprlib
from typing import Any

# What a terminal obeys or hides rather than shows: control characters but newline and tab, marks that turn the
# direction of writing, line separators, invisible marks and tags, halves of surrogate pairs (bytes of a file name
# that is not UTF-8). Joiners stay (U+200C, U+200D): scripts and emoji are written with them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_WORD = re.compile(r"\S+")
_LINES = {"\n": "\\n", "\t": "\\t"}

WORD = 240
"""Characters of a text without spaces in it, such as a name, that a message about a document shows."""


def printable(text: str) -> str:
    """The text with characters that a terminal would obey or hide written as Python writes them: ``\\x1b``.

    Newlines and tabs stay.
    """
    return _HIDDEN.sub(_escape, text)


def one_line(text: str) -> str:
    """:func:`printable`, and newlines and tabs are escaped too."""
    return printable(re.sub(r"[\n\t]", lambda match: _LINES[match[0]], text))


def json_printable(text: str) -> str:
    """The same for JSON text, which stays the same JSON: ``\\u001b``."""
    return _HIDDEN.sub(_escape_in_json, text)


def clip(text: str, limit: int = WORD) -> str:
    """The text, or of one longer than ``limit`` characters its beginning and end and how much is between."""
    if len(text) <= limit:
        return text
    end = limit // 4
    start = limit - end
    return f"{text[:start]}… ({len(text) - limit} more) …{text[-end:]}"


def clip_words(text: str, limit: int, word: int = WORD) -> str:
    """The text with words longer than ``word`` and then the whole clipped to at most ``limit`` characters."""
    return clip(_WORD.sub(lambda match: clip(match[0], word), text), limit)


def brief(value: Any) -> str:
    """A value of a document on one short line, however large it is."""
    if isinstance(value, str):
        return one_line(clip(value, 60))
    return one_line(_BRIEF.repr(value))


_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = 60
_BRIEF.maxlevel = 3


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape_in_json(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def time_left(seconds: float | None) -> str:
    """``1:05 left``; nothing where it is not known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} left" if hours else f"{minutes}:{rest:02d} left"
