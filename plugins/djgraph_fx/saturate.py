"""Saturation with antiderivative anti-aliasing, and with oversampling where that is not enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import decimate, oversample, steady
from djgraph.dsp.history import latest
from djgraph.dsp.oversampling import HALF
from djgraph.effects import Block, Control, ControlModel, SettingModel, State, TimeEffect

CLOSE = 1e-3
"""Two inputs of tanh that are closer: its mean between them is taken from its Taylor series at the middle. The error of
the series (about 1e-14) and of the quotient of differences (about 1e-13) are both far below float32."""
CLOSE_CLIPPED = 1e-6
"""The same for the clipped polynomials. Their quotients have no cancellation; this only keeps the divisor from 0."""
CUBIC_KNEE = 1.5


def mean_tanh(a: Tensor, b: Tensor) -> Tensor:
    """Mean of tanh between a and b, ``(F(b) − F(a))/(b − a)``; any shapes that broadcast, float64.

    F(v) = log cosh v = |v| + log(1 + e^(−2|v|)) − log 2. The first term is divided on its own: it grows with v, and
    its difference is exact, so that the quotient does not lose digits with loud inputs.
    """
    difference, middle = b - a, (a + b) / 2
    close = difference.abs() < CLOSE
    divisor = torch.where(close, 1.0, difference)
    bend = torch.log1p(torch.exp(-2 * b.abs())) - torch.log1p(torch.exp(-2 * a.abs()))
    apart = (b.abs() - a.abs()) / divisor + bend / divisor
    value = torch.tanh(middle)
    curvature = -2 * value * (1 - value.square())
    return torch.where(close, value + curvature * difference.square() / 24, apart)


def _mean_clipped(a: Tensor, b: Tensor, knee: float, cubic: float) -> Tensor:
    """Mean between a and b of ``w − cubic·w³``, w = v clipped to ±knee, which must be ±1 at the knees.

    The integral is that of the polynomial over the part within the knees, plus ±1 times the length of the rest.
    """
    difference, middle = b - a, ((a + b) / 2).clamp(-knee, knee)
    close = difference.abs() < CLOSE_CLIPPED
    divisor = torch.where(close, 1.0, difference)
    low, high = a.clamp(-knee, knee), b.clamp(-knee, knee)
    within = (high - low) / divisor
    beyond = ((b.abs() - a.abs()) - (high.abs() - low.abs())) / divisor
    polynomial = (low + high) / 2 * (1 - cubic * (low.square() + high.square()) / 2)
    return torch.where(close, middle - cubic * middle**3, within * polynomial + beyond)


def mean_hard(a: Tensor, b: Tensor) -> Tensor:
    """Mean between a and b of v clipped to ±1; any shapes that broadcast, float64."""
    return _mean_clipped(a, b, 1.0, 0.0)


def mean_cubic(a: Tensor, b: Tensor) -> Tensor:
    """Mean between a and b of ``w − 4/27·w³``, w = v clipped to ±1.5; any shapes that broadcast, float64."""
    return _mean_clipped(a, b, CUBIC_KNEE, 4 / 27)


def mean_fold(a: Tensor, b: Tensor) -> Tensor:
    """Mean of sin between a and b, ``(cos a − cos b)/(b − a)``; any shapes that broadcast, float64.

    As a product, sin of the middle times sin(d)/d with d half the distance, it has no cancellation.
    """
    return torch.sin((a + b) / 2) * torch.sinc((b - a) / (2 * math.pi))


MEANS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "tanh": mean_tanh,
    "cubic": mean_cubic,
    "hard": mean_hard,
    "fold": mean_fold,
}
LAG = 2 * HALF
"""Samples by which a signal is late that was oversampled and decimated."""


class Saturate(TimeEffect):
    """``out = (1 − mix)·x + mix·y``; ``y[n]`` is the mean of the curve f between ``v[n−1]`` and ``v[n]``, v = drive·x.

    First-order antiderivative anti-aliasing (Parker, Zavalishin, Le Bivic 2016; Bilbao, Esqueda, Parker, Välimäki
    2017). The wet signal is half a sample late. The quotients are computed in float64, whatever the audio is in.

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

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, mix = audio["in"], controls["mix"]
        if self.settings.oversampling == 1:
            driven = signal.double() * 10 ** (steady(controls["drive"]).double() / 20)
            wet, after = self._bend(driven, state)
            wet = wet.to(signal.dtype)
        else:
            wet, after = self._oversampled(signal * 10 ** (controls["drive"] / 20), state)
            dry, mix = (
                torch.cat((state[name], one), -1)[..., : block.length]
                for name, one in (("dry", signal), ("mix", mix))
            )
            after |= {"dry": latest(state["dry"], signal), "mix": latest(state["mix"], controls["mix"])}
            signal = dry
        return {"out": (1 - mix) * signal + mix * wet}, after

    def _bend(self, driven: Tensor, state: State) -> tuple[Tensor, State]:
        """The curve, in float64, and the state behind it."""
        before = torch.cat((state["driven"], driven[..., :-1]), -1)
        return MEANS[self.settings.kind](before, driven), {"driven": driven[..., -1:].clone()}

    def _oversampled(self, driven: Tensor, state: State) -> tuple[Tensor, State]:
        factor = self.settings.oversampling
        fast, slow_state = oversample(driven, factor, state["slow"])
        bent, after = self._bend(fast.double(), state)
        wet, fast_state = decimate(bent.to(driven.dtype), factor, state["fast"])
        return wet, after | {"slow": slow_state, "fast": fast_state}
