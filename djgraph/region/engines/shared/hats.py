"""Faders as sums of hat functions: which of these each frame of samples hears, and what they count for whom."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.region.clip import Clip
from djgraph.region.schedule import Prologue, RegionSchedule

MOST = 5
"""Hats that a frame of samples may have: with control frames denser than that a transform costs no more."""


@dataclass(frozen=True)
class Hats:
    """Which control frames a frame of samples hears: those from ``first`` ``[frames]`` on, ``count`` of them. faders:
    of each strip the row of its fader, −1 without one; steady: whether it is read once a clip."""

    first: NDArray
    count: int
    faders: tuple[int, ...]
    steady: tuple[bool, ...]


def hats_of(clip: Clip) -> Hats | None:
    """None where the strips' faders are no sums of few hats: amplitudes that are not their control, two one behind the
    other, values that are held, or control frames that lie too densely."""
    schedule = clip.schedule
    if clip.section is not None or clip.frames_per_tile is not None:
        return None
    faders: list[int] = []
    steady: list[bool] = []
    for prologue in schedule.prologues:
        fader = _fader(schedule, prologue)
        if fader is None:
            return None
        faders += fader[0]
        steady += [fader[1]] * prologue.strips
    first, count = _heard(clip)
    if all(row < 0 or once for row, once in zip(faders, steady)):
        count = 1
    return Hats(first, count, tuple(faders), tuple(steady)) if count <= MOST else None


def _fader(schedule: RegionSchedule, prologue: Prologue) -> tuple[list[int], bool] | None:
    """Of each strip the row of its fader, and whether it is read once a clip."""
    if not prologue.steps:
        return [-1] * prologue.strips, True
    if len(prologue.steps) != 1 or len(prologue.steps[0].controls) != 1:
        return None
    ((control, number),) = prologue.steps[0].controls
    _, index, held = schedule.curves[number]
    steady = control.rate == "clip"
    if (held.some and not steady) or not _is_control(prologue):
        return None
    return index.tolist(), steady


def _is_control(prologue: Prologue) -> bool:
    """Whether the amplitude is the control itself."""
    (step,) = prologue.steps
    ((control, _),) = step.controls
    if any(True for _ in step.module.parameters()):
        return False
    low, high = control.min, control.max
    probe = torch.linspace(low, high, 7, dtype=torch.float64, device="cpu").view(1, 1, 7)
    return torch.equal(step.call.amplitude({control.id: probe}, 1, 7).expand_as(probe), probe)


def _heard(clip: Clip) -> tuple[NDArray, int]:
    """The first control frame that each frame of samples hears, and how many it may be at most."""
    places, transform = clip.timeline.places(), clip.schedule.transform
    half = math.ceil(clip.schedule.smoothing / 2) + 1
    begin = np.arange(clip.frames) * transform.hop - transform.size // 2
    end = begin + transform.size - 1
    # What lies outside the clip is mirrored at its first or last sample, again and again where the clip is short.
    last = clip.samples - 1
    if clip.samples < transform.size:
        begin, end = np.zeros_like(begin), np.full_like(end, last)
    low = np.minimum(np.maximum(begin, 0), np.where(end > last, 2 * last - end, last))
    high = np.maximum(np.minimum(end, last), np.where(begin < 0, -begin, 0))
    # Frame j is heard from that before it to that behind it, and half a box further where corners are rounded.
    first = np.maximum(np.searchsorted(places, low - half, side="right") - 1, 0)
    behind = np.minimum(np.searchsorted(places, high + half, side="left") + 1, len(places))
    count = int((behind - first).max())
    return np.minimum(first, len(places) - count), count


def filled(values: Tensor, fill: int) -> Tensor:
    """``[…, candidates]`` with the last one repeated on so many lanes behind it."""
    return torch.cat((values, values[..., -1:].expand(*values.shape[:-1], fill)), -1) if fill else values


def faders_of(hats: Hats, bank_rows: Tensor, fill: int) -> Tensor:
    """``[strips, control frames, candidates]``; ones for strips without a fader."""
    one = torch.ones_like(bank_rows[:1])
    index = torch.tensor([row if row >= 0 else len(bank_rows) for row in hats.faders], device="cpu")
    return filled(torch.cat((bank_rows.detach(), one))[index].mT, fill)


def weights_of(hats: Hats, faders: Tensor, first: int, last: int) -> Tensor:
    """What each hat of a strip counts for the candidates, ``[frames, strips, hats, candidates]``."""
    places = torch.from_numpy(hats.first[first:last, None] + np.arange(hats.count))
    read = faders[:, places]  # [strips, frames, hats, candidates]
    for strip, steady in enumerate(hats.steady):
        if steady:
            read[strip] = faders[strip, 0]
    return read.transpose(0, 1)
