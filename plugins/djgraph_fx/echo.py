"""An echo in ms or beats, with filters in its loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import delay_history, delay_loop
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
)
from djgraph.effects.use import idle_controls, idle_settings
from djgraph_fx.hints import MONO
from djgraph_fx.times import faded, glided

LENGTHS = (0.125, 0.25, 0.375, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
"""In beats; float32 holds them exactly."""


class Echo(TimeEffect):
    """``out = (1 − mix)·x + mix·z``, ``z = HP(LP(v(n − D)))``, ``v = x + feedback·z``.

    D is ``time`` (``sync: ms``), or ``beats`` at the clock's tempo (``sync: beats``). When it changes, ``change: fade``
    cross-fades from one delay that rests to the next, and ``change: tape`` glides there, which is heard in the pitch.
    With ``mode: ping_pong`` what comes in goes to the left as its mid signal, and all feedback to the other side.
    """

    type = "echo"
    family = "time"
    description = "Echo in ms or beats: filters in its loop, ping-pong, fade or tape"
    SHORTEST = 20.0
    """ms"""

    class Settings(SettingModel):
        sync: Literal["ms", "beats"] = Field(
            "ms", description="What sets the delay: the control time (ms), or the clock and beats (beats)"
        )
        mode: Literal["stereo", "ping_pong"] = Field(
            "stereo", description="Each channel for itself, or from side to side"
        )
        change: Literal["fade", "tape"] = Field("fade", description="How it gets from one delay to another")
        fade: float = Field(
            50.0, ge=5, le=500, description="Length in ms of a fade, or time constant of the tape"
        )
        longest: float = Field(
            2.0, ge=2, le=20, description="Longest delay in s; beats at slow tempos are held to it"
        )

    class Controls(ControlModel):
        mix: Annotated[
            float, Control(0, 1, neutral=0, smoothing=5.0, description="0 is dry, 1 is echoes only")
        ] = 0.0
        time: Annotated[
            float,
            Control(
                20, 2000, neutral=375, unit="ms", scale="log", smoothing=5.0, description="Delay with sync ms"
            ),
        ] = 375.0
        beats: Annotated[
            float,
            Control(
                0.125, 4, neutral=0.75, unit="beats", scale="log", choices=LENGTHS, gradient="none",
                description="Delay with sync beats",
            ),
        ] = 0.75  # fmt: skip
        feedback: Annotated[
            float,
            Control(0, 0.95, neutral=0, smoothing=5.0, description="How much of each echo comes back"),
        ] = 0.0
        lowpass: Annotated[
            float,
            Control(
                200, 20000, neutral=20000, unit="Hz", scale="log", smoothing=5.0,
                description="Echoes get duller above it each time",
            ),
        ] = 20000.0  # fmt: skip
        highpass: Annotated[
            float,
            Control(
                10, 2000, neutral=10, unit="Hz", scale="log", smoothing=5.0,
                description="Echoes get thinner below it each time",
            ),
        ] = 10.0  # fmt: skip

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
        if use.settings.mode == "ping_pong" and use.channels == 1:
            yield Conflict(
                "mode ping_pong does nothing: a mono signal has no sides",
                "settings",
                "mode",
                allowed=("stereo",),
                hint=MONO,
            )

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.uses_clock = settings.sync == "beats"
        self.shortest = max(1, int(self.SHORTEST * environment.sample_rate / 1000))
        self.longest = settings.longest * environment.sample_rate

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``past``: of v, ``[batch, channels, history]``. ``filters``: ``[batch, channels, 2]``, float64. ``delay``:
        of :func:`faded` or :func:`glided`, ``[batch, 1, 2]``, float64."""
        return {
            "past": like.new_zeros(batch, channels, delay_history(self.longest)),
            "filters": like.new_zeros(batch, channels, 2, dtype=torch.float64),
            "delay": like.new_zeros(batch, 1, 2, dtype=torch.float64),
        }

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, mix = audio["in"], controls["mix"]
        wet, after = self.looped(signal, controls, state, block)
        return {"out": (1 - mix) * signal + mix * wet}, after

    def looped(
        self,
        signal: Tensor,
        controls: Mapping[str, Tensor],
        state: State,
        block: Block,
        saturated: bool = False,
    ) -> tuple[Tensor, State]:
        """z, and the state of the next block; signal: what goes into the line, before it goes to a side."""
        settings = self.settings
        delay = self._delay(controls, block).expand(signal.shape[0], 1, block.length)
        if settings.change == "fade":
            period = max(1, round(settings.fade * block.sample_rate / 1000))
            before, current, share, last = faded(delay, state["delay"], block, period)
            heads: list[Any] = [(before, 1 - share), (current, share)]
        else:
            moved, last = glided(delay, state["delay"], block, settings.fade)
            heads = [(moved, 1.0)]
        crossed = settings.mode == "ping_pong"
        wet, past, filters = delay_loop(
            _to_the_left(signal) if crossed else signal,
            heads,
            controls["feedback"],
            state["past"],
            state["filters"],
            shortest=self.shortest,
            lowpass=controls["lowpass"],
            highpass=controls["highpass"],
            sample_rate=block.sample_rate,
            crossed=crossed,
            saturated=saturated,
        )
        return wet, {"past": past, "filters": filters, "delay": last}

    def _delay(self, controls: Mapping[str, Tensor], block: Block) -> Tensor:
        """In samples, ``[batch or 1, 1, samples]``, float64."""
        if block.clock is not None and self.uses_clock:
            delay = controls["beats"].detach().double() * (60 * block.sample_rate) / block.clock.tempo
            return delay.clamp(self.shortest, self.longest)
        return controls["time"].double() * (block.sample_rate / 1000)


def _to_the_left(signal: Tensor) -> Tensor:
    """The mid signal of each pair on its left, silence on its right; a channel without a partner as it is."""
    paired = signal.shape[1] // 2 * 2
    mid = (signal[:, 0:paired:2] + signal[:, 1:paired:2]) / 2
    pairs = torch.stack((mid, torch.zeros_like(mid)), dim=2).flatten(1, 2)
    return torch.cat((pairs, signal[:, paired:]), dim=1)
