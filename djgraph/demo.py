"""Two short tracks that djgraph synthesises itself, as stems, so that it can be tried with no files at hand.

Everything is additive synthesis and seeded noise in NumPy: the same on every machine up to float rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.errors import InputError

BPM = {"track_a": 120.0, "track_b": 126.0}
"""Tempo of each demo track."""
SECONDS = 32.0
"""Length of the demo tracks unless asked otherwise."""
DOWNBEAT = 20.0
"""A moment, in seconds, at which a bar begins in both tracks: where a transition belongs."""
PEAK_DBFS = -3.1
"""Peak of each track's sum. Two such peaks that meet at the middle of an equal-power fade, each 3 dB down,
stay within full scale."""

Array = NDArray[np.float64]

_LIMIT_SECONDS = 600.0
_RATES = (8_000, 192_000)


@dataclass(frozen=True)
class _Tune:
    """What a track plays. Times in beats, pitches as MIDI notes; chords by bar; everything repeats."""

    bpm: float
    pickup: int  # beats before the first bar line, drums only
    seed: int
    chords: tuple[tuple[int, ...], ...]
    roots: tuple[int, ...]
    bass: tuple[float, ...]  # beats within the bar
    claps: tuple[float, ...]
    hats: tuple[float, ...]
    lead: tuple[tuple[float, float, int], ...]  # beat within a phrase of four bars, length, note


_TUNES = {
    # A minor: Am F C G. House: clap on two and four, hats and bass off the beat.
    "track_a": _Tune(
        bpm=BPM["track_a"],
        pickup=0,
        seed=1,
        chords=((57, 60, 64, 69), (57, 60, 65, 69), (55, 60, 64, 67), (55, 59, 62, 67)),
        roots=(33, 29, 36, 31),
        bass=(0.5, 1.5, 2.5, 3.5),
        claps=(1, 3),
        hats=(0.5, 1.5, 2.5, 3.5),
        lead=(
            *((0, 1, 69), (1.5, 0.5, 72), (2, 1.5, 76), (4, 1, 77), (5.5, 0.5, 76), (6, 1.5, 72)),
            *((8, 1, 76), (9.5, 0.5, 74), (10, 1.5, 72), (12, 0.75, 74), (13, 0.75, 71), (14, 1.5, 67)),
        ),
    ),
    # E minor, a fifth above: Em C G D. Running bass and hats. Two beats of pickup put a bar line at DOWNBEAT.
    "track_b": _Tune(
        bpm=BPM["track_b"],
        pickup=2,
        seed=2,
        chords=((55, 59, 64, 67), (55, 60, 64, 67), (55, 59, 62, 67), (54, 57, 62, 66)),
        roots=(28, 36, 31, 38),
        bass=(0, 0.75, 1.5, 2, 2.75, 3.5),
        claps=(1, 3, 3.75),
        hats=tuple(step / 4 for step in range(16)),
        lead=(
            *((0.5, 0.5, 76), (1, 0.5, 79), (1.5, 1, 78), (3, 0.75, 74), (4.5, 0.5, 72), (5, 0.5, 76)),
            *((5.5, 2, 79), (8.5, 0.5, 74), (9, 0.5, 71), (9.5, 1.5, 67), (12, 0.75, 69), (13, 2, 74)),
        ),
    ),
}

PICKUP = {name: tune.pickup for name, tune in _TUNES.items()}
"""Beats before each track's first bar line."""


def demo_tracks(sample_rate: int = 44100, seconds: float = SECONDS) -> dict[str, dict[str, Tensor]]:
    """``{"track_a": {"drums": …, "bass": …, "vocals": …, "other": …}, "track_b": …}``, each ``[2, samples]``.

    track_a runs at 120 BPM in A minor, track_b at 126 BPM in E minor (:data:`BPM`); float32, the four stems
    of a track add up to a peak of :data:`PEAK_DBFS`. sample_rate: 8000 … 192000 Hz; seconds: up to 600.

    Raises InputError for a rate or length outside these.
    """
    if not _RATES[0] <= sample_rate <= _RATES[1]:
        raise InputError(f"the demo is made at {_RATES[0]} to {_RATES[1]} Hz, not {sample_rate}")
    if not (1 / sample_rate <= seconds <= _LIMIT_SECONDS):
        raise InputError(f"the demo is made up to {_LIMIT_SECONDS:g} seconds long, not {seconds}")
    return {name: _track(score, sample_rate, seconds) for name, score in _TUNES.items()}


