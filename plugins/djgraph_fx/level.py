"""What effects of dynamics share: times, knees, the loudest channel."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from djgraph.dsp.resident import numbers_like
from djgraph.effects import Control
from djgraph.speakers import loudness_weights


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
"""Of a level that is bent by :func:`djgraph.dsp.bend`."""


def loudness_power(weighted: Tensor) -> Tensor:
    """Of a K-weighted signal, ``[batch, 1, samples]``: channels added, surrounds 1.5 dB louder and the LFE not at all
    (ITU-R BS.1770-5). Channels that are no layout count alike."""
    weights = loudness_weights(weighted.shape[1])
    if weights is None or set(weights) == {1.0}:
        return weighted.square().sum(1, keepdim=True)
    return (weighted.square() * numbers_like(weights, weighted)[:, None]).sum(1, keepdim=True)


def loudest(audio: Tensor) -> Tensor:
    """The magnitude of the loudest channel, ``[batch, 1, samples]``."""
    return audio.abs().amax(1, keepdim=True)


def linked(audio: Tensor) -> Tensor:
    """What linked channels are measured by, ``[batch, 1, samples]``: for kernels that take the magnitude themselves."""
    return audio if audio.shape[1] == 1 else loudest(audio)


def ramp(over: Tensor, knee: Tensor) -> Tensor:
    """From 0 where ``over`` is 0 to 1 where it is ``knee``, without a corner: u²·(3 − 2u)."""
    u = (over / knee).clamp(0, 1)
    return u.square() * (3 - 2 * u)
