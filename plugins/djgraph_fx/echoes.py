"""What echoes share: a delay in ms, or in beats of the clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from djgraph.effects import Block, Conflict, Control, Environment, TimeEffect, Use
from djgraph.effects.use import idle_controls, idle_settings

LENGTHS = (0.125, 0.25, 0.375, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
"""In beats; float32 holds them exactly."""

Sync = Annotated[
    Literal["ms", "beats"],
    Field(description="What sets the delay: the control time (ms), or the clock and beats (beats)"),
]
Longest = Annotated[
    float, Field(ge=2, le=20, description="Longest delay in s; beats at slow tempos are held to it")
]
Time = Annotated[
    float,
    Control(20, 2000, neutral=375, unit="ms", scale="log", smoothing=5.0, description="Delay with sync ms"),
]
Beats = Annotated[
    float,
    Control(
        0.125, 4, neutral=0.75, unit="beats", scale="log", choices=LENGTHS, gradient="none",
        description="Delay with sync beats",
    ),
]  # fmt: skip
Mix = Annotated[
    float, Control(0, 1, neutral=0, smoothing=5.0, description="0 is dry, 1 is echoes only", role="echo_send")
]


def lowpass_control(neutral: float) -> Control:
    return Control(
        200, 20000, neutral=neutral, unit="Hz", scale="log", smoothing=5.0,
        description="Echoes get duller above it each time",
    )  # fmt: skip


def highpass_control(neutral: float) -> Control:
    return Control(
        10, 2000, neutral=neutral, unit="Hz", scale="log", smoothing=5.0,
        description="Echoes get thinner below it each time",
    )  # fmt: skip


def whole_samples(delay: Tensor) -> Tensor:
    """By how many samples a read so long ago holds back, with its neighbours, and a little room for rounding."""
    return (delay - 1e-6).floor().sub(1).clamp(min=1)


class Echoing(TimeEffect):
    """Base of echoes with the settings ``sync`` and ``longest`` and the controls ``time`` and ``beats``."""

    type: ClassVar[str]  # again, so that type checkers compare subclasses with this
    family = "time"
    SHORTEST = 20.0
    """ms"""

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        if use.settings.sync == "ms":
            yield from idle_settings(
                use, ("longest",), "with sync: ms the control time, up to 2000 ms, is the delay"
            )
        other = {"ms": "beats", "beats": "time"}[use.settings.sync]
        yield from idle_controls(
            use, (other,), f"with sync: {use.settings.sync} the delay is the other control's"
        )

    @classmethod
    def shortest_delay(cls, use: Use, environment: Environment) -> int:
        """In whole samples, less one that a read between samples takes from beside its place; never below 1."""
        low = use.controls["time"].low if use.settings.sync == "ms" else cls.SHORTEST
        return max(1, int(low * environment.sample_rate / 1000) - 1)

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.uses_clock = settings.sync == "beats"
        self.shortest = max(1, int(self.SHORTEST * environment.sample_rate / 1000))
        self.longest = settings.longest * environment.sample_rate

    def tail(self) -> int | None:
        return None

    def delay(self, controls: Mapping[str, Tensor], block: Block, batch: int) -> Tensor:
        """What the controls ask for, in samples: ``[batch, 1, samples]``, float64."""
        if block.clock is not None and self.uses_clock:
            delay = controls["beats"].detach().double() * (60 * block.sample_rate) / block.clock.tempo
            delay = delay.clamp(self.shortest, self.longest)
        else:
            delay = controls["time"].double() * (block.sample_rate / 1000)
        return delay.expand(batch, 1, block.length)
