"""How a value goes from one breakpoint to the next."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BEND = 40.0
"""The bend of ``exponential`` where none is given, in dB: that of the crossfades of SimpleCrossfader."""
MAX_BEND = 200.0
"""Largest bend, in dB."""

SHAPES: dict[str, Callable[[Array], Array]] = {
    "hold": np.zeros_like,
    "linear": lambda u: u,
    "smooth": lambda u: u * u * (3 - 2 * u),
    "exponential": lambda u: u,
    "sine": lambda u: np.sin(u * (math.pi / 2)),
    "cosine": lambda u: 1 - np.cos(u * (math.pi / 2)),
}
"""Share of the time (0…1) → share of the way (0…1), before any bend."""


def is_straight(shape: str, bend: float | None) -> bool:
    """Whether the way is a straight line, or none: its ends say all about it."""
    return shape == "hold" or (shape == "linear" and not bend)


def progress(shape: str, u: Array, bend: float | None = None) -> Array:
    """How far a value has got on its way, 0…1, at shares ``u`` (0…1) of a segment's time.

    bend, in dB: hurries at first and arrives slowly, as e^(−k·u) with k = ln(10)·bend/20 falls; the other way
    round where negative. 0, and for ``exponential`` 40 dB, where it is None. The bend acts on the time, so that
    sine and cosine of one bend keep the sum of their squares. Exactly 0 at 0 and 1 at 1, and monotone.
    """
    if bend is None:
        bend = BEND if shape == "exponential" else 0.0
    k = math.log(10) * bend / 20
    warped = np.expm1(-k * u) / math.expm1(-k) if k else u
    return SHAPES[shape](warped)
