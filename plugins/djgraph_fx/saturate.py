"""Saturation with antiderivative anti-aliasing, and with oversampling where that is not enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import amplitude, antialiased, decimate, oversample, steady
from djgraph.dsp.history import latest
from djgraph.dsp.oversampling import HALF
from djgraph.effects import (
    Block,
    Control,
    ControlModel,
    Environment,
    SettingModel,
    State,
    TimeEffect,
    Use,
    is_silent,
)

LAG = 2 * HALF
"""Samples by which a signal is late that was oversampled and decimated."""


class Saturate(TimeEffect):
    """``out = (1 − mix)·x + mix·y``; ``y[n]`` is the mean of the curve f between ``v[n−1]`` and ``v[n]``, v = drive·x.

    :func:`djgraph.dsp.antialiased` makes it: the wet signal is half a sample late.

    With ``oversampling`` v and y are at a multiple of the sample rate, between :func:`djgraph.dsp.oversample` and
    :func:`djgraph.dsp.decimate`. Their lag is the effect's latency: the dry signal and ``mix`` wait for the wet one.
    """

    type = "saturate"
    family = "colour"
    blockwise = True
    description = "Saturation, anti-aliased"

    class Settings(SettingModel):
        kind: Literal["tanh", "cubic", "hard", "fold"] = Field(
            "tanh",
            description="The curve: tanh, a cubic soft clipper, a hard clipper, or a sine that folds back",
        )
        oversampling: Literal[1, 2, 4, 8] = Field(
            1, description="Times the sample rate at which the curve runs; above 1 with 64 samples of latency"
        )

    class Controls(ControlModel):
        drive: Annotated[
            float,
            Control(0, 36, neutral=0, unit="dB", smoothing=5.0, description="Gain in front of the curve"),
        ] = 0.0
        mix: Annotated[
            float,
            Control(0, 1, neutral=0, smoothing=5.0, description="0 is dry, 1 is saturated only"),
        ] = 0.0

    @classmethod
    def limits(cls, use: Use, environment: Environment) -> bool:
        return use.controls["mix"].low == 1

    def latency(self) -> int:
        """The lag of the two filters; none without oversampling."""
        return LAG if self.settings.oversampling > 1 else 0

    def tail(self) -> int:
        """One sample, the mean between the last input and silence; with oversampling also what the filters ring."""
        return 1 + self.latency()

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``driven``: v at the sample before, ``[batch, channels, 1]``, float64.

        With oversampling also ``slow`` and ``fast``, of its two filters, and the last 64 samples of the signal and of
        ``mix``: ``dry`` and ``mix``.
        """
        state = {"driven": like.new_zeros(batch, channels, 1, dtype=torch.float64)}
        factor = self.settings.oversampling
        if factor == 1:
            return state
        return state | {
            "slow": like.new_zeros(batch, channels, LAG),
            "fast": like.new_zeros(batch, channels, LAG * factor),
            "dry": like.new_zeros(batch, channels, LAG),
            "mix": like.new_zeros(batch, 1, LAG),
        }

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*(one for name, one in state.items() if name != "mix"), below=quiet)

    def asleep(self, controls: Mapping[str, Tensor], state: State, block: Block) -> State:
        """``mix`` comes as late as the signal."""
        return {**state, "mix": latest(state["mix"], controls["mix"])} if "mix" in state else state

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, mix = audio["in"], controls["mix"]
        if self.settings.oversampling == 1:
            wet, last = antialiased(
                signal, controls["drive"], state["driven"], curve=self.settings.kind, decibels=True
            )
            after: State = {"driven": last}
        else:
            wet, after = self._oversampled(signal * amplitude(steady(controls["drive"])), state)
            dry, mix = (
                torch.cat((state[name], one), -1)[..., : block.length]
                for name, one in (("dry", signal), ("mix", mix))
            )
            after |= {"dry": latest(state["dry"], signal), "mix": latest(state["mix"], controls["mix"])}
            signal = dry
        return {"out": torch.lerp(signal, wet, steady(mix).to(signal.dtype))}, after

    def _oversampled(self, driven: Tensor, state: State) -> tuple[Tensor, State]:
        factor = self.settings.oversampling
        fast, slow_state = oversample(driven, factor, state["slow"])
        bent, last = antialiased(fast, 1.0, state["driven"], curve=self.settings.kind)
        wet, fast_state = decimate(bent, factor, state["fast"])
        return wet, {"driven": last, "slow": slow_state, "fast": fast_state}
