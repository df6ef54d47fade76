"""The kernel that material is read by: a sinc under a Kaiser window that ends at 0, as polynomials.

With Z zero crossings to either side, |x| < Z and v = 1 − (x/Z)²:

    h(x) = sinc(x)·W(v),  W(v) = (I₀(β·√v) − 1)/(I₀(β) − 1)

Kaiser's window (Kaiser 1974) less its pedestal, so that h is continuous where it ends. I₀(β·√v) is an entire function
of v, and so is Q below: both are polynomials to a rounding, and no root, Bessel function or table is needed.

    r = x less the nearest even number,  sin πx = π·r·(1 − r²)·Q(r²),  Q(t) = Π (1 − t/k²), k = 2, 3, …

The zeros of the sine are factors, so that h is 0 at whole numbers exactly, and 1 at 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

CROSSINGS = 16
"""Zero crossings to either side, where nobody says otherwise."""
MOST_CROSSINGS = 64
WIDEST = 16.0
"""How far the kernel is stretched at most."""
BETA = 9.0
"""Of the window: with 16 crossings what lies beyond 1.18 times half the sample rate is 87 dB down."""


def _sine_series(terms: int) -> tuple[float, ...]:
    """Q's coefficients, the lowest power first.

    Those of sin πx/(πx) over 1 − t are their partial sums. All of them sum to 0, so a partial sum is what comes behind,
    with its sign turned, which loses no digits.
    """
    taylor = [(-1) ** k * math.pi ** (2 * k) / math.factorial(2 * k + 1) for k in range(terms + 12)]
    return (1.0, *(-math.fsum(taylor[k + 1 :]) for k in range(1, terms)))


def _window_series(terms: int) -> tuple[float, ...]:
    """The coefficients of W(v)/v, the lowest power first."""
    bessel = [(BETA / 2) ** (2 * k) / math.factorial(k) ** 2 for k in range(1, terms + 12)]
    whole = math.fsum(bessel)
    return exactly_one([one / whole for one in bessel[:terms]])


def exactly_one(coefficients: Sequence[float]) -> tuple[float, ...]:
    """The first one changed by roundings, so that Horner's scheme gives 1 at 1: a sample's own weight is 1."""
    behind = 0.0
    for one in reversed(coefficients[1:]):
        behind += one
    return (1.0 - behind, *coefficients[1:])


SINE = _sine_series(14)
"""Q in float64."""
WINDOW = _window_series(26)
"""W(v)/v in float64."""
