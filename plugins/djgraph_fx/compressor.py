"""A feed-forward compressor in decibels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import Tensor

from djgraph.dsp import compress, first_order
from djgraph.effects import (
    Block,
    Conflict,
    Control,
    ControlModel,
    Environment,
    Port,
    SettingModel,
    State,
    TimeEffect,
    Unit,
    Use,
    is_silent,
)
from djgraph.effects.use import idle_settings
from djgraph_fx.level import Knee, time_constant


class Compressor(TimeEffect):
    """Turns down what is louder than a threshold.

    The design of Giannoulis, Massberg and Reiss ("Digital Dynamic Range Compressor Design – A Tutorial and Analysis",
    JAES 60(6), 2012): level in dB, a quadratic knee, and what is above the threshold smoothed in dB with an attack
    and a release (branching), after which nothing but the ratio and an exponential is left. What is measured is the
    signal itself, or what the graph connects to ``sidechain``.
    """

    type = "compressor"
    family = "dynamics"
    description = "Compressor with threshold, ratio, knee, attack, release and parallel mix"
    inputs = (Port("in"), Port("sidechain", apart=True, default="in"))

    class Settings(SettingModel):
        detector: Literal["peak", "rms"] = Field("peak", description="What is measured")
        window: Annotated[float, Unit("ms")] = Field(
            10.0, ge=0.1, le=1000, description="Time constant of the RMS detector in ms"
        )
        linked: bool = Field(True, description="All channels are turned down alike, by the loudest")

    class Controls(ControlModel):
        threshold: Annotated[
            float,
            Control(
                -60, 0, neutral=0, unit="dB", smoothing=5.0, description="Level from which on it turns down"
            ),
        ] = 0.0
        ratio: Annotated[
            float,
            Control(
                1, 20, neutral=1, unit="ratio", scale="log", smoothing=5.0,
                description="dB above the threshold that become one; 1 is none",
            ),
        ] = 1.0  # fmt: skip
        knee: Knee = 6.0
        attack: Annotated[float, time_constant(0.05, 250, 10, "it turns down")] = 10.0
        release: Annotated[float, time_constant(1, 2500, 100, "it turns up again")] = 100.0
        makeup: Annotated[
            float, Control(-24, 24, neutral=0, unit="dB", smoothing=5.0, description="Gain behind it")
        ] = 0.0
        mix: Annotated[
            float,
            Control(
                0, 1, neutral=1, smoothing=5.0, description="1 is the compressed signal, 0 the signal before"
            ),
        ] = 1.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        if use.settings.detector == "peak":
            yield from idle_settings(use, ("window",), "it is of detector: rms, and this one measures peaks")

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self._pole = math.exp(-1000 / (settings.window * environment.sample_rate))

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``excess``: the last one above the threshold, in dB. ``power``: of the RMS detector."""
        measured = 1 if self.settings.linked else channels
        state = {"excess": like.new_zeros(batch, measured, 1)}
        if self.settings.detector == "rms":
            state["power"] = like.new_zeros(batch, channels, 2)
        return state

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, sidechain, after = audio["in"], audio["sidechain"], {}
        power = sidechain.square()
        if power.shape[1] != signal.shape[1]:  # no channel belongs to another: the loudest counts for all
            power = power.amax(1, keepdim=True).expand_as(signal)
        if self.settings.detector == "rms":
            power, after["power"] = first_order(power, 1 - self._pole, 0.0, -self._pole, state["power"])
        if self.settings.linked and power.shape[1] > 1:
            power = power.amax(1, keepdim=True)
        # Linked channels have one level, and so one state: each channel follows it by itself.
        out, last = compress(
            signal,
            power,
            controls["threshold"],
            controls["ratio"],
            controls["knee"],
            controls["attack"],
            controls["release"],
            controls["makeup"],
            controls["mix"],
            state["excess"].expand(-1, signal.shape[1], -1),
            sample_rate=block.sample_rate,
        )
        after["excess"] = last[:, : state["excess"].shape[1]]
        return {"out": out}, after
