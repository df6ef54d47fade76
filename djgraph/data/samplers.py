"""Samplers of plausible params: anywhere, near neutral, group by group, and as recipes play.

Each is a function of a layout, how many frames there are, and a generator (:func:`djgraph.data.random_state`), and
gives params ``[frames, controls]`` in plain units and float32, which every mixer of the layout takes as they are. The
same generator gives the same params on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from djgraph.arguments import real, shown, whole
from djgraph.data.moves import ClipInfo, Draw, choose, moves_for
from djgraph.data.seeds import random_state
from djgraph.effects import Control, grid
from djgraph.errors import InputError
from djgraph.layout import ParameterLayout

Patterns = str | Sequence[str]
"""One pattern over dotted control names, or several."""
Sampler = Callable[..., Tensor]
"""Takes a layout, the number of frames, a generator, and ``controls=``; gives params."""


def uniform(
    layout: ParameterLayout,
    n_frames: int,
    random: np.random.RandomState,
    controls: Patterns = "**",
    *,
    points: int = 1,
) -> Tensor:
    """Every control anywhere in its travel, each position as likely as any; those not named at their default.

    points: what a control goes through, evenly spread over the clip, turning from one to the next along half a
    cosine; 1 leaves it where it is. A control with steps or choices takes each of its values alike and keeps it until
    the next point; one that is read once a clip has one value. Raises InputError for sizes that cannot be,
    LayoutError for a pattern that matches nothing.
    """
    columns = _columns(layout, controls)
    drawn = random.random_sample((_points(points, n_frames), len(columns)))
    return _played(layout, n_frames, columns, drawn)


def around_neutral(
    layout: ParameterLayout,
    n_frames: int,
    random: np.random.RandomState,
    controls: Patterns = "**",
    *,
    spread: float = 0.1,
    points: int = 1,
) -> Tensor:
    """Every control near its neutral value (its default where it has none): mostly close, now and then far.

    How far is drawn from Laplace's distribution, ``spread`` of the travel on average, and mirrored at the ends of the
    travel: of a control whose neutral value is an end, all of it goes inwards. Other arguments and errors as for
    :func:`uniform`.
    """
    real(spread, "spread", 0)
    columns = _columns(layout, controls)
    home = layout.to_unit(layout.neutral.double()).numpy()[columns]
    away = random.laplace(0.0, 1.0, (_points(points, n_frames), len(columns))) * spread
    place = np.abs((home + away + 1) % 2 - 1)  # mirrored at 0 and 1, again and again
    return _played(layout, n_frames, columns, place, stays=True)


def by_group(
    layout: ParameterLayout,
    n_frames: int,
    random: np.random.RandomState,
    groups: Mapping[str, Sampler | tuple[Sampler, Mapping[str, Any]]],
) -> Tensor:
    """Each group of controls by a sampler of its own; those of no group at their default.

    groups: pattern → sampler, or (sampler, its options): ``{"**.gain": uniform, "**.eq_*": (around_neutral, {"spread":
    0.2})}``. Where two patterns name a control, the later one has it. Raises InputError for no groups, and as
    :func:`uniform`.
    """
    if not isinstance(groups, Mapping) or not groups:
        raise InputError(f"groups: expected a mapping of patterns to samplers, got {shown(groups)}")
    params = layout.pack(n_frames=_frames(n_frames))
    for pattern, given in groups.items():
        sampler, options = given if isinstance(given, tuple) else (given, {})
        if not callable(sampler):
            raise InputError(f"groups[{pattern!r}]: expected a sampler, got {shown(sampler)}")
        columns = _columns(layout, pattern)
        params[:, columns] = sampler(layout, n_frames, random, controls=pattern, **options)[:, columns]
    return params.float()


def recipe_like(
    layout: ParameterLayout,
    n_frames: int,
    random: np.random.RandomState,
    controls: Patterns = "**",
    *,
    seconds: float = 10.0,
    tempo: float = 120.0,
    recipes: Sequence[str] | None = None,
    off: float = 0.03,
) -> Tensor:
    """As a DJ plays a transition: one of the recipes, with start, length and amounts drawn, and not quite exact.

    seconds, tempo (BPM): of the clip. recipes: names to draw from, all that go with the layout unless given. off: how
    far a control that the recipe moves is from where it says, as a share of its travel on average: it drifts along a
    smooth curve, and is exact where the recipe leaves it at its default. Controls with steps or choices, and those
    that are read once a clip, are as the recipe says. Raises InputError for a layout with which no recipe goes, and
    as :func:`uniform`.
    """
    real(seconds, "seconds", 1e-3)
    real(tempo, "tempo", 1)
    real(off, "off", 0)
    columns = _columns(layout, controls)
    known = _moves(layout)
    names = list(known) if recipes is None else list(recipes)
    if not set(names) <= set(known):
        choose(layout, names)  # says what is wrong with them
    if not names:
        raise InputError("no transition recipe goes with this layout: it has no two tracks with faders")
    name = names[random.randint(len(names))]
    played = known[name](random, ClipInfo(max(_frames(n_frames), 2), seconds, tempo)).params
    params = layout.pack(n_frames=n_frames)
    params[:, columns] = played[:n_frames][:, columns].to(params)
    positions = layout.to_unit(params.double())
    away = random.laplace(0.0, 1.0, (5, len(layout))) * off
    drift = torch.from_numpy(_turning(away, n_frames))
    moved = (positions - layout.to_unit(layout.default.double())).abs() > 1e-6
    free = torch.tensor(
        [not (c.control.held or c.control.rate == "clip") for c in layout.columns], device="cpu"
    )
    drifted = layout.from_unit((positions + drift).clamp(0, 1))
    return torch.where(moved & free, drifted, params.double()).float()


def sample_batch(count: int, seed: int, sampler: Sampler, *arguments: Any, **options: Any) -> Tensor:
    """``[count, frames, controls]``: item i is drawn by ``random_state(seed, i)``, and depends on nothing else.

    arguments: of the sampler, without its generator: ``sample_batch(64, 0, uniform, layout, 20)``.
    """
    layout, n_frames, *rest = arguments
    items = [
        sampler(layout, n_frames, random_state(seed, number), *rest, **options)
        for number in range(whole(count, "count", 1))
    ]
    return torch.stack(items)


@lru_cache(maxsize=8)
def _moves(layout: ParameterLayout) -> Mapping[str, Draw]:
    """Every recipe that goes with a layout; found once."""
    return moves_for(layout)


def _frames(n_frames: Any) -> int:
    return whole(n_frames, "n_frames", 1)


def _points(points: Any, n_frames: Any) -> int:
    return min(whole(points, "points", 1), _frames(n_frames))


def _columns(layout: Any, controls: Patterns) -> list[int]:
    if not isinstance(layout, ParameterLayout):
        raise InputError(f"layout: expected a ParameterLayout, got {shown(layout)}")
    patterns = [controls] if isinstance(controls, str) else list(controls)
    return sorted({column for pattern in patterns for column in layout.select(pattern)})


def _played(
    layout: ParameterLayout, n_frames: int, columns: list[int], points: np.ndarray, stays: bool = False
) -> Tensor:
    """Params whose chosen controls go through points ``[points, columns]``, 0…1; stays: a grid's nearest value, not
    its share."""
    params = layout.pack(n_frames=n_frames, dtype=torch.float64)
    positions = layout.to_unit(params)
    positions[:, columns] = torch.from_numpy(_turning(points, n_frames))
    smooth = layout.from_unit(positions, snap=True)
    params[:, columns] = smooth[:, columns]
    for place, column in enumerate(columns):
        control = layout.columns[column].control
        if control.rate == "clip":
            params[:, column] = params[0, column]
        if control.held and not stays:
            params[:, column] = torch.from_numpy(_held(control, points[:, place], n_frames))
    return params.float()


def _held(control: Control, points: np.ndarray, n_frames: int) -> np.ndarray:
    count = grid.size(control)
    values = np.array([grid.value(control, min(int(point * count), count - 1)) for point in points])
    if control.rate == "clip":
        return np.full(n_frames, values[0])
    return values[np.minimum((np.arange(n_frames) * len(values)) // n_frames, len(values) - 1)]


def _turning(points: np.ndarray, n_frames: int) -> np.ndarray:
    """From point to point, ``[points, columns]`` → ``[frames, columns]``, each way along half a cosine."""
    if len(points) == 1:
        return np.repeat(points, n_frames, 0)
    place = np.linspace(0, len(points) - 1, n_frames)
    before = np.minimum(place.astype(int), len(points) - 2)
    turn = (0.5 - 0.5 * np.cos(np.pi * (place - before)))[:, None]
    turned: np.ndarray = points[before] + (points[before + 1] - points[before]) * turn
    return turned
