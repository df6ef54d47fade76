"""A tilt: treble up and bass down about a pivot, or the other way round."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import torch
from torch import Tensor

from djgraph.dsp import first_order, steady
from djgraph.dsp.state_variable import HIGHEST
from djgraph.effects import Block, Control, ControlModel, State, TimeEffect, is_silent


class Tilt(TimeEffect):
    """``(1 + g·s)/(g + s)``, s in units of the pivot, ``g = 10^(tilt/20)``: 1/g at 0 Hz, 1 at the pivot, g far above.

    It is g·HP + LP/g with a lowpass and a highpass of first order at g times the pivot, which add up to the signal:
    computed as x + (g − 1)·HP + (1/g − 1)·LP, so that 0 dB adds nothing, bit for bit. Bilinear transform, with the
    pivot where it says.
    """

    type = "tilt"
    family = "filters"
    description = "Tilts the spectrum about a pivot"

    class Controls(ControlModel):
        tilt: Annotated[
            float,
            Control(
                -12, 12, neutral=0, unit="dB", smoothing=5.0,
                description="Gain of the treble; the bass is turned the other way by as much",
            ),
        ] = 0.0  # fmt: skip
        pivot: Annotated[
            float,
            Control(
                100, 10000, neutral=800, unit="Hz", scale="log", smoothing=5.0,
                description="Frequency that keeps its level",
            ),
        ] = 800.0  # fmt: skip

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``lowpass``: of :func:`djgraph.dsp.first_order`."""
        return {"lowpass": like.new_zeros(batch, channels, 2)}

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, g = audio["in"], 10 ** (steady(controls["tilt"]) / 20)
        pivot = (steady(controls["pivot"]) / block.sample_rate).clamp(max=HIGHEST)
        corner = g * torch.tan(math.pi * pivot)
        share = corner / (1 + corner)
        low, last = first_order(signal, share, share, 2 * share - 1, state["lowpass"])
        return {"out": signal + (g - 1) * (signal - low) + (1 / g - 1) * low}, {"lowpass": last}

    def frequency_response(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        g, rate = 10 ** (controls["tilt"] / 20), self.environment.sample_rate
        at = self.environment.frequencies().to(g) * (math.pi / rate)
        # s = i·sine/cosine: both sides times the cosine, so that half the rate is no pole.
        sine = at.sin() / torch.tan(math.pi * (controls["pivot"] / rate).clamp(max=HIGHEST))
        return torch.complex(*torch.broadcast_tensors(at.cos(), g * sine)) / torch.complex(g * at.cos(), sine)
