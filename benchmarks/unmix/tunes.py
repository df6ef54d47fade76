"""Synthesised tracks for the mixes that are un-mixed: patterns of many styles, arranged so that no two bars are equal.

A pattern of :mod:`benchmarks.analysis.patterns` repeats exactly, and where in it a recording lies cannot be told. A
tune has sections in which other stems play, fills, and a lead that is drawn anew for every bar. All of it is seeded.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from benchmarks.analysis.patterns import RATE, STYLES, Style, drum_sounds, note

Array = NDArray[np.float64]
DANCE = tuple(style for style in STYLES if style.meter == 4 and style.bpm_end is None and style.kick)
"""Styles with a kick, four beats a bar and one tempo: what is mixed beat-synchronously."""
STEMS = ("drums", "bass", "vocals", "other")
SECTION = 4
"""Bars after which other stems may play."""
PEAK = 0.7
"""Of the sum of a tune's stems."""


@dataclass(frozen=True)
class Tune:
    """A track whose beats are known.

    stems: ``[2, samples]`` each, float32, at :data:`~benchmarks.analysis.patterns.RATE`. tempo: BPM, constant. lead:
    the second at which its first bar begins. bars: whole bars.
    """

    name: str
    style: str
    stems: dict[str, NDArray[np.float32]]
    tempo: float
    lead: float
    bars: int

    @property
    def audio(self) -> NDArray[np.float32]:
        """The sum of the stems, ``[2, samples]``."""
        return np.asarray(sum(self.stems.values()), dtype=np.float32)

    def bar(self, number: float) -> float:
        """The sample at which a bar begins; bars count from 0."""
        return (self.lead + number * 240 / self.tempo) * RATE


def tune(name: str, style: Style, bars: int, rng: np.random.RandomState, drums: float = 0.85) -> Tune:
    """A tune of so many bars in that style, at its tempo. rng: where all that is random in it comes from; a
    RandomState, whose stream is frozen for good, unlike a Generator's. drums: how likely they play in a section."""
    beat = 60 / style.bpm
    lead = float(rng.uniform(0.05, 0.6))
    samples = round((lead + bars * 4 * beat + 0.3) * RATE)
    stems = {stem: np.zeros((2, samples)) for stem in STEMS}
    sounds = {**drum_sounds(rng), "kick": _kick(rng)}
    timbre = {stem: (float(rng.uniform(0.8, 2.2)), int(rng.randint(3, 12))) for stem in STEMS[1:]}
    key = int(rng.randint(-5, 7))
    chords = rng.permutation([0, 3, 5, 7, 8, 10])[:4]
    scale = np.array([0, 2, 3, 5, 7, 8, 10, 12])

    def put(stem: str, sound: Array, at: float, gain: float, side: float = 0.5) -> None:
        first = round((lead + at * beat) * RATE)
        piece = sound[: max(0, samples - first)]
        stems[stem][:, first : first + len(piece)] += (
            2 * gain * np.array([[1 - side], [side]]) * piece[None, :]
        )

    playing = dict.fromkeys(STEMS, True)
    for bar in range(bars):
        if bar % SECTION == 0:
            drawn = rng.random_sample(4)
            playing = {
                "drums": bool(drawn[0] < drums),
                "bass": bool(drawn[1] < 0.8),
                "vocals": bool(drawn[2] < 0.8),
                "other": True,
            }
        first, root = 4 * bar, 45 + key + int(chords[bar % 4])
        if playing["drums"]:
            for kick in style.kick:
                put("drums", sounds["kick"], first + kick, 0.8)
            for snare in style.snare:
                put("drums", sounds["snare"], first + snare, 0.5, 0.47)
            for hat in style.hat:
                put(
                    "drums",
                    sounds["hat"],
                    first + _swung(style, hat),
                    0.2 * float(rng.uniform(0.6, 1)),
                    0.58,
                )
            if rng.random_sample() < 0.3:  # a fill
                for step in range(int(rng.randint(2, 5))):
                    put("drums", sounds["snare"], first + 3 + step / 4, 0.15 + 0.1 * step, 0.4)
        if playing["bass"]:
            for low in style.bass or (0.0, 2.0):
                put(
                    "bass",
                    note(root - 12 + 12 * int(rng.random_sample() < 0.15), 0.25, *timbre["bass"]),
                    first + low,
                    0.35,
                )
        for at in style.chords or (0.0,):
            for third in (0, int(rng.choice([3, 4])), 7):
                length = 1.2 if len(style.chords) < 3 else 0.2
                put(
                    "other",
                    note(root + 12 + third, length, *timbre["other"]),
                    first + at,
                    0.1,
                    0.35 + 0.1 * (third % 4),
                )
        if playing["vocals"]:
            for step in np.flatnonzero(rng.random_sample(16) < 0.35):
                pitch = 69 + key + int(rng.choice(scale))
                gain, side = float(rng.uniform(0.06, 0.16)), float(rng.uniform(0.35, 0.65))
                put(
                    "vocals",
                    note(pitch, float(rng.choice([0.1, 0.2, 0.4])), *timbre["vocals"]),
                    first + step / 4,
                    gain,
                    side,
                )
    stems = {stem: _band_limited(audio) for stem, audio in stems.items()}
    peak = float(np.abs(sum(stems.values())).max())
    made = {stem: (PEAK / peak * audio).astype(np.float32) for stem, audio in stems.items()}
    return Tune(name, style.name, made, style.bpm, lead, bars)


