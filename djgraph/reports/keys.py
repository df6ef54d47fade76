"""Names of keys, for reports: as the rows of ``djgraph.losses`` have them."""

from __future__ import annotations

from djgraph.losses.keys import NOTES, wheel


def name_of(key: int) -> str:
    """Such as ``A minor``; the major keys from C on, then the minor ones."""
    return f"{NOTES[key % 12]} {'minor' if key >= 12 else 'major'}"


def camelot(key: int) -> str:
    """Its place on DJs' wheel, such as ``8A``."""
    major = (key + 3) % 12 if key >= 12 else key
    return f"{(major * 7 + 7) % 12 + 1}{'A' if key >= 12 else 'B'}"


def steps(one: int, other: int) -> int:
    """From one to the other on the wheel."""
    return int(wheel()[one, other])
