"""What a DJ may do in a clip: draws a transition, or random movements, for a layout."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from djgraph.automation import recipes, template
from djgraph.data.curves import random_curves
from djgraph.errors import AutomationError, DJGraphError, InputError, did_you_mean
from djgraph.layout import ParameterLayout

CURVES = "curves"
"""Name and kind of random smooth movements."""
AMOUNTS: dict[str, tuple[float, float, str]] = {
    "amount": (0.4, 0.9, ""),
    "bass": (0.0, 0.3, ""),
    "curve": (-12.0, 12.0, ""),
    "feedback": (0.5, 0.9, ""),
    "kill": (0.0, 0.3, ""),
    "knob": (0.7, 1.0, ""),
    "reverb": (0.2, 0.6, ""),
    "swap": (30.0, 70.0, "%"),
    "then": (25.0, 75.0, "%"),
    "until": (50.0, 90.0, "%"),
}
"""Arguments of recipes that are drawn, from where to where and in which unit. ``start`` and ``length`` are, too; all
others keep their default."""


@dataclass(frozen=True)
class ClipInfo:
    """What is to be mixed: control frames (frame i of F at i/(F−1) of the clip), seconds, BPM."""

    n_frames: int
    seconds: float
    tempo: float


@dataclass(frozen=True)
class Move:
    """What was done: params ``[frames, controls]`` float32, and where they come from.

    kind: ``curves`` or ``recipe``. args: what the move was drawn with, as JSON can hold it.
    """

    kind: str
    name: str
    params: Tensor
    args: Mapping[str, Any] = field(default_factory=dict)


Draw = Callable[[np.random.RandomState, ClipInfo], Move]
"""Draws the arguments of one kind of transition, and its params."""


def moves_for(layout: ParameterLayout) -> dict[str, Draw]:
    """Every transition recipe whose controls a layout has, by name."""
    moves = {}
    for name in recipes():
        with contextlib.suppress(DJGraphError):  # it names controls that are not here; choose() says which
            moves[name] = _recipe(name, layout)
    return moves


def _recipe(name: str, layout: ParameterLayout) -> Draw:
    """Draws one recipe. DocumentError, which says why, where it does not go with the layout."""
    recipe = template(name)
    recipe.fill().render(layout, n_frames=2, duration=60.0, tempo=120.0)

    def draw(random: np.random.RandomState, clip: ClipInfo) -> Move:
        args = {**_when(random, clip), **_amounts(random)}
        own = {argument.name: argument.default for argument in recipe.arguments}
        fitting = {key: value for key, value in args.items() if key in own and _alike(value, own[key])}
        size: dict[str, Any] = {
            "n_frames": clip.n_frames,
            "duration": clip.seconds,
            "tempo": clip.tempo,
            "dtype": torch.float32,
        }
        try:
            params = recipe.fill(**fitting).render(layout, **size)
        except AutomationError:
            # A control with a step or choices may not take an amount that was drawn; the recipe's own it does.
            fitting = {key: value for key, value in fitting.items() if key not in AMOUNTS}
            params = recipe.fill(**fitting).render(layout, **size)
        return Move("recipe", name, params, fitting)

    return draw


def _when(random: np.random.RandomState, clip: ClipInfo) -> dict[str, float]:
    """Start and length in seconds, within the clip; half of the time in whole beats."""
    first, share, in_beats = random.random_sample(3)
    start = 0.5 * first * clip.seconds
    length = (0.2 + 0.8 * share) * (clip.seconds - start)
    beat = 60 / clip.tempo
    if in_beats < 0.5 and length >= beat:
        start, length = start // beat * beat, length // beat * beat
    return {"start": round(start, 6), "length": round(length, 6)}


def _amounts(random: np.random.RandomState) -> dict[str, float | str]:
    """A value for every argument in :data:`AMOUNTS`, drawn whether or not a recipe has it."""
    drawn: dict[str, float | str] = {}
    for name, (low, high, unit) in AMOUNTS.items():
        value = low + (high - low) * random.random_sample()
        drawn[name] = f"{value:.1f}{unit}" if unit else round(value, 4)
    return drawn


def _alike(value: object, default: object) -> bool:
    """Whether an argument with this default can be given this value: not an amount in another unit, and no
    length to what happens at once."""
    at_once = default in (0, "0s")
    if isinstance(value, str):
        return isinstance(default, str) and default.endswith("%")
    if isinstance(default, str):
        return not at_once
    return True


def choose(layout: ParameterLayout, names: Sequence[str] | None) -> list[str]:
    """The transitions of these names (all where None); InputError for one that there is not,
    DocumentError for one whose controls the layout lacks."""
    known = moves_for(layout)
    for name in names or ():
        if name not in known:
            if name in recipes():
                _recipe(name, layout)  # says what is missing
            raise InputError(
                f"there is no transition {name!r}{did_you_mean(name, recipes())}\n"
                f"  with this graph go: {', '.join(known) or 'none, it has no two tracks with faders'}"
            )
    return list(known) if names is None else list(dict.fromkeys(names))


def draw_move(
    layout: ParameterLayout,
    moves: Mapping[str, Draw],
    curves: float,
    clip: ClipInfo,
    random: np.random.RandomState,
) -> Move:
    """Random smooth curves with probability ``curves``, else one of the moves, all alike."""
    lot, pick = random.random_sample(2)
    if not moves or lot < curves:
        return Move(CURVES, CURVES, random_curves(layout, clip.n_frames, random))
    name = list(moves)[int(pick * len(moves))]
    return moves[name](random, clip)
