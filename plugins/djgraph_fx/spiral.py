"""Echoes that climb: each one is higher than the one before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import delay_history, delay_loop, phase
from djgraph.effects import Block, Control, ControlModel, Environment, SettingModel, State, Unit, is_silent
from djgraph_fx.echoes import Beats, Echoing, Longest, Mix, Sync, Time
from djgraph_fx.times import glided


class Spiral(Echoing):
    """``out = (1 − mix)·x + mix·z``: an echo whose two heads glide along the line, each at home only in passing.

    A head whose delay shrinks by r − 1 samples a sample plays r times as high, r = 2^(shift/12). It glides through
    ``window`` around the delay and starts again, while the other one, half a window away, is loud: the gains are sin²
    of the place in the window, and add up to 1. What comes back passes the heads again, so each echo is ``shift``
    semitones away from the one before.
    """

    type = "spiral"
    description = "Echoes that climb or fall in pitch, each further than the one before"

    class Settings(SettingModel):
        sync: Sync = "ms"
        window: Annotated[float, Unit("ms")] = Field(
            60.0, ge=20, le=200, description="Through how many ms of the line a head glides"
        )
        glide: Annotated[float, Unit("ms")] = Field(
            50.0, ge=5, le=500, description="Time constant in ms with which it gets from one delay to another"
        )
        longest: Longest = 2.0

    class Controls(ControlModel):
        mix: Mix = 0.0
        time: Time = 375.0
        beats: Beats = 0.75
        feedback: Annotated[
            float,
            Control(
                0,
                0.95,
                neutral=0.6,
                smoothing=5.0,
                description="How much of each echo comes back",
                role="echo_feedback",
            ),
        ] = 0.6
        shift: Annotated[
            float,
            Control(
                -12, 12, neutral=2, unit="semitones", smoothing=5.0,
                description="How much higher each echo is than the one before; below 0 lower",
            ),
        ] = 2.0  # fmt: skip

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.window = settings.window * environment.sample_rate / 1000

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``past``: of the line, ``[batch, channels, history]``. ``delay``: of :func:`glided`, ``[batch, 1, 2]``.
        ``phase``: where the first head is in its window, ``[batch, 1, 1]``; both float64."""
        return {
            "past": like.new_zeros(batch, channels, delay_history(self.longest + self.window)),
            "delay": like.new_zeros(batch, 1, 2, dtype=torch.float64),
            "phase": like.new_zeros(batch, 1, 1, dtype=torch.float64),
        }

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(state["past"], below=quiet)

    def asleep(self, controls: Mapping[str, Tensor], state: State, block: Block) -> State:
        """The delay glides on, and the windows turn."""
        _, _, after = self._windows(controls, state, block)
        return {**state, **after}

    def _windows(
        self, controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[Tensor, Tensor, State]:
        """The delay, where the first head is in its window, and both after the block."""
        wanted = self.delay(controls, block, state["past"].shape[0])
        delay, last = glided(wanted, state["delay"], block, self.settings.glide)
        ratio = torch.exp2(controls["shift"].double().expand(wanted.shape) / 12)
        windows = (ratio - 1) * (1000 / self.settings.window)  # per second
        place, turned = phase(windows, block.length, state["phase"], sample_rate=block.sample_rate)
        return delay, place, {"delay": last, "phase": turned}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, mix = audio["in"], controls["mix"]
        delay, place, after = self._windows(controls, state, block)
        heads = []
        for offset in (0.0, 0.5):
            along = place + offset
            along = along - along.floor()
            # Around the delay, but not closer than the line may be read.
            heads.append((delay + self.window * (0.5 - along), torch.sin(math.pi * along).square()))
        wet, past, _ = delay_loop(signal, heads, controls["feedback"], state["past"], shortest=self.shortest)
        return {"out": (1 - mix) * signal + mix * wet}, {"past": past, **after}
