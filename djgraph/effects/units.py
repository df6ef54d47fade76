"""Values in another unit than a control's: seconds for milliseconds, kHz for Hz, a factor for dB, percents."""

from __future__ import annotations

import math
from collections.abc import Iterator

from djgraph.effects.control import Control
from djgraph.effects.grid import off_grid

FAR = 10.0
"""By how much a value has to lie above a range to be taken for one in a smaller unit: less is only too much."""


def did_you_mean_value(control: Control, value: float) -> str | None:
    """``did you mean 375? it is in ms``, where a value out of a control's range would lie in it in another unit."""
    if control.min <= value <= control.max:
        return None
    for number, why in _meant(control, value):
        meant = float(f"{number:.4g}")
        if control.min <= meant <= control.max and not off_grid(control, meant):
            return f"did you mean {meant:g}? {why}"
    return None


def _meant(control: Control, value: float) -> Iterator[tuple[float, str]]:
    """The value in the control's unit, if it is in another one, and what to say of the unit."""
    unit = control.unit
    is_far = abs(value) >= FAR * max(abs(control.min), abs(control.max))
    if unit == "dB":
        if value > 0:
            yield 20 * math.log10(value), "it is in dB, not a factor"
    elif unit == "ratio":
        if -200 <= value < 0 <= control.min:
            yield 10 ** (value / 20), "it is a factor, not in dB"
        if is_far:
            yield value / 100, "it is a share, not in percent"
    elif unit in ("ms", "Hz") and value:
        yield value * 1000, f"it is in {unit}"
    elif unit == "s" and is_far:
        yield value / 1000, f"it is in {unit}"
