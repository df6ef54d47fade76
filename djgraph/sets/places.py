"""Places in a track, as a set file says them: a bar, a beat, a phrase, a chorus."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np

from djgraph.analysis import Known

EXAMPLES = ("64bars", "256beats", "phrase 3", "last phrase", "last chorus", "end")
"""How places are written."""

Unit = Literal["beats", "bars", "phrase", "chorus", "end"]

_AMOUNT = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(beats?|bars?)\Z")
_COUNTED = re.compile(r"(?:(first|last)\s+(phrase|chorus)|(phrase|chorus|bar)\s+([1-9][0-9]{0,5}))\Z")
_NEAR_LOUDEST = 3.0
"""dB below the loudest phrase, within which a phrase is a chorus."""
_LOUD = -45.0
"""dB of full scale above which a stem sounds in a bar."""


@dataclass(frozen=True)
class TrackPlace:
    """A place in a track. amount: beats or bars after its first bar line; the number of the phrase or chorus, from 1,
    or -1 for the last one. counted: it was said as the number of a bar, from 1."""

    unit: Unit
    amount: float = 0.0
    counted: bool = field(default=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> TrackPlace:
        """ValueError for text that says no place."""
        text = text.strip()
        if text == "end":
            return cls("end")
        if match := _AMOUNT.match(text):
            return cls("bars" if match[2].startswith("bar") else "beats", float(match[1]))
        if match := _COUNTED.match(text):
            which, kind, named, number = match.groups()
            if kind:
                return cls(cast(Unit, kind), 1 if which == "first" else -1)
            if named == "bar":
                return cls("bars", float(number) - 1, counted=True)
            return cls(cast(Unit, named), float(number))
        raise ValueError(f"{text!r} is no place in a track")

    def __str__(self) -> str:
        if self.unit == "end":
            return "end"
        if self.unit in ("beats", "bars"):
            return f"{self.amount:g}{self.unit}" if not self.counted else f"bar {self.amount + 1:g}"
        return f"last {self.unit}" if self.amount < 0 else f"{self.unit} {self.amount:g}"


def phrase_lines(known: Known) -> list[int]:
    """Bars at which phrases begin, the first bar among them, ascending; every eighth where they are not known."""
    bars = bar_count(known)
    lines = sorted({0, *(bar for bar in known.phrases if 0 <= bar < bars)})
    return lines if len(lines) > 1 else list(range(0, max(bars, 1), 8))


def bar_count(known: Known) -> int:
    """Whole bars and the one that is begun at the end."""
    if known.levels:
        return min(len(levels) for levels in known.levels.values())
    return max(0, len(known.downbeats))


def sounds(known: Known, stem: str) -> list[bool]:
    """In which bars a stem sounds; nowhere where the track lacks it. Quiet against its own loudest bars counts as
    silence."""
    levels = known.levels.get(stem)
    if not levels:
        return []
    least = max(_LOUD, float(np.quantile(levels, 0.9)) - 20)
    return [level > least for level in levels]


def choruses(known: Known) -> list[int]:
    """Bars at which choruses begin: the loudest phrases of at least four bars, those with vocals where some have;
    several in a row are one."""
    if not known.levels:
        return []
    bars = bar_count(known)
    lines = [*phrase_lines(known), bars]
    power = np.sum([10 ** (np.array(row[:bars]) / 10) for row in known.levels.values()], axis=0)
    voices = np.array(sounds(known, "vocals")[:bars] or [False] * bars)
    found: list[tuple[int, int, float, float]] = []
    for begin, end in itertools.pairwise(lines):
        if end - begin >= 4:
            loud = 10 * float(np.log10(max(power[begin:end].mean(), 1e-12)))
            found.append((begin, end, loud, float(voices[begin:end].mean())))
    if not found:
        return []
    loudest = max(phrase[2] for phrase in found)
    near = [phrase for phrase in found if phrase[2] >= loudest - _NEAR_LOUDEST]
    sung = [phrase for phrase in near if phrase[3] >= 0.5]
    chosen = sung or near
    return [begin for i, (begin, *_) in enumerate(chosen) if not i or chosen[i - 1][1] != begin]
