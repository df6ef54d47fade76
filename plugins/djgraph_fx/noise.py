"""Filtered noise, mixed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import svf
from djgraph.effects import (
    Block,
    Conflict,
    Control,
    ControlModel,
    Environment,
    SettingModel,
    State,
    TimeEffect,
    Use,
)
from djgraph.effects.use import beyond_half_the_rate, idle_controls
from djgraph_fx.filter import BUTTERWORTH, Q

GOLDEN = 0x9E3779B97F4A7C15
"""2⁶⁴ over the golden ratio: what SplitMix64 counts by."""
FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
SHIFTS = (30, 27, 31)
MIXES: dict[str, tuple[float, float, float]] = {
    "lowpass": (1.0, 0.0, 0.0),
    "bandpass": (0.0, 1.0, 0.0),
    "highpass": (0.0, 0.0, 1.0),
}


def _signed(number: int) -> int:
    """The same 64 bits as a signed integer."""
    number &= 2**64 - 1
    return number - 2**64 if number >= 2**63 else number


def _mixed(bits: Tensor) -> Tensor:
    """SplitMix64's output function of 64 bits (int64, products modulo 2⁶⁴)."""
    for shift, factor in zip(SHIFTS, (*FACTORS, 1)):
        bits = (bits ^ ((bits >> shift) & (2 ** (64 - shift) - 1))) * _signed(factor)
    return bits


def white(seed: int, channels: int, start: int, samples: int, like: Tensor) -> Tensor:
    """White noise evenly spread over −1…1, ``[channels, samples]``: sample ``start + n`` of the noise of a seed.

    The nth number of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014),
    which is a hash of n: any stretch costs what it is long, and no state is kept. The upper 24 bits become a number, so
    that every type of 24 bits or more holds it exactly. Each channel has a seed of its own, made by the same hash.
    """
    channel = torch.arange(channels, device=like.device)
    keys = _mixed(channel * _signed(GOLDEN) + _signed((seed + 1) * GOLDEN**2))
    counts = torch.arange(start + 1, start + samples + 1, device=like.device) * _signed(GOLDEN)
    bits = _mixed(keys[:, None] + counts)
    return ((bits >> 40) & (2**24 - 1)).to(like.dtype) * 2.0**-23 - 1


class Noise(TimeEffect):
    """``out = x + level·filter(white noise)``, by a state-variable filter that may be swept.

    The noise of a seed is the same everywhere and in every block, from the clip's first sample on; it does not
    depend on what is played.
    """

    type = "noise"
    family = "colour"
    description = "Sweepable noise, mixed in"

    class Settings(SettingModel):
        kind: Literal["lowpass", "bandpass", "highpass", "white"] = Field(
            "lowpass", description="Which part of the noise is heard; white has no filter"
        )
        seed: int = Field(0, ge=0, lt=2**31, description="Another seed is other noise")
        mono: bool = Field(False, description="The same noise on all channels")

    class Controls(ControlModel):
        level: Annotated[
            float,
            Control(0, 1, neutral=0, smoothing=5.0, description="Peak of the noise in front of its filter"),
        ] = 0.0
        cutoff: Annotated[
            float,
            Control(
                20, 20000, neutral=1000, unit="Hz", scale="log", smoothing=5.0,
                description="Where the filter begins, or its middle",
            ),
        ] = 1000.0  # fmt: skip
        q: Annotated[float, Q.replace(description="Resonance; 0.707 has none, 20 whistles")] = BUTTERWORTH

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        if use.settings.kind == "white":
            yield from idle_controls(use, ("cutoff", "q"), "kind: white has no filter")
        else:
            yield from beyond_half_the_rate(use, ("cutoff",), environment.sample_rate)

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``integrators``: of :func:`djgraph.dsp.svf`, for the channels of the noise."""
        return {"integrators": like.new_zeros(batch, 1 if self.settings.mono else channels, 2)}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, settings = audio["in"], self.settings
        channels = 1 if settings.mono else signal.shape[1]
        noise = white(settings.seed, channels, block.start, block.length, signal)
        if settings.kind == "white":
            return {"out": signal + controls["level"] * noise}, state
        filtered, last = svf(
            noise.expand(signal.shape[0], -1, -1),
            controls["cutoff"],
            controls["q"],
            *MIXES[settings.kind],
            state["integrators"],
            sample_rate=block.sample_rate,
        )
        return {"out": signal + controls["level"] * filtered}, {"integrators": last}
