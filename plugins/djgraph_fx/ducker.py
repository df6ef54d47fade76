"""A ducker: one signal makes room for another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import decibels, follow
from djgraph.effects import (
    Block,
    Control,
    ControlModel,
    Port,
    SettingModel,
    State,
    TimeEffect,
    Unit,
    is_silent,
)
from djgraph_fx.level import loudest, ramp, time_constant


class Ducker(TimeEffect):
    """Turns a signal down by ``depth`` while another one, the sidechain, is louder than a threshold.

    Other than a compressor it turns down by so many decibels and no more, however loud the other is.
    """

    type = "ducker"
    family = "dynamics"
    description = "Turns a signal down while another, its sidechain, is heard"
    inputs = (Port("in"), Port("sidechain", apart=True))

    class Settings(SettingModel):
        window: Annotated[float, Unit("ms")] = Field(
            50.0, ge=0.1, le=1000, description="Time constant in ms in which the sidechain's level falls"
        )

    class Controls(ControlModel):
        threshold: Annotated[
            float,
            Control(
                -60, 0, neutral=-36, unit="dB", smoothing=5.0,
                description="Level of the sidechain from which on it turns down",
            ),
        ] = -36.0  # fmt: skip
        knee: Annotated[
            float,
            Control(
                1, 24, neutral=6, unit="dB", smoothing=5.0,
                description="So far above the threshold it is turned down by all of the depth",
            ),
        ] = 6.0  # fmt: skip
        depth: Annotated[
            float,
            Control(0, 60, neutral=0, unit="dB", smoothing=5.0, description="By how much it turns down"),
        ] = 0.0
        attack: Annotated[float, time_constant(0.05, 1000, 20, "it turns down")] = 20.0
        release: Annotated[float, time_constant(1, 5000, 300, "it turns up again")] = 300.0

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``level``: the sidechain's. ``share``: of the depth, in float64: in less it stops short of 1."""
        return {
            "level": like.new_zeros(batch, 1, 1),
            "share": like.new_zeros(batch, 1, 1, dtype=torch.float64),
        }

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        after: State = {}
        rate = block.sample_rate
        level, after["level"] = follow(
            loudest(audio["sidechain"]), 0.0, self.settings.window, state["level"], sample_rate=rate
        )
        share, after["share"] = follow(
            ramp(decibels(level.square()) - controls["threshold"], controls["knee"]).double(),
            controls["attack"],
            controls["release"],
            state["share"],
            sample_rate=rate,
        )
        reduction = controls["depth"] * share.to(level.dtype)
        return {"out": audio["in"] * 10 ** (-reduction / 20)}, after
