"""The mixers of examples/mixers: they validate, sound, equal the reference, and do what their pages say."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from runtime.mixes import make_inputs, make_params
from streams.playing import flat, play
from torch import Tensor

import djgraph
from djgraph.drawing import to_svg
from djgraph.graph.ir import Graph
from djgraph.runtime.reference import Reference

FOLDER = Path(__file__).parents[1] / "examples" / "mixers"
NAMES = [
    "analogue_four",
    "broadcast",
    "club_four",
    "console",
    "decks",
    "dub_loops",
    "looper",
    "mastered",
    "mid_side",
    "one_knob",
    "parallel",
    "podcast",
    "quad",
    "stem_swap",
]
ARGS: dict[str, dict[str, Any]] = {
    "console": {"channels": 3},
    "decks": {"decks": 3},
    "looper": {"tempo": 300, "beats": 1, "loops": 2},
}
"""Smaller ones of those that are large, and a loop that comes round within a short clip."""
TEMPO = 120.0
INDEX = (FOLDER / "README.md").read_text(encoding="utf-8")


@functools.cache
def graph(name: str, small: bool = True) -> Graph:
    return djgraph.load(FOLDER / f"{name}.yaml", **(ARGS.get(name, {}) if small else {}))


@functools.cache
def mixer(name: str) -> djgraph.Mixer:
    return djgraph.Mixer(graph(name)).double()


def noise(name: str, samples: int, seed: int = 0) -> dict[str, Any]:
    return make_inputs(graph(name), 1, samples, torch.float64, seed)


def frame(name: str, **values: float) -> Tensor:
    """One frame of a mixer at rest but for these columns; ``__`` stands for a dot."""
    return mixer(name).layout.default_params(1, 1, **{}) if False else _set(name, values)


def _set(name: str, values: dict[str, float]) -> Tensor:
    layout = mixer(name).layout
    params = layout.default.to(torch.float64).clone()
    for column, value in values.items():
        params[layout.names.index(column.replace("__", "."))] = value
    return params[None, None]


def heard(name: str, inputs: dict[str, Any], output: str | None = None, **values: float) -> Tensor:
    """What a mixer at rest but for some columns makes of inputs: its main output, or another one."""
    made = mixer(name)(inputs, frame(name, **values), tempo=TEMPO)
    first = graph(name).outputs[0].name if output is None else output
    return made[first] if isinstance(made, dict) else made


def silent(inputs: dict[str, Any], *but: str) -> dict[str, Any]:
    """Inputs, or stems called ``input.stem``, of which only some are left."""
    return {
        name: {
            stem: audio if {name, f"{name}.{stem}"} & {*but} else torch.zeros_like(audio)
            for stem, audio in value.items()
        }
        if isinstance(value, dict)
        else (value if name in but else torch.zeros_like(value))
        for name, value in inputs.items()
    }


def level(audio: Tensor) -> float:
    """RMS in dB."""
    return 10 * float(torch.log10(audio.square().mean() + 1e-30))


def tone(frequency: float, samples: int, channels: int = 2) -> Tensor:
    wave = torch.sin(2 * torch.pi * frequency * torch.arange(samples, dtype=torch.float64) / 44100)
    return 0.1 * wave.expand(1, channels, samples)
