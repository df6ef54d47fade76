"""A transformer: a gate that opens and closes with the beat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from djgraph.effects import Block, Control, ControlModel, SettingModel, State, TimeEffect, Unit
from djgraph_fx.lfo import beats_control


class Trans(TimeEffect):
    """``out = (1 − depth·(1 − gate))·in``; the gate is open for ``duty`` of every ``beats`` beats.

    Open from each multiple of ``beats`` on, for ``duty·beats``; the edges, raised cosines of ``edge`` ms, lie outside
    of that. The position comes from the clock, so the effect has no state and changes of tempo move the gate exactly.
    """

    type = "trans"
    family = "modulation"
    description = "Gate in beats"
    memoryless = True
    uses_clock = True

    class Settings(SettingModel):
        edge: Annotated[float, Unit("ms")] = Field(
            2.0, ge=0.1, le=50, description="Length of the gate's rise and of its fall in ms"
        )

    class Controls(ControlModel):
        depth: Annotated[
            float,
            Control(
                0, 1, neutral=0, smoothing=5.0, description="How far the closed gate lowers; 1 is silence"
            ),
        ] = 0.0
        duty: Annotated[
            float,
            Control(0.05, 0.95, neutral=0.5, smoothing=5.0, description="Part of the cycle that is open"),
        ] = 0.5
        beats: Annotated[float, beats_control(0.5, "Length of a cycle")] = 0.5

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, clock = audio["in"], block.clock
        if clock is None:
            raise ValueError("trans needs a clock: call the mixer with tempo=…")
        period, half = controls["beats"].detach().double(), controls["duty"].double() / 2
        # Cycles from the middle of the open part, −½…½, in float64: beats grow without bound.
        from_middle = torch.remainder(clock.beats / period - half + 0.5, 1.0) - 0.5
        inside = half - from_middle.abs()  # cycles from the nearer boundary, below 0 where the gate is closed
        milliseconds = inside * period * (60000 / clock.tempo)
        openness = (1 + milliseconds / self.settings.edge).clamp(0, 1).to(signal.dtype)
        gate = (1 - torch.cos(math.pi * openness)) / 2
        return {"out": signal * (1 - controls["depth"] * (1 - gate))}, state
