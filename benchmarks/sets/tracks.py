"""Five tracks in stems, of five styles and tempos, and a set file of them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.analysis.patterns import RATE, STYLES
from benchmarks.unmix.tunes import tune
from djgraph import audio
from djgraph.errors import InputError

TRACKS = {"disco": 118.0, "tech house, swung": 124.3, "breakbeat": 131.7, "techno": 139.0, "trance": 148.0}
"""Styles of :mod:`benchmarks.analysis.patterns`, and BPM."""


def make_set(folder: Path, seconds: float, seed: int, also: Sequence[Path] = ()) -> Path:
    """Write the tracks and ``set.yaml`` into a new folder; returns the path of that. also: paths of further tracks."""
    if folder.exists():
        raise InputError(f"{folder} is there already")
    styles = {style.name: style for style in STYLES}
    lines = []
    for number, (name, bpm) in enumerate(TRACKS.items()):
        style = dataclasses.replace(styles[name], bpm=bpm)
        made = tune(name, style, round(seconds * bpm / 240), np.random.RandomState(seed + number), drums=1.0)
        title = name.split(",")[0].replace(" ", "_")
        (folder / title).mkdir(parents=True)
        for stem, signal in made.stems.items():
            audio.write(folder / title / f"{stem}.flac", torch.from_numpy(signal), RATE)
        lines.append(title)
    lines += [os.path.relpath(path, folder) for path in also]
    head = "set: 1\nname: five\ntempo: {from: 124, to: 130}\ntracks:\n"
    path = folder / "set.yaml"
    path.write_text(head + "".join(f"  - {line}\n" for line in lines), encoding="utf-8")
    return path
