"""What a DJ may do in a clip: draws a transition, or random movements, for a layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from djgraph.crossfade import FADES, SimpleCrossfader
from djgraph.data.curves import random_curves
from djgraph.errors import InputError, LayoutError, did_you_mean
from djgraph.layout import ParameterLayout

CURVES = "curves"
"""Name and kind of random smooth movements."""


@dataclass(frozen=True)
class Clip:
    """What is to be mixed: control frames (frame i of F at i/(F−1) of the clip), seconds, BPM."""

    n_frames: int
    seconds: float
    tempo: float


@dataclass(frozen=True)
class Move:
    """What was done: params ``[frames, controls]`` float32, and where they come from.

    kind: ``curves``, ``fade`` or ``recipe``. args: what the move was drawn with, as JSON can hold it.
    """

    kind: str
    name: str
    params: Tensor
    args: Mapping[str, Any] = field(default_factory=dict)


Draw = Callable[[np.random.RandomState, Clip], Move]
"""Draws the arguments of one kind of transition, and its params."""


def moves_for(layout: ParameterLayout) -> dict[str, Draw]:
    """Every transition that goes with a layout, by name; none where it has no two tracks with faders."""
    return {**fades(layout), **recipes(layout)}


def fades(layout: ParameterLayout) -> dict[str, Draw]:
    """The four fades of :class:`djgraph.SimpleCrossfader`, between random cue points."""
    try:
        faders = {name: SimpleCrossfader(name, layout) for name in FADES}
    except LayoutError:
        return {}

    def draw(name: str) -> Draw:
        def move(random: np.random.RandomState, clip: Clip) -> Move:
            first, last = 0.5 * random.random_sample(), 1 - 0.4 * random.random_sample()
            params = faders[name](clip.n_frames, cue_in=first, cue_out=last)[0]
            cues = {"cue_in": first * clip.seconds, "cue_out": last * clip.seconds}
            return Move("fade", name, params.float(), cues)

        return move

    return {name: draw(name) for name in faders}


def recipes(layout: ParameterLayout) -> dict[str, Draw]:
    """The transition recipes that go with a layout."""
    return {}


def choose(layout: ParameterLayout, names: Sequence[str] | None) -> list[str]:
    """The transitions of these names (all where None); InputError for one that there is not."""
    known = moves_for(layout)
    for name in names or ():
        if name not in known:
            raise InputError(
                f"no transition {name!r} goes with this graph{did_you_mean(name, known)}\n"
                f"  there is: {', '.join(known) or 'none: it has no two tracks with faders'}"
            )
    return list(known) if names is None else list(dict.fromkeys(names))


def draw_move(
    layout: ParameterLayout,
    moves: Mapping[str, Draw],
    curves: float,
    clip: Clip,
    random: np.random.RandomState,
) -> Move:
    """Random smooth curves with probability ``curves``, else one of the moves, all alike."""
    lot, pick = random.random_sample(2)
    if not moves or lot < curves:
        return Move(CURVES, CURVES, random_curves(layout, clip.n_frames, random))
    name = list(moves)[int(pick * len(moves))]
    return moves[name](random, clip)
