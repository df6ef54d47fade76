"""An echo with feedback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

from djgraph.dsp.feedback import feedback_delay, feedback_delay_in_place
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
from djgraph.effects.use import idle_controls


class Delay(TimeEffect):
    """``out = (1 − mix)·x + mix·y`` with ``y[n] = x[n−D] + max_feedback·feedback[n]·y[n−D]``."""

    type = "delay"
    family = "time"
    description = "Echo with feedback"

    class Settings(SettingModel):
        time: Annotated[float, Unit("ms")] = Field(
            375.0, ge=1, le=10000, description="Delay in ms; 375 is a dotted eighth at 120 BPM"
        )
        max_feedback: float = Field(
            0.7, ge=0, lt=1, description="What feedback 1 means: how much of each echo comes back"
        )

    class Controls(ControlModel):
        mix: Annotated[
            float,
            Control(
                0,
                1,
                neutral=0,
                rate="sample",
                smoothing=5.0,
                description="0 is dry, 1 is echoes only",
                role="echo_send",
            ),
        ] = 0.0
        feedback: Annotated[
            float,
            Control(
                0,
                1,
                neutral=0,
                rate="sample",
                smoothing=5.0,
                description="0 is one echo, 1 is the most",
                role="echo_feedback",
            ),
        ] = 0.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        if use.settings.max_feedback == 0:
            yield from idle_controls(use, ("feedback",), "max_feedback is 0, so that no echo comes back")

    @classmethod
    def held_back(cls, use: Use, environment: Environment) -> int:
        return _samples(use.settings, environment) if use.controls["mix"].low == 1 else 0

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.samples = _samples(settings, environment)

    def tail(self) -> int | None:
        return self.samples if self.settings.max_feedback == 0 else None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``input``, ``output``: the last D samples of x and of y, sample n at n modulo D, ``[batch, channels, D]``."""
        return {name: like.new_zeros(batch, channels, self.samples) for name in ("input", "output")}

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, mix = audio["in"], controls["mix"]
        feedback = self.settings.max_feedback * controls["feedback"]
        place = block.start % self.samples
        if block.owned and block.length <= self.samples and state["input"].dtype == signal.dtype:
            out = feedback_delay_in_place(signal, feedback, mix, state["input"], state["output"], place)
            return {"out": out}, state
        after = (block.start + block.length) % self.samples
        past = (state[name].roll(-place, -1) if place else state[name] for name in ("input", "output"))
        out, *latest = feedback_delay(signal, feedback, mix, *past)
        past_input, past_output = (one.roll(after, -1) if after else one for one in latest)
        return {"out": out}, {"input": past_input, "output": past_output}


def _samples(settings: Any, environment: Environment) -> int:
    return max(1, round(settings.time * environment.sample_rate / 1000))
