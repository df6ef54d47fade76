"""Low-pass and high-pass with a sweepable cutoff, exactly transparent when wide open."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field, model_validator
from torch import Tensor

from djgraph.dsp import sweep, sweep_link, two_bands_response
from djgraph.effects import (
    Block,
    CausalTwin,
    Conflict,
    Control,
    ControlModel,
    Environment,
    Link,
    RatioEffect,
    SettingModel,
    State,
    Unit,
    Use,
    is_silent,
)

FADE = 0.1
"""Last part of the control's range, over which the filter fades out."""


def too_high(crossover: float, use: Use, environment: Environment) -> Iterator[Conflict]:
    """A conflict where the highest crossover, of setting ``high``, is not below half the sample rate."""
    if 2 * crossover >= environment.sample_rate:
        rate = environment.sample_rate
        message = f"the highest crossover is at {crossover:g} Hz, more than a sample rate of {rate} Hz holds"
        yield Conflict(
            message,
            "settings",
            next((name for name in ("high", "profile") if name in use.stated), None),
            allowed=(f"below {environment.sample_rate / 2:g} Hz",),
        )


class FilterSettings(SettingModel):
    """What both filters can be set to."""

    order: float = Field(4.0, ge=1, le=12, description="Steepness: 6·order dB per octave beyond the cutoff")
    lowest: Annotated[float, Unit("Hz")] = Field(
        20.0, ge=1, le=100000, description="Cutoff in Hz where the control is 0"
    )
    highest: Annotated[float, Unit("Hz")] = Field(
        20000.0, ge=1, le=100000, description="Cutoff in Hz where the control is 1"
    )

    @model_validator(mode="after")
    def _ascending(self) -> FilterSettings:
        if not self.lowest < self.highest:
            raise ValueError(f"lowest ({self.lowest:g} Hz) has to be below highest ({self.highest:g} Hz)")
        return self

    @property
    def middle(self) -> float:
        """Frequencies are taken relative to this, so that no power of them overflows in single precision."""
        return math.sqrt(self.lowest * self.highest)

    @property
    def span(self) -> float:
        return math.log(self.highest / self.lowest)


class _Filter(RatioEffect):
    """``1 − fade · share``, where share is r/(1 + r) or 1/(1 + r) with r = (f/fc)^order, and the fade begins
    smoothly and arrives at the open end with a slope, so that a gradient there can still find its way in.

    With r = ratio·power, ratio = (middle/fc)^order and power = (f/middle)^order that is
    (1 + (1 − fade)·r)/(1 + r) or (1 − fade + r)/(1 + r). Both sides are divided by 1 + power, which keeps all of it
    within what single precision holds.
    """

    type: ClassVar[str]
    Settings = FilterSettings

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        if 2 * use.settings.lowest >= environment.sample_rate:
            yield Conflict(
                f"lowest is {use.settings.lowest:g} Hz, more than a sample rate of {environment.sample_rate} Hz holds: "
                "at no cutoff there would be anything to filter",
                "settings",
                "lowest",
                allowed=(f"below {environment.sample_rate / 2:g} Hz",),
            )

    def constants(self) -> dict[str, Tensor]:
        """``above`` and ``below``: 1 and power, both over 1 + power, ``[2, bins]``."""
        power = (self.environment.frequencies() / self.settings.middle) ** self.settings.order
        curves = torch.stack((1 / (1 + power), power / (1 + power)))
        return {"above": curves, "below": curves}


def _left(cutoff: Tensor, highs: bool) -> Tensor:
    """1 − fade. ``highs``: the filter takes those away, and is wide open at 1.

    fade = u·(2 − u), where u is the distance from wide open over FADE, at most 1.
    """
    # No clamp at 0, whose gradient there would be 0.
    u = ((1 - cutoff if highs else cutoff) / FADE).clamp(max=1)
    return (1 - u).square()


