"""Roles: what a control is to who mixes, whatever its node and its column are called.

Effects declare them (``Control(role="low")``), graphs may say otherwise (``roles`` at the top of a file), and recipes
ask for them. Any name may be a role; those below mean the same everywhere, and how their values are said does, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Measure = Literal["plain", "amplitude", "position"]
"""How values are said: in the control's own unit; as a factor of the amplitude, of which decibels are made where the
control is in dB; or as a position 0…1 along the control's scale."""

FADER = "fader"


@dataclass(frozen=True)
class Role:
    """What a role means. measure: of the values that recipes have for it."""

    description: str
    measure: Measure = "plain"


ROLES: Mapping[str, Role] = {
    FADER: Role("The level of a strip or bus, behind its chain", "amplitude"),
    "trim": Role("The level in front of everything else", "amplitude"),
    "low": Role("The level of the low band", "amplitude"),
    "mid": Role("The level of the middle band, or of all between low and high", "amplitude"),
    "high": Role("The level of the high band", "amplitude"),
    "highpass": Role("The cutoff of a highpass, 0 where it is open", "position"),
    "lowpass": Role("The cutoff of a lowpass, 1 where it is open", "position"),
    "filter": Role("A knob from a lowpass on its left to a highpass on its right", "position"),
    "cutoff": Role("The cutoff of a filter whose kind is a setting", "position"),
    "echo_send": Role("How much goes into an echo; in place of the signal, 1 is echoes only", "amplitude"),
    "echo_feedback": Role("How much of each echo comes back", "amplitude"),
    "reverb_send": Role("How much goes into a reverb; in place of the signal, 1 is reverb only", "amplitude"),
}
"""The roles that shipped effects and recipes know."""

SENDS = tuple(name for name in ROLES if name.endswith("_send"))
"""Roles of wet levels; a send has that of the effect on its bus."""


def measure_of(role: str) -> Measure:
    """How values for a role are said; those of roles of one's own in the control's own unit."""
    return ROLES[role].measure if role in ROLES else "plain"
