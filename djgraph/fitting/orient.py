"""Which way round a recording is: inverted polarity, left and right exchanged."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from djgraph.fitting import level as levels
from djgraph.fitting.align import find_delay
from djgraph.fitting.bands import Bands
from djgraph.fitting.losses import weights
from djgraph.fitting.statistics import gather

PLAIN = 1.5
"""How many times as high one polarity's peak has to be for the other not to be tried. Of tones, the peaks of both are
alike, half a period apart."""
WIDE = 1e-4
"""Least share of the difference between left and right in a recording's energy for it to tell them apart (−40 dB)."""
EXPLAINED = 0.1
"""Least share of that difference that has to be explained the other way round, and at least twice what is as it is."""
LONGEST = 1 << 20
"""Samples that polarities are told by where the delay is known: the loudest of the clip."""


Signs = tuple[int, ...]
"""1 or −1 for each channel of a target."""


def excerpt(target: Tensor, reference: Tensor, delay: int) -> tuple[Tensor, Tensor]:
    """The loudest stretch of a reference ``[samples]``, and what a target ``[channels, any]`` has there that lags it by
    so many samples; the whole of both where it is short, or the target has nothing there."""
    if len(reference) <= LONGEST:
        return target, reference
    step = LONGEST // 8
    energy = torch.nn.functional.avg_pool1d(reference.square()[None, None], LONGEST, step)[0, 0]
    begin = int(energy.argmax()) * step
    there = target[:, max(0, begin + delay) : max(0, begin + delay + LONGEST)]
    if there.shape[-1] < LONGEST // 2:
        return target, reference
    return there, reference[begin : begin + LONGEST]


def orientations(target: Tensor, reference: Tensor) -> Iterator[tuple[Signs, float, float]]:
    """Polarities that may be the target's, with its delay in samples and the correlation for each.

    target: ``[channels, samples]``; reference: ``[samples]``. As it is comes first, unless that is out of the question.
    """
    mono = target.mean(0)
    delays = {sign: find_delay(sign * mono, reference) for sign in (1, -1)}
    peaks = {sign: peak for sign, (_, peak) in delays.items()}
    for sign in (1, -1):
        if PLAIN * max(peaks[sign], 0.0) >= peaks[-sign]:
            yield (sign,) * len(target), *delays[sign]


def half_turned(target: Tensor, reference: Tensor) -> Iterator[tuple[Signs, float, float]]:
    """The same with one of two channels inverted, which a mono sum hides."""
    if len(target) == 2:
        mono = target[0] - target[1]
        for signs in ((1, -1), (-1, 1)):
            yield signs, *find_delay(signs[0] * mono, reference)


def describe(signs: Signs) -> list[str]:
    """The channels that are inverted, by name."""
    names = ("left", "right") if len(signs) == 2 else ("mono",)
    return [name for name, sign in zip(names, signs) if sign < 0]


def swapped(sources: list[Tensor], target: Tensor, valid: Tensor, bands: Bands, pool: int) -> bool:
    """Whether left and right of an aligned target ``[channels, samples]`` are exchanged against the sources.

    Then what sets the two sides apart is explained by gains of the sources with its sign turned round.
    """
    if len(target) != 2:
        return False
    side = (target[:1] - target[1:]) / 2
    if float((side * valid).square().sum()) < WIDE * float((target * valid).square().sum()) / 2:
        return False
    parts = [
        (signal[:1] - signal[1:]) / 2 if len(signal) == 2 else torch.zeros_like(signal) for signal in sources
    ]
    statistics = gather(parts, side, valid, bands, pool)
    counts = weights(statistics.energy, bands)
    turned = dataclasses.replace(statistics, cross=-statistics.cross)
    as_it_is, exchanged = (levels.explained(one, counts) for one in (statistics, turned))
    return exchanged > EXPLAINED and exchanged > 2 * as_it_is
