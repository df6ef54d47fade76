"""Tremolo: the level swings at a rate that may change at every sample."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import phase
from djgraph.effects import Block, Control, ControlModel, SettingModel, State, TimeEffect


class Tremolo(TimeEffect):
    """Gain ``1 − depth · (1 − cos 2πφ)/2``; phase φ starts at 0 and grows by rate / sample rate per sample.

    A time effect with state: the phase is carried from block to block, so a stream swings on where it was.
    ``djgraph.dsp.phase`` adds it up in float64, whatever the audio is in, and wraps it; only then does it become
    smaller. Added up in float32, the swing would be off by more with every block.
    """

    type = "example_tremolo"
    description = "Level that swings up and down"

    class Settings(SettingModel):
        spread: float = Field(
            0.0, ge=0, le=1, description="Cycles by which the last channel is ahead of the first"
        )

    class Controls(ControlModel):
        depth: Annotated[
            float,
            Control(
                0,
                1,
                neutral=0,
                unit="ratio",
                smoothing=5,
                description="How far the level falls; 1 is silence",
            ),
        ] = 0.0
        rate: Annotated[
            float,
            Control(0.1, 20, neutral=4, unit="Hz", scale="log", description="Swings per second"),
        ] = 4.0

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``phase``: cycles at the next sample, ``[batch, 1, 1]``, in float64."""
        return {"phase": like.new_zeros(batch, 1, 1, dtype=torch.float64)}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        """``[batch, channels, samples]`` from ``depth`` and ``rate``, each ``[batch, 1, samples]``."""
        sound, samples, rate = audio["in"], block.length, block.sample_rate
        turns, last = phase(controls["rate"], samples, state["phase"], sample_rate=rate)
        ahead = torch.linspace(
            0, self.settings.spread, sound.shape[1], dtype=turns.dtype, device=turns.device
        )
        cycles = torch.remainder(turns + ahead[:, None], 1.0).to(sound.dtype)
        swing = (1 - torch.cos(2 * math.pi * cycles)) / 2
        return {"out": sound * (1 - controls["depth"] * swing)}, {"phase": last}
