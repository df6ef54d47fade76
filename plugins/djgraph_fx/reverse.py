"""Backwards, while a switch is held."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import delay_history, read_tap
from djgraph.dsp.history import latest
from djgraph.effects import Block, ControlModel, Environment, SettingModel, State, TimeEffect, Unit
from djgraph_fx.switches import (
    FADE,
    Length,
    Mix,
    On,
    crosses,
    fitting,
    held_since,
    last_place,
    pressed,
    samples_since,
)

MEMORY = ("on", "beats", "began", "since", "back", "left_since")
"""What is kept of the sample before a block, in this order. on: the control. beats: the clock's. began: its beats when
the switch went on. since: samples since the last event. back: 1 where it plays backwards. left_since: of what the last
event left, samples since it began; below 0 where that was the signal itself."""


class Reverse(TimeEffect):
    """While ``on`` is held, what was just heard is heard backwards, ``beats`` at a time.

    ``heard[n] = x(e − 1 − (n − e))``, e: when the switch went on, or the last multiple of ``beats`` since then. So it
    goes back from the very moment of the switch; from the next multiple on, what came in meanwhile is heard backwards.
    """

    type = "reverse"
    family = "time"
    description = "Plays backwards what was just heard, in chunks of beats, while it is on"
    uses_clock = True

    class Settings(SettingModel):
        longest: Annotated[float, Unit("s")] = Field(
            4.0, ge=0.1, le=20, description="Longest chunk in s; at tempos where it lasts longer it is halved"
        )

    class Controls(ControlModel):
        on: On = 0.0
        beats: Length = 0.5
        mix: Mix = 1.0

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.fade = max(1, round(FADE * environment.sample_rate / 1000))
        # It goes back while time goes on; what an event left goes on below its fade.
        self.longest = 2 * (math.ceil(settings.longest * environment.sample_rate) + self.fade) + 1

    def tail(self) -> int | None:
        return self.longest

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``past``: the latest input, ``[batch, channels, history]``. ``memory``: ``[batch, 1, …]``, float64, what
        ``MEMORY`` says."""
        memory = like.new_zeros(batch, 1, len(MEMORY), dtype=torch.float64)
        # Longer ago than any fade lasts.
        memory[..., MEMORY.index("since")] = self.fade
        memory[..., MEMORY.index("left_since")] = -1
        return {"past": like.new_zeros(batch, channels, delay_history(self.longest)), "memory": memory}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, past, clock = audio["in"], state["past"], block.clock
        if clock is None:
            raise ValueError("reverse needs a clock: call the mixer with tempo=…")
        before = dict(zip(MEMORY, state["memory"].split(1, dim=-1)))
        shape = (signal.shape[0], 1, block.length)
        on, wanted = (controls[name].detach().double().expand(shape) for name in ("on", "beats"))
        beats, tempo = (one.expand(shape) for one in (clock.beats, clock.tempo))

        down, starts, stops = pressed(on, before["on"])
        began = held_since(beats, last_place(starts), before["began"])
        earlier = torch.cat((before["beats"], beats[..., :-1]), dim=-1)
        length = fitting(wanted, tempo, self.settings.longest)
        seams = down & ~starts & crosses(beats - began[..., 1:], earlier - began[..., 1:], length)
        event_at = last_place(starts | stops | seams)
        since = samples_since(event_at, before["since"])
        back = torch.cat((before["back"], down.double()), dim=-1)
        left_at = (event_at - 1).clamp(min=0)
        left = torch.where(back.gather(-1, left_at) > 0.5, since.gather(-1, left_at).double() + 1, -1.0)
        left = torch.where(event_at > 0, left, before["left_since"])

        share = (since.double() / self.fade).clamp(max=1)[..., 1:].to(signal.dtype)
        current = read_tap(signal, _ago(since, back > 0.5)[..., 1:], past)
        leaving = read_tap(signal, _ago(since + left, left >= 0)[..., 1:], past)
        # Of the same delay, both are the same, and so is their sum.
        wet = leaving + share * (current - leaving)
        wet = torch.where(share < 1, wet, current)
        named = {"on": down, "beats": beats, "began": began, "since": since, "back": back, "left_since": left}
        memory = torch.cat([named[name][..., -1:].double() for name in MEMORY], dim=-1)
        return {"out": torch.lerp(signal, wet, controls["mix"])}, {
            "past": latest(past, signal),
            "memory": memory,
        }


def _ago(since: Tensor, back: Tensor) -> Tensor:
    """How long ago that was which is heard ``since`` samples after it turned round; 0 where it did not."""
    return torch.where(back, 2 * since.double() + 1, 0.0)
