"""Isolators: bands that can be turned up, down and off, without latency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from djgraph.dsp import steady, svf_response
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
from djgraph.effects.use import idle_settings
from djgraph.errors import EffectError
from djgraph_fx.crossover import ALLPASS, Order, magnitudes, split, split_state
from djgraph_fx.filters import too_high
from djgraph_fx.trim import LOWEST, amplitude

PROFILES: dict[str, tuple[float, float]] = {"mixxx": (246.0, 2500.0), "soundcraft": (300.0, 3500.0)}
"""Crossovers in Hz of mixers that name theirs: Mixxx (manual, mixer preferences), Soundcraft 1603 (user guide)."""


def _band(what: str, role: str) -> Control:
    return Control(
        LOWEST,
        12,
        neutral=0,
        unit="dB",
        smoothing=5.0,
        description=f"Gain of the {what} band; -60 removes it",
        role=role,
    )


def _crossover(hertz: float, between: str) -> Any:
    return Field(hertz, ge=20, le=20000, description=f"Crossover between {between} in Hz")


def _ascending(cutoffs: Mapping[str, float]) -> None:
    for lower, upper in pairwise(cutoffs):
        if not cutoffs[lower] < cutoffs[upper]:
            raise ValueError(
                f"{lower} ({cutoffs[lower]:g} Hz) has to be below {upper} ({cutoffs[upper]:g} Hz)"
            )


class _Isolator(TimeEffect):
    """``Σ gain·band`` of a crossover's bands. With all gains at 0 dB that is the crossover's all-pass."""

    type: ClassVar[str]  # again, so that type checkers compare subclasses with this
    at_neutral = "allpass"

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self._cutoffs = list(self.cutoffs(settings))
        nyquist = environment.sample_rate / 2
        if not self._cutoffs[-1] < nyquist:
            raise EffectError(
                f"{self.type}: the highest crossover is at {self._cutoffs[-1]:g} Hz, more than a sample rate of "
                f"{environment.sample_rate} Hz holds; allowed: below {nyquist:g} Hz"
            )

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        yield from too_high(cls.cutoffs(use.settings)[-1], use, environment)

    @staticmethod
    def cutoffs(settings: Any) -> Sequence[float]:
        """Crossovers in Hz, from low to high."""
        raise NotImplementedError

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """See :func:`djgraph_fx.crossover.split_state`."""
        return split_state(len(self.controls), self.settings.order, batch, channels, like)

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        bands, after = split(audio["in"], self._cutoffs, self.settings.order, state, block.sample_rate)
        mixed = torch.zeros_like(audio["in"])
        for control, band in zip(self.controls, bands):
            mixed = torch.addcmul(mixed, amplitude(steady(controls[control.id])), band)
        return {"out": mixed}, after

    def frequency_response(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        """Bands are in phase, so their magnitudes add up; their phase is that of all crossovers' all-passes."""
        gains = [amplitude(controls[control.id]) for control in self.controls]
        at = self.environment.frequencies().to(gains[0])
        order, rate = self.settings.order, self.environment.sample_rate
        shares = magnitudes(at, self._cutoffs, order, rate)
        q, mix = ALLPASS[order]
        turns = torch.stack([svf_response(at, cutoff, q, *mix, sample_rate=rate) for cutoff in self._cutoffs])
        return torch.stack([gain * share for gain, share in zip(gains, shares)]).sum(0) * turns.prod(0)


class Isolator(_Isolator):
    """Three bands, by Linkwitz–Riley crossovers: all but the magnitudes of ``eq3``, without its latency in streams.

    Bands are in phase, and a band at −60 dB is gone. With all at 0 dB the signal passes an all-pass, as it does in the
    analogue isolators: every frequency keeps its level, not its phase.
    """

    type = "isolator"
    family = "filters"
    description = "Three-band isolator in dB, without latency"

    class Settings(SettingModel):
        low: Annotated[float, Unit("Hz")] = _crossover(300.0, "low and mid")
        high: Annotated[float, Unit("Hz")] = _crossover(4000.0, "mid and high")
        order: Order = Field(4, description="4 falls by 24 dB per octave beyond a crossover, 2 by 12")
        profile: Literal["own", "mixxx", "soundcraft"] = Field(
            "own", description="Crossovers of a known mixer in place of low and high"
        )

        @model_validator(mode="after")
        def _check(self) -> Isolator.Settings:
            _ascending({"low": self.low, "high": self.high})
            return self

    class Controls(ControlModel):
        low: Annotated[float, _band("low", "low")] = 0.0
        mid: Annotated[float, _band("middle", "mid")] = 0.0
        high: Annotated[float, _band("high", "high")] = 0.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        yield from super().conflicts(use, environment)
        if use.settings.profile in PROFILES:
            low, high = PROFILES[use.settings.profile]
            because = f"the profile {use.settings.profile} has its own crossovers, {low:g} Hz and {high:g} Hz"
            yield from idle_settings(use, ("low", "high"), because)

    @staticmethod
    def cutoffs(settings: Any) -> Sequence[float]:
        return PROFILES.get(settings.profile, (settings.low, settings.high))


class Isolator4(_Isolator):
    """Four bands, as :class:`Isolator`."""

    type = "isolator4"
    family = "filters"
    description = "Four-band isolator in dB, without latency"

    class Settings(SettingModel):
        low: Annotated[float, Unit("Hz")] = _crossover(150.0, "low and low mid")
        mid: Annotated[float, Unit("Hz")] = _crossover(1000.0, "low mid and high mid")
        high: Annotated[float, Unit("Hz")] = _crossover(6000.0, "high mid and high")
        order: Order = Field(4, description="4 falls by 24 dB per octave beyond a crossover, 2 by 12")

        @model_validator(mode="after")
        def _check(self) -> Isolator4.Settings:
            _ascending({"low": self.low, "mid": self.mid, "high": self.high})
            return self

    class Controls(ControlModel):
        low: Annotated[float, _band("low", "low")] = 0.0
        low_mid: Annotated[float, _band("lower middle", "mid")] = 0.0
        high_mid: Annotated[float, _band("upper middle", "mid")] = 0.0
        high: Annotated[float, _band("high", "high")] = 0.0

    @staticmethod
    def cutoffs(settings: Any) -> Sequence[float]:
        return settings.low, settings.mid, settings.high
