"""The transitions whose controls are to be recovered: every recipe, then random smooth curves; two pairs of tracks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from djgraph.audio import STEMS, read
from djgraph.data.curves import random_curves
from djgraph.data.moves import ClipInfo, moves_for
from djgraph.demo import demo_tracks
from djgraph.layout import ParameterLayout

SHARED = Path(__file__).resolve().parents[3] / "shared" / "stems"
RATE = 44100
FRAMES_PER_SECOND = 50
"""Frames of the known controls: finer than what is recovered."""

Tracks = dict[str, dict[str, Tensor]]


@dataclass(frozen=True)
class Case:
    """A transition: ``params [frames, controls]``, on the tracks ``stems`` or ``demo``."""

    name: str
    tracks: str
    params: Tensor


def tracks(kind: str, seconds: float) -> Tracks:
    """Two tracks of four stems, ``[2, samples]`` each."""
    samples = round(seconds * RATE)
    if kind == "demo":
        return demo_tracks(RATE, seconds)
    return {
        t: {s: read(SHARED / t / f"{s}.flac")[0][:, :samples] for s in STEMS} for t in ("track_a", "track_b")
    }


def cases(layout: ParameterLayout, seconds: float, count: int, seed: int) -> list[Case]:
    """So many cases: each recipe in turn, every fourth one random smooth curves. Tracks alternate."""
    random = np.random.RandomState(seed)
    clip = ClipInfo(math.ceil(seconds * FRAMES_PER_SECOND) + 1, seconds, 128.0)
    recipes = list(moves_for(layout).items())
    kinds = ["stems", "demo"] if SHARED.exists() else ["demo"]
    found = []
    for number in range(count):
        if number % 4 == 3:
            # Strips only: gain, EQ and filters of every stem, which is what the bars are about.
            strips = [i for i, name in enumerate(layout.names) if name.count(".") == 2]
            name, params = "curves", random_curves(layout, clip.n_frames, random, strips)
        else:
            name, draw = recipes[(number - number // 4) % len(recipes)]
            params = draw(random, clip).params
        found.append(Case(f"{number + 1:02d} {name}", kinds[number % len(kinds)], params))
    return found


def mix(mixer: torch.nn.Module, stems: Tracks, params: Tensor) -> Tensor:
    """The known mix, ``[2, samples]``."""
    batch: Mapping[str, Mapping[str, Tensor]] = {
        t: {s: x[None] for s, x in v.items()} for t, v in stems.items()
    }
    with torch.no_grad():
        made: Tensor = mixer(batch, params)[0]
    return made
