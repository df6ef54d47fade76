"""A volume fader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from torch import Tensor

from djgraph.dsp import scale_link
from djgraph.effects import AmplitudeEffect, Control, ControlModel, Link


class Gain(AmplitudeEffect):
    """``out = gain · in``, the gain read at every sample."""

    type = "gain"
    family = "level"
    description = "Volume fader"
    closed_by = "gain"

    class Controls(ControlModel):
        gain: Annotated[
            float,
            Control(
                0,
                1,
                neutral=1,
                rate="sample",
                smoothing=5.0,
                amplitude=True,
                description="Amplitude; 0 is silence",
                role="fader",
            ),
        ] = 1.0

    def link(self) -> Link | None:
        return Link(scale_link(), ("gain",))

    def amplitude(self, controls: Mapping[str, Tensor]) -> Tensor:
        return controls["gain"]
