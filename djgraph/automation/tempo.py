"""How the tempo goes from one entry of a tempo map to the next: which second a beat falls on, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", float, NDArray[np.float64])

RAMPS = ("hold", "per_beat", "per_second")
"""The tempo holds until the next entry, or goes there by the same amount in each beat, or in each second."""


@dataclass(frozen=True)
class TempoSegment:
    """The tempo from an entry on. bpm: at the entry; rise: BPM per beat or per second, as ``ramp`` says."""

    bpm: float
    ramp: str = "hold"
    rise: float = 0.0

    @classmethod
    def between(cls, bpm: float, following: float, beats: float, ramp: str) -> TempoSegment:
        """From one tempo to another within so many beats."""
        if ramp == "hold" or bpm == following:
            return cls(bpm)
        if ramp == "per_beat":
            return cls(bpm, ramp, (following - bpm) / beats)
        # Linear in time, so that it lasts as long as the mean tempo does.
        return cls(bpm, ramp, (following - bpm) * (bpm + following) / (120 * beats))

    def seconds(self, beats: Number) -> Number:
        """How long so many beats last from the entry on; of an array for each of them."""
        if self.ramp == "per_beat":
            # The rise is at least a part in 10²⁶, so that the quotient is as exact as the logarithm.
            lasting: Number = 60 / self.rise * np.log1p(self.rise * beats / self.bpm)
            return lasting
        if self.ramp == "per_second":
            root: Number = np.sqrt(self.bpm**2 + 120 * self.rise * beats)
            return 120 * beats / (self.bpm + root)
        return beats * 60 / self.bpm

    def beats(self, seconds: Number) -> Number:
        """How many beats pass in so many seconds from the entry on; of an array for each of them."""
        if self.ramp == "per_beat":
            passed: Number = self.bpm / self.rise * np.expm1(self.rise * seconds / 60)
            return passed
        if self.ramp == "per_second":
            return seconds * (self.bpm + self.rise * seconds / 2) / 60
        return seconds * self.bpm / 60

    def bpm_after(self, seconds: float) -> float:
        """The tempo so many seconds after the entry."""
        if self.ramp == "per_beat":
            return self.bpm * math.exp(self.rise * seconds / 60)
        return self.bpm + self.rise * seconds

    def bpm_at(self, beats: float) -> float:
        """The tempo so many beats after the entry."""
        return self.bpm if self.ramp == "hold" else self.bpm_after(self.seconds(beats))
