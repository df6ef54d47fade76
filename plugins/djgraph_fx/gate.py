"""A noise gate with two thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import decibels, follow, hysteresis, steady
from djgraph.effects import Block, Control, ControlModel, Port, SettingModel, State, TimeEffect
from djgraph_fx.level import loudest, time_constant

LONG_AGO = 1e9
"""Samples since the gate was open, where it never was."""


class Gate(TimeEffect):
    """Turns down what is quieter than a threshold.

    The level is a peak that falls with ``window``. A switch with two thresholds (:func:`djgraph.dsp.hysteresis`) opens
    and closes by it; a hold keeps it open; attack and release smooth it, and it turns down by ``range`` decibels.

    The gradient to the audio takes the switch as it is, which is right almost everywhere. The thresholds get a
    surrogate, the hold none.
    """

    type = "gate"
    family = "dynamics"
    description = "Noise gate with hysteresis and hold"
    inputs = (Port("in"), Port("sidechain", apart=True, default="in"))

    class Settings(SettingModel):
        window: float = Field(10.0, ge=0.1, le=1000, description="Time constant in ms in which a level falls")
        softness: float = Field(
            3.0,
            gt=0,
            le=60,
            description="Width in dB of the gradient that stands in for that of the thresholds",
        )

    class Controls(ControlModel):
        threshold: Annotated[
            float,
            Control(
                -80, 0, neutral=-40, unit="dB", smoothing=5.0, gradient="surrogate",
                description="Level above which it opens",
            ),
        ] = -40.0  # fmt: skip
        hysteresis: Annotated[
            float,
            Control(
                0, 24, neutral=6, unit="dB", smoothing=5.0, gradient="surrogate",
                description="How far below the threshold it closes",
            ),
        ] = 6.0  # fmt: skip
        attack: Annotated[float, time_constant(0.05, 250, 1, "it opens")] = 1.0
        hold: Annotated[
            float,
            Control(
                0, 2000, neutral=20, unit="ms", gradient="none",
                description="How long it stays open behind what opened it",
            ),
        ] = 20.0  # fmt: skip
        release: Annotated[float, time_constant(1, 2500, 100, "it closes")] = 100.0
        range: Annotated[
            float,
            Control(
                0,
                80,
                neutral=0,
                unit="dB",
                smoothing=5.0,
                description="By how much the closed gate turns down",
            ),
        ] = 0.0

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``level``, ``switch``: of the kernels. ``since``: samples since the switch was on. ``open``: from 0 to 1."""
        nothing = like.new_zeros(batch, 1, 1)
        since = like.new_full((batch, 1, 1), LONG_AGO, dtype=torch.float64)
        return {"level": nothing, "switch": nothing.clone(), "since": since, "open": nothing.clone()}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        after: State = {}
        with torch.no_grad():  # the switch passes no gradient on to what it listens to
            level, after["level"] = follow(
                loudest(audio["sidechain"].detach()),
                0.0,
                self.settings.window,
                state["level"].detach(),
                sample_rate=block.sample_rate,
            )
        threshold, depth = steady(controls["threshold"]), steady(controls["range"])
        switch, after["switch"] = hysteresis(
            decibels(level.square()),
            threshold,
            threshold - steady(controls["hysteresis"]),
            state["switch"],
            softness=self.settings.softness,
        )
        with torch.no_grad():
            places = torch.arange(block.length, dtype=torch.float64, device=switch.device)
            last = torch.where(switch > 0.5, places, -1 - state["since"]).cummax(-1).values
            since = places - last
            after["since"] = since[..., -1:].clamp(max=LONG_AGO)
            held = (since <= steady(controls["hold"]) * block.sample_rate / 1000).to(switch.dtype)
        opened, after["open"] = follow(
            held + (switch - switch.detach()),
            controls["attack"],
            controls["release"],
            state["open"],
            sample_rate=block.sample_rate,
        )
        return {"out": audio["in"] * 10 ** (-depth * (1 - opened) / 20)}, after
