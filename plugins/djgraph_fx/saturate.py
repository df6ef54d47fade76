"""Saturation with antiderivative anti-aliasing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

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


MEANS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "tanh": mean_tanh,
    "cubic": mean_cubic,
    "hard": mean_hard,
}


class Saturate(TimeEffect):
    """``out = (1 − mix)·x + mix·y``; ``y[n]`` is the mean of the curve f between ``v[n−1]`` and ``v[n]``, v = drive·x.

    First-order antiderivative anti-aliasing (Parker, Zavalishin, Le Bivic 2016; Bilbao, Esqueda, Parker, Välimäki
    2017). The wet signal is half a sample late. The quotients are computed in float64, whatever the audio is in.
    """

    type = "saturate"
    description = "Saturation, anti-aliased"

    class Settings(SettingModel):
        kind: Literal["tanh", "cubic", "hard"] = Field(
            "tanh", description="The curve: tanh, a cubic soft clipper, or a hard clipper"
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

    def tail(self) -> int:
        """One sample: the mean between the last input and silence."""
        return 1

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``driven``: v at the sample before, ``[batch, channels, 1]``, float64."""
        return {"driven": like.new_zeros(batch, channels, 1, dtype=torch.float64)}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, mix = audio["in"], controls["mix"]
        driven = signal.double() * 10 ** (controls["drive"].double() / 20)
        before = torch.cat((state["driven"], driven[..., :-1]), -1)
        wet = MEANS[self.settings.kind](before, driven).to(signal.dtype)
        return {"out": (1 - mix) * signal + mix * wet}, {"driven": driven[..., -1:].clone()}