def beats(track: str, seconds: float = SECONDS) -> dict[str, list[float]]:
    """Where the beats of a demo track lie, as ``track.json`` has them: ``beats`` and ``downbeats``, in seconds from its
    beginning, six places. track: ``track_a`` or ``track_b``; seconds: its length."""
    beat, first = 60 / BPM[track], PICKUP[track]
    lie = [round(number * beat, 6) for number in range(math.ceil(seconds / beat))]
    return {"beats": lie, "downbeats": lie[first::4]}


def _track(score: _Tune, rate: int, seconds: float) -> dict[str, Tensor]:
    stage = _Stage(score, rate, round(seconds * rate))
    stems = {"drums": _drums(stage), "bass": _bass(stage), "vocals": _lead(stage), "other": _pad(stage)}
    fade = np.ones(stage.samples)
    ramp = _rise(min(stage.samples, round(0.01 * rate)))
    fade[len(fade) - len(ramp) :] = ramp[::-1]
    peak = np.abs(sum(stems.values()) * fade).max()
    gain = 10 ** (PEAK_DBFS / 20) / peak if peak else 1.0
    return {name: torch.from_numpy((audio * fade * gain).astype(np.float32)) for name, audio in stems.items()}


class _Stage:
    """Knows when a beat falls, and puts sounds there."""

    def __init__(self, score: _Tune, rate: int, samples: int) -> None:
        self.score, self.rate, self.samples = score, rate, samples
        self.beat = 60 / score.bpm
        self.bars = 2 + math.ceil(samples / rate / self.beat / 4)
        self.noise = np.random.RandomState(score.seed)  # its stream is frozen for good, unlike a Generator's

    def empty(self) -> Array:
        return np.zeros((2, self.samples))

    def put(self, out: Array, sound: Array, bar: int, beat: float, gain: float = 1.0) -> None:
        """Add ``[samples]`` or ``[2, samples]`` from a beat of a bar on; bar -1 is the pickup."""
        at = round((bar * 4 + beat + self.score.pickup) * self.beat * self.rate)
        if 0 <= at < self.samples:
            out[:, at : at + sound.shape[-1]] += gain * sound[..., : self.samples - at]

    def seconds(self, length: float) -> Array:
        return np.arange(round(length * self.rate)) / self.rate

    def tone(self, note: float, length: float, weights: Sequence[float], vibrato: float = 0.0) -> Array:
        """Harmonics 1, 2, … with the given weights, as far as they fit below half the sample rate."""
        t = self.seconds(length)
        frequency = _hertz(note)
        # Vibrato of 5.5 Hz that sets in after a tenth of a second, as singers' does.
        sway = vibrato * np.clip(t - 0.1, 0, 0.2) / 0.2 * np.sin(2 * np.pi * 5.5 * t)
        phase = 2 * np.pi * np.cumsum(frequency * (1 + sway)) / self.rate
        top = int(0.45 * self.rate / frequency)
        return sum((w * np.sin(k * phase) for k, w in enumerate(weights[:top], 1) if w), np.zeros_like(t))


def _drums(stage: _Stage) -> Array:
    kick, clap, hats = _kick(stage), _clap(stage), [_hat(stage, side) for side in (0.35, 0.65)]
    out = stage.empty()
    for bar in range(-1, stage.bars):
        for beat in (0.0, 1.0, 2.0, 3.0):
            stage.put(out, kick, bar, beat, 0.8)
        for beat in stage.score.claps:
            stage.put(out, clap, bar, beat, 0.6)
        for index, beat in enumerate(stage.score.hats):
            stage.put(out, hats[index % 2], bar, beat, 0.5 if beat % 1 == 0.5 else 0.25)
        if bar % 4 == 3:  # a little fill leads into the next phrase
            for index in range(4):
                stage.put(out, clap, bar, 3 + index / 4, 0.12 + 0.08 * index)
    return out


def _kick(stage: _Stage) -> Array:
    t = stage.seconds(0.35)
    phase = 2 * np.pi * (48 * t + 150 * 0.03 * (1 - np.exp(-t / 0.03)))  # falls from 198 to 48 Hz
    return _settle(np.sin(phase) * np.exp(-t / 0.11) * _ends(len(t), stage.rate, 0.001, 0.05))


def _hat(stage: _Stage, side: float) -> Array:
    t = stage.seconds(0.08)
    noise = np.diff(stage.noise.random_sample(len(t) + 2) * 2 - 1, n=2) / 4  # differences keep the highs
    sound = _settle(noise * np.exp(-t / 0.018) * _ends(len(t), stage.rate, 0.0005, 0.02))
    return np.stack([(1 - side) * sound, side * sound]) * 2


