"""How values are said: in plain units, as amplitudes, or as positions; each control's own plain values from these."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from djgraph.effects.control import Control
from djgraph.effects.roles import Measure
from djgraph.layout.units import units_of

Array = NDArray[np.float64]

SILENT = -60.0
"""A control in dB that goes down to this is taken to be silent at its minimum."""

_QUIETEST = 1e-300
"""What stands for silence in front of a logarithm."""


def fits(control: Control, measure: Measure) -> bool:
    """Whether values of a control can be said so: amplitudes need a ratio or decibels."""
    return measure != "amplitude" or control.unit in ("ratio", "dB")


def is_straight(control: Control, measure: Measure) -> bool:
    """Whether plain values follow from the others by a straight line, so that either may be interpolated."""
    if measure == "amplitude":
        return control.unit != "dB"
    return measure == "plain" or control.scale == "linear"


def plain(control: Control, measure: Measure, values: Array) -> Array:
    """Values of a control in its plain unit. Decibels of amplitudes below its range are its minimum."""
    if measure == "amplitude" and control.unit == "dB":
        decibels: Array = 20 * np.log10(np.maximum(values, _QUIETEST))
        return np.maximum(decibels, control.min)
    if measure == "position":
        inside = np.clip(values, 0, 1)
        # Positions beyond the ends go on as far, so that they are found to be out of range.
        beyond = (values - inside) * (control.max - control.min)
        units = units_of([control])
        made: Array = units.from_unit(torch.from_numpy(inside.reshape(-1, 1))).reshape(inside.shape).numpy()
        return made + beyond
    return values


def said(control: Control, measure: Measure, value: float) -> float:
    """The other way round, of one plain value in the control's range; silence is the amplitude 0."""
    if measure == "amplitude" and control.unit == "dB":
        return 0.0 if value <= control.min <= SILENT else 10 ** (value / 20)
    if measure == "position":
        units = units_of([control])
        return float(units.to_unit(torch.tensor([[value]], dtype=torch.float64, device="cpu"))[0, 0])
    return value


def can_fade(control: Control) -> bool:
    """Whether a control goes from silence to a level of 1: ratios from 0 to 1, or decibels from -60 to 0."""
    if control.unit == "dB":
        return control.min <= SILENT and control.max >= 0
    return control.min <= 0 and control.max >= 1 and control.unit == "ratio"
