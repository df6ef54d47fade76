"""A transient shaper: attacks and decays louder or softer, whatever the level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field
from torch import Tensor

from djgraph.dsp import follow, safe_log10
from djgraph.effects import (
    Block,
    Conflict,
    Control,
    ControlModel,
    Environment,
    SettingModel,
    State,
    TimeEffect,
    Unit,
    Use,
)
from djgraph_fx.level import loudest

FLOOR = 1e-3
"""An amplitude (−60 dB) below which nothing is an attack or a decay."""
FLOOR_DB = -60.0
HALF = 6.0
"""Decibels between the two levels at which half of a control's gain is reached."""


class Transient(TimeEffect):
    """Two levels in dB, one slower than the other; where they are apart something begins or ends.

    Differential envelopes, after the SPL Transient Designer: an attack is where the level is above one that rises
    slowly, a decay where it is below one that falls slowly. No threshold: it works at any level above −60 dB.
    """

    type = "transient"
    family = "dynamics"
    description = "Attacks and decays louder or softer"

    class Settings(SettingModel):
        window: Annotated[float, Unit("ms")] = Field(
            30.0, ge=1, le=1000, description="Time constant in ms in which the level falls"
        )
        rise: Annotated[float, Unit("ms")] = Field(
            20.0, ge=1, le=1000, description="How long in ms a beginning counts as an attack"
        )
        fall: Annotated[float, Unit("ms")] = Field(
            200.0, ge=1, le=5000, description="How long in ms what ends counts as a decay"
        )

    class Controls(ControlModel):
        attack: Annotated[
            float, Control(-24, 24, neutral=0, unit="dB", smoothing=5.0, description="Gain of attacks")
        ] = 0.0
        sustain: Annotated[
            float, Control(-24, 24, neutral=0, unit="dB", smoothing=5.0, description="Gain of decays")
        ] = 0.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        if use.settings.fall <= use.settings.window:
            yield Conflict(
                f"sustain does nothing: fall, {use.settings.fall:g} ms, is not above window, "
                f"{use.settings.window:g} ms, so that the slow level falls with the quick one",
                "settings",
                "fall" if "fall" in use.stated else "window",
                allowed=("a fall above window",),
            )

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``level``: an amplitude. ``risen``, ``fallen``: the slow levels, in dB."""
        one = (batch, 1, 1)
        return {
            "level": like.new_zeros(one),
            "risen": like.new_full(one, FLOOR_DB),
            "fallen": like.new_full(one, FLOOR_DB),
        }

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        after: State = {}
        rate, times = block.sample_rate, self.settings
        amplitude, after["level"] = follow(
            loudest(audio["in"]), 0.0, times.window, state["level"], sample_rate=rate
        )
        level = 20 * safe_log10(amplitude, FLOOR)
        risen, after["risen"] = follow(level, times.rise, 0.0, state["risen"], sample_rate=rate)
        fallen, after["fallen"] = follow(level, 0.0, times.fall, state["fallen"], sample_rate=rate)
        gain = controls["attack"] * _share(level - risen) + controls["sustain"] * _share(fallen - level)
        return {"out": audio["in"] * 10 ** (gain / 20)}, after


def _share(apart: Tensor) -> Tensor:
    """From 0 to 1; the ripple of a steady tone's level counts for little."""
    square = apart.square()
    return square / (square + HALF**2)
