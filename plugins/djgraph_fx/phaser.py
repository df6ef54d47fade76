"""A phaser: notches that wander, from a chain of all-passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import allpass_chain, allpass_loop, allpass_sweep, steady
from djgraph.effects import Block, Conflict, Control, ControlModel, Environment, State, Use
from djgraph.effects.use import beyond_half_the_rate
from djgraph_fx.lfo import Beats, Lfo, SlowRate


class Phaser(Lfo):
    """``out = (1 − mix)·x + mix·A(x)``, A a chain of all-passes of first order, (a + z⁻¹)/(1 + a·z⁻¹) each.

    a = (tan(πf/rate) − 1)/(tan(πf/rate) + 1) turns the phase by 90° at f = centre·2^(depth·(swing(φ) − ½)), held
    below 0.49 of the sample rate. With ``mix`` 0.5 a notch lies wherever the chain has turned an odd multiple of 180°:
    half as many as stages. With the setting ``feedback`` f (1 + f)·A/(1 − f·A) takes the place of A: resonances between
    the notches, which stay where they are. There is no delay in that loop.
    """

    type = "phaser"
    family = "modulation"
    description = "Notches that wander: a chain of all-passes"

    class Settings(Lfo.Settings):
        stages: int = Field(4, ge=2, le=12, description="How many all-passes; two make a notch")
        feedback: float = Field(
            0.0, ge=-0.9, le=0.9, description="How much comes back: resonances; below 0 upside down"
        )

    class Controls(ControlModel):
        mix: Annotated[
            float,
            Control(
                0, 1, neutral=0, smoothing=5.0, description="0 is dry, 0.5 has the deepest notches, 1 none"
            ),
        ] = 0.0
        centre: Annotated[
            float,
            Control(
                100, 8000, neutral=1000, unit="Hz", scale="log", smoothing=5.0,
                description="Middle of the sweep",
            ),
        ] = 1000.0  # fmt: skip
        depth: Annotated[
            float, Control(0, 6, neutral=3, unit="octaves", smoothing=5.0, description="Width of the sweep")
        ] = 3.0
        rate: SlowRate = 0.5
        beats: Beats = 1.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        yield from super().conflicts(use, environment)
        yield from beyond_half_the_rate(use, ("centre",), environment.sample_rate)

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``stages``: of :func:`djgraph.dsp.allpass_chain`, ``[batch, channels, stages + 1]``, or, with feedback, of
        :func:`djgraph.dsp.allpass_loop`, ``[batch, channels, stages]``, both float64; ``phase``."""
        states = self.settings.stages + (not self.settings.feedback)
        stages = like.new_zeros(batch, channels, states, dtype=torch.float64)
        return {"stages": stages, **super().initial_state(batch, channels, like)}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, mix = audio["in"], steady(controls["mix"])
        cycle, after = self.cycles(controls, state, block, signal.shape[1])
        centre, octaves = steady(controls["centre"]), steady(controls["depth"])
        a = allpass_sweep(cycle, centre.double(), octaves, signal, sample_rate=block.sample_rate)
        stages, feedback = self.settings.stages, self.settings.feedback
        if not feedback:
            out, last = allpass_chain(signal, a, state["stages"], stages=stages, mix=mix)
        else:
            turned, last = allpass_loop(signal, a, feedback, state["stages"], stages=stages)
            out = (1 - mix) * signal + mix * ((1 + feedback) * turned)
        return {"out": out}, {"stages": last, **after}
