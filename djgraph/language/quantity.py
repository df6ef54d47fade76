"""Numbers with a unit, as people write them: ``180 Hz``, ``-6 dB``, ``1/2 beat``, ``375 ms``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

_QUANTITY = re.compile(
    r"([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?:\s*/\s*(\d+(?:\.\d+)?))?\s*([A-Za-z%]+)\Z"
)
_LONGEST = 60

UNITS: dict[str, tuple[str, float]] = {
    "hz": ("Hz", 1.0),
    "khz": ("Hz", 1000.0),
    "ms": ("s", 0.001),
    "s": ("s", 1.0),
    "sec": ("s", 1.0),
    "seconds": ("s", 1.0),
    "min": ("s", 60.0),
    "beat": ("beats", 1.0),
    "beats": ("beats", 1.0),
    "db": ("dB", 1.0),
    "lufs": ("LUFS", 1.0),
    "semitone": ("semitones", 1.0),
    "semitones": ("semitones", 1.0),
    "octave": ("semitones", 12.0),
    "octaves": ("semitones", 12.0),
    "bit": ("bits", 1.0),
    "bits": ("bits", 1.0),
    "%": ("ratio", 0.01),
}
"""A unit in lower case → what it measures, by the name of that quantity's base unit, and how many of those it is."""

BASES: dict[str, tuple[str, float]] = {
    "Hz": ("Hz", 1.0),
    "ms": ("s", 0.001),
    "s": ("s", 1.0),
    "beats": ("beats", 1.0),
    "dB": ("dB", 1.0),
    "LUFS": ("LUFS", 1.0),
    "semitones": ("semitones", 1.0),
    "octaves": ("semitones", 12.0),
    "bits": ("bits", 1.0),
    "ratio": ("ratio", 1.0),
}
"""The same for the units that controls are declared in."""


@dataclass(frozen=True)
class Quantity:
    """A number and its unit, and the text that they were written as."""

    number: float
    unit: str
    text: str

    def __str__(self) -> str:
        return self.text

    def plain(self, unit: str, amplitude: bool = False) -> float | None:
        """The number in a control's unit; None where that measures something else.

        amplitude: decibels stand for a factor of the amplitude, 10^(dB/20), where the unit is ``ratio``.
        """
        measure, factor = UNITS[self.unit]
        wanted = BASES.get(unit)
        if wanted is None:
            return None
        if measure == wanted[0]:
            return self.number * factor / wanted[1]
        if measure == "dB" and unit == "ratio" and amplitude:
            return math.pow(10.0, self.number / 20.0) if self.number < 6000 else math.inf
        return None


def quantity(value: Any) -> Quantity | None:
    """What a text says if it is a number with a unit that is known; None for anything else."""
    match = _QUANTITY.match(value.strip()) if isinstance(value, str) and len(value) <= _LONGEST else None
    if match is None or match[3].lower() not in UNITS:
        return None
    below = float(match[2] or 1)
    number = float(match[1]) / below if below else math.inf
    return Quantity(number, match[3].lower(), value) if math.isfinite(number) else None
