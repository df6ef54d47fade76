"""Gain in decibels, with silence at the lower end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from torch import Tensor

from djgraph.effects import AmplitudeEffect, Control, ControlModel

LOWEST = -60.0
"""Lower end of the range in dB, where the amplitude is 0."""

FADE = 10.0
"""Decibels above the lower end over which the amplitude fades out to 0."""


def amplitude(gain: Tensor) -> Tensor:
    """Decibels from −60 up → amplitudes: 10^(gain/20), faded out to 0 over the lowest ``FADE`` decibels."""
    u = ((gain - LOWEST) / FADE).clamp(max=1)
    return 10 ** (gain / 20) * (u * (2 - u))


class Trim(AmplitudeEffect):
    """``out = 10^(gain/20) · fade · in`` with ``fade = u·(2 − u)``, ``u = min(1, (gain + 60)/10)``.

    From −50 dB on the fade is 1 and ``gain`` is decibels. Below, it takes the amplitude to exactly 0 at −60. It begins
    without a kink (slope 0 at u = 1) and reaches 0 with a slope (2 at u = 0), so that the gradient at silence is not 0.
    """

    type = "trim"
    family = "level"
    description = "Gain in decibels, down to silence"

    class Controls(ControlModel):
        gain: Annotated[
            float,
            Control(
                LOWEST,
                24,
                neutral=0,
                unit="dB",
                rate="sample",
                smoothing=5.0,
                description="Gain; -60 is silence, and below -50 it falls faster than it says",
                role="trim",
            ),
        ] = 0.0

    def amplitude(self, controls: Mapping[str, Tensor]) -> Tensor:
        return amplitude(controls["gain"])
