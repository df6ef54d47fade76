"""Draws docs/set.svg: a set of five tracks that were never heard, whose stems come and go in phrases of eight bars.

``python docs/draw_set.py`` writes it. What is known of the tracks is written down here; that they have no sound shows
in no picture.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from djgraph.analysis.find import find_sources
from djgraph.sets.build import plan_set
from djgraph.sets.picture import draw_set
from djgraph.sets.to_daw import arrangement_of

TARGET = Path(__file__).parent / "set.svg"
RATE = 1000
LOUD = {"drums": -13.0, "bass": -15.0, "vocals": -17.0, "other": -16.0}
TRACKS = (
    ("Harbour", 118.2, "8A", {"drums": ".XXXXXXXX", "bass": ".XX.XX.XX", "vocals": "..XX.XX..", "other": "XXXXXXXXX"}),
    ("Second", 120.0, "8A", {"drums": "XXX.XXXXX", "bass": "..XX.XXXX", "vocals": "..X..X...", "other": ".XXXXXXX."}),
    ("Low Tide", 121.5, "9A", {"drums": "XXXX.XXXX", "bass": "..XX.XXXX", "vocals": "...XX.X..", "other": "XXXXXXX.."}),
    ("Glass", 124.8, "9B", {"drums": "XXXXX.XXX", "bass": "..XXX.XX.", "vocals": "..XX..XX.", "other": "X.XXXXXXX"}),
    ("North", 123.0, "10B", {"drums": ".XXX.XXXX", "bass": "..XX.XXXX", "vocals": "..XX..XX.", "other": "XXXXXXXXX"}),
)  # fmt: skip
WAYS = ("  - transition: bass_swap\n", "  - transition: filter_fade\n", "", "  - transition: bass_swap\n", "")
SET = """set: 1
title: Five tracks
tempo: {from: 118, to: 123}
tracks:
"""


def write_track(folder: Path, bpm: float, key: str, stems: dict[str, str], seed: int) -> None:
    """Files of silence, and an analysis that says what is in them. stems: a sign for each eight bars."""
    folder.mkdir()
    draws = np.random.default_rng(seed)
    bars, beat = 8 * len(stems["drums"]), 60 / bpm
    levels = {}
    for stem, plays in stems.items():
        soundfile.write(folder / f"{stem}.wav", np.zeros((round(bars * 4 * beat * RATE), 2)), RATE)
        levels[stem] = [
            round(LOUD[stem] + draws.normal(0, 0.8), 1) if sign == "X" else -80.0
            for sign in plays
            for _ in range(8)
        ]
    (source,) = find_sources([folder])
    grid = {"seconds": [0.0, beat], "beats": [0.0, 1.0], "meter": 4, "downbeat": 0, "source": "analysis"}
    content = {"version": 1, "content": source.digest(), "tempos": [58.0, 200.0], "stems": list(source.parts)}
    about = {
        "tempo": bpm, "meter": 4, "grid": grid, "camelot": key, "loudness": -12.0 + draws.uniform(-2, 2),
        "levels": levels, "phrases": list(range(0, bars, 8)), "analysis": content,
        "beats": [n * beat for n in range(bars * 4)], "downbeats": [n * 4 * beat for n in range(bars)],
    }  # fmt: skip
    (folder / "track.json").write_text(json.dumps(about))


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (title, *track) in enumerate(TRACKS):
            write_track(folder / title, *track, seed=number)
        lines = "".join(f"  - {title}\n{way}" for (title, *_), way in zip(TRACKS, WAYS, strict=True))
        (folder / "set.yaml").write_text(SET + lines)
        plan = plan_set(folder / "set.yaml")
        draw_set(plan, arrangement_of(plan), Path(os.environ.get("TARGET", TARGET)))


if __name__ == "__main__":
    main()
