"""Random movements of some of a mixer's controls: smooth ones, and from one allowed value to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from djgraph.effects import Control, grid
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
    anywhere in the control's travel. A control with a step or choices takes values that it may take, all alike, and
    keeps each until the next point. A control that is read once a clip (rate ``clip``) has one value all along.

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
    held: dict[int, np.ndarray] = {}
    for column in chosen:
        control = layout.columns[column].control
        points = _Points.draw(random)
        if control.held:
            held[column] = points.held(control, n_frames)
        else:
            positions[:, column] = torch.from_numpy(points.smooth(neutral[column], control, n_frames))
    params[:, chosen] = layout.from_unit(positions)[:, chosen]
    for column, values in held.items():
        params[:, column] = torch.from_numpy(values)
    return params.float()


@dataclass(frozen=True)
class _Points:
    """What one control goes through: moments 0…1, whether it rests there, and a number 0…1 for where else it is."""

    times: np.ndarray
    rests: np.ndarray
    anywhere: np.ndarray

    @classmethod
    def draw(cls, random: np.random.RandomState) -> _Points:
        inner = random.randint(MOST_POINTS - 1)
        times = np.concatenate([[0.0], np.sort(random.random_sample(inner)), [1.0]])
        return cls(times, random.random_sample(len(times)) < 1 / 3, random.random_sample(len(times)))

    def smooth(self, neutral: float, control: Control, n_frames: int) -> np.ndarray:
        """Positions ``[frames]`` of a control that turns from point to point."""
        times, points = self.times, np.where(self.rests, neutral, self.anywhere)
        if control.rate == "clip":
            return np.full(n_frames, points[0])
        place = _places(n_frames)
        after = np.clip(np.searchsorted(times, place, side="right"), 1, len(times) - 1)
        span = np.maximum(times[after] - times[after - 1], 1e-9)
        turn = 0.5 - 0.5 * np.cos(np.pi * np.clip((place - times[after - 1]) / span, 0, 1))
        curve: np.ndarray = points[after - 1] + (points[after] - points[after - 1]) * turn
        return curve

    def held(self, control: Control, n_frames: int) -> np.ndarray:
        """Values ``[frames]`` of a control with a grid, each kept until the next point."""
        count = grid.size(control)
        numbers = np.minimum((self.anywhere * count).astype(int), count - 1)
        rest = control.default if control.neutral is None else control.neutral
        values = np.array([rest if r else grid.value(control, n) for r, n in zip(self.rests, numbers)])
        if control.rate == "clip":
            return np.full(n_frames, values[0])
        return values[np.searchsorted(self.times, _places(n_frames), side="right") - 1]


def _places(n_frames: int) -> np.ndarray:
    return np.linspace(0, 1, n_frames) if n_frames > 1 else np.zeros(1)
