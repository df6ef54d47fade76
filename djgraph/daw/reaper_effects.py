"""Equalisers and filters of an arrangement as effects that come with REAPER, with an envelope for what moves."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np

from djgraph.daw.arrangement import Band, Channel, Device
from djgraph.daw.lanes import Lane

SLIDERS = 64
"""How many values of a JS effect a project lists."""
LOUDEST = 24.0
"""dB up and down that the sliders of the three-band equaliser have."""
HIGHEST = 22000.0
"""Hz at which the sliders of frequencies end."""
NEAR = 0.05
"""dB by which a gain that is cut to the sliders' range may differ from that."""

Points = Callable[[Lane, str], Iterator[str]]


def effects(channel: Channel, points: Points, guid: Callable[[], str], margin: str) -> Iterator[str]:
    """The lines of a channel's effects, without the block around them.

    points: the lines of a lane's points. guid: a new id. margin: in front of each line.
    """
    for device in channel.devices:
        made = sliders(device)
        if made is None:
            continue
        name, found = made
        values = [f"{_first(slider):.6f}" for slider in found]
        yield f"{margin}BYPASS 0 0 0"
        yield f'{margin}<JS {name} "{device.name}"' if '"' not in device.name else f'{margin}<JS {name} ""'
        yield f"{margin}  {' '.join(values + ['-'] * (SLIDERS - len(values)))}"
        yield f"{margin}>"
        yield f"{margin}FLOATPOS 0 0 0 0"
        yield f"{margin}FXID {guid()}"
        for number, slider in enumerate(found):
            if isinstance(slider, Lane) and slider.moves:
                yield f"{margin}<PARMENV {number} {slider.low:g} {slider.high:g} {slider.first:g}"
                yield f"{margin}  EGUID {guid()}"
                yield f"{margin}  ACT 1 -1"
                yield f"{margin}  VIS 1 1 1"
                yield f"{margin}  ARM 0"
                yield f"{margin}  DEFSHAPE 0 -1 -1"
                yield from points(slider, f"{margin}  ")
                yield f"{margin}>"


def _first(slider: Lane | float) -> float:
    return slider.first if isinstance(slider, Lane) else slider


def sliders(device: Device) -> tuple[str, list[Lane | float]] | None:
    """A JS effect of REAPER's, and its sliders; None where it has none such."""
    bands = {band.kind: band for band in device.bands}
    if set(bands) == {"lowShelf", "bell", "highShelf"}:
        low, bell, high = bands["lowShelf"], bands["bell"], bands["highShelf"]
        return "loser/3BandEQ", [
            _gain(low), low.frequency, _gain(bell), high.frequency, _gain(high), 0.0,
        ]  # fmt: skip
    if bands and set(bands) <= {"lowPass", "highPass"}:
        below = _ended(bands["highPass"], open_at="low") if "highPass" in bands else 0.0
        above = _ended(bands["lowPass"], open_at="high") if "lowPass" in bands else HIGHEST
        return "sstillwell/hpflpf", [below, above, 0.0]
    return None


def _gain(band: Band) -> Lane | float:
    if band.gain is None:
        return 0.0
    if band.gain.low >= -LOUDEST and band.gain.high <= LOUDEST:
        return band.gain
    return band.gain.said_as("dB", -LOUDEST, LOUDEST, lambda x: np.clip(x, -LOUDEST, LOUDEST), NEAR)


def _ended(band: Band, open_at: str) -> Lane | float:
    """The frequency of a filter; one that stays wide open is off."""
    lane = band.frequency
    end, off = (lane.low, 0.0) if open_at == "low" else (lane.high, HIGHEST)
    if not lane.moves and math.isclose(lane.first, end):
        return off
    points = tuple(dataclasses.replace(point, value=min(point.value, HIGHEST)) for point in lane.points)
    return Lane(lane.name, "Hz", 0.0, HIGHEST, points)
