"""Bound curves → params."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.arguments import whole
from djgraph.automation.bind import Bound, bind
from djgraph.automation.curves import FRAMES_PER_SECOND, CurveSet, Tempo
from djgraph.automation.shapes import progress
from djgraph.errors import InputError
from djgraph.layout import ParameterLayout

Array = NDArray[np.float64]

SNAP = 1e-6
"""A breakpoint this close to a frame, in frames, lies on it: what rounding does to seconds."""


def frames_for(duration: float) -> int:
    """How many frames a clip gets where nobody says."""
    return max(2, math.ceil(duration * FRAMES_PER_SECOND) + 1)


def render(
    auto: CurveSet,
    layout: ParameterLayout,
    n_frames: int | None,
    duration: float | None,
    tempo: Tempo | None,
    batch: int | None,
    dtype: torch.dtype | None,
) -> Tensor:
    """See :meth:`Automation.render`."""
    if n_frames is None and duration is None:
        raise InputError("give n_frames=, duration= in seconds, or both")
    bounds = bind(auto, layout, duration, tempo)
    length = 1.0 if duration is None else float(duration)
    if n_frames is None:
        n_frames = frames_for(length)
    params = layout.pack(n_frames=n_frames, dtype=torch.float64)  # checks n_frames
    for bound in bounds:
        params[:, list(bound.columns)] = torch.from_numpy(bound.plain(sample(bound, n_frames, length)))
    params = params.to(torch.get_default_dtype() if dtype is None else dtype)
    if batch is None:
        return params
    return params.repeat(whole(batch, "batch", 1), 1, 1)


def sample(bound: Bound, n_frames: int, duration: float) -> Array:
    """Values ``[frames, columns]`` of one curve at each frame, in its measure."""
    where, rate = bound.seconds, 1.0
    if n_frames > 1:
        rate = (n_frames - 1) / duration
        where = bound.seconds * rate
        near = np.round(where)
        where = np.where(np.abs(where - near) <= SNAP, near, where)
    return values_at(bound, where, np.arange(n_frames, dtype=np.float64), rate)


def values_at(bound: Bound, where: Array, places: Array, rate: float) -> Array:
    """Values ``[places, columns]`` of a curve whose points lie at ``where``, ``[points]``, in its measure; both ascend.

    rate: places a second.
    """
    # The point at or before each place; of several at one moment the last.
    before = np.searchsorted(where, places, side="right") - 1
    values = bound.values[np.clip(before, 0, len(where) - 1)]
    for j, point in enumerate(bound.curve.points[:-1]):
        start, stop = np.searchsorted(before, (j, j + 1))
        if start == stop or point.shape == "hold":
            continue
        u = np.clip(bound.share(j, where, places[start:stop], rate), 0.0, 1.0)
        # A control with a step or choices is held, whatever the shape.
        way = np.where(bound.held, 0.0, progress(point.shape, u, point.bend)[:, None])
        here, there = bound.values[j], bound.values[j + 1]
        # Rounding must not carry a value beyond where it goes, which may be the end of its range.
        values[start:stop] = np.clip(
            here + way * (there - here), np.minimum(here, there), np.maximum(here, there)
        )
    return values
