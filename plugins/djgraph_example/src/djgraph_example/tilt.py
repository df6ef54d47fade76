"""Tilt equaliser: one knob that turns the spectrum about a pivot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from torch import Tensor

from djgraph.effects import Control, ControlModel, SettingModel, SpectralEffect


class Tilt(SpectralEffect):
    """Gain in dB ``tilt · (f² − p²)/(f² + p²)``: −tilt far below the pivot p, 0 at it, +tilt far above.

    A spectral effect: it gives one gain per STFT frame and frequency, and djgraph does the transforms.
    """

    type = "example_tilt"
    description = "Tilt equaliser: darker to the left, brighter to the right"

    class Settings(SettingModel):
        pivot: float = Field(800.0, gt=0, description="Frequency in Hz that keeps its level")

    class Controls(ControlModel):
        tilt: Annotated[
            float,
            Control(
                -12, 12, neutral=0, unit="dB", rate="frame", description="Gain of the highest frequencies"
            ),
        ] = 0.0

    def constants(self) -> dict[str, Tensor]:
        """``slope``: ln(10)/20 · (f² − p²)/(f² + p²), ``[bins]``."""
        square = (self.environment.frequencies() / self.settings.pivot) ** 2
        return {"slope": math.log(10) / 20 * (square - 1) / (square + 1)}

    def mask(self, controls: Mapping[str, Tensor]) -> Tensor:
        """``[batch, frames, bins]`` from ``tilt`` ``[batch, frames, 1]``."""
        tilt = controls["tilt"]
        return (tilt * self.constant("slope", tilt)).exp()
