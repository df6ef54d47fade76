"""Resonant filters whose cutoff and resonance may move at every sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import Section, steady, svf, svf_response, svf_series
from djgraph.dsp.resident import numbers_like
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
from djgraph.effects.use import beyond_half_the_rate

BUTTERWORTH = 0.5**0.5
Q = Control(0.5, 20, neutral=BUTTERWORTH, unit="Q", scale="log", smoothing=5.0)

REMOVED: dict[str, tuple[float, float, float]] = {
    "lowpass": (0.0, 1.0, 1.0),
    "highpass": (1.0, 1.0, 0.0),
    "bandpass": (1.0, 0.0, 1.0),
    "notch": (0.0, 1.0, 0.0),
}
"""How much of the lowpass, bandpass and highpass parts, which add up to the signal, a filter takes away."""


class Filter(TimeEffect):
    """``out = x − mix·(what the filter takes away)``: a state-variable filter of second order."""

    type = "filter"
    family = "filters"
    description = "Resonant filter: lowpass, highpass, bandpass or notch"

    class Settings(SettingModel):
        kind: Literal["lowpass", "highpass", "bandpass", "notch"] = Field(
            "lowpass", description="Which part of the signal stays"
        )

    class Controls(ControlModel):
        cutoff: Annotated[
            float,
            Control(
                20, 20000, neutral=1000, unit="Hz", scale="log", smoothing=5.0,
                description="Where the filter begins, or its middle", role="cutoff",
            ),
        ] = 1000.0  # fmt: skip
        q: Annotated[float, Q.replace(description="Resonance; 0.707 has none, 20 rings")] = BUTTERWORTH
        mix: Annotated[
            float, Control(0, 1, neutral=0, smoothing=5.0, description="0 is the signal, 1 the filter only")
        ] = 0.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        yield from beyond_half_the_rate(use, ("cutoff",), environment.sample_rate)

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``integrators``: of :func:`djgraph.dsp.svf`."""
        return {"integrators": like.new_zeros(batch, channels, 2)}

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        # What is left of each part: without a mix all of it, which is the signal, bit for bit.
        section = Section(controls["cutoff"], controls["q"], *self._left(steady(controls["mix"])))
        states = state["integrators"].unsqueeze(-2)
        out, last = svf_series(audio["in"], [section], states, sample_rate=block.sample_rate)
        return {"out": out}, {"integrators": last.squeeze(-2)}

    def frequency_response(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        mix, cutoff, q = controls["mix"], controls["cutoff"], controls["q"]
        at = self.environment.frequencies().to(cutoff)
        return svf_response(at, cutoff, q, *self._left(mix), sample_rate=self.environment.sample_rate)

    def _left(self, mix: Tensor) -> tuple[Tensor | float, Tensor | float, Tensor | float]:
        """The shares of lowpass, bandpass and highpass that stay."""
        low, band, high = (1 - mix if share else 1.0 for share in REMOVED[self.settings.kind])
        return low, band, high


class FilterKnob(TimeEffect):
    """One knob from a lowpass on its left to a highpass on its right, and exactly nothing in the middle.

    Left of the middle the lowpass's cutoff falls from ``highest`` to ``lowest``, right of it the highpass's rises from
    ``lowest`` to ``highest``; each rests at its open end on the other's side. Within ``FADE`` of the middle what is
    taken away fades: u·(2 − u) of it at u = |knob|/FADE. The middle is a corner: there the gradient is that of both
    sides added up, everywhere else it is exact.
    """

    type = "filter_knob"
    family = "filters"
    description = "DJ filter on one knob: lowpass to the left, highpass to the right"
    FADE: ClassVar[float] = 0.1

    class Settings(SettingModel):
        lowest: Annotated[float, Unit("Hz")] = Field(
            30.0, ge=10, le=1000, description="Cutoff in Hz at the left end"
        )
        highest: Annotated[float, Unit("Hz")] = Field(
            15000.0, ge=2000, le=20000, description="Cutoff in Hz at the right end"
        )

    class Controls(ControlModel):
        knob: Annotated[
            float,
            Control(
                -1, 1, neutral=0, smoothing=5.0, gradient="surrogate",
                description="-1 is the lowest lowpass, 0 nothing at all, 1 the highest highpass", role="filter",
            ),
        ] = 0.0  # fmt: skip
        q: Annotated[float, Q.replace(description="Resonance; 0.707 has none, 20 rings")] = BUTTERWORTH

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``integrators``: of :func:`djgraph.dsp.svf`, of the lowpass and of the highpass."""
        return {"integrators": like.new_zeros(batch, channels, 2, 2)}

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal = audio["in"]
        cutoff, fade = (torch.stack(sides, dim=-2) for sides in self._sides(controls["knob"]))
        low, band, high = (
            fade * numbers_like(side, fade)[:, None] for side in zip(REMOVED["lowpass"], REMOVED["highpass"])
        )
        both = signal.unsqueeze(-2).expand(*signal.shape[:-1], 2, -1)
        q = controls["q"].unsqueeze(-2)
        removed, last = svf(
            both, cutoff, q, low, band, high, state["integrators"], sample_rate=block.sample_rate
        )
        return {"out": signal - removed.sum(-2)}, {"integrators": last}

    def frequency_response(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        knob, q = controls["knob"], controls["q"]
        at, gains = self.environment.frequencies().to(knob), []
        for kind, cutoff, fade in zip(("lowpass", "highpass"), *self._sides(knob)):
            left = (1 - fade * share for share in REMOVED[kind])
            gains.append(svf_response(at, cutoff, q, *left, sample_rate=self.environment.sample_rate))
        # The side that does not filter has gain 1.
        return gains[0] * gains[1]

    def _sides(self, knob: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """The cutoffs of the lowpass and of the highpass, and how much of what each takes away is taken away."""
        lowest, highest = self.settings.lowest, self.settings.highest
        # Not clamp, whose gradient at its bound is 0: a knob that rests in the middle has to be able to leave it.
        left, right = torch.where(knob <= 0, knob, 0), torch.where(knob >= 0, knob, 0)
        ratio = highest / lowest  # travel is in octaves over those of the whole range
        cutoffs = lowest * ratio ** (1 + left), lowest * ratio**right
        low, high = (side.div(self.FADE).clamp(max=1) for side in (-left, right))
        return cutoffs, (low * (2 - low), high * (2 - high))
