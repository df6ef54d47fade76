"""All tracks in one recording: searched, placed and put in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.alignment.features import Spectra
from djgraph.alignment.found import Found, Passage
from djgraph.alignment.paths import Option, Run, find_path, on_path, without
from djgraph.alignment.place import Heard, place_runs
from djgraph.alignment.rates import Candidate, Recording, scan
from djgraph.alignment.refine import Sounds, Stretch
from djgraph.alignment.signals import Sound, read_mono
from djgraph.arguments import real, several, whole
from djgraph.errors import InputError

Progress = Callable[[str, int, int], None]
"""Told what is under way, how many tracks are done, and how many there are."""

RATES = (0.8, 1.25)
_MOST = 4
_SHARE = 0.25
_SWEEPS = 2
_LIKE, _WIDTH = 0.68, 0.06
"""Correlation of features at which it is even whether a track is in a recording, and how fast that changes. Between
what absent tracks reach and what present ones do (docs/finding.md)."""
_WAVES = 8.0
"""Standard deviations beyond chance by which it grows e times less likely that waveforms agree though the track is not
there: drums may be the same samples in other tracks."""
_UNSEEN = 0.02
"""Share of tracks of which nothing is found that are in a recording all the same, deep below others."""


@torch.no_grad()
def find_tracks(
    recording: Sound,
    tracks: Mapping[str, Sound],
    sample_rate: int,
    rates: tuple[float, float] = RATES,
    progress: Progress | None = None,
) -> list[Found]:
    """Where tracks lie in a recording: in the order in which they come in, absent ones last.

    recording, and each of the tracks by name: ``[channels, samples]`` at ``sample_rate``, a file or folder of stems,
    or several, whose sum is meant. Files are read at ``sample_rate``, which passages are counted in. rates: the lowest
    and the highest at which tracks are looked for, 0.5 to 2. progress: see :data:`Progress`.

    Raises InputError for sounds that are none, silent or shorter than a second, and for rates that are none;
    AudioFileError for files that cannot be read.
    """
    second = whole(sample_rate, "sample_rate", 8000, 192_000)
    pair = several(rates, "rates", "two numbers")
    if len(pair) != 2:
        raise InputError(f"rates: expected two numbers, got {len(pair)}")
    low, high = pair
    low, high = real(low, "the lowest rate", 0.5, 2.0), real(high, "the highest rate", 0.5, 2.0)
    if low > high:
        raise InputError(f"rates are {low:g} to {high:g}; expected the lower one first")
    if not tracks:
        raise InputError("there are no tracks to be found")
    sounds = Sounds.of(read_mono(recording, "the recording", second), second)
    whole_recording = Recording(sounds.low)
    searched = []
    for number, (name, sound) in enumerate(tracks.items()):
        if progress is not None:
            progress(f"searching {name}", number, len(tracks))
        audio = read_mono(sound, f"the track {name!r}", second)
        searched.append(_search(name, Sounds.of(audio, second), whole_recording, low, high))
    _untangle(searched, whole_recording.features)
    heard = Heard(sounds, whole_recording.features)
    found = []
    for number, one in enumerate(searched):
        if progress is not None:
            progress(f"placing {one.name}", number, len(tracks))
        found.append(_place(one, heard))
    end = float(len(sounds.audio))
    return sorted(found, key=lambda one: end if one.begins is None else one.begins)


@dataclass
class _Searched:
    """A track, at which rates it may be played, and the path that it takes."""

    name: str
    sounds: Sounds
    options: list[Option]
    runs: list[Run]

    @property
    def score(self) -> float:
        return sum(run.score for run in self.runs)


def _search(name: str, track: Sounds, recording: Recording, low: float, high: float) -> _Searched:
    spectra = Spectra(track.low)
    options = [
        Option(one, spectra.features(1.0 if one.key_locked else one.rate))
        for one in _chosen(scan(recording, spectra, low, high))
    ]
    return _Searched(name, track, options, find_path(recording.features, options) if options else [])


def _untangle(searched: list[_Searched], heard: Tensor) -> None:
    """Each track is looked for in what the others leave of the recording: beats alone are much alike."""
    if len(searched) < 2:
        return
    parts = {one.name: on_path(one.runs, heard.shape[1]) for one in searched}
    for sweep in range(_SWEEPS):
        order = sorted(searched, key=lambda one: -one.score)
        for number, one in enumerate(order):
            if not one.runs:
                continue
            others = [
                other for place, other in enumerate(order) if other is not one and (sweep or place < number)
            ]
            one.runs = find_path(without(heard, [parts[other.name] for other in others]), one.options)
            parts[one.name] = on_path(one.runs, heard.shape[1])


def _place(one: _Searched, heard: Heard) -> Found:
    parts = place_runs(one.runs, one.sounds, heard) if one.runs else []
    sure = confidence(parts)
    if sure < 0.5:
        return Found(one.name, (), 1 - sure)
    passages = tuple(
        Passage(
            part.begins,
            part.ends,
            float(part.line.position(part.begins)),
            part.line.rate,
            part.key_locked,
            part.spread,
            tuple(float(part.line.position(part.begins)) + further for further in part.also),
        )
        for part in parts
    )
    return Found(one.name, passages, sure)


def confidence(parts: Sequence[Stretch]) -> float:
    """How likely it is that a track is in a recording, 0 to 1, by what was found of it.

    Waveforms do not agree by chance. Where pitch was kept, features of another track at the same tempo reach a
    correlation of up to 0.72 (measured: docs/finding.md); the track's own ones, heard alone, nearly 0.9 and more.
    """
    waves = max((part.beyond for part in parts if part.waveform), default=0.0)
    likeness = max((part.likeness for part in parts), default=0.0)
    by_waves = 1 - math.exp(-waves / _WAVES)
    by_likeness = 1 / (1 + math.exp(-(likeness - _LIKE) / _WIDTH))
    return max(by_waves, by_likeness if parts else _UNSEEN)


def _chosen(candidates: list[Candidate]) -> list[Candidate]:
    """The best ones, at each rate of one kind."""
    kept: list[Candidate] = []
    for one in candidates:
        if one.score >= _SHARE * candidates[0].score and not any(
            abs(one.rate / other.rate - 1) < 0.012 for other in kept
        ):
            kept.append(one)
    return kept[:_MOST]
