"""What a hand, or a motor, does to a turntable: braking and spinning back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import delay_history, read_delay
from djgraph.effects import Block, Control, ControlModel, Environment, SettingModel, State, TimeEffect, Unit
from djgraph_fx.switches import FADE, Mix, On, last_place, pressed, samples_since, sum_since

MEMORY = ("on", "released", "turned", "delay")
"""What is kept of the sample before a block, in this order. on: the control. released: samples since the switch went
off. turned: the time since it went on over that to the stop. delay: how late what was heard was, in samples."""

Time = Annotated[
    float,
    Control(50, 4000, neutral=800, unit="ms", scale="log", description="From the switch to the stop"),
]


class Platter(TimeEffect):
    """Base of effects that hold a turntable: ``rate`` says how fast it turns, from the switch to the stop.

    ``turned`` is the time since the switch over ``time``. What is heard lags by the sum of ``1 − rate`` since the
    switch. Its level is ``min(|rate|, 1)``, as that of a magnetic pickup, whose voltage is the speed of the needle:
    a record that stands still is silent. So is what lies ``longest`` back. Released, the signal is heard where it would
    have been.
    """

    type: ClassVar[str]  # again, so that type checkers compare subclasses with this
    family = "time"

    class Settings(SettingModel):
        curve: float = Field(
            1.0, ge=0.5, le=4, description="How the speed falls: 1 evenly, above quickly first, below late"
        )
        longest: Annotated[float, Unit("s")] = Field(
            4.0, ge=0.1, le=20, description="How far back in s it can get; what lies beyond is silent"
        )

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.fade = max(1, round(FADE * environment.sample_rate / 1000))
        self.longest = settings.longest * environment.sample_rate

    def tail(self) -> int | None:
        return math.ceil(self.longest) + 2

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``past``: the latest input, ``[batch, channels, history]``. ``memory``: ``[batch, 1, …]``, float64, what
        ``MEMORY`` says."""
        memory = like.new_zeros(batch, 1, len(MEMORY), dtype=torch.float64)
        # Longer ago than any fade lasts.
        memory[..., MEMORY.index("released")] = self.fade
        return {"past": like.new_zeros(batch, channels, delay_history(self.longest)), "memory": memory}

    def rate(self, controls: Mapping[str, Tensor], turned: Tensor) -> Tensor:
        """How fast it turns: at most 1, the speed as ever; below 0 backwards. It rests where ``turned`` is above 1."""
        raise NotImplementedError

    def slowing(self, turned: Tensor) -> Tensor:
        """``(1 − turned)^curve``, and 0 from 1 on, where a root's slope would be infinite."""
        rest = 1 - turned
        moves = rest > 0
        return torch.where(moves, torch.where(moves, rest, 1.0) ** self.settings.curve, 0.0)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal = audio["in"]
        before = dict(zip(MEMORY, state["memory"].split(1, dim=-1)))
        shape = (signal.shape[0], 1, block.length)
        down, starts, stops = pressed(controls["on"].expand(shape), before["on"])
        step = 1000 / (controls["time"].double().expand(shape) * block.sample_rate)
        # Far beyond the stop nothing changes, so that the sum need not grow for ever.
        turned = sum_since(step, starts, before["turned"]).clamp(max=2)
        rate = self.rate(controls, turned)
        delay = sum_since(1 - rate, starts, before["delay"])
        left = ((self.longest - delay) / self.fade).clamp(0, 1)
        delay = torch.where(delay < self.longest, delay, self.longest)
        heard, past = read_delay(signal, delay, state["past"])
        heard = heard * (rate.abs().clamp(max=1) * left).to(signal.dtype)
        released = samples_since(last_place(stops), before["released"])[..., 1:]
        share = torch.where(down, 0.0, (released.double() / self.fade).clamp(max=1)).to(signal.dtype)
        wet = torch.where(share < 1, heard + share * (signal - heard), signal)
        named = {"on": down, "released": released, "turned": turned, "delay": delay}
        memory = torch.cat([named[name][..., -1:].double() for name in MEMORY], dim=-1)
        return {"out": torch.lerp(signal, wet, controls["mix"])}, {"past": past, "memory": memory}


class Brake(Platter):
    """The motor is switched off: ``rate = (1 − turned)^curve``, and silence."""

    type = "brake"
    description = "Turntable that is stopped, while it is on"

    class Controls(ControlModel):
        on: On = 0.0
        time: Time = 800.0
        mix: Mix = 1.0

    def rate(self, controls: Mapping[str, Tensor], turned: Tensor) -> Tensor:
        return self.slowing(turned)


class Spinback(Platter):
    """The record is thrown backwards: ``rate = −speed·(1 − turned)^curve``, and silence."""

    type = "spinback"
    description = "Record that is thrown backwards, while it is on"

    class Controls(ControlModel):
        on: On = 0.0
        time: Time = 800.0
        speed: Annotated[
            float,
            Control(0.5, 8, neutral=3, scale="log", description="How fast it is thrown, 1 as it plays"),
        ] = 3.0
        mix: Mix = 1.0

    def rate(self, controls: Mapping[str, Tensor], turned: Tensor) -> Tensor:
        return -controls["speed"].double() * self.slowing(turned)
