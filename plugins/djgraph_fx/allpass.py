"""An all-pass, which mixed with the signal makes notches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import svf, svf_response
from djgraph.effects import (
    Block,
    Conflict,
    Control,
    ControlModel,
    Environment,
    SettingModel,
    State,
    TimeEffect,
    Use,
    is_silent,
)
from djgraph.effects.use import beyond_half_the_rate, idle_controls
from djgraph_fx.filter import BUTTERWORTH, Q


class Allpass(TimeEffect):
    """``(1 − mix)·x + mix·AP(x)``, AP being ``stages`` equal all-passes in series, with s in units of the frequency:

    order 1: (1 − s)/(1 + s); order 2: (s² − s/q + 1)/(s² + s/q + 1).
    """

    type = "allpass"
    family = "filters"
    description = "All-pass of first or second order, some in series; mixed, it makes notches"

    class Settings(SettingModel):
        order: Literal[1, 2] = Field(2, description="Of each stage; order 1 has no q")
        stages: int = Field(1, ge=1, le=12, description="How many all-passes, one behind the other")

    class Controls(ControlModel):
        frequency: Annotated[
            float,
            Control(
                20, 20000, neutral=1000, unit="Hz", scale="log", smoothing=5.0,
                description="Where a stage is 90 degrees late (order 1) or 180 (order 2)",
            ),
        ] = 1000.0  # fmt: skip
        q: Annotated[float, Q.replace(description="How quickly a stage of order 2 turns")] = BUTTERWORTH
        mix: Annotated[
            float,
            Control(0, 1, neutral=0, smoothing=5.0, description="0 is the signal, 1 the all-pass only"),
        ] = 0.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        if use.settings.order == 1:
            yield from idle_controls(use, ("q",), "an all-pass of order 1 has none")
        yield from beyond_half_the_rate(use, ("frequency",), environment.sample_rate)

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``integrators``: of :func:`djgraph.dsp.svf`, of each stage."""
        return {"integrators": like.new_zeros(batch, channels, self.settings.stages, 2)}

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, turned, after = audio["in"], audio["in"], []
        q, mix = self._stage(controls)
        for stage in range(self.settings.stages):
            turned, last = svf(
                turned,
                controls["frequency"],
                q,
                *mix,
                state["integrators"][:, :, stage],
                sample_rate=block.sample_rate,
            )
            after.append(last)
        out = signal + controls["mix"] * (turned - signal)
        return {"out": out}, {"integrators": torch.stack(after, dim=2)}

    def frequency_response(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        frequency, (q, mix) = controls["frequency"], self._stage(controls)
        at = self.environment.frequencies().to(frequency)
        stage = svf_response(at, frequency, q, *mix, sample_rate=self.environment.sample_rate)
        return 1 - controls["mix"] * (1 - stage**self.settings.stages)

    def _stage(self, controls: Mapping[str, Tensor]) -> tuple[Tensor | float, tuple[float, float, float]]:
        """Q and mix of a stage's state-variable filter."""
        if self.settings.order == 2:
            return controls["q"], (1.0, -1.0, 1.0)
        # The filter is (1 + s)², of which one factor cancels.
        return 0.5, (1.0, 0.0, -1.0)
