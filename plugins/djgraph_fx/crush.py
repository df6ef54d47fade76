"""Fewer bits and fewer samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import torch
from torch import Tensor

from djgraph.effects import Block, Control, ControlModel, State, TimeEffect, is_silent

LOWEST_RATE = 100
"""In Hz: of the samples that are kept."""
CYCLE = 2**31
"""Fixed-point units of one cycle of the lower rate: sums of integers are exact, whatever blocks they are cut into."""


class Crush(TimeEffect):
    """``out = (1 − mix)·x + mix·y``, y being x rounded to steps of 2^(1 − bits), and held between samples of a lower
    rate.

    Rounding has a gradient of 0 almost everywhere. Declared is the straight-through one: as if round(u) were u in
    front of it (Bengio, Léonard, Courville, "Estimating or Propagating Gradients Through Stochastic Neurons", 2013).
    With y = step·round(x/step) that gives ∂y/∂x = 1 and ∂y/∂step = round(x/step) − x/step (Esser et al., "Learned Step
    Size Quantization", 2020). Which samples are held is exact for the audio, and has no gradient in ``rate``.
    """

    type = "crush"
    family = "colour"
    description = "Bit and rate reduction"

    class Controls(ControlModel):
        bits: Annotated[
            float,
            Control(
                1, 16, neutral=16, unit="bits", smoothing=5.0, gradient="surrogate",
                description="Steps of 2 to the power of 1 - bits: 1 has three levels, 16 is a CD",
            ),
        ] = 16.0  # fmt: skip
        rate: Annotated[
            float,
            Control(
                LOWEST_RATE, 48000, neutral=48000, unit="Hz", scale="log", gradient="none",
                description="Sample rate; above that of the graph nothing is held",
            ),
        ] = 48000.0  # fmt: skip
        mix: Annotated[
            float, Control(0, 1, neutral=0, smoothing=5.0, description="0 is dry, 1 is crushed only")
        ] = 0.0

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``phase``: of the lower rate, in units of ``CYCLE``; −1 before the first sample, ``[batch, 1, 1]``, float64.
        ``held``: the last sample taken, ``[batch, channels, 1]``."""
        phase = like.new_full((batch, 1, 1), -1, dtype=torch.float64)
        return {"phase": phase, "held": like.new_zeros(batch, channels, 1)}

    def tail(self) -> int | None:
        """For how long a sample is held at the lowest ``rate``."""
        return math.ceil(self.environment.sample_rate / LOWEST_RATE)

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(state["held"], below=quiet)

    def asleep(self, controls: Mapping[str, Tensor], state: State, block: Block) -> State:
        """Samples are taken on."""
        return {**state, "phase": _taken(controls["rate"], state["phase"], block.sample_rate)[1]}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal = audio["in"]
        step = 2 ** (1 - controls["bits"].double())
        scaled = signal.double() / step
        rounded = (step * (scaled + (scaled.round() - scaled).detach())).to(signal.dtype)
        source, phase = _taken(controls["rate"], state["phase"], block.sample_rate)
        held = torch.cat((state["held"], rounded), dim=-1).gather(-1, source.expand(signal.shape))
        out = signal + controls["mix"] * (held - signal)
        return {"out": out}, {"phase": phase, "held": held[..., -1:].clone()}


@torch.no_grad()
def _taken(rate: Tensor, phase: Tensor, sample_rate: int) -> tuple[Tensor, Tensor]:
    """At each sample, which one was the last to be taken (0 is the one held before the block); and the last phase.

    One is taken where the phase passes a whole cycle. The first sample is taken, half a step behind one: so a rate
    that divides the graph's takes every nth sample for hours, though its steps are rounded.
    """
    steps = (rate.double() * (CYCLE / sample_rate)).round().clamp(max=CYCLE).long()
    begin = torch.where(phase < 0, CYCLE - steps[..., :1] + steps[..., :1] // 2, phase.long())
    phases = (begin + steps.cumsum(-1)) % CYCLE
    places = torch.arange(1, rate.shape[-1] + 1, device=rate.device)
    source = torch.where(phases < steps, places, 0).cummax(-1).values
    return source, phases[..., -1:].double()