def _curve(cutoff: Tensor, settings: FilterSettings, highs: bool) -> tuple[Tensor, Tensor]:
    """1 − fade, and ratio."""
    return _left(cutoff, highs), torch.exp((0.5 - cutoff) * (settings.order * settings.span))


class Lowpass(_Filter):
    """Removes what is above the cutoff: ``1/(1 + (f/fc)^order)``, fc = lowest · (highest/lowest)^cutoff."""

    type = "lowpass"
    family = "filters"
    description = "Sweepable low-pass filter"

    class Controls(ControlModel):
        cutoff: Annotated[
            float,
            Control(
                0,
                1,
                neutral=1,
                rate="frame",
                description="20 Hz … 20 kHz, exponential; 1 is wide open",
                role="lowpass",
            ),
        ] = 1.0

    def weights(self, controls: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        left, ratio = _curve(controls["cutoff"], self.settings, highs=True)
        one = torch.ones_like(ratio)
        return torch.cat((one, left * ratio), dim=-1), torch.cat((one, ratio), dim=-1)


class Highpass(_Filter):
    """Removes what is below the cutoff: ``1/(1 + (fc/f)^order)``, fc = lowest · (highest/lowest)^cutoff."""

    type = "highpass"
    family = "filters"
    description = "Sweepable high-pass filter"

    class Controls(ControlModel):
        cutoff: Annotated[
            float,
            Control(
                0,
                1,
                neutral=0,
                rate="frame",
                description="20 Hz … 20 kHz, exponential; 0 is wide open",
                role="highpass",
            ),
        ] = 0.0

    def weights(self, controls: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        left, ratio = _curve(controls["cutoff"], self.settings, highs=False)
        return torch.cat((left, ratio), dim=-1), torch.cat((torch.ones_like(ratio), ratio), dim=-1)


TWIN_ORDERS = (2, 4)
"""The orders that a recursion has."""


def twin_fault(order: float) -> str | None:
    """Why a crossover of that order has no causal twin; None where it has one."""
    if order in TWIN_ORDERS:
        return None
    near = min(TWIN_ORDERS, key=lambda other: abs(other - order))
    return f"order {order:g} is no recursion; orders with a causal twin: 2 and 4, the nearest is {near}"


class _FilterTwin(CausalTwin):
    """The weighted bands of a crossover: what the filter keeps, and of the rest what its fade leaves.

    The bands are in phase, so that the gain is that of the mask. Wide open it is flat, an all-pass.
    """

    highs: ClassVar[bool]
    """Whether highs are taken away."""

    @classmethod
    def fault(cls, settings: Any, environment: Environment) -> str | None:
        return twin_fault(settings.order)

    def tail(self) -> int | None:
        return None

    def frequency_response(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        control, settings, environment = controls["cutoff"], self.settings, self.environment
        cutoff, left = (control * settings.span).exp() * settings.lowest, _left(control, self.highs)
        at = environment.frequencies().to(control)
        low, high = two_bands_response(
            at, cutoff, order=int(settings.order), sample_rate=environment.sample_rate
        )
        return low + left * high if self.highs else left * low + high

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``bands``: of :func:`djgraph.dsp.sweep`."""
        return {"bands": like.new_zeros(batch, channels, int(self.settings.order))}

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def link(self) -> Link | None:
        return Link(sweep_link(**self._law(), sample_rate=self.environment.sample_rate), ("cutoff",), "bands")

    def _law(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "keeps": "low" if self.highs else "high",
            "lowest": settings.lowest,
            "highest": settings.highest,
            "fade": FADE,
            "order": int(settings.order),
        }

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        out, last = sweep(
            audio["in"], controls["cutoff"], state["bands"], **self._law(), sample_rate=block.sample_rate
        )
        return {"out": out}, {"bands": last}


class LowpassTwin(_FilterTwin, of=Lowpass):
    """The lowpass as a recursion."""

    highs = True


class HighpassTwin(_FilterTwin, of=Highpass):
    """The highpass as a recursion."""

    highs = False
