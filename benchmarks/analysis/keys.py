"""``python -m benchmarks.analysis --keys 2``: keys of tracks that are synthesised in known ones.

A bar holds a chord, a bass on its root, a melody of its notes and those of the key, and drums.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from benchmarks.analysis.patterns import RATE, Array, drum_sounds, note
from djgraph.analysis.bars import downbeats
from djgraph.analysis.beats import track
from djgraph.analysis.key import Key, key_of
from djgraph.analysis.onsets import RATE as LISTENED
from djgraph.analysis.onsets import onsets
from djgraph.analysis.phrases import cycles
from djgraph.analysis.tempo import pulse

TEMPO, BARS = 124.0, 16
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)


@dataclass(frozen=True)
class Cycle:
    """Chords of four bars: steps above the tonic; those in ``minor_chords`` are minor."""

    name: str
    minor: bool
    roots: tuple[int, int, int, int]
    minor_chords: tuple[int, ...] = ()


CYCLES = (
    Cycle("I V vi IV", False, (0, 7, 9, 5), (9,)),
    Cycle("I vi IV V", False, (0, 9, 5, 7), (9,)),
    Cycle("ii V I I", False, (2, 7, 0, 0), (2,)),
    Cycle("I IV I IV", False, (0, 5, 0, 5)),
    Cycle("I bVII IV I", False, (0, 10, 5, 0)),
    Cycle("I I I I", False, (0, 0, 0, 0)),
    Cycle("i VI III VII", True, (0, 8, 3, 10), (0,)),
    Cycle("i iv v i", True, (0, 5, 7, 0), (0, 5, 7)),
    Cycle("i VII VI VII", True, (0, 10, 8, 10), (0,)),
    Cycle("i iv V i", True, (0, 5, 7, 0), (0, 5)),
    Cycle("i VI i VI", True, (0, 8, 0, 8), (0,)),
    Cycle("i i i i", True, (0, 0, 0, 0), (0,)),
    Cycle("i III VII iv", True, (0, 3, 10, 5), (0, 5)),
)
"""What is usual, and what tells relative keys and fifths apart badly."""


def synthesise(cycle: Cycle, tonic: int) -> Array:
    """``[samples]`` at 44.1 kHz. tonic: 0 (C) … 11."""
    random = np.random.default_rng([tonic, *cycle.roots])
    beat, sounds = 60 / TEMPO, drum_sounds(random)
    audio = np.zeros(round((BARS * 4 * beat + 1) * RATE))

    def put(sound: Array, at: float, gain: float) -> None:
        first = round((0.1 + at * beat) * RATE)
        piece = sound[: len(audio) - first]
        audio[first : first + len(piece)] += gain * piece

    scale = MINOR if cycle.minor else MAJOR
    for bar in range(BARS):
        step = cycle.roots[bar % 4]
        chord = (0, 3 if step in cycle.minor_chords else 4, 7)
        root = (tonic + step) % 12
        for first in (0, 2):
            for third in chord:
                put(note(48 + (root + third) % 12, 0.9), bar * 4 + first, 0.12)
        for eighth in range(8):
            put(note(36 + root - (12 if root > 5 else 0), 0.2), bar * 4 + eighth / 2, 0.3)
            if random.random() < 0.6:
                own = step + int(random.choice(chord)) if random.random() < 0.6 else int(random.choice(scale))
                put(note(60 + (tonic + own) % 12, 0.25), bar * 4 + eighth / 2, 0.12)
        for quarter in range(4):
            put(sounds["kick"], bar * 4 + quarter, 0.6)
            put(sounds["hat"], bar * 4 + quarter + 0.5, 0.15)
    return np.asarray(0.7 * audio / np.abs(audio).max())


def judge(found: Key | None, cycle: Cycle, tonic: int) -> str:
    """``right``, ``relative``, ``fifth``, ``parallel`` (major for minor) or ``other``."""
    if found is None:
        return "other"
    apart = (found.tonic - tonic) % 12
    if apart == 0:
        return "right" if found.minor == cycle.minor else "parallel"
    if found.minor == cycle.minor:
        return "fifth" if apart in (5, 7) else "other"
    return "relative" if apart == (3 if cycle.minor else 9) else "other"


def run(tonics: int) -> tuple[Counter[str], Counter[str]]:
    """How often each judgement is met: with beats, and without; prints a line for each cycle."""
    import librosa

    with_beats: Counter[str] = Counter()
    without: Counter[str] = Counter()
    for number, cycle in enumerate(CYCLES):
        said = []
        for turn in range(tonics):
            tonic = (5 * number + 7 * turn) % 12
            audio = librosa.resample(
                synthesise(cycle, tonic), orig_sr=RATE, target_sr=LISTENED, res_type="soxr_hq"
            ).astype(np.float32)
            heard = onsets(audio)
            beat = pulse(heard.bands)
            assert beat is not None
            grid, _ = track(heard, beat.tempo)
            first, _ = downbeats(heard, grid, beat.meter, audio)
            bars = grid.at(np.arange(first, grid.beat_at(heard.seconds), beat.meter))
            said.append(judge(key_of(audio, cycles(bars, [])), cycle, tonic))
            with_beats[said[-1]] += 1
            without[judge(key_of(audio), cycle, tonic)] += 1
        print(f"{cycle.name:16} {', '.join(said)}", flush=True)
    return with_beats, without
