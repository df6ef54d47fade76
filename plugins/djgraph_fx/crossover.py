"""Crossovers: a signal in two, three or four bands, whose sum is an all-pass."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import linkwitz_riley, svf
from djgraph.dsp.resident import one_like
from djgraph.effects import (
    Block,
    Conflict,
    Control,
    ControlModel,
    Environment,
    Port,
    SettingModel,
    State,
    TimeEffect,
    Use,
    is_silent,
)
from djgraph.effects.use import beyond_half_the_rate, out_of_order

Order = Literal[2, 4]
Cutoff = Tensor | float
"""In Hz: ``[batch, 1, samples]``, or a number."""

ALLPASS: dict[int, tuple[float, tuple[float, float, float]]] = {
    2: (0.5, (1.0, 0.0, -1.0)),
    4: (0.5**0.5, (1.0, -1.0, 1.0)),
}
"""What a Linkwitz–Riley crossover's bands add up to, by its order: q and the mix of a state-variable filter."""


def split_state(bands: int, order: int, batch: int, channels: int, like: Tensor) -> State:
    """State at rest of :func:`split` into that many bands."""
    state = {"split": like.new_zeros(batch, channels, order)}
    if bands == 3:
        state |= {
            "upper": like.new_zeros(batch, channels, order),
            "allpass": like.new_zeros(batch, channels, 2),
        }
    if bands == 4:
        state |= {
            "halves": like.new_zeros(batch, channels, 2, order),
            "allpass": like.new_zeros(batch, channels, 2, 2),
        }
    return state


def split(
    signal: Tensor, cutoffs: Sequence[Cutoff], order: int, state: State, rate: float
) -> tuple[list[Tensor], State]:
    """The signal in one band more than there are cutoffs (1, 2 or 3), from low to high, and the state behind it.

    A tree of Linkwitz–Riley crossovers. Bands that a crossover does not split pass its all-pass, so that all are in
    phase where they meet and add up to an all-pass: that of every crossover in series (S. Linkwitz 1976; the
    compensation is in D'Appolito, "Active realization of multiway all-pass crossover systems", JAES 35(4), 1987).
    """
    q, mix = ALLPASS[order]
    if len(cutoffs) == 1:
        low, high, last = linkwitz_riley(signal, cutoffs[0], state["split"], order=order, sample_rate=rate)
        return [low, high], {"split": last}
    first, *rest = cutoffs
    if len(cutoffs) == 2:
        low, upper, last = linkwitz_riley(signal, first, state["split"], order=order, sample_rate=rate)
        mid, high, upper_last = linkwitz_riley(upper, rest[0], state["upper"], order=order, sample_rate=rate)
        low, allpass = svf(low, rest[0], q, *mix, state["allpass"], sample_rate=rate)
        return [low, mid, high], {"split": last, "upper": upper_last, "allpass": allpass}
    low, high, last = linkwitz_riley(signal, rest[0], state["split"], order=order, sample_rate=rate)
    halves = torch.stack((low, high), dim=2)
    own, others = _side_by_side(signal, first, rest[1]), _side_by_side(signal, rest[1], first)
    turned, allpass = svf(halves, others, q, *mix, state["allpass"], sample_rate=rate)
    lows, highs, halves_last = linkwitz_riley(turned, own, state["halves"], order=order, sample_rate=rate)
    bands = [part[:, :, half] for half in (0, 1) for part in (lows, highs)]
    return bands, {"split": last, "halves": halves_last, "allpass": allpass}


def held_in_order(cutoffs: Sequence[Tensor]) -> list[Tensor]:
    """Cutoffs that ascend: one that has moved past its neighbour is held there.

    The one that :func:`split` splits at first stays where it is: of three the second one, else the first.
    """
    if len(cutoffs) < 3:
        return list(accumulate(cutoffs, torch.maximum))
    low, mid, high = cutoffs
    return [torch.minimum(low, mid), mid, torch.maximum(high, mid)]


def magnitudes(at: Tensor, cutoffs: Sequence[float], order: int, rate: float) -> list[Tensor]:
    """The gains of the bands of :func:`split` at frequencies ``[bins]`` in Hz, ``[bins]`` each."""
    if not cutoffs:
        return [torch.ones_like(at)]
    middle = len(cutoffs) // 2 if len(cutoffs) > 2 else 0
    # (tan(π·f)/tan(π·cutoff))^order over one and that, by sines and cosines: half the rate is no pole.
    high = (torch.sin(at * (math.pi / rate)) / math.tan(math.pi * cutoffs[middle] / rate)) ** order
    low = torch.cos(at * (math.pi / rate)) ** order
    below, above = (
        [side / (low + high) * share for share in magnitudes(at, rest, order, rate)]
        for side, rest in ((low, cutoffs[:middle]), (high, cutoffs[middle + 1 :]))
    )
    return below + above


def _side_by_side(like: Tensor, *cutoffs: Cutoff) -> Tensor:
    """``[batch, 1, cutoffs, samples]``; of numbers ``[1, 1, cutoffs, 1]``."""
    tensors = [
        one.to(like.device, like.dtype) if isinstance(one, Tensor) else one_like(one, like) for one in cutoffs
    ]
    return torch.stack([one if one.ndim else one[None, None, None] for one in tensors], dim=2)


def _control(between: str) -> Control:
    return Control(
        20, 20000, unit="Hz", scale="log", smoothing=5.0, description=f"Crossover between {between}"
    )


class Crossover(TimeEffect):
    """Base of the crossovers: one band for each output, cutoffs from the controls in their order."""

    type: ClassVar[str]  # again, so that type checkers compare subclasses with this

    class Settings(SettingModel):
        order: Order = Field(4, description="4 falls by 24 dB per octave beyond a crossover, 2 by 12")

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        names = [control.id for control in cls.controls]
        yield from out_of_order(use, names, "Hz")
        yield from beyond_half_the_rate(use, names, environment.sample_rate)

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """See :func:`split_state`."""
        return split_state(len(self.outputs), self.settings.order, batch, channels, like)

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        cutoffs = held_in_order([controls[control.id] for control in self.controls])
        bands, after = split(audio["in"], cutoffs, self.settings.order, state, block.sample_rate)
        return {port.name: band for port, band in zip(self.outputs, bands)}, after


class Crossover2(Crossover):
    """Two bands, in phase at every frequency; their sum is an all-pass."""

    type = "crossover2"
    family = "filters"
    description = "Splits into a low and a high band"
    outputs = (Port("low"), Port("high"))

    class Controls(ControlModel):
        frequency: Annotated[float, _control("low and high")] = 1000.0


class Crossover3(Crossover):
    """Three bands; their sum is the all-passes of both crossovers in series."""

    type = "crossover3"
    family = "filters"
    description = "Splits into a low, a middle and a high band"
    outputs = (Port("low"), Port("mid"), Port("high"))

    class Controls(ControlModel):
        low: Annotated[float, _control("low and mid")] = 300.0
        high: Annotated[float, _control("mid and high")] = 4000.0


class Crossover4(Crossover):
    """Four bands; their sum is the all-passes of the three crossovers in series."""

    type = "crossover4"
    family = "filters"
    description = "Splits into four bands"
    outputs = (Port("low"), Port("low_mid"), Port("high_mid"), Port("high"))

    class Controls(ControlModel):
        low: Annotated[float, _control("low and low mid")] = 150.0
        mid: Annotated[float, _control("low mid and high mid")] = 1000.0
        high: Annotated[float, _control("high mid and high")] = 6000.0
