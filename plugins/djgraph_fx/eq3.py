"""A three-band equaliser that isolates: each band can be cut completely, and all at 1 is nothing at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import torch
from pydantic import Field, model_validator
from torch import Tensor

from djgraph.dsp import three_bands, three_bands_link, two_bands, two_bands_response
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
from djgraph.errors import EffectError
from djgraph_fx.filters import too_high, twin_fault

GRID = 2.0**24
"""Bands are rounded to steps of 1/GRID: float32 holds those and their sums exactly, so they add up to 1."""

Band = Control(0, 2, neutral=1, rate="frame", amplitude=True)


class Eq3(RatioEffect):
    """``Σ control · band(f)`` over three bands that add up to 1 at every frequency:

    low = 1/(1 + (f/f_low)^order), high = 1 − 1/(1 + (f/f_high)^order), mid = what remains.

    These are the magnitudes of Linkwitz–Riley crossovers (S. H. Linkwitz, "Active Crossover Networks for
    Noncoincident Drivers", JAES 24(1), 1976, gives order 4): 1/2 at the crossover, and 6·order dB per octave
    beyond it.
    """

    type = "eq3"
    family = "filters"
    description = "Three-band equaliser and isolator"

    class Settings(SettingModel):
        low: Annotated[float, Unit("Hz")] = Field(
            300.0, ge=20, le=20000, description="Crossover between low and mid in Hz"
        )
        high: Annotated[float, Unit("Hz")] = Field(
            4000.0, ge=20, le=20000, description="Crossover between mid and high in Hz"
        )
        order: float = Field(
            4.0, ge=1, le=12, description="Steepness: 6·order dB per octave beyond a crossover"
        )

        @model_validator(mode="after")
        def _ascending(self) -> Eq3.Settings:
            if not self.low < self.high:
                raise ValueError(f"low ({self.low:g} Hz) has to be below high ({self.high:g} Hz)")
            return self

    class Controls(ControlModel):
        low: Annotated[float, Band.replace(description="Gain of the low band; 0 removes it", role="low")] = (
            1.0
        )
        mid: Annotated[
            float, Band.replace(description="Gain of the middle band; 0 removes it", role="mid")
        ] = 1.0
        high: Annotated[
            float, Band.replace(description="Gain of the high band; 0 removes it", role="high")
        ] = 1.0

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        nyquist = environment.sample_rate / 2
        if not settings.high < nyquist:
            raise EffectError(
                f"eq3: setting high is {settings.high:g} Hz, more than a sample rate of "
                f"{environment.sample_rate} Hz holds; allowed: above low ({settings.low:g} Hz) and below "
                f"{nyquist:g} Hz"
            )

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        yield from too_high(use.settings.high, use, environment)

    def constants(self) -> dict[str, Tensor]:
        """``above``: the bands, ``[3, bins]``, in the order of the controls."""
        frequencies, order = self.environment.frequencies(), self.settings.order
        low = 1 / (1 + (frequencies / self.settings.low) ** order)
        high = 1 - 1 / (1 + (frequencies / self.settings.high) ** order)
        low, high = torch.round(low * GRID) / GRID, torch.round(high * GRID) / GRID
        return {"above": torch.stack((low, (1 - low - high).clamp(min=0), high))}

    def weights(self, controls: Mapping[str, Tensor]) -> tuple[Tensor, None]:
        bands = torch.broadcast_tensors(controls["low"], controls["mid"], controls["high"])
        return torch.cat(bands, dim=-1), None


class Eq3Twin(CausalTwin, of=Eq3):
    """Two crossovers one behind the other; the bands have their phase in common, that of both all-passes.

    The first one splits off the low band, which then passes the second one's all-pass. The sum of the first one's
    bands, its all-pass, is split into high and the rest; that less the low band is mid.
    """

    @classmethod
    def fault(cls, settings: Any, environment: Environment) -> str | None:
        return twin_fault(settings.order)

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """Of order 4 ``bands``, of :func:`djgraph.dsp.three_bands`; of order 2 ``first`` and ``second``, of
        :func:`djgraph.dsp.two_bands` for the sum and the low band."""
        if self.settings.order == 4:
            return {"bands": like.new_zeros(batch, channels, 10)}
        return {name: like.new_zeros(batch, channels, 2, 2) for name in ("first", "second")}

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def link(self) -> Link | None:
        settings = self.settings
        if settings.order != 4:
            return None
        kernel = three_bands_link(
            crossovers=(settings.low, settings.high), sample_rate=self.environment.sample_rate
        )
        return Link(kernel, ("low", "mid", "high"), "bands")

    def frequency_response(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        rate, order = self.environment.sample_rate, int(self.settings.order)
        at = self.environment.frequencies().to(controls["low"])
        (low, rest), (below, high) = (
            two_bands_response(at, cutoff, order=order, sample_rate=rate)
            for cutoff in (self.settings.low, self.settings.high)
        )
        # The low band passes the second crossover's all-pass, which splits the first one's.
        low, high, whole = low * (below + high), (low + rest) * high, (low + rest) * (below + high)
        return controls["low"] * low + controls["mid"] * (whole - low - high) + controls["high"] * high

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, rate = audio["in"], block.sample_rate
        if self.settings.order == 2:
            return self._of_order_two(signal, controls, state, rate)
        out, last = three_bands(
            signal,
            controls["low"],
            controls["mid"],
            controls["high"],
            state["bands"],
            crossovers=(self.settings.low, self.settings.high),
            sample_rate=rate,
        )
        return {"out": out}, {"bands": last}

    def _of_order_two(
        self, signal: Tensor, controls: Mapping[str, Tensor], state: State, rate: int
    ) -> tuple[dict[str, Tensor], State]:
        both = signal.unsqueeze(-2).expand(*signal.shape[:-1], 2, -1)
        # The first row is the sum of both bands, the second one the low band alone.
        share = torch.arange(1, -1, -1, dtype=signal.dtype, device=signal.device).unsqueeze(-1)
        split, first = two_bands(
            both, self.settings.low, 1.0, share, state["first"], order=2, sample_rate=rate
        )
        # All of the low band passes on: as much more of it than of the mid band as the controls say.
        mid, more = controls["mid"], controls["low"] - controls["mid"]
        weights = torch.stack((mid, more), dim=-2), torch.stack((controls["high"], more), dim=-2)
        bands, second = two_bands(
            split, self.settings.high, *weights, state["second"], order=2, sample_rate=rate
        )
        return {"out": bands.sum(-2)}, {"first": first, "second": second}
