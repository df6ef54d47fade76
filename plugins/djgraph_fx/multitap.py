"""Several echoes of one signal, in ms or beats."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from djgraph.dsp import delay_history, read_tap
from djgraph.dsp.history import latest
from djgraph.effects import (
    Block,
    Conflict,
    Control,
    ControlModel,
    Environment,
    SettingModel,
    State,
    TimeEffect,
    Unit,
    Use,
    is_silent,
)
from djgraph.effects.use import idle_settings
from djgraph_fx.times import FASTEST, faded


class Multitap(TimeEffect):
    """``out = (1 − mix)·x + mix·Σ levels[k]·x(n − times[k])``, times in ms or, at the clock's tempo, in beats.

    When the tempo changes, all taps cross-fade from one distance to the next, in stretches of ``fade`` ms.
    """

    type = "multitap"
    family = "time"
    description = "Several echoes, in ms or beats"

    class Settings(SettingModel):
        sync: Literal["ms", "beats"] = Field("ms", description="What times count: ms or beats")
        times: Annotated[tuple[float, ...], Unit(by="sync")] = Field(
            (125.0, 250.0, 375.0, 500.0), min_length=1, max_length=16, description="Of the taps, above 0"
        )
        levels: tuple[float, ...] = Field(
            (0.8, 0.6, 0.4, 0.2), min_length=1, max_length=16, description="Gains of the taps, −1…1"
        )
        fade: Annotated[float, Unit("ms")] = Field(
            50.0, ge=5, le=500, description="Length in ms of a fade when the tempo changes"
        )
        longest: Annotated[float, Unit("s")] = Field(4.0, ge=0.1, le=20, description="Longest delay in s")

        @model_validator(mode="after")
        def _fit(self) -> Multitap.Settings:
            if len(self.times) != len(self.levels):
                raise ValueError(f"{len(self.times)} times, but {len(self.levels)} levels: one for each tap")
            if min(self.times) <= 0:
                raise ValueError(f"times are above 0, not {min(self.times):g}")
            if max(map(abs, self.levels)) > 1:
                raise ValueError("levels are −1…1")
            if self.sync == "ms" and max(self.times) > self.longest * 1000:
                raise ValueError(f"a tap of {max(self.times):g} ms is beyond longest, {self.longest:g} s")
            return self

    class Controls(ControlModel):
        mix: Annotated[
            float,
            Control(0, 1, neutral=0, smoothing=5.0, description="0 is dry, 1 is taps only", role="echo_send"),
        ] = 0.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        if use.settings.sync == "ms":
            yield from idle_settings(use, ("fade",), "with sync: ms no tap ever moves")
            return
        most = use.settings.longest * FASTEST / 60
        for index, time in enumerate(use.settings.times):
            if time > most:
                yield Conflict(
                    f"a tap of {time:g} beats is beyond longest, {use.settings.longest:g} s, at any tempo up to "
                    f"{FASTEST:g} BPM",
                    "settings",
                    "times",
                    index,
                    allowed=(f"up to {most:g} beats",),
                    hint="times in ms go with sync: ms" if time >= 20 else None,
                )

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.uses_clock = settings.sync == "beats"
        seconds = settings.longest if self.uses_clock else max(settings.times) / 1000
        self.longest = seconds * environment.sample_rate

    def tail(self) -> int:
        return math.ceil(self.longest) + 2

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``past``: the latest input, ``[batch, channels, history]``; in beats ``beat``, of :func:`faded`."""
        past = like.new_zeros(batch, channels, delay_history(self.longest))
        return {"past": past} | (
            {"beat": like.new_zeros(batch, 1, 2, dtype=torch.float64)} if self.uses_clock else {}
        )

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(state["past"], below=quiet)

    def asleep(self, controls: Mapping[str, Tensor], state: State, block: Block) -> State:
        """The length of a beat goes on changing."""
        if block.clock is None or "beat" not in state:
            return state
        return {**state, "beat": self._beat(block, state)[-1]}

    def _beat(self, block: Block, state: State) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The length of a beat, as :func:`faded` gives it."""
        assert block.clock is not None
        batch = state["past"].shape[0]
        beat = (60 * block.sample_rate / block.clock.tempo).expand(batch, 1, block.length)
        return faded(beat, state["beat"], block, max(1, round(self.settings.fade * block.sample_rate / 1000)))

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, mix, past = audio["in"], controls["mix"], state["past"]
        after: State = {"past": latest(past, signal)}
        lengths: list[tuple[Any, Any]] = [(block.sample_rate / 1000, 1.0)]
        if block.clock is not None and self.uses_clock:
            before, current, share, after["beat"] = self._beat(block, state)
            lengths = [(before, 1 - share.to(signal.dtype)), (current, share.to(signal.dtype))]
        wet = torch.zeros_like(signal)
        for time, level in zip(self.settings.times, self.settings.levels):
            for length, share in lengths:
                wet = wet + level * share * read_tap(signal, time * length, past)
        return {"out": (1 - mix) * signal + mix * wet}, after
