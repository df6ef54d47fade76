"""A delay line read between its samples, by SciPy: what tests of delays share."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicHermiteSpline


def read(line: np.ndarray, at: float, edge: int) -> float:
    """A signal at a place between its samples, by SciPy: cubics with centred slopes, a parabola behind ``edge``."""
    whole = int(np.floor(at))
    if at > edge - 1:
        return np.polyval(np.polyfit([edge - 2, edge - 1, edge], line[edge - 2 : edge + 1], 2), at)
    slopes = [(line[k + 1] - line[k - 1]) / 2 for k in (whole, whole + 1)]
    return CubicHermiteSpline([whole, whole + 1], line[whole : whole + 2], slopes)(at)
