"""Low-frequency oscillators: what effects share that swing at a rate in Hz, or with the beat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import Curve, cycles
from djgraph.effects import (
    Block,
    Conflict,
    Control,
    Environment,
    SettingModel,
    State,
    TimeEffect,
    Use,
    is_silent,
)
from djgraph.effects.use import idle_controls
from djgraph_fx.hints import MONO

PERIODS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Lengths of a cycle in beats. Powers of two, so that float32 holds them exactly."""
Rate = Annotated[
    float,
    Control(0.05, 20, neutral=4, unit="Hz", scale="log", description="Cycles per second with sync hz"),
]
SlowRate = Annotated[
    float,
    Control(0.05, 20, neutral=0.5, unit="Hz", scale="log", description="Cycles per second with sync hz"),
]


def beats_control(neutral: float, description: str) -> Control:
    """A length in beats, one of ``PERIODS``; from one to another there is no gradient."""
    return Control(
        0.125,
        16,
        neutral=neutral,
        unit="beats",
        scale="log",
        choices=PERIODS,
        gradient="none",
        description=description,
    )


Beats = Annotated[float, beats_control(1, "Length of a cycle with sync beats")]


class Lfo(TimeEffect):
    """Base of effects with an oscillator: controls ``rate`` and ``beats``, settings ``sync`` and ``spread``.

    The phase in cycles is the integral of ``rate`` (``sync: hz``), or the position in beats over ``beats``
    (``sync: beats``). Channel c of C is ``spread·c/(C − 1)`` cycles ahead.
    """

    type: ClassVar[str]  # again, so that type checkers compare subclasses with this

    class Settings(SettingModel):
        sync: Literal["hz", "beats"] = Field(
            "hz", description="What sets the phase: the control rate (hz), or the clock and beats (beats)"
        )
        spread: float = Field(
            0.0, ge=0, le=1, description="Cycles by which the last channel is ahead of the first"
        )

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        other = {"hz": "beats", "beats": "rate"}[use.settings.sync]
        yield from idle_controls(
            use, (other,), f"with sync: {use.settings.sync} the phase is the other control's"
        )
        if use.channels == 1 and use.settings.spread and "spread" in use.stated:
            yield Conflict(
                "spread does nothing: a mono signal has one channel",
                "settings",
                "spread",
                allowed=("0",),
                hint=MONO,
            )

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.uses_clock = settings.sync == "beats"

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``phase``: cycles at the next sample, ``[batch, 1, 1]``, float64. Empty with ``sync: beats``."""
        return {} if self.uses_clock else {"phase": like.new_zeros(batch, 1, 1, dtype=torch.float64)}

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*(one for name, one in state.items() if name != "phase"), below=quiet)

    def asleep(self, controls: Mapping[str, Tensor], state: State, block: Block) -> State:
        """The oscillator goes on."""
        if "phase" not in state:
            return state
        return {**state, **self.cycles(controls, state, block, 1)[1]}

    def cycles(
        self, controls: Mapping[str, Tensor], state: State, block: Block, channels: int
    ) -> tuple[Curve, State]:
        """The phase of every channel, in cycles, for kernels that swing with it; the state after it.

        ``[batch, channels, samples]``, float64, or a line where the rate rests. Where nothing spreads the channels, one
        phase for all: ``[batch, 1, samples]``.
        """
        rate = controls["rate"]
        channels = channels if self.settings.spread else 1
        offset = torch.linspace(0, self.settings.spread, channels, dtype=torch.float64, device=rate.device)
        if block.clock is not None and self.uses_clock:
            position = block.clock.beats / controls["beats"].detach().double() + offset[:, None]
            return position - position.floor(), {}
        cycle, last = cycles(
            rate, block.length, state["phase"], sample_rate=block.sample_rate, offset=offset[:, None]
        )
        return cycle, {"phase": last}
