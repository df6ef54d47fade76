"""In which key: which of the 24 profiles of Krumhansl and Kessler (1982) the sounding pitch classes are most like, in
the whole track and where its chords begin anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from djgraph.analysis.onsets import RATE
from djgraph.losses.keys import MAJOR, MINOR, NOTES

OPENS = 0.5
"""What the first bars of cycles count beside the whole."""
_HOP = 2048


@dataclass(frozen=True)
class Key:
    """tonic: 0 (C) … 11. minor: or major. confidence: 0 … 1, how far it is ahead of the next."""

    tonic: int
    minor: bool
    confidence: float

    @property
    def name(self) -> str:
        """Such as ``A minor``."""
        return f"{NOTES[self.tonic]} {'minor' if self.minor else 'major'}"

    @property
    def camelot(self) -> str:
        """Its place on DJs' wheel: ``8A`` for A minor, ``8B`` for C major; a fifth up is the next number."""
        major = (self.tonic + 3) % 12 if self.minor else self.tonic
        return f"{(major * 7 + 7) % 12 + 1}{'A' if self.minor else 'B'}"


def distance(one: str, other: str) -> int:
    """Steps between two places on the wheel, ``8A`` and such: 0 for the same, 1 for a neighbour or the relative key."""
    a, b = int(one[:-1]), int(other[:-1])
    around = abs(a - b) % 12
    return min(around, 12 - around) + (one[-1] != other[-1])


def transposed(place: str, semitones: int) -> str:
    """A place on the wheel so many semitones higher: each is seven fifths up. ``8A`` one higher is ``3A``."""
    return f"{(int(place[:-1]) + 7 * semitones - 1) % 12 + 1}{place[-1]}"


def key_of(audio: NDArray[np.float32], opens: NDArray[np.float64] | None = None) -> Key | None:
    """Of mono audio ``[samples]`` at :data:`~djgraph.analysis.onsets.RATE`, best without drums; None for silence.

    opens: ``[bars, 2]``, the seconds at which the first bars of cycles of chords begin and end, where they are known.
    Relative keys have the same notes; a cycle of chords mostly begins with that of its key, so these bars count as much
    again by :data:`OPENS`.
    """
    import librosa

    if len(audio) < RATE or float(np.abs(audio).max()) < 1e-5:
        return None
    audio = np.pad(audio, (0, max(0, 4 * RATE - len(audio))))  # low notes have long filters
    # Tuned to 440 Hz, by three bins for each semitone: librosa's estimate of a tuning runs Numba's cached ufuncs, which
    # crashed where two processes had compiled them at one time (Numba 0.68).
    chroma = librosa.feature.chroma_cqt(
        y=audio, sr=RATE, hop_length=_HOP, n_octaves=6, fmin=librosa.note_to_hz("C1"), tuning=0.0
    )
    chroma = np.asarray(chroma, np.float64)
    fits = _fits(chroma.mean(1))
    if fits is None:
        return None
    if opens is not None and len(opens):
        time = np.arange(chroma.shape[1]) * (_HOP / RATE)
        inside = ((time >= opens[:, :1]) & (time < opens[:, 1:])).any(0)
        first = _fits(chroma[:, inside].mean(1)) if inside.any() else None
        fits = fits if first is None else (fits + OPENS * first) / (1 + OPENS)
    order = np.argsort(fits)[::-1]
    best = int(order[0])
    margin = float(fits[order[0]] - fits[order[1]])
    return Key(best % 12, best >= 12, float(np.clip(margin / 0.2, 0, 1)))


def _fits(present: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """How well each key's profile fits pitch classes ``[12]``: correlations ``[24]``, major ones first; None where all
    are alike."""
    if present.std() < 1e-6:
        return None
    profiles = np.array([np.roll(profile, k) for profile in (MAJOR, MINOR) for k in range(12)])
    return np.array([np.corrcoef(present, profile)[0, 1] for profile in profiles])
