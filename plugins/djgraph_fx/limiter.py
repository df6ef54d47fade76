"""A limiter that looks ahead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import limit, limit_states, true_peak
from djgraph.dsp.true_peak import DELAY
from djgraph.effects import (
    Block,
    Control,
    ControlModel,
    Environment,
    SettingModel,
    State,
    TimeEffect,
    Unit,
    Use,
)
from djgraph_fx.level import linked, time_constant


class Limiter(TimeEffect):
    """Keeps a signal below a ceiling: it is turned down before a peak comes.

    What a sample has to be turned down by, in dB, is held over the look-ahead by a sliding maximum, let go by a
    release, and smoothed by two box filters that together are as long as the look-ahead. The signal is delayed by
    that. So where a peak comes out, both filters average nothing but values at least as large as the one it needs
    (:func:`djgraph.dsp.limit`).
    """

    type = "limiter"
    family = "dynamics"
    description = "Look-ahead limiter with a ceiling, by sample peak or true peak"

    class Settings(SettingModel):
        lookahead: Annotated[float, Unit("ms")] = Field(
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
        self._late = DELAY if settings.true_peak else 0
        # What lies between two samples is held for both of them.
        self._hold = 2 if settings.true_peak else 1

    @classmethod
    def limits(cls, use: Use, environment: Environment) -> bool:
        return use.controls["mix"].low == 1

    def latency(self) -> int:
        """The look-ahead, and 6 samples where it looks between samples."""
        return self._ahead + self._late

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``limiter``: of the kernel. ``between``: of the true peak, and ``samples``: the last six of signal, ceiling
        and mix."""
        state = {"limiter": like.new_zeros(batch, channels, limit_states(self._ahead, self._hold))}
        if self.settings.true_peak:
            state["between"] = like.new_zeros(batch, channels, 11)
            state["samples"] = like.new_zeros(batch, channels + 2, DELAY)
        return state

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, after = audio["in"], {}
        ceiling, mix = controls["ceiling"], controls["mix"]
        if self.settings.true_peak:
            between, after["between"] = true_peak(signal, state["between"])
            now = torch.cat((signal, ceiling, mix), dim=1)
            line = torch.cat((state["samples"], now), dim=-1)
            after["samples"] = line[..., block.length :].clone()
            # Six samples ago, and what lies between that sample and the next one.
            signal, ceiling, mix = line[..., : block.length].split((signal.shape[1], 1, 1), dim=1)
            peak = torch.maximum(signal.abs(), between)
        else:
            peak = signal
        out, after["limiter"] = limit(
            signal,
            linked(peak) if self.settings.linked else peak,
            ceiling,
            controls["release"],
            mix,
            state["limiter"],
            ahead=self._ahead,
            hold=self._hold,
            sample_rate=block.sample_rate,
        )
        return {"out": out}, after
