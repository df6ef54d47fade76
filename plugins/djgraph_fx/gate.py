"""A noise gate with two thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from torch import Tensor

from djgraph.dsp import gate
from djgraph.effects import Block, Control, ControlModel, Port, SettingModel, State, TimeEffect, Unit
from djgraph_fx.level import linked, time_constant


class Gate(TimeEffect):
    """Turns down what is quieter than a threshold.

    The level is a peak that falls with ``window``. A switch with two thresholds opens and closes by it; a hold keeps it
    open; attack and release smooth it, and it turns down by ``range`` decibels (:func:`djgraph.dsp.gate`).

    The gradient to the audio takes the switch as it is, which is right almost everywhere. The thresholds get a
    surrogate, the hold none.
    """

    type = "gate"
    family = "dynamics"
    description = "Noise gate with hysteresis and hold"
    inputs = (Port("in"), Port("sidechain", apart=True, default="in"))

    class Settings(SettingModel):
        window: Annotated[float, Unit("ms")] = Field(
            10.0, ge=0.1, le=1000, description="Time constant in ms in which a level falls"
        )
        softness: Annotated[float, Unit("dB")] = Field(
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
        """``gate``: of the kernel; that of all channels, which listen to the same."""
        return {"gate": like.new_zeros(batch, 1, 4)}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal = audio["in"]
        out, last = gate(
            signal,
            linked(audio["sidechain"].detach()),
            controls["threshold"],
            controls["hysteresis"],
            controls["attack"],
            controls["hold"].detach(),
            controls["release"],
            controls["range"],
            state["gate"].expand(-1, signal.shape[1], -1),
            window=self.settings.window,
            softness=self.settings.softness,
            sample_rate=block.sample_rate,
        )
        return {"out": out}, {"gate": last[:, :1]}
