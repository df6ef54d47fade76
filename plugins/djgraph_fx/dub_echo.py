"""An echo that is played: a send that opens and closes, and a loop that saturates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from djgraph.effects import Block, Control, ControlModel, Environment, State, Unit, Use
from djgraph_fx.echo import Echo
from djgraph_fx.echoes import Beats, Time, highpass_control, lowpass_control


class DubEcho(Echo):
    """``out = dry·x + z``, ``z = HP(LP(v(n − D)))``, ``v = send·x + feedback·tanh(g·z)/g``, g: ``drive``.

    ``send`` lets the signal into the loop; closed, what is inside goes on sounding. With ``feedback`` at 1 and above it
    sounds on by itself, and comes to rest at the level at which tanh takes away what feedback adds.
    """

    type = "dub_echo"
    description = "Echo to be played: send, saturated loop, feedback up to self-oscillation"

    # What is in the line is all that it remembers, as of an echo.
    at_rest = Echo.at_rest
    asleep = Echo.asleep

    class Settings(Echo.Settings):
        change: Literal["fade", "tape"] = Field("tape", description="How it gets from one delay to another")
        drive: Annotated[float, Unit("dB")] = Field(
            6.0, ge=0, le=24, description="How far in dB below full scale the loop begins to saturate"
        )

    class Controls(ControlModel):
        send: Annotated[
            float,
            Control(
                0, 1, neutral=0, smoothing=5.0, description="How much goes into the loop", role="echo_send"
            ),
        ] = 0.0
        dry: Annotated[
            float,
            Control(0, 1, neutral=1, smoothing=5.0, description="How much of the signal itself is heard"),
        ] = 1.0
        time: Time = 375.0
        beats: Beats = 0.75
        feedback: Annotated[
            float,
            Control(
                0, 1.2, neutral=0.6, smoothing=5.0,
                description="How much of each echo comes back; from 1 on it sounds on by itself", role="echo_feedback",
            ),
        ] = 0.6  # fmt: skip
        lowpass: Annotated[float, lowpass_control(4000)] = 4000.0
        highpass: Annotated[float, highpass_control(100)] = 100.0

    @classmethod
    def held_back(cls, use: Use, environment: Environment) -> int:
        return cls.shortest_delay(use, environment) if use.controls["dry"].high == 0 else 0

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, gain = audio["in"], 10 ** (self.settings.drive / 20)
        wet, after = self.looped(gain * controls["send"] * signal, controls, state, block, saturated=True)
        return {"out": controls["dry"] * signal + wet / gain}, after
