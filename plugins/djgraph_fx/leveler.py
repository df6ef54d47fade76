"""A leveler: a slow gain towards a loudness."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import first_order, k_weighting
from djgraph.dsp.loudness import OFFSET
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
from djgraph_fx.level import loudness_power

FAST = 100.0
"""Time constant in ms of the loudness that is held against the gate."""


class Leveler(TimeEffect):
    """Brings a signal to a loudness, slowly, as a hand on a fader does.

    Loudness after ITU-R BS.1770-5: K-weighted power, averaged exponentially with the time constant ``time``. What is
    quieter than the gate is not counted, so that a pause is not turned up: the gain waits. Before anything has come the
    average is the target itself, and it gives way to the signal's as that comes in.
    """

    type = "leveler"
    family = "dynamics"
    description = "Slow gain towards a loudness in LUFS"

    class Settings(SettingModel):
        gate: Annotated[float, Unit("LUFS")] = Field(
            -60.0, ge=-70, le=-20, description="LUFS below which the gain waits"
        )

    class Controls(ControlModel):
        target: Annotated[
            float,
            Control(-36, -6, neutral=-16, unit="LUFS", smoothing=5.0, description="The loudness it goes to"),
        ] = -16.0
        time: Annotated[
            float,
            Control(
                0.3, 30, neutral=3, unit="s", scale="log",
                description="Time constant of the loudness: 63 % of the power",
            ),
        ] = 3.0  # fmt: skip
        range: Annotated[
            float,
            Control(1, 24, neutral=12, unit="dB", smoothing=5.0, description="The most it turns up or down"),
        ] = 12.0
        amount: Annotated[
            float,
            Control(
                0, 1, neutral=0, smoothing=5.0, description="Part of the way to the target, in dB; 0 is off"
            ),
        ] = 0.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        target = use.controls["target"]
        if use.settings.gate >= target.high:
            yield Conflict(
                f"the gate at {use.settings.gate:g} LUFS is not below the target, at most {target.high:g} LUFS: "
                "what is as loud as that would never be measured",
                "settings",
                "gate",
                allowed=(f"-70 … below {target.high:g} LUFS",),
            )

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self._pole = math.exp(-1000 / (FAST * environment.sample_rate))

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``filter``: of the weighting. ``fast``: power for the gate. ``slow``: power, and the share that it is of the
        average; the rest is the target."""
        return {
            "filter": like.new_zeros(batch, channels, 4),
            "fast": like.new_zeros(batch, 1, 2),
            "slow": like.new_zeros(batch, 2, 2, dtype=torch.float64),
        }

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, after = audio["in"], {}
        weighted, after["filter"] = k_weighting(signal, state["filter"], sample_rate=block.sample_rate)
        power = loudness_power(weighted)
        with torch.no_grad():
            fast, after["fast"] = first_order(
                power.detach(), 1 - self._pole, 0.0, -self._pole, state["fast"].detach()
            )
            heard = fast > 10 ** ((self.settings.gate - OFFSET) / 10)
        # In double precision: the share of one sample is a millionth.
        share = -torch.expm1(-1 / (controls["time"].double() * block.sample_rate)) * heard
        both = torch.cat((power, torch.ones_like(power)), dim=1).double()
        slow, after["slow"] = first_order(both, share, 0.0, share - 1, state["slow"])
        target = 10 ** ((controls["target"].double() - OFFSET) / 10)
        average = slow[:, :1] + (1 - slow[:, 1:]) * target
        missing = (10 * (target / average).log10()).to(signal.dtype)
        missing = torch.minimum(torch.maximum(missing, -controls["range"]), controls["range"])
        return {"out": signal * 10 ** (controls["amount"] * missing / 20)}, after
