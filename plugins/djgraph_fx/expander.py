"""A downward expander."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from torch import Tensor

from djgraph.dsp import bend, decibels, follow, safe_divide
from djgraph.effects import Block, Control, ControlModel, Port, State, TimeEffect
from djgraph_fx.level import Knee, loudest, time_constant

LEAST = 1e-3
"""Of the ratio less 1, where the range is divided by it."""


class Expander(TimeEffect):
    """Turns down what is quieter than a threshold, the more the quieter it is.

    The compressor's design (Giannoulis, Massberg and Reiss 2012) turned round: how far a level lies below the threshold
    is smoothed in dB, and multiplied by the ratio less 1 behind that.
    """

    type = "expander"
    family = "dynamics"
    description = "Downward expander with threshold, ratio, knee, range, attack and release"
    inputs = (Port("in"), Port("sidechain", apart=True, default="in"))

    class Controls(ControlModel):
        threshold: Annotated[
            float,
            Control(
                -80, 0, neutral=-40, unit="dB", smoothing=5.0, description="Level below which it turns down"
            ),
        ] = -40.0
        ratio: Annotated[
            float,
            Control(
                1, 20, neutral=1, unit="ratio", scale="log", smoothing=5.0,
                description="dB that one below the threshold becomes; 1 is none",
            ),
        ] = 1.0  # fmt: skip
        knee: Knee = 6.0
        range: Annotated[
            float,
            Control(1, 80, neutral=40, unit="dB", smoothing=5.0, description="The most it turns down"),
        ] = 40.0
        attack: Annotated[float, time_constant(0.05, 250, 1, "it lets a signal through")] = 1.0
        release: Annotated[float, time_constant(1, 2500, 100, "it turns down")] = 100.0

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``below``: how far the smoothed level is below the threshold, in dB."""
        return {"below": like.new_zeros(batch, 1, 1)}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        more = controls["ratio"] - 1
        level = decibels(loudest(audio["sidechain"]).square())
        below = bend(controls["threshold"] - level, controls["knee"])
        # In front of the smoothing: else a long silence would take long to come back from.
        below = torch.minimum(below, safe_divide(controls["range"], more, LEAST))
        below, last = follow(
            below, controls["release"], controls["attack"], state["below"], sample_rate=block.sample_rate
        )
        return {"out": audio["in"] * 10 ** (-more * below / 20)}, {"below": last}
