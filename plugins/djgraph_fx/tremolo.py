"""Tremolo and autopan: a level that swings at a rate in Hz, or with the beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from djgraph.dsp import steady, swing
from djgraph.effects import Block, Control, ControlModel, SettingModel, State
from djgraph_fx.lfo import Beats, Lfo, Rate


class Tremolo(Lfo):
    """``out = (1 − depth·swing(φ + offset))·in``, with ``swing`` in 0…1 and 0 at phase 0.

    The phase φ in cycles is the integral of ``rate`` (``sync: hz``), or the position in beats over ``beats``
    (``sync: beats``). Both are computed in float64. Channel c of C is ``spread·c/(C − 1)`` cycles ahead; ``spread`` 0.5
    on a stereo signal is an autopan.
    """

    type = "tremolo"
    family = "modulation"
    description = "Level that swings, in Hz or with the beat; an autopan with spread 0.5"

    class Settings(SettingModel):
        sync: Literal["hz", "beats"] = Field(
            "hz", description="What sets the phase: the control rate (hz), or the clock and beats (beats)"
        )
        shape: Literal["sine", "triangle"] = Field("sine", description="How the level swings")
        spread: float = Field(
            0.0, ge=0, le=1, description="Cycles by which the last channel is ahead of the first"
        )

    class Controls(ControlModel):
        depth: Annotated[
            float,
            Control(0, 1, neutral=0, smoothing=5.0, description="How far the level falls; 1 is silence"),
        ] = 0.0
        rate: Rate = 4.0
        beats: Beats = 1.0

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal = audio["in"]
        cycle, after = self.cycles(controls, state, block, signal.shape[1])
        level = swing(cycle, 1.0, -steady(controls["depth"]), signal, shape=self.settings.shape)
        return {"out": signal * level}, after
