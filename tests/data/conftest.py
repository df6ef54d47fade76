"""Small tracks and small mixers: a corpus is made in a blink."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from two_decks import RATE

from djgraph.data import moves


def write_track(
    folder: Path,
    seconds: float = 2.0,
    seed: int = 0,
    rate: int = RATE,
    stems: tuple[str, ...] = ("drums", "bass"),
    suffix: str = ".wav",
    level: float = 0.1,
    **metadata: Any,
) -> Path:
    """Noise in stereo, other for each stem and seed."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, stem in enumerate(stems):
        noise = np.random.default_rng([seed, i]).standard_normal((round(seconds * rate), 2))
        soundfile.write(folder / f"{stem}{suffix}", (level * noise).clip(-1, 1), rate)
    if metadata:
        (folder / "track.json").write_text(json.dumps(metadata))
    return folder


@pytest.fixture(autouse=True, scope="session")
def recipes_read_once() -> Iterator[None]:
    """Each corpus that is begun reads all recipes, which takes longer than most of the rest of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moves, "template", functools.cache(moves.template))
        yield


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Three tracks: two at the graph's rate, one to be resampled; two with tempo, one with beats."""
    root = tmp_path / "library"
    write_track(root / "one", seed=1, tempo=120, beats=[0.25 * i for i in range(9)])
    write_track(root / "album" / "two", seed=2, seconds=2.5, tempo=126.5, title="Two")
    write_track(root / "three", seed=3, rate=11025)
    return root


def tree(root: Path) -> dict[str, bytes]:
    """Every file of a folder, by its path."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
