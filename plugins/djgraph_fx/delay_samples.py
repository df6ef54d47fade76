"""A delay by whole samples, to line paths up."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp.history import latest
from djgraph.effects import Block, Environment, SettingModel, State, TimeEffect, Use, is_silent


class DelaySamples(TimeEffect):
    """``out[n] = x[n − samples]``: the very samples, later."""

    type = "delay_samples"
    family = "tools"
    description = "Delay by whole samples, a tool to line paths up"

    class Settings(SettingModel):
        samples: int = Field(0, ge=0, le=1_000_000, description="By how many samples")

    @classmethod
    def held_back(cls, use: Use, environment: Environment) -> int:
        return int(use.settings.samples)

    def tail(self) -> int:
        return int(self.settings.samples)

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``past``: the last samples of the input, ``[batch, channels, samples]``."""
        return {"past": like.new_zeros(batch, channels, self.settings.samples)}

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, past = audio["in"], state["past"]
        out = torch.cat((past, signal), dim=-1)[..., : signal.shape[-1]]
        return {"out": out}, {"past": latest(past, signal)}