def tunes(count: int, seconds: float, rng: np.random.RandomState, spread: float = 0.06) -> list[Tune]:
    """So many tunes of about ``seconds``, of different styles, whose tempos lie within ``spread`` of each other.

    Styles that are counted at about the same tempo are drawn; each tune's own is the mean's times a random number.
    """
    base = float(rng.uniform(92, 150))
    near = sorted(DANCE, key=lambda style: abs(np.log(style.bpm / base)))[: max(10, count)]
    drawn = [near[index] for index in rng.permutation(len(near))[:count]]
    names = [f"track_{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"[:count]]
    found = []
    for name, style in zip(random_order(names, rng), drawn):
        bpm = base * float(rng.uniform(1 - spread / 2, 1 + spread / 2))
        styled = dataclasses.replace(style, bpm=round(bpm, 3))
        found.append(tune(name, styled, max(8, round(seconds * bpm / 240)), rng))
    return found


def random_order(names: list[str], rng: np.random.RandomState) -> list[str]:
    """The names shuffled, so that they do not tell in which order tunes are played."""
    return [names[index] for index in rng.permutation(len(names))]


def _kick(rng: np.random.RandomState) -> Array:
    """A drum of its own for every tune: where it falls to, how far and how fast, how long it rings, how it clicks."""
    time = np.arange(round(0.4 * RATE)) / RATE
    hertz = rng.uniform(42, 62) + rng.uniform(70, 220) * np.exp(-time / rng.uniform(0.012, 0.04))
    body = np.sin(2 * np.pi * np.cumsum(hertz) / RATE + rng.uniform(0, 1))
    click = rng.standard_normal(len(time)) * np.exp(-time / rng.uniform(0.001, 0.004))
    return np.asarray(body * np.exp(-time / rng.uniform(0.06, 0.14)) + rng.uniform(0.05, 0.4) * click)


def _band_limited(audio: Array) -> Array:
    """Nothing above 18 kHz, as in the MP3s that UnmixDB is made of."""
    size = fft.next_fast_len(audio.shape[1] + 4096, real=True)
    hertz = np.arange(size // 2 + 1) * RATE / size
    shape = np.cos(np.pi / 2 * np.clip((hertz - 16000) / 2000, 0, 1)) ** 2
    return np.asarray(fft.irfft(np.asarray(fft.rfft(audio, size)) * shape, size))[:, : audio.shape[1]]


def _swung(style: Style, beat: float) -> float:
    if style.swing and abs(beat % 1 - 0.5) < 1e-9:
        return beat + style.swing
    if style.swing16 and abs(beat % 0.5 - 0.25) < 1e-9:
        return beat + style.swing16
    return beat
