"""Bound curves → frames with positions: one for each breakpoint, so that it is on its sample."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.arguments import real, whole
from djgraph.automation.bind import Bound, bind
from djgraph.automation.curves import FRAMES_PER_SECOND, CurveSet, Tempo
from djgraph.automation.render import values_at
from djgraph.automation.shapes import is_straight
from djgraph.automation.times import TempoMap
from djgraph.layout import ParameterLayout

Places = NDArray[np.int64]


class Frames(NamedTuple):
    """What a mixer takes: ``mixer(inputs, frames.params, positions=frames.positions, tempo=frames.tempo)``."""

    params: Tensor
    """``[frames, controls]``, or with a batch ``[batch, frames, controls]``, in plain units."""
    positions: Tensor
    """Which sample each frame lies on, ``[frames]``, int64, ascending, in 0…samples−1."""
    tempo: float | Tensor | None
    """BPM: a number, or for a tempo that changes ``[1, frames]`` in float64; None where there is none."""


def render_exact(
    auto: CurveSet,
    layout: ParameterLayout,
    samples: int,
    sample_rate: float,
    tempo: Tempo | None,
    batch: int | None,
    dtype: torch.dtype | None,
) -> Frames:
    """See :meth:`djgraph.automation.Automation.render_exact`."""
    samples, rate = whole(samples, "samples", 1), real(sample_rate, "sample_rate", 1)
    bounds = bind(auto, layout, samples / rate, tempo)
    tempo_map = auto.tempo if tempo is None else TempoMap(tempo)
    grid = _grid(samples, rate)
    points = [_on_samples(bound.seconds * rate) for bound in bounds]
    wanted = [np.array([0, samples - 1])]
    wanted += [_places(bound, where, grid, rate) for bound, where in zip(bounds, points)]
    steady = tempo_map is None or len(tempo_map.points) == 1
    if tempo_map is not None and not steady:
        wanted.append(_tempo_places(tempo_map, rate, grid))
    places = np.unique(np.concatenate(wanted))
    places = places[(places >= 0) & (places < samples)]
    params = layout.pack(n_frames=len(places), dtype=torch.float64)
    for bound, where in zip(bounds, points):
        values = values_at(bound, where.astype(np.float64), places.astype(np.float64), rate)
        params[:, list(bound.columns)] = torch.from_numpy(bound.plain(values))
    params = params.to(torch.get_default_dtype() if dtype is None else dtype)
    if batch is not None:
        params = params.repeat(whole(batch, "batch", 1), 1, 1)
    bpm: float | Tensor | None = None
    if tempo_map is not None:
        bpm = tempo_map.points[0][1] if steady else _bpm(tempo_map, rate, places)
    return Frames(params, torch.from_numpy(places), bpm)


def tempo_frames(tempo: TempoMap, samples: int, sample_rate: float) -> tuple[Tensor, Tensor]:
    """A tempo as frames for effects that follow a clock: BPM ``[1, frames]`` in float64, and the sample that each lies
    on, ``[frames]``, int64; a stream takes the pair as ``tempo``.

    Where frames go on in a straight line from one to the next, the beats that effects count lie within a sample of
    those of the map: ramps that are even in beats have 50 frames a second.
    """
    samples, rate = whole(samples, "samples", 1), real(sample_rate, "sample_rate", 1)
    wanted = _tempo_places(tempo, rate, _grid(samples, rate))
    places = np.unique(np.concatenate((np.array([0, samples - 1]), wanted)))
    places = places[(places >= 0) & (places < samples)]
    return _bpm(tempo, rate, places), torch.from_numpy(places)


def _grid(samples: int, rate: float) -> Places:
    """Where curved ways get frames: all on one grid, so that curves that go on at the same time share them."""
    count = int(samples / rate * FRAMES_PER_SECOND)
    return np.round(np.arange(1, count + 1) * (rate / FRAMES_PER_SECOND)).astype(np.int64)


def _on_samples(places: NDArray[np.float64]) -> Places:
    """The nearest samples."""
    return np.round(places).astype(np.int64)


def _places(bound: Bound, where: Places, grid: Places, rate: float) -> Places:
    """The samples at which a curve needs frames, given those of its points.

    At a jump the sample before it needs one, too: else the way there would begin at the frame before.
    """
    bends = [] if bound.tempo is None or not bound.in_beats.any() else _bends(bound.tempo, rate, grid)
    wanted = [where]
    for j, point in enumerate(bound.curve.points[:-1]):
        moves = (bound.values[j] != bound.values[j + 1]) & ~bound.held
        if not moves.any():
            continue
        if where[j] == where[j + 1] or point.shape == "hold":
            wanted.append(where[j + 1 : j + 2] - 1)
            continue
        even = is_straight(point.shape, point.bend) and bound.straight[moves].all()
        needed = [] if even else [grid]
        if bound.in_beats[j]:
            # What is even in beats has a corner where the tempo steps, and bends where it changes.
            needed += bends
        wanted += [places[(places > where[j]) & (places < where[j + 1])] for places in needed]
    return np.concatenate(wanted)


def _bends(tempo: TempoMap, rate: float, grid: Places) -> list[Places]:
    """The samples of a tempo's entries, and those of the grid on which it changes evenly."""
    where = _on_samples(np.array(tempo.entries) * rate)
    changing = [
        grid[(grid > where[j]) & (grid < where[j + 1])]
        for j, ramp in enumerate(tempo.ramps[:-1])
        if ramp != "hold"
    ]
    return [where, *changing]


def _tempo_places(tempo: TempoMap, rate: float, grid: Places) -> Places:
    """The samples at which a tempo needs frames: its entries, the samples before steps, a grid where it is curved."""
    where = _on_samples(np.array(tempo.entries) * rate)
    wanted = [where]
    for j, ramp in enumerate(tempo.ramps[:-1]):
        if ramp == "hold":
            wanted.append(where[j + 1 : j + 2] - 1)
        elif ramp == "per_beat":
            wanted.append(grid[(grid > where[j]) & (grid < where[j + 1])])
    return np.concatenate(wanted)


def _bpm(tempo: TempoMap, rate: float, places: Places) -> Tensor:
    """The tempo on each sample, ``[1, samples]``. An entry counts from the sample on that it is nearest to."""
    entries = np.array(tempo.entries)
    last = np.searchsorted(_on_samples(entries * rate), places, side="right") - 1
    # An entry's sample may be a little before the entry.
    moments = np.maximum(places / rate, np.where(last >= 0, entries[last], -np.inf))
    return torch.tensor(
        [[tempo.bpm(moment) for moment in moments.tolist()]], dtype=torch.float64, device="cpu"
    )
