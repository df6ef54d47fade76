"""How many channels a signal has, as documents say it: a layout's word or a number."""

from __future__ import annotations

from typing import Annotated, Any

from djgraph.language.fields import Leaf, Refused
from djgraph.language.words import describe
from djgraph.speakers import MOST, WORDS

_POINTS = {float(name): count for name, count in WORDS.items() if "." in name}
"""Words that YAML and JSON read as numbers."""


def _channels(value: Any) -> int:
    if isinstance(value, str) and value in WORDS:
        return WORDS[value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value in _POINTS:  # 3.0 and 3 are the same
            return _POINTS[value]
        if value == value // 1 and 1 <= value <= MOST:
            return int(value)
    allowed = (*WORDS, f"a number from 1 to {MOST}")
    raise Refused(
        f"{describe(value)} is no number of channels",
        allowed=allowed,
        name=value if isinstance(value, str) else None,
    )


_LEAF = Leaf(
    _channels,
    {
        "anyOf": [
            {"enum": [*WORDS, *(point for point in _POINTS if point % 1)]},
            {"type": "integer", "minimum": 1, "maximum": MOST},
        ]
    },
)

Channels = Annotated[int, _LEAF]
OptionalChannels = Annotated[int | None, _LEAF]
