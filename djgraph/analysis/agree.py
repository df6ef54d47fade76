"""Whether a grid that somebody gave is that of the audio: its beats lie where sounds begin, or those of another do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from djgraph.analysis.beats import track
from djgraph.analysis.find import MIXTURE
from djgraph.analysis.grid import Grid
from djgraph.analysis.onsets import FRAMES, RATE, Array, onsets
from djgraph.analysis.tempo import pulse
from djgraph.audio import read_excerpt, read_header

SECONDS = 60.0
"""Of the audio that are listened to, from its middle."""
CLEAR = 0.5
"""How much of the onsets has to lie on other beats for a grid to be doubted; by chance 0 do."""
AWAY = 0.15
"""How much of them a grid that is doubted has at most."""


def contradiction(grid: Grid, parts: Mapping[str, Path]) -> str | None:
    """Why a grid cannot be that of some audio, in words; None where it may be, and where no beat is clear enough to
    tell.

    parts: files by stem; drums alone where there are some. Raises AudioFileError as reading does.
    """
    files = (
        [parts["drums"]]
        if "drums" in parts
        else [parts[MIXTURE]]
        if MIXTURE in parts
        else list(parts.values())
    )
    seconds = max(header.samples / header.sample_rate for header in map(read_header, files))
    begin = max(0, round((seconds - SECONDS) / 2 * RATE))
    count = min(round(seconds * RATE), round(SECONDS * RATE))
    audio = sum(read_excerpt(file, begin, count, RATE, 1)[0].numpy() for file in files)
    heard = onsets(np.asarray(audio, np.float32))
    beat = pulse(heard.bands)
    if beat is None:
        return None
    found, _ = track(heard, beat.tempo)
    envelope = heard.strong[:2].sum(0)
    at = np.arange(len(envelope)) / FRAMES
    own = _on(envelope, np.asarray(found.beat_at(at)))
    given = _on(envelope, np.asarray(grid.beat_at(at + begin / RATE)))
    # Where the found beats are counted twice or half as fast, a right grid has as many of them or more.
    if own < CLEAR or given > AWAY:
        return None
    return (
        f"its beats, at {grid.tempo:.1f} BPM, are not where its sounds begin, as those at {found.tempo:.1f} BPM are "
        f"({max(given, 0) * 100:.0f} and {own * 100:.0f} % beyond chance)"
    )


def _on(envelope: Array, beats: Array) -> float:
    """How much of an envelope lies within an eighth of a beat of one: 1 if all does, 0 by chance."""
    near = np.abs(beats - np.round(beats)) < 1 / 8
    total = float(envelope.sum())
    return float((envelope[near].sum() / total - near.mean()) / (1 - near.mean())) if total > 0 else 0.0
