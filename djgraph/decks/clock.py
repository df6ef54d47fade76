"""The mix's clock as decks need it: where markers have to stand so that a straight line between them is its tempo."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from djgraph.automation import TempoMap
from djgraph.errors import InputError

NEAR = 1e-3
"""Samples of the track by which a straight line between two markers may miss a ramp."""
MARKERS = 4_000_000
"""Markers of one track."""


def ramp_beats(tempo: TempoMap, first: float, last: float, pace: float) -> NDArray[np.float64]:
    """The beats of the mix between ``first`` and ``last``, ascending, at which markers have to stand: where the tempo
    steps, and in ramps as close together as :data:`NEAR` asks for.

    pace: the most samples of the track that a beat of the mix takes. On a ramp of a tempo τ (BPM) the track's position
    p has the second derivative p″ = pace·τ′/60 samples/s², and a straight line over h seconds misses it by up to
    p″h²/8. Raises InputError for ramps that would need more than :data:`MARKERS`.
    """
    wanted = [np.empty(0)]
    total = 0
    for begins, ends, before, after in tempo.stretches(first, last):
        if before == after:
            wanted.append(np.array([begins]))
            continue
        low, high, beats = min(before, after), max(before, after), ends - begins
        # Even in beats τ′ = τ·dτ/dbeat/60, even in seconds the mean of that: the greatest of both.
        bend = pace * abs(after - before) / beats * high / 3600
        step = math.sqrt(8 * NEAR / bend) * low / 60
        total += (count := math.ceil(beats / step)) if beats / step < MARKERS else MARKERS + 1
        if total > MARKERS:
            raise InputError(
                f"a tempo that goes from {before:g} to {after:g} BPM in {beats:g} beats is too much for a track to "
                "follow; give it fewer beats, or tempos that are nearer"
            )
        wanted.append(np.linspace(begins, ends, count, endpoint=False))
    return np.concatenate(wanted)
