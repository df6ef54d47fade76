"""A pump: the movement of a sidechain compressor on the kick, from the clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from djgraph.effects import Block, Control, ControlModel, SettingModel, State, TimeEffect, Unit
from djgraph_fx.lfo import beats_control


class Pump(TimeEffect):
    """``out = in·10^(−depth·down/20)``; down is 1 on every multiple of ``beats`` and comes back to 0 behind it.

    It goes down in the ``edge`` ms before a beat, stays for ``hold`` of the cycle, and has come back after ``release``
    of the rest. The position comes from the clock, so there is no state, and changes of tempo move it exactly.
    """

    type = "pump"
    family = "dynamics"
    description = "Ducks on the beat, as a compressor does that listens to the kick"
    memoryless = True
    uses_clock = True

    class Settings(SettingModel):
        edge: Annotated[float, Unit("ms")] = Field(
            5.0, ge=0.1, le=50, description="Time in ms in which it goes down, before a beat"
        )

    class Controls(ControlModel):
        depth: Annotated[
            float, Control(0, 60, neutral=0, unit="dB", smoothing=5.0, description="By how much it goes down")
        ] = 0.0
        hold: Annotated[
            float,
            Control(
                0, 0.9, neutral=0.1, smoothing=5.0, description="Part of the cycle for which it stays down"
            ),
        ] = 0.1
        release: Annotated[
            float,
            Control(
                0.05, 1, neutral=0.8, smoothing=5.0,
                description="Part of the rest of the cycle in which it comes back",
            ),
        ] = 0.8  # fmt: skip
        beats: Annotated[float, beats_control(1, "Length of a cycle")] = 1.0

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, clock = audio["in"], block.clock
        if clock is None:
            raise ValueError("pump needs a clock: call the mixer with tempo=…")
        period, hold = controls["beats"].detach().double(), controls["hold"].double()
        # In float64: beats grow without bound.
        since = torch.remainder(clock.beats / period, 1.0)
        back = ((since - hold) / ((1 - hold) * controls["release"].double())).clamp(0, 1)
        until = (1 - since) * period * (60000 / clock.tempo)
        ahead = (1 + torch.cos(math.pi * (until / self.settings.edge).clamp(max=1))) / 2
        up = back.square() * (3 - 2 * back) * (1 - ahead)
        down = (1 - up).to(signal.dtype)
        return {"out": signal * 10 ** (-controls["depth"] * down / 20)}, state
