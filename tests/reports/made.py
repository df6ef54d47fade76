"""Tracks whose faults are known, and a plain mixer for them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

import djgraph
from djgraph.mixer import Mixer
from djgraph.reports import Listener, Report

RATE = 8000
STEMS = ("drums", "bass", "vocals", "other")
GAIN = {"effect": "gain", "controls": {"gain": {"as": "gain"}}}
GRAPH: dict[str, Any] = {
    "djgraph": 1,
    "name": "two_tracks",
    "sample_rate": RATE,
    "inputs": [{"name": name, "stems": list(STEMS)} for name in ("one", "two")],
    "mixer": [
        {
            "for": {"track": "inputs"},
            "do": [
                {
                    "for": {"stem": "$track.stems"},
                    "do": [
                        {"strip": "$track.$stem", "input": "$track.$stem", "chain": [GAIN], "to": "master"}
                    ],
                }
            ],
        },
        {"bus": "master"},
    ],
    "outputs": ["master"],
}
Tracks = dict[str, dict[str, Tensor]]


def sines(notes: tuple[float, ...], seconds: float, db: float) -> Tensor:
    """MIDI notes, each at that level: ``[2, samples]``."""
    time = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    tones = [torch.sin(2 * math.pi * 440 * 2 ** ((note - 69) / 12) * time + note) for note in notes]
    return (10 ** (db / 20) * torch.stack(tones).sum(0)).float().expand(2, -1).clone()


def noise(seed: int, seconds: float, db: float) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 10 ** (db / 20) * torch.randn(2, round(seconds * RATE), generator=generator)


def tracks(seconds: float = 30.0, second_key: int = 0) -> Tracks:
    """Two steady tracks of one loudness. Drums are noise, basses and voices sines, the rest a major key."""

    def track(seed: int, bass: float, voice: float, up: int) -> dict[str, Tensor]:
        scale = tuple(note + up for note in (60, 62, 64, 65, 67, 69, 71))
        triad = tuple(note + up for note in (60, 64, 67))
        return {
            "drums": noise(seed, seconds, -32),
            "bass": sines((bass,), seconds, -20),
            "vocals": sines((voice,), seconds, -26),
            "other": sines(scale, seconds, -40) + sines(triad, seconds, -34),
        }

    return {"one": track(1, 31, 79, 0), "two": track(2, 33, 84, second_key)}


def mixer(graph: dict[str, Any] | None = None) -> Mixer:
    return djgraph.compile(GRAPH if graph is None else graph)


def score(mixer: Mixer, moves: dict[str, list[tuple[float, float]]]) -> tuple[Tensor, Tensor]:
    """Params and positions: name, or pattern, → (second, value), straight between them."""
    seconds = sorted({second for points in moves.values() for second, _ in points} | {0.0})
    params = mixer.layout.default.repeat(len(seconds), 1)
    for pattern, points in moves.items():
        for column in mixer.layout.select(pattern):
            for row, second in enumerate(seconds):
                params[row, column] = _at(points, second)
    return params, torch.tensor([round(second * RATE) for second in seconds])


def clean() -> dict[str, list[tuple[float, float]]]:
    """From one to two around second 15: the basses and voices at once, the others in 6 s."""
    moves: dict[str, list[tuple[float, float]]] = {}
    for stem in ("bass", "vocals"):
        moves[f"one.{stem}.gain"] = [(15.0, 1.0), (15.05, 0.0)]
        moves[f"two.{stem}.gain"] = [(15.0, 0.0), (15.05, 1.0)]
    for stem in ("drums", "other"):
        moves[f"one.{stem}.gain"] = [(12.0, 1.0), (18.0, 0.0)]
        moves[f"two.{stem}.gain"] = [(12.0, 0.0), (18.0, 1.0)]
    return moves


def report_of(
    audio: Tracks, moves: dict[str, list[tuple[float, float]]], block: int = 50_000, **how: Any
) -> Report:
    made = how.pop("mixer", None) or mixer()
    listener = Listener(made, *score(made, moves))
    samples = next(iter(next(iter(audio.values())).values())).shape[-1]
    for start in range(0, samples, block):
        listener.add(
            {
                track: {stem: x[:, start : start + block] for stem, x in stems.items()}
                for track, stems in audio.items()
            }
        )
    return Report.of(listener.finish(), controls=made.layout.names, **how)


def _at(points: list[tuple[float, float]], second: float) -> float:
    before = [point for point in points if point[0] <= second] or points[:1]
    after = [point for point in points if point[0] >= second] or points[-1:]
    (a, u), (b, v) = before[-1], after[0]
    return u if b <= a else u + (v - u) * (second - a) / (b - a)
