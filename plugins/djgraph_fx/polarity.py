"""A switch that turns a signal upside down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from torch import Tensor

from djgraph.effects import AmplitudeEffect, Control, ControlModel


class Polarity(AmplitudeEffect):
    """``out = (1 − 2·invert) · in``: +1 or −1, for all channels.

    ``invert`` is a switch, 0 or 1, held from frame to frame, so its true gradient is 0. Declared is the surrogate of
    controls with steps: the gradient of the line between both settings.
    """

    type = "polarity"
    family = "level"
    description = "Polarity switch"

    class Controls(ControlModel):
        invert: Annotated[
            float,
            Control(
                0,
                1,
                neutral=0,
                rate="sample",
                step=1.0,
                gradient="surrogate",
                description="0 leaves the signal as it is, 1 inverts it",
            ),
        ] = 0.0

    def amplitude(self, controls: Mapping[str, Tensor]) -> Tensor:
        return 1 - 2 * controls["invert"]
