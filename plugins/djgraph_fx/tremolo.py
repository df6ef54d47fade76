"""Tremolo and autopan: a level that swings at a rate in Hz, or with the beat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.effects import (
    Block,
    Control,
    ControlModel,
    Environment,
    SettingModel,
    State,
    TimeEffect,
)

PERIODS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Lengths of a cycle in beats. Powers of two, so that float32 holds them exactly."""


class Tremolo(TimeEffect):
    """``out = (1 − depth·swing(φ + offset))·in``, with ``swing`` in 0…1 and 0 at phase 0.

    The phase φ in cycles is the integral of ``rate`` (``sync: hz``), or the position in beats over ``beats``
    (``sync: beats``). Both are computed in float64 and wrapped before they become the dtype of the audio. Channel c
    of C is ``spread·c/(C − 1)`` cycles ahead; ``spread`` 0.5 on a stereo signal is an autopan.
    """

    type = "tremolo"
    family = "modulation"
    description = "Level that swings, in Hz or with the beat; an autopan with spread 0.5"

    class Settings(SettingModel):
        sync: Literal["hz", "beats"] = Field(
            "hz", description="What sets the phase: the control rate (hz), or the clock and beats (beats)"
        )
        shape: Literal["sine", "triangle"] = Field("sine", description="How the level swings")
        spread: float = Field(
            0.0, ge=0, le=1, description="Cycles by which the last channel is ahead of the first"
        )

    class Controls(ControlModel):
        depth: Annotated[
            float,
            Control(0, 1, neutral=0, smoothing=5.0, description="How far the level falls; 1 is silence"),
        ] = 0.0
        rate: Annotated[
            float,
            Control(
                0.05, 20, neutral=4, unit="Hz", scale="log", description="Cycles per second with sync hz"
            ),
        ] = 4.0
        beats: Annotated[
            float,
            Control(
                0.125,
                16,
                neutral=1,
                unit="beats",
                scale="log",
                choices=PERIODS,
                gradient="none",
                description="Length of a cycle with sync beats",
            ),
        ] = 1.0

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.uses_clock = settings.sync == "beats"

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``phase``: cycles at the next sample, ``[batch, 1, 1]``, float64. Empty with ``sync: beats``."""
        return {} if self.uses_clock else {"phase": like.new_zeros(batch, 1, 1, dtype=torch.float64)}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal = audio["in"]
        if block.clock is not None and self.uses_clock:
            phase, after = block.clock.beats / controls["beats"].detach().double(), state
        else:
            step = controls["rate"].double() / block.sample_rate
            end = state["phase"] + step.cumsum(-1)
            phase, after = end - step, {"phase": torch.remainder(end[..., -1:], 1.0)}
        channels = signal.shape[1]
        offset = torch.linspace(0, self.settings.spread, channels, dtype=torch.float64, device=signal.device)[
            :, None
        ]
        cycle = torch.remainder(phase + offset, 1.0).to(signal.dtype)
        return {"out": signal * (1 - controls["depth"] * self._swing(cycle))}, after

    def _swing(self, cycle: Tensor) -> Tensor:
        """From 0 at phase 0 to 1 at phase ½ and back."""
        if self.settings.shape == "triangle":
            return 1 - (2 * cycle - 1).abs()
        return (1 - torch.cos(2 * math.pi * cycle)) / 2
