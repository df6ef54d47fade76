"""Passages of which nothing is heard are left out, and ends are where a track is first and last heard."""

from __future__ import annotations

import numpy as np
import torch

from djgraph.alignment import Found, Passage
from djgraph.decks import MemoryMaterial, Warp
from djgraph.effects import Transform
from djgraph.fitting.bands import bands_of
from djgraph.unmixing.material import Tracks
from djgraph.unmixing.presence import trimmed

RATE = 8000
BANDS = bands_of(RATE, Transform(256, 64))


def test_ends_and_false_passages() -> None:
    random = np.random.RandomState(1)
    a, b, c = (torch.from_numpy(0.1 * random.standard_normal((1, 10 * RATE))).float() for _ in range(3))
    mix = torch.zeros(1, 10 * RATE)
    mix[:, : 5 * RATE] += a[:, : 5 * RATE]  # a plays from 0 to 5 s, b from 4 s on, c nowhere
    mix[:, 4 * RATE :] += 0.3 * b[:, : 6 * RATE]
    tracks: Tracks = {name: MemoryMaterial({name: x}) for name, x in (("a", a), ("b", b), ("c", c))}

    def lies(begins: float, ends: float, start: float) -> Passage:
        return Passage(begins * RATE, ends * RATE, start * RATE, 1.0, False, 1.0)

    warp = Warp.of(
        10 * RATE,
        RATE,
        [
            Found("a", (lies(0, 4, 0), lies(5, 9, 2)), 1.0),
            Found("b", (lies(6, 9, 2),), 1.0),
            Found("c", (lies(1, 8, 0),), 0.5),
        ],
    )
    found = trimmed(tracks, warp, mix, BANDS)
    assert found.present == ["a", "b"]
    (one,) = found.tracks["a"].passages
    assert one.begins == 0
    assert abs(one.ends - 5 * RATE) < RATE
    (two,) = found.tracks["b"].passages
    assert abs(two.begins - 4 * RATE) < RATE
    assert two.position(4 * RATE) == 0
    assert two.ends == 10 * RATE