def _clap(stage: _Stage) -> Array:
    t = stage.seconds(0.22)
    bursts = sum(np.where(t >= at, np.exp(-np.abs(t - at) / 0.006), 0.0) for at in (0.0, 0.011, 0.022))
    envelope = (bursts + 1.2 * np.where(t >= 0.03, np.exp(-np.abs(t - 0.03) / 0.05), 0.0)) / 2
    frequency = np.maximum(np.fft.rfftfreq(len(t), 1 / stage.rate), 1.0)
    band = np.exp(-0.5 * (np.log2(frequency / 1500) / 0.7) ** 2)
    sides = []
    for _ in range(2):  # one noise for each side makes the clap wide
        noise = np.fft.irfft(np.fft.rfft(stage.noise.random_sample(len(t)) * 2 - 1) * band, len(t))
        sides.append(_settle(noise / np.abs(noise).max() * envelope * _ends(len(t), stage.rate, 0.001, 0.05)))
    return np.stack(sides)


def _bass(stage: _Stage) -> Array:
    out = stage.empty()
    sounds = {}
    for note in stage.score.roots:
        length = 0.42 * stage.beat
        tone = stage.tone(note, length, [k**-1.6 for k in range(1, 9)])
        decay = np.exp(-np.arange(len(tone)) / stage.rate / 0.35)
        sounds[note] = _settle(tone * decay * _ends(len(tone), stage.rate, 0.004, 0.03))
    for bar in range(stage.bars):
        note = stage.score.roots[bar % len(stage.score.roots)]
        for beat in stage.score.bass:
            stage.put(out, sounds[note], bar, beat, 0.5)
    return out


def _lead(stage: _Stage) -> Array:
    """A singing lead: harmonics under the formants of an open vowel."""
    out = stage.empty()
    sounds = {}
    for beat, length, note in stage.score.lead:
        if (length, note) not in sounds:
            tone = stage.tone(note, length * stage.beat, _vowel(_hertz(note)), vibrato=0.006)
            sounds[length, note] = tone * _ends(len(tone), stage.rate, 0.03, 0.08)
        for bar in range(0, stage.bars, 4):
            stage.put(out, sounds[length, note], bar, beat, 0.55)
    return out


def _vowel(frequency: float) -> list[float]:
    formants = ((700, 260, 1.0), (1220, 240, 0.5), (2600, 320, 0.25))
    weights = [
        0.15 / k + sum(g / (1 + ((k * frequency - f) / width) ** 2) for f, width, g in formants)
        for k in range(1, 13)
    ]
    return [weight / sum(weights) for weight in weights]


def _pad(stage: _Stage) -> Array:
    """One chord a bar; four cents apart left and right, and ducked where the kick falls."""
    out = stage.empty()
    weights = [k**-1.4 for k in range(1, 11)]
    bar_length = 4 * stage.beat
    beats = np.arange(round(bar_length * stage.rate)) / stage.rate / stage.beat
    duck = 1 - 0.6 * np.exp(-(beats % 1) / 0.3)
    shape = duck * _ends(len(duck), stage.rate, 0.06, 0.06)
    sounds = [
        np.stack([sum(stage.tone(n + cents / 100, bar_length, weights) for n in chord) for cents in (-4, 4)])
        for chord in stage.score.chords
    ]
    for bar in range(stage.bars):
        stage.put(out, sounds[bar % len(sounds)] * shape, bar, 0, 0.11)
    return out


def _hertz(note: float) -> float:
    """Equal temperament, A4 = note 69 = 440 Hz."""
    return float(440 * 2 ** ((note - 69) / 12))


def _rise(samples: int) -> Array:
    """Half a cosine from 0 up to, but not including, 1."""
    return 0.5 - 0.5 * np.cos(np.pi * np.arange(samples) / max(samples, 1))


def _ends(samples: int, rate: int, attack: float, release: float) -> Array:
    """1, with a smooth beginning and end of the given seconds: a sound starts and stops without a click."""
    envelope = np.ones(samples)
    up, down = (_rise(min(samples, max(1, round(seconds * rate)))) for seconds in (attack, release))
    envelope[: len(up)] *= up
    envelope[samples - len(down) :] *= down[::-1]
    return envelope


def _settle(sound: Array) -> Array:
    """The sound without its mean, taken away under a smooth window so that its ends stay at zero."""
    window = np.hanning(len(sound) + 2)[1:-1]
    return sound - window * (sound.sum() / window.sum())
