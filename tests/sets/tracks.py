"""Tracks for sets: clicks at a tempo, with an analysis beside them that says what is true."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from djgraph import audio
from djgraph.analysis.find import find_sources

RATE = 8000
STEMS = ("drums", "bass", "vocals", "other")
MIXER = f"""djgraph: 1
name: small
sample_rate: {RATE}
transform: {{size: 64, hop: 16}}
inputs:
  - {{name: left, stems: [drums, bass, vocals, other]}}
  - {{name: right, stems: [drums, bass, vocals, other]}}
mixer:
  - for: {{deck: inputs}}
    do:
      - for: {{stem: $deck.stems}}
        do:
          - strip: $deck.$stem
            input: $deck.$stem
            chain: [{{effect: gain, controls: {{gain: {{as: gain}}}}}}]
            to: $deck
      - {{bus: $deck, to: master}}
  - bus: master
outputs: [master]
"""
"""Two decks of four stems with faders, and nothing that would move a click."""


def mixer(folder: Path) -> Path:
    """The graph as a file."""
    path = folder / "small.yaml"
    path.write_text(MIXER)
    return path


def track(
    folder: Path,
    bpm: float,
    bars: int,
    *,
    first: float = 0.1,
    seed: int = 0,
    phrases: Sequence[int] | None = None,
    playing: Mapping[str, Sequence[bool]] | None = None,
    camelot: str = "8A",
    loudness: float = -14.0,
    stems: Sequence[str] = STEMS,
    rate: int = RATE,
    accents: Sequence[float] = (0.5,),
) -> Path:
    """A folder of stems: in ``drums`` a click on every beat, noise in the others.

    accents: how high the clicks are, in turn. first: second of the first beat, which begins a bar.
    playing: by stem and bar, whether it sounds. phrases: bars.
    """
    beat = 60 / bpm
    samples = round((first + bars * 4 * beat) * rate)
    generator = torch.Generator().manual_seed(seed)
    folder.mkdir(parents=True)
    levels = {}
    for stem in stems:
        sounding = list((playing or {}).get(stem, [True] * bars))
        levels[stem] = [-20.0 if on else -80.0 for on in sounding]
        signal = torch.zeros(samples)
        if stem == "drums":
            for number in range(bars * 4):
                signal[round((first + number * beat) * rate)] = accents[number % len(accents)]
        else:
            signal = 1e-4 * torch.randn(samples, generator=generator)
        audio.write(folder / f"{stem}.flac", signal.expand(2, -1), rate)
    (source,) = find_sources([folder])
    about = {
        "tempo": bpm,
        "beats": [first + n * beat for n in range(bars * 4)],
        "downbeats": [first + n * 4 * beat for n in range(bars)],
        "meter": 4,
        "grid": {
            "seconds": [first, first + beat],
            "beats": [0.0, 1.0],
            "meter": 4,
            "downbeat": 0,
            "source": "analysis",
        },
        "key": "A minor",
        "camelot": camelot,
        "loudness": loudness,
        "true_peak": -6.0,
        "levels": levels,
        "phrases": list(range(0, bars, 8)) if phrases is None else list(phrases),
        "confidence": {"tempo": 1.0, "beats": 1.0, "downbeats": 1.0, "key": 1.0},
        "analysis": {"version": 1, "content": source.digest(), "tempos": [58.0, 200.0], "stems": list(stems)},
    }
    (folder / "track.json").write_text(json.dumps(about))
    return folder


def write_set(folder: Path, *tracks: str, head: str = "", name: str = "set.yaml") -> Path:
    """A set file of some lines of ``tracks``, on the small mixer."""
    mixer(folder)
    path = folder / name
    path.write_text(
        "set: 1\ngraph: small.yaml\n" + head + "tracks:\n" + "".join(f"  - {line}\n" for line in tracks)
    )
    return path
