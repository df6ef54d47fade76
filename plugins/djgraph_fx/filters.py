"""Low-pass and high-pass with a sweepable cutoff, exactly transparent when wide open."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from djgraph.effects import Control, ControlModel, SettingModel, SpectralEffect

LOWEST, HIGHEST = 20.0, 20000.0
"""Cutoff in Hz at the ends of the control's range."""
FADE = 0.1
"""Last part of the control's range, over which the filter fades out."""


class FilterSettings(SettingModel):
    """What both filters can be set to."""

    order: float = Field(4.0, ge=1, le=12, description="Steepness: 6·order dB per octave beyond the cutoff")


class _Filter(SpectralEffect):
    """``1 − fade(u) · sigmoid(±order · ln(f/fc))``, where u is how far the control is from wide open.

    sigmoid(order·ln(f/fc)) is r/(1 + r) with r = (f/fc)^order, what a low-pass takes away. Written so, no
    power overflows in any precision, and f = 0 is a number like any other: its logarithm −∞ gives exactly 0
    or 1, and a gradient of 0.
    """

    type: ClassVar[str]
    Settings = FilterSettings

    def constants(self) -> dict[str, Tensor]:
        """``steepness``: order · ln(f / 20 Hz), ``[bins]``."""
        return {"steepness": self.settings.order * torch.log(self.environment.frequencies() / LOWEST)}

    def _above(self, cutoff: Tensor) -> Tensor:
        """order · ln(f/fc): negative below the cutoff, positive above."""
        travel = self.settings.order * math.log(HIGHEST / LOWEST)
        return self.constant("steepness", cutoff) - travel * cutoff


class Lowpass(_Filter):
    """Removes what is above the cutoff: ``1/(1 + (f/fc)^order)``, fc = 20 Hz · 1000^cutoff."""

    type = "lowpass"
    description = "Sweepable low-pass filter"

    class Controls(ControlModel):
        cutoff: Annotated[
            float,
            Control(0, 1, neutral=1, rate="frame", description="20 Hz … 20 kHz, exponential; 1 is wide open"),
        ] = 1.0

    def mask(self, controls: Mapping[str, Tensor]) -> Tensor:
        cutoff = controls["cutoff"]
        return _attenuated(1 - cutoff, self._above(cutoff))


class Highpass(_Filter):
    """Removes what is below the cutoff: ``1/(1 + (fc/f)^order)``, fc = 20 Hz · 1000^cutoff."""

    type = "highpass"
    description = "Sweepable high-pass filter"

    class Controls(ControlModel):
        cutoff: Annotated[
            float,
            Control(0, 1, neutral=0, rate="frame", description="20 Hz … 20 kHz, exponential; 0 is wide open"),
        ] = 0.0

    def mask(self, controls: Mapping[str, Tensor]) -> Tensor:
        cutoff = controls["cutoff"]
        return _attenuated(cutoff, -self._above(cutoff))


def _attenuated(distance: Tensor, steepness: Tensor) -> Tensor:
    """1 − fade · sigmoid(steepness); ``distance`` of the control from wide open, 0…1.

    The fade u·(2 − u) begins smoothly and arrives at the open end with a slope, so that a gradient there can
    still find its way in. (Hence no clamp at 0, whose gradient there would be 0.)
    """
    u = (distance / FADE).clamp(max=1)
    return torch.addcmul(u.new_ones(()), u * (2 - u), torch.sigmoid(steepness), value=-1)
