"""Short tracks in many styles, synthesised with known beats, downbeats and tempo.

Sounds are seeded noise and decaying sines: nothing of any recording. A pattern's times are in beats of its bar.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
RATE = 44100


@dataclass(frozen=True)
class Style:
    """A pattern of one bar, repeated.

    bpm: at the beginning; ``bpm_end``: at the end, where the tempo drifts (linearly in time). meter: beats in a bar.
    kick, snare, hat: beats within the bar. bass: beats of short low notes. chords: beats at which a chord sounds
    (which chord changes with every bar). swing: delay of every second eighth, in beats; swing16 of every second
    sixteenth. jitter: seconds of a player's own imprecision. quiet: bars at the beginning without drums.
    """

    name: str
    bpm: float
    kick: tuple[float, ...] = ()
    snare: tuple[float, ...] = ()
    hat: tuple[float, ...] = ()
    bass: tuple[float, ...] = ()
    chords: tuple[float, ...] = ()
    meter: int = 4
    bpm_end: float | None = None
    swing: float = 0.0
    swing16: float = 0.0
    jitter: float = 0.0
    quiet: int = 0


_FOUR = (0.0, 1.0, 2.0, 3.0)
_EIGHTHS = tuple(i / 2 for i in range(8))
_SIXTEENTHS = tuple(i / 4 for i in range(16))
_OFF = (0.5, 1.5, 2.5, 3.5)

STYLES = (
    Style("kick only", 125, kick=_FOUR),
    Style("house", 124, kick=_FOUR, snare=(1, 3), hat=_OFF, bass=_OFF, chords=(0,)),
    Style("techno", 133, kick=_FOUR, hat=_SIXTEENTHS, bass=(0.5, 0.75, 1.5, 1.75, 2.5, 2.75, 3.5, 3.75)),
    Style("disco", 116, kick=_FOUR, snare=(1, 3), hat=_SIXTEENTHS, bass=_EIGHTHS, chords=(0, 1.5, 2.5)),
    Style("trance", 138, kick=_FOUR, snare=(1, 3), hat=_OFF, bass=_OFF, chords=_SIXTEENTHS, quiet=8),
    Style("hard techno", 150, kick=_FOUR, hat=_OFF, bass=(0.25, 0.5, 0.75, 1.25, 1.5, 1.75)),
    Style(
        "tech house, swung", 126, kick=_FOUR, snare=(1, 3), hat=_SIXTEENTHS, bass=(0, 0.75, 2.5), swing16=0.06
    ),
    Style("off-beat hats alone", 122, hat=_OFF, bass=(0, 2), chords=(0,)),
    Style("hip hop", 92, kick=(0, 1.75, 2.5), snare=(1, 3), hat=_EIGHTHS, bass=(0, 1.75, 2.5), chords=(0,)),
    Style("boom bap, swung", 88, kick=(0, 0.75, 2.5), snare=(1, 3), hat=_EIGHTHS, bass=(0, 2.5), swing=0.12),
    Style(
        "trap", 70, kick=(0, 1.25, 2.75), snare=(1, 3), hat=tuple(i / 4 for i in range(16)), bass=(0, 1.25)
    ),
    Style(
        "half-time dubstep", 140, kick=(0, 0.5, 3.5), snare=(2,), hat=_EIGHTHS, bass=(0, 1, 2, 3), chords=(0,)
    ),
    Style("breakbeat", 130, kick=(0, 2.5), snare=(1, 3), hat=_EIGHTHS, bass=(0, 0.75, 2.5), chords=(0,)),
    Style("drum and bass", 174, kick=(0, 2.5), snare=(1, 3), hat=_EIGHTHS, bass=(0, 1.5, 2.5), chords=(0,)),
    Style("jungle", 166, kick=(0, 0.5, 2.5), snare=(1, 1.75, 2.25, 3), hat=_EIGHTHS, bass=(0, 2)),
    Style("two-step", 132, kick=(0, 2.75), snare=(1, 3), hat=_SIXTEENTHS, bass=(0, 1.5, 2.75), swing16=0.08),
    Style("one drop", 76, kick=(2,), snare=(2,), hat=_EIGHTHS, bass=(0, 0.75, 2, 3), chords=(1, 3)),
    Style("reggaeton", 95, kick=_FOUR, snare=(0.75, 1.5, 2.75, 3.5), hat=_EIGHTHS, bass=(0, 2), chords=(0,)),
    Style(
        "afrobeat", 104, kick=(0, 1.5, 2, 3.5), snare=(1, 2.25, 3), hat=_SIXTEENTHS, bass=(0, 0.5, 1.5, 2.75)
    ),
    Style(
        "funk", 100, kick=(0, 0.75, 2.5), snare=(1, 2.25, 3), hat=_SIXTEENTHS, bass=(0, 0.75, 1.5, 2.5, 3.25)
    ),
    Style(
        "rock", 128, kick=(0, 2, 2.5), snare=(1, 3), hat=_EIGHTHS, bass=_EIGHTHS, chords=(0, 2), jitter=0.006
    ),
    Style(
        "rock that hurries",
        112,
        bpm_end=118,
        kick=(0, 2),
        snare=(1, 3),
        hat=_EIGHTHS,
        bass=_EIGHTHS,
        jitter=0.006,
    ),
    Style(
        "disco that slows", 122, bpm_end=117, kick=_FOUR, snare=(1, 3), hat=_OFF, bass=_EIGHTHS, chords=(0,)
    ),
    Style("waltz", 150, meter=3, kick=(0,), snare=(1, 2), hat=(0, 1, 2), bass=(0,), chords=(1, 2)),
    Style(
        "three in a bar, slow",
        96,
        meter=3,
        kick=(0,),
        snare=(2,),
        hat=(0, 0.5, 1, 1.5, 2, 2.5),
        bass=(0, 1.5),
        chords=(0,),
    ),
    Style("jazz ride", 140, hat=(0, 1, 1.67, 2, 3, 3.67), bass=_FOUR, chords=(0, 2.67), jitter=0.008),
    Style("ballad without drums", 68, bass=(0, 2), chords=_FOUR),
    Style("pads without drums", 84, chords=(0,), bass=(0, 2)),
    Style("piano eighths without drums", 118, chords=_EIGHTHS, bass=(0,)),
    Style(
        "slow house",
        108,
        kick=_FOUR,
        snare=(1, 3),
        hat=_OFF,
        bass=(0.5, 1.5, 2.25, 3.5),
        chords=(0.5, 2.5),
        quiet=4,
    ),
)
"""Thirty styles; tempos from 68 to 174."""


@dataclass(frozen=True)
class Sample:
    """audio: ``[samples]`` at :data:`RATE`. beats, downbeats: seconds."""

    style: Style
    audio: Array
    beats: Array
    downbeats: Array

    @property
    def tempo(self) -> float:
        """The median tempo in BPM."""
        return float(60 / np.median(np.diff(self.beats)))


def synthesise(style: Style, seconds: float = 45.0, lead: float | None = None, stems: bool = False) -> Sample:
    """A track of that style; the same one every time. lead: seconds before the first beat; random where left out."""
    rng = np.random.default_rng(zlib.crc32(style.name.encode()))
    lead = float(rng.uniform(0.05, 0.6)) if lead is None else lead
    end = style.bpm if style.bpm_end is None else style.bpm_end
    # Beats by time: the integral of the tempo.
    count = int(max(style.bpm, end) / 60 * seconds) + 2
    slope = (end - style.bpm) / 60 / seconds
    start = style.bpm / 60
    number = np.arange(count)
    passed = number / start if not slope else (-start + np.sqrt(start**2 + 2 * slope * number)) / slope
    beats = lead + passed
    sounds = drum_sounds(rng)
    audio = np.zeros(round(seconds * RATE))

    def when(beat: float) -> float:
        return float(np.interp(beat, number, beats))

    def put(sound: Array, beat: float, gain: float) -> None:
        at = round((when(beat) + style.jitter * rng.standard_normal()) * RATE)
        if 0 <= at < len(audio):
            piece = sound[: len(audio) - at]
            audio[at : at + len(piece)] += gain * piece

    def swung(beat: float) -> float:
        if style.swing and abs(beat % 1 - 0.5) < 1e-9:
            return beat + style.swing
        if style.swing16 and abs(beat % 0.5 - 0.25) < 1e-9:
            return beat + style.swing16
        return beat

    last = int(np.searchsorted(beats, seconds))
    for bar in range(-(-last // style.meter)):
        first = bar * style.meter
        drums = bar >= style.quiet
        for beat in style.kick if drums else ():
            put(sounds["kick"], first + swung(beat), 0.8)
        for beat in style.snare if drums else ():
            put(sounds["snare"], first + swung(beat), 0.5)
        for beat in style.hat if drums else ():
            put(sounds["hat"], first + swung(beat), 0.2 * float(rng.uniform(0.7, 1)))
        root = (45, 41, 48, 43)[bar % 4]
        for beat in style.bass:
            put(note(root - 12, 0.25), first + swung(beat), 0.35)
        for beat in style.chords:
            for third in (0, 3 if bar % 4 == 0 else 4, 7):
                put(note(root + 12 + third, 1.2 if len(style.chords) < 3 else 0.2), first + swung(beat), 0.12)
    audio += 1e-4 * rng.standard_normal(len(audio))
    inside = beats[beats < seconds - 0.02]
    return Sample(style, 0.7 * audio / np.abs(audio).max(), inside, inside[:: style.meter])


def drum_sounds(rng: np.random.Generator | np.random.RandomState) -> dict[str, Array]:
    """A kick, a snare and a hat, ``[samples]`` each at :data:`RATE`."""
    time = np.arange(round(0.3 * RATE)) / RATE
    sweep = 2 * np.pi * np.cumsum(48 + 110 * np.exp(-time / 0.02)) / RATE
    kick = np.sin(sweep) * np.exp(-time / 0.09)
    noise = rng.standard_normal(len(time))
    snare = noise * np.exp(-time / 0.06) + 0.6 * np.sin(2 * np.pi * 190 * time) * np.exp(-time / 0.05)
    hat = np.diff(rng.standard_normal(len(time) + 1)) * np.exp(-time / 0.02)
    return {"kick": kick, "snare": 0.6 * snare, "hat": hat}


def note(pitch: float, seconds: float, fall: float = 1.5, harmonics: int = 5) -> Array:
    """A decaying tone, ``[samples]`` at :data:`RATE`. pitch: a MIDI note; seconds: about half its length; fall:
    harmonic k is ``k^-fall`` times as loud as the first."""
    time = np.arange(round(2 * seconds * RATE)) / RATE
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    tone = sum(np.sin(2 * np.pi * hertz * k * time) / k**fall for k in range(1, harmonics + 1))
    return np.asarray(tone * np.minimum(time / 0.005, 1) * np.exp(-time / seconds * 2))
