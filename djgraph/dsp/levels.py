"""Levels in decibels, and what is above a threshold: the static part of dynamics."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from djgraph.dsp.safe import safe_log10

QUIETEST = 1e-6
"""An amplitude (−120 dB) below which nothing is measured: the logarithm of 0 has no value and no slope."""

HARD = 1e-3
"""Added to a knee in dB: with a knee of exactly 0 a curve would have a corner without a slope."""


def decibels(power: Tensor) -> Tensor:
    """A power in dB of full scale, at least −120."""
    return 10 * safe_log10(power, QUIETEST**2)


def amplitude(level: Tensor) -> Tensor:
    """A level in dB as a factor, 10^(level/20); 0 dB is exactly 1. A power of PyTorch's takes three times as long."""
    return torch.exp(level * (math.log(10) / 20))


def bend(over: Tensor, knee: Tensor) -> Tensor:
    """``over`` above 0, 0 below, and a parabola within a knee as many dB wide (Giannoulis et al. 2012, eq. 4)."""
    knee = knee + HARD
    inside = (over + knee / 2).clamp(min=0).minimum(knee)
    return inside.square() / (2 * knee) + (over - knee / 2).clamp(min=0)
