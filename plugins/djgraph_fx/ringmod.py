"""A ring modulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

import torch
from torch import Tensor

from djgraph.dsp import cycles, steady, swing
from djgraph.effects import (
    Block,
    Conflict,
    Control,
    ControlModel,
    Environment,
    State,
    TimeEffect,
    Use,
)
from djgraph.effects.use import beyond_half_the_rate


class RingMod(TimeEffect):
    """``out = (1 − mix)·x + mix·x·cos 2πφ``: every frequency f becomes f ± ``frequency``."""

    type = "ringmod"
    family = "colour"
    description = "Ring modulator: multiplies by a sine"

    class Controls(ControlModel):
        mix: Annotated[
            float, Control(0, 1, neutral=0, smoothing=5.0, description="0 is dry, 1 is modulated only")
        ] = 0.0
        frequency: Annotated[
            float,
            Control(0.5, 5000, neutral=440, unit="Hz", scale="log", description="Of the sine"),
        ] = 440.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        yield from beyond_half_the_rate(use, ("frequency",), environment.sample_rate)

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``phase``: cycles at the next sample, ``[batch, 1, 1]``, float64."""
        return {"phase": like.new_zeros(batch, 1, 1, dtype=torch.float64)}

    def at_rest(self, state: State, quiet: float) -> bool:
        return True

    def asleep(self, controls: Mapping[str, Tensor], state: State, block: Block) -> State:
        """The oscillator goes on."""
        _, last = cycles(controls["frequency"], block.length, state["phase"], sample_rate=block.sample_rate)
        return {"phase": last}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal = audio["in"]
        cycle, last = cycles(
            controls["frequency"], block.length, state["phase"], sample_rate=block.sample_rate
        )
        # (1 − mix) + mix·cos 2πφ = 1 − 2·mix·sin² πφ
        level = swing(cycle, 1.0, -2 * steady(controls["mix"]), signal)
        return {"out": signal * level}, {"phase": last}
