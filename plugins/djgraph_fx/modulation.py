"""Vibrato, chorus and flanger: delays that swing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import delay_history, delay_loop, steady, swing, swinging_voices
from djgraph.effects import Block, Control, ControlModel, State
from djgraph_fx.lfo import Beats, Lfo, Rate, SlowRate


def mix_control(wet: str) -> Control:
    return Control(0, 1, neutral=0, smoothing=5.0, description=f"0 is dry, 1 is {wet} only")


class SwingingDelay(Lfo):
    """Base of effects that read their past through a delay of up to ``LONGEST`` ms."""

    type: ClassVar[str]  # again, so that type checkers compare subclasses with this
    LONGEST: ClassVar[float]

    @property
    def _history(self) -> int:
        return delay_history(self.LONGEST * self.environment.sample_rate / 1000)

    def tail(self) -> int | None:
        return self._history

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``past``: of what is read late, ``[batch, channels, history]``; ``phase`` as for all oscillators."""
        past = like.new_zeros(batch, channels, self._history)
        return {"past": past, **super().initial_state(batch, channels, like)}


class Vibrato(SwingingDelay):
    """``out[n] = x(n − depth·swing(φ))``: a pitch that swings, as the delay grows and shrinks.

    With a sine the pitch is off by up to ``π·rate·depth`` either way (depth in seconds): 1 ms at 5 Hz is ±27 cents.
    """

    type = "vibrato"
    family = "modulation"
    description = "Pitch that swings, in Hz or with the beat"
    LONGEST = 10.0

    class Settings(Lfo.Settings):
        shape: Literal["sine", "triangle"] = Field("sine", description="How the delay swings")

    class Controls(ControlModel):
        depth: Annotated[
            float,
            Control(0, 10, neutral=0, unit="ms", smoothing=5.0, description="The longest delay of a cycle"),
        ] = 0.0
        rate: Rate = 4.0
        beats: Beats = 1.0

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal = audio["in"]
        cycle, after = self.cycles(controls, state, block, signal.shape[1])
        depth = steady(controls["depth"]).double() * (block.sample_rate / 1000)
        out, past = swinging_voices(signal, cycle, 0.0, depth, state["past"], shape=self.settings.shape)
        return {"out": out}, {"past": past, **after}


class Chorus(SwingingDelay):
    """``out = (1 − mix)·x + mix·Σ x(n − delay − depth·swing(φ + v/V))/√V``: V voices, evenly apart in phase."""

    type = "chorus"
    family = "modulation"
    blockwise = True
    description = "Voices that are late and out of tune by a little"
    LONGEST = 40.0

    class Settings(Lfo.Settings):
        voices: int = Field(3, ge=1, le=8, description="How many copies")
        spread: float = Field(
            0.25, ge=0, le=1, description="Cycles by which the last channel is ahead of the first"
        )

    class Controls(ControlModel):
        mix: Annotated[float, mix_control("voices")] = 0.0
        delay: Annotated[
            float,
            Control(1, 40, neutral=15, unit="ms", smoothing=5.0, description="The shortest delay of a cycle"),
        ] = 15.0
        depth: Annotated[
            float,
            Control(0, 10, neutral=3, unit="ms", smoothing=5.0, description="How much longer it gets"),
        ] = 3.0
        rate: SlowRate = 0.5
        beats: Beats = 1.0

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal = audio["in"]
        cycle, after = self.cycles(controls, state, block, signal.shape[1])
        delay, depth = (
            steady(controls[name]).double() * (block.sample_rate / 1000) for name in ("delay", "depth")
        )
        out, past = swinging_voices(
            signal, cycle, delay, depth, state["past"], mix=controls["mix"], voices=self.settings.voices
        )
        return {"out": out}, {"past": past, **after}


class Flanger(SwingingDelay):
    """``out = (1 − mix)·x + mix·z``, ``z[n] = v(n − delay − depth·swing(φ))``, ``v = x + feedback·z``.

    A comb filter whose teeth wander; with ``mix`` 0.5 and no feedback they are notches at odd multiples of half of
    1/delay. The recursion is exact whatever the delay does: no sample of feedback is lost or added.
    """

    type = "flanger"
    family = "modulation"
    description = "Comb filter that wanders, with feedback"
    SHORTEST = 0.5
    LONGEST = 20.0

    class Controls(ControlModel):
        mix: Annotated[float, mix_control("delayed")] = 0.0
        delay: Annotated[
            float,
            Control(
                0.5, 10, neutral=1, unit="ms", scale="log", smoothing=5.0,
                description="The shortest delay of a cycle",
            ),
        ] = 1.0  # fmt: skip
        depth: Annotated[
            float,
            Control(0, 10, neutral=3, unit="ms", smoothing=5.0, description="How much longer it gets"),
        ] = 3.0
        feedback: Annotated[
            float,
            Control(
                -0.95, 0.95, neutral=0, smoothing=5.0, description="How much comes back; below 0 upside down"
            ),
        ] = 0.0
        rate: SlowRate = 0.5
        beats: Beats = 1.0

    def tail(self) -> int | None:
        return None

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, mix = audio["in"], steady(controls["mix"])
        cycle, after = self.cycles(controls, state, block, signal.shape[1])
        delay, depth = (
            steady(controls[name]).double() * (block.sample_rate / 1000) for name in ("delay", "depth")
        )
        wet, past, _ = delay_loop(
            signal,
            [(swing(cycle, delay, depth, signal, dtype=torch.float64), 1.0)],
            controls["feedback"],
            state["past"],
            shortest=max(1, int(self.SHORTEST * block.sample_rate / 1000)),
        )
        return {"out": (1 - mix) * signal + mix * wet}, {"past": past, **after}
