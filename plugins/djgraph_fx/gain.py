"""A volume fader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from torch import Tensor

from djgraph.effects import Block, Control, ControlModel, State, TimeEffect


class Gain(TimeEffect):
    """``out = gain · in``, the gain read at every sample."""

    type = "gain"
    description = "Volume fader"
    memoryless = True

    class Controls(ControlModel):
        gain: Annotated[
            float,
            Control(0, 1, neutral=1, rate="sample", smoothing=5.0, description="Amplitude; 0 is silence"),
        ] = 1.0

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        return {"out": audio["in"] * controls["gain"]}, state
