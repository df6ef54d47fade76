"""Random smooth movements of some of a mixer's controls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from djgraph.errors import InputError
from djgraph.layout import ParameterLayout

MOST_POINTS = 6
"""Most points that a curve goes through."""


def random_curves(
    layout: ParameterLayout,
    n_frames: int,
    random: np.random.RandomState,
    controls: Sequence[int] | None = None,
    share: tuple[float, float] = (0.1, 0.5),
) -> Tensor:
    """Params ``[frames, controls]`` in which a random subset of controls moves; the others keep their default.

    How many move is uniform over ``share`` of the ``controls`` (columns; all where left out), at least one.
    Each goes through 2 to :data:`MOST_POINTS` points, at the ends of the clip and at random moments between,
    its knob turning from one to the next along half a cosine. A point is neutral one time in three, else
    anywhere in the control's travel. Controls with a step or choices take only values they may take.

    random: see :func:`djgraph.data.random_state`. Raises InputError for impossible sizes.
    """
    columns = list(range(len(layout))) if controls is None else list(controls)
    low, high = share
    if n_frames < 1 or not columns or not 0 <= low <= high <= 1:
        raise InputError(
            f"n_frames is {n_frames}, share {share}, controls {len(columns)}; expected at least a frame and a"
            " control, and a share low <= high within 0 … 1"
        )
    amount = round((low + (high - low) * random.random_sample()) * len(columns))
    moving = sorted(random.permutation(len(columns))[: max(1, amount)])
    neutral = layout.to_unit(layout.neutral.double()).numpy()
    params = layout.pack(n_frames=n_frames, dtype=torch.float64)
    positions = layout.to_unit(params)
    chosen = [columns[i] for i in moving]
    for column in chosen:
        positions[:, column] = torch.from_numpy(_curve(n_frames, neutral[column], random))
    params[:, chosen] = layout.from_unit(positions, snap=True)[:, chosen]
    return params.float()


def _curve(n_frames: int, neutral: float, random: np.random.RandomState) -> np.ndarray:
    """Positions ``[frames]`` of one control."""
    inner = random.randint(MOST_POINTS - 1)
    times = np.concatenate([[0.0], np.sort(random.random_sample(inner)), [1.0]])
    rests, anywhere = random.random_sample(len(times)) < 1 / 3, random.random_sample(len(times))
    points = np.where(rests, neutral, anywhere)
    place = np.linspace(0, 1, n_frames) if n_frames > 1 else np.zeros(1)
    after = np.clip(np.searchsorted(times, place, side="right"), 1, len(times) - 1)
    span = np.maximum(times[after] - times[after - 1], 1e-9)
    turn = 0.5 - 0.5 * np.cos(np.pi * np.clip((place - times[after - 1]) / span, 0, 1))
    curve: np.ndarray = points[after - 1] + (points[after] - points[after - 1]) * turn
    return curve
