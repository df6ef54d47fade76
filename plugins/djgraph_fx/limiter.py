"""A limiter that looks ahead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import follow, sliding_max, sliding_mean, true_peak
from djgraph.dsp.true_peak import DELAY
from djgraph.effects import Block, Control, ControlModel, Environment, SettingModel, State, TimeEffect
from djgraph_fx.level import time_constant


class Limiter(TimeEffect):
    """Keeps a signal below a ceiling: it is turned down before a peak comes.

    What a sample has to be turned down by, in dB, is held over the look-ahead by a sliding maximum, let go by a
    release, and smoothed by two box filters that together are as long as the look-ahead. The signal is delayed by
    that. So where a peak comes out, both filters average nothing but values at least as large as the one it needs.
    """

    type = "limiter"
    family = "dynamics"
    description = "Look-ahead limiter with a ceiling, by sample peak or true peak"

    class Settings(SettingModel):
        lookahead: float = Field(
            5.0, ge=0, le=50, description="Time in ms in which it turns down, ahead of a peak; the latency"
        )
        true_peak: bool = Field(False, description="Looks between samples, too: four-fold oversampled")
        linked: bool = Field(True, description="All channels are turned down alike, by the loudest")

    class Controls(ControlModel):
        ceiling: Annotated[
            float,
            Control(-24, 0, neutral=-1, unit="dB", smoothing=5.0, description="What no peak is above"),
        ] = -1.0
        release: Annotated[float, time_constant(1, 2500, 80, "it turns up again")] = 80.0
        mix: Annotated[
            float,
            Control(
                0, 1, neutral=0, smoothing=5.0,
                description="1 limits, 0 is off; between, it turns down by that part of the decibels",
            ),
        ] = 0.0  # fmt: skip

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self._ahead = round(settings.lookahead * environment.sample_rate / 1000)
        # What lies between two samples is held for both of them.
        self._held = self._ahead + 1 + settings.true_peak
        self._first = self._ahead // 2 + 1
        self._second = self._ahead + 2 - self._first
        self._delay = self._ahead + DELAY * settings.true_peak

    def latency(self) -> int:
        """The look-ahead, and 6 samples where it looks between samples."""
        return self._delay

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``past``: signal, bound and mix of each sample, as long as the latency. ``samples``: level and ceiling of
        the last six. The others: of the kernels, in dB."""
        measured = 1 if self.settings.linked else channels
        state = {
            "past": like.new_zeros(batch, channels + measured + 1, self._delay),
            "needed": like.new_zeros(batch, measured, self._held - 1),
            "released": like.new_zeros(batch, measured, 1),
            "first": like.new_zeros(batch, measured, self._first - 1),
            "second": like.new_zeros(batch, measured, self._second - 1),
        }
        if self.settings.true_peak:
            state["between"] = like.new_zeros(batch, channels, 11)
            state["samples"] = like.new_ones(batch, measured + 1, DELAY)
            state["samples"][:, :-1] = 0
        return state

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, after = audio["in"], {}
        ceiling, mix = 10 ** (controls["ceiling"] / 20), controls["mix"]
        level = self._linked(signal.abs())
        bound = torch.lerp(torch.maximum(level, ceiling), ceiling, mix)
        if self.settings.true_peak:
            between, after["between"] = true_peak(signal, state["between"])
            line = torch.cat((state["samples"], torch.cat((level, ceiling), dim=1)), dim=-1)
            after["samples"] = line[..., block.length :].clone()
            # A sample six samples ago, and what lies between it and the next one.
            level, ceiling = line[..., : block.length].split((level.shape[1], 1), dim=1)
            level = torch.maximum(level, self._linked(between))
        needed = 20 * (torch.maximum(level, ceiling) / ceiling).log10()
        held, after["needed"] = sliding_max(needed, self._held, state["needed"])
        released, after["released"] = follow(
            held, 0.0, controls["release"], state["released"], sample_rate=block.sample_rate
        )
        smooth, after["first"] = sliding_mean(released, self._first, state["first"])
        smooth, after["second"] = sliding_mean(smooth, self._second, state["second"])
        line = torch.cat((state["past"], torch.cat((signal, bound, mix), dim=1)), dim=-1)
        after["past"] = line[..., block.length :].clone()
        late, bound, mix = line[..., : block.length].split((signal.shape[1], bound.shape[1], 1), dim=1)
        # The mix comes behind the averages: at 0, where nothing is turned down, its gradient is right then.
        out = late * 10 ** (-mix * smooth / 20)
        # The averages are as large as they must be but for their rounding, which this takes away.
        return {"out": out + (out.clamp(-bound, bound) - out).detach()}, after

    def _linked(self, level: Tensor) -> Tensor:
        return level.amax(1, keepdim=True) if self.settings.linked else level
