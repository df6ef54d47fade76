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
    Unit,
    Use,
    is_silent,
)
from djgraph_fx.echoes import (
    Beats,
    Echoing,
    Longest,
    Mix,
    Sync,
    Time,
    highpass_control,
    lowpass_control,
    whole_samples,
)
from djgraph_fx.hints import MONO
from djgraph_fx.times import faded, glided


class Echo(Echoing):
    """``out = (1 − mix)·x + mix·z``, ``z = HP(LP(v(n − D)))``, ``v = x + feedback·z``.

    D is ``time`` (``sync: ms``), or ``beats`` at the clock's tempo (``sync: beats``). When it changes, ``change: fade``
    cross-fades from one delay that rests to the next, and ``change: tape`` glides there, which is heard in the pitch.
    With ``mode: ping_pong`` what comes in goes to the left as its mid signal, and all feedback to the other side.
    """

    type = "echo"
    description = "Echo in ms or beats: filters in its loop, ping-pong, fade or tape"

    class Settings(SettingModel):
        sync: Sync = "ms"
        mode: Literal["stereo", "ping_pong"] = Field(
            "stereo", description="Each channel for itself, or from side to side"
        )
        change: Literal["fade", "tape"] = Field("fade", description="How it gets from one delay to another")
        fade: Annotated[float, Unit("ms")] = Field(
            50.0, ge=5, le=500, description="Length in ms of a fade, or time constant of the tape"
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
                neutral=0,
                smoothing=5.0,
                description="How much of each echo comes back",
                role="echo_feedback",
            ),
        ] = 0.0
        lowpass: Annotated[float, lowpass_control(20000)] = 20000.0
        highpass: Annotated[float, highpass_control(10)] = 10.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        yield from super().conflicts(use, environment)
        if use.settings.mode == "ping_pong" and use.channels == 1:
            yield Conflict(
                "mode ping_pong does nothing: a mono signal has no sides",
                "settings",
                "mode",
                allowed=("stereo",),
                hint=MONO,
            )

    @classmethod
    def held_back(cls, use: Use, environment: Environment) -> int:
        return cls.shortest_delay(use, environment) if use.controls["mix"].low == 1 else 0

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``past``: of v, ``[batch, channels, history]``. ``filters``: ``[batch, channels, 2]``, float64. ``delay``:
        of :func:`faded` or :func:`glided`, ``[batch, 1, 2]``, float64."""
        return {
            "past": like.new_zeros(batch, channels, delay_history(self.longest)),
            "filters": like.new_zeros(batch, channels, 2, dtype=torch.float64),
            "delay": like.new_zeros(batch, 1, 2, dtype=torch.float64),
        }

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(state["past"], state["filters"], below=quiet)

    def asleep(self, controls: Mapping[str, Tensor], state: State, block: Block) -> State:
        """The delay goes on moving to where it is wanted."""
        return {**state, "delay": self._heads(controls, state, block, state["past"].shape[0])[1]}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, mix = audio["in"], controls["mix"]
        wet, after = self.looped(signal, controls, state, block)
        return {"out": (1 - mix) * signal + mix * wet}, after

    def held_back_now(self, controls: Mapping[str, Tensor], state: State, block: Block) -> Tensor:
        heads, _ = self._heads(controls, state, block, state["delay"].shape[0])
        nearest = torch.stack([delay.amin((0, 1)) for delay, _ in heads]).amin(0)
        return whole_samples(nearest)

    def _heads(
        self, controls: Mapping[str, Tensor], state: State, block: Block, batch: int
    ) -> tuple[list[Any], Tensor]:
        """Delay and gain of what reads the line, and the delay that the next block begins with."""
        delay = self.delay(controls, block, batch)
        if self.settings.change == "fade":
            period = max(1, round(self.settings.fade * block.sample_rate / 1000))
            before, current, share, last = faded(delay, state["delay"], block, period)
            return [(before, 1 - share), (current, share)], last
        moved, last = glided(delay, state["delay"], block, self.settings.fade)
        return [(moved, 1.0)], last

    def looped(
        self,
        signal: Tensor,
        controls: Mapping[str, Tensor],
        state: State,
        block: Block,
        saturated: bool = False,
    ) -> tuple[Tensor, State]:
        """z, and the state of the next block; signal: what goes into the line, before it goes to a side."""
        heads, last = self._heads(controls, state, block, signal.shape[0])
        crossed = self.settings.mode == "ping_pong"
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


def _to_the_left(signal: Tensor) -> Tensor:
    """The mid signal of each pair on its left, silence on its right; a channel without a partner as it is."""
    paired = signal.shape[1] // 2 * 2
    mid = (signal[:, 0:paired:2] + signal[:, 1:paired:2]) / 2
    pairs = torch.stack((mid, torch.zeros_like(mid)), dim=2).flatten(1, 2)
    return torch.cat((pairs, signal[:, paired:]), dim=1)
