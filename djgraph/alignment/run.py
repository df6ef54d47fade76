"""All tracks in one recording: searched, placed and put in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from djgraph.alignment.features import Spectra
from djgraph.alignment.found import Found, Passage
from djgraph.alignment.paths import find_path
from djgraph.alignment.rates import Candidate, Recording, scan
from djgraph.alignment.refine import Sounds, Stretch, stretches
from djgraph.alignment.signals import Sound, read_mono
from djgraph.arguments import real, several, whole
from djgraph.errors import InputError

Progress = Callable[[str, int, int], None]
"""Told what is under way, how many tracks are done, and how many there are."""

RATES = (0.8, 1.25)
_MOST = 4
_SHARE = 0.25


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
    low, high = several(rates, "rates", "two numbers")
    low, high = real(low, "the lowest rate", 0.5, 2.0), real(high, "the highest rate", 0.5, 2.0)
    if low > high:
        raise InputError(f"rates are {low:g} to {high:g}; expected the lower one first")
    if not tracks:
        raise InputError("there are no tracks to be found")
    heard = Sounds.of(read_mono(recording, "the recording", second), second)
    whole_recording = Recording(heard.low)
    found = []
    for number, (name, sound) in enumerate(tracks.items()):
        if progress is not None:
            progress(name, number, len(tracks))
        audio = read_mono(sound, f"the track {name!r}", second)
        found.append(_find(name, Sounds.of(audio, second), heard, whole_recording, low, high))
    end = float(len(heard.audio))
    return sorted(found, key=lambda one: end if one.begins is None else one.begins)


def _find(name: str, track: Sounds, heard: Sounds, recording: Recording, low: float, high: float) -> Found:
    spectra = Spectra(track.low)
    candidates = _chosen(scan(recording, spectra, low, high))
    if not candidates:
        return Found(name, (), 1.0)
    runs = find_path(recording, spectra, candidates)
    if not runs:
        return Found(name, (), 1.0)
    parts: list[Stretch] = []
    for run in sorted(runs, key=lambda one: -len(one.blocks)):
        known = [part.line.rate for part in parts if abs(part.line.rate / run.candidate.rate - 1) < 0.004]
        parts += stretches(run, heard, track, known[0] if known else None)
    parts.sort(key=lambda part: part.begins)
    passages = tuple(
        Passage(
            part.begins,
            part.ends,
            float(part.line.position(part.begins)),
            part.line.rate,
            part.key_locked,
            part.spread,
        )
        for part in parts
    )
    return Found(name, passages, 1.0)


def _chosen(candidates: list[Candidate]) -> list[Candidate]:
    """The best ones, at each rate of one kind."""
    kept: list[Candidate] = []
    for one in candidates:
        if one.score >= _SHARE * candidates[0].score and not any(
            abs(one.rate / other.rate - 1) < 0.012 for other in kept
        ):
            kept.append(one)
    return kept[:_MOST]
