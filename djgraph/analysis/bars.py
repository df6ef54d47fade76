"""Which beats begin a bar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from djgraph.analysis.grid import Grid
from djgraph.analysis.onsets import FRAMES, RATE, Array, Onsets, powers

_LOW, _SNARE, _HARMONY, _BASS = 1.0, -0.7, 1.5, 0.7
"""What speaks for a beat that begins a bar: kicks, no snare, a new chord, a new bass note."""
_SIZE, _HOP = 8192, 1024
_NOTES = (24, 60, 43)
"""MIDI notes: the lowest that is heard, and those below which chords and bass lie."""


def downbeats(heard: Onsets, grid: Grid, meter: int, audio: NDArray[np.float32]) -> tuple[int, float]:
    """The number, below ``meter``, of the first beat that begins a bar, and how clear that is, 0 … 1.

    audio: mono ``[samples]`` at :data:`~djgraph.analysis.onsets.RATE`, whose chords count.
    """
    times = grid.beats_until(heard.seconds)
    count = len(times)
    if count < 2 * meter:
        return 0, 0.0
    change, bass = _changes(audio, times)
    evidence = (
        _LOW * _standard(_near(heard.strong[0], times))
        + _SNARE * _standard(_near(heard.strong[1], times))
        + _HARMONY * _standard(change)
        + _BASS * _standard(bass)
    )
    scores = np.array([evidence[phase::meter].mean() for phase in range(meter)])
    order = np.argsort(scores)[::-1]
    phase = int(order[0])
    margin = float(np.clip((scores[phase] - scores[order[1]]) / 1.5, 0, 1))
    bars = evidence[: count // meter * meter].reshape(-1, meter)
    agree = float((bars.argmax(1) == phase).mean())  # by chance: one bar of `meter`
    return phase, margin * float(np.clip((agree - 1 / meter) / (1 - 1 / meter), 0, 1))


def _standard(values: Array) -> Array:
    """Less their mean, and by their spread, but for what spreads little about a mean: that says nothing."""
    spread = float(values.std()) + 0.25 * float(np.abs(values).mean())
    return (values - values.mean()) / spread if spread > 1e-9 else np.zeros_like(values)


def _near(envelope: Array, times: Array) -> Array:
    reach = int(0.04 * FRAMES)
    at = np.clip(np.round(times * FRAMES).astype(int), reach, max(reach, len(envelope) - reach - 1))
    around = np.minimum(at[:, None] + np.arange(-reach, reach + 1), len(envelope) - 1)
    near: Array = envelope[around].max(1)
    return near


def _changes(audio: NDArray[np.float32], times: Array) -> tuple[Array, Array]:
    """How much harmony and bass differ between the beat that begins and the one that ends."""
    hertz = np.fft.rfftfreq(_SIZE, 1 / RATE)
    low, top, bass = (440 * 2 ** ((note - 69) / 12) for note in _NOTES)
    kept = np.flatnonzero((hertz >= low) & (hertz < top))
    power = np.concatenate(list(powers(audio, _SIZE, _HOP, kept)), axis=1)
    note = np.round(12 * np.log2(hertz[kept] / low)).astype(int) % 12
    bands = [
        np.array([power[(hertz[kept] < end) & (note == k)].sum(0) for k in range(12)]) for end in (top, bass)
    ]
    marks = np.clip(
        np.round(np.append(times, times[-1] + (times[-1] - times[-2])) * RATE / _HOP).astype(int), 0, None
    )
    out = []
    for chroma in bands:
        level = np.sqrt(chroma)
        level = np.maximum(level - np.median(level, axis=0), 0)  # a drum sounds in all classes alike
        sums = np.concatenate([np.zeros((12, 1)), np.cumsum(level, 1)], 1)
        ends = np.clip(marks, 0, level.shape[1])
        beat = (sums[:, ends[1:]] - sums[:, ends[:-1]]).T / np.maximum(np.diff(ends), 1)[:, None]
        out.append(np.concatenate([[0.0], np.maximum(beat[1:] - beat[:-1], 0).sum(1)]))
    return out[0], out[1]
