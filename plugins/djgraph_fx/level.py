"""How loud a signal is, in decibels: what effects of dynamics listen to."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from djgraph.dsp import safe_log10
from djgraph.dsp.loudness import SURROUND
from djgraph.effects import Control

QUIETEST = 1e-6
"""An amplitude (−120 dB) below which nothing is measured: the logarithm of 0 has no value and no slope."""

HARD = 1e-3
"""Added to a knee in dB: with a knee of exactly 0 a curve would have a corner without a slope."""


def time_constant(low: float, high: float, neutral: float, what: str) -> Control:
    """An attack or a release in ms."""
    return Control(
        low,
        high,
        neutral=neutral,
        unit="ms",
        scale="log",
        description=f"Time constant in which {what}: 63 % of the way in dB",
    )


Knee = Annotated[
    float,
    Control(
        0,
        24,
        neutral=6,
        unit="dB",
        smoothing=5.0,
        description="Width of the bend around the threshold; 0 is a corner",
    ),
]
"""Of a level that is bent by :func:`bend`."""


def decibels(power: Tensor) -> Tensor:
    """A power in dB of full scale, at least −120."""
    return 10 * safe_log10(power, QUIETEST**2)


def loudness_power(weighted: Tensor) -> Tensor:
    """Of a K-weighted signal, ``[batch, 1, samples]``: channels added, surrounds 1.5 dB louder (ITU-R BS.1770-5)."""
    power = weighted[:, :3].square().sum(1, keepdim=True)
    return power + SURROUND * weighted[:, 3:].square().sum(1, keepdim=True)


def loudest(audio: Tensor) -> Tensor:
    """The magnitude of the loudest channel, ``[batch, 1, samples]``."""
    return audio.abs().amax(1, keepdim=True)


def bend(over: Tensor, knee: Tensor) -> Tensor:
    """``over`` above 0, 0 below, and a parabola within a knee as many dB wide (Giannoulis et al. 2012, eq. 4)."""
    knee = knee + HARD
    inside = torch.minimum((over + knee / 2).clamp(min=0), knee)
    return inside.square() / (2 * knee) + (over - knee / 2).clamp(min=0)


def ramp(over: Tensor, knee: Tensor) -> Tensor:
    """From 0 where ``over`` is 0 to 1 where it is ``knee``, without a corner: u²·(3 − 2u)."""
    u = (over / knee).clamp(0, 1)
    return u.square() * (3 - 2 * u)
