"""An oscillator: a tone of its own, band-limited."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import positions
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
    Use,
)
from djgraph.effects.use import beyond_half_the_rate


class Oscillator(TimeEffect):
    """``out = level·s(φ)``; the phase φ is 0 at the first sample and grows by frequency / sample rate at each.

    s is a sine, or a saw or square wave whose steps are rounded off over a sample to each side by a polynomial
    (polyBLEP: Välimäki and Huovilainen, "Antialiasing oscillators in subtractive synthesis", IEEE Signal Processing
    Magazine 24(2), 2007), or a triangle whose corners are, by its integral. All but the saw begin at 0 or with the
    upper half. The phase is summed in whole numbers and does not drift.
    """

    type = "oscillator"
    family = "sources"
    description = "A tone of its own: sine, triangle, saw or square"
    inputs = ()
    outputs = (Port("out", 1),)

    class Settings(SettingModel):
        wave: Literal["sine", "triangle", "saw", "square"] = Field("sine", description="Its form")

    class Controls(ControlModel):
        level: Annotated[
            float, Control(0, 1, neutral=0, amplitude=True, smoothing=5.0, description="Its peak")
        ] = 0.0
        frequency: Annotated[
            float,
            Control(
                20, 20000, neutral=440, unit="Hz", scale="log", below_rate=0.5, description="How high it is"
            ),
        ] = 440.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        yield from beyond_half_the_rate(use, ("frequency",), environment.sample_rate)

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``cycles`` so far, whole ones and a part of one, ``[batch, 1, 2]``, float64."""
        return {"cycles": like.new_zeros(batch, 1, 2, dtype=torch.float64)}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        level, frequency = controls["level"], controls["frequency"]
        step = frequency.double() / block.sample_rate
        # Edges magnify what the phase is off by: the sum is exact.
        cycles, last = positions(0.0, step, block.length, state["cycles"])
        cycle = cycles % 1.0
        match self.settings.wave:
            case "sine":
                wave = torch.sin(2 * math.pi * cycle)
            case "saw":
                wave = 2 * cycle - 1 - _blep(cycle, step)
            case "square":
                later = (cycle + 0.5) % 1.0
                wave = torch.where(cycle < 0.5, 1.0, -1.0) + _blep(cycle, step) - _blep(later, step)
            case _:
                falls = (cycle + 0.75) % 1.0  # 0 at the peak
                rises = (falls + 0.5) % 1.0
                corners = _blamp(rises, step) - _blamp(falls, step)
                wave = 1 - 4 * (rises - 0.5).abs() + 4 * step * corners
        return {"out": level * wave.to(level.dtype)}, {"cycles": last}


def _blep(cycle: Tensor, step: Tensor) -> Tensor:
    """What a step from −1 to 1 at phase 0 lacks of one that is rounded off, a sample to each side."""
    after, before = cycle / step, (cycle - 1) / step
    return torch.where(after < 1, -((after - 1) ** 2), torch.where(before > -1, (before + 1) ** 2, 0.0))


def _blamp(cycle: Tensor, step: Tensor) -> Tensor:
    """The integral of the same: what a corner at phase 0 lacks, in samples."""
    after, before = cycle / step, (cycle - 1) / step
    return torch.where(after < 1, (1 - after) ** 3 / 3, torch.where(before > -1, (before + 1) ** 3 / 3, 0.0))
