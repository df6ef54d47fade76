"""How loud each stem of a set's tracks is, bar by bar in the mix's time: as the track has it, and as it is heard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from djgraph.daw import Arrangement, Lane
from djgraph.sets.plan import PlayedTrack, SetPlan

Array = NDArray[np.float64]

BEND = 0.6
"""Between amplitudes, whose quiet parts nobody sees, and decibels, whose fades nobody sees."""
PARTS = 8
"""Places in a bar at which the faders are looked at."""


@dataclass(frozen=True)
class Energy:
    """seconds: ``[parts + 1]`` of the mix, the edges of parts of bars. own, heard: ``[parts]``, 0 … 1: amplitudes, of
    which 1 is the track's loudest bar, to the power of :data:`BEND`."""

    seconds: Array
    own: Array
    heard: Array


def energies(plan: SetPlan, arrangement: Arrangement, number: int) -> Mapping[str, Energy]:
    """Of the track with this number in the set, by stem. Where its analysis knows nothing of a stem, that is as loud as
    can be wherever its file sounds."""
    track = plan.tracks[number]
    edges, bar_of = _parts(plan, track)
    if len(edges) < 2:
        return {}
    beats = plan.tempo.beats((edges[1:] + edges[:-1]) / 2)
    levels = {name: np.array(level, np.float64) for name, level in track.known.levels.items()}
    loudest = max((float(level.max()) for level in levels.values() if len(level)), default=0.0)
    found: dict[str, Energy] = {}
    for stem, volumes in _faders(plan, arrangement, track).items():
        level = levels.get(stem, next(iter(levels.values())) if len(levels) == 1 else np.zeros(0))
        known = np.full(len(beats), loudest)
        if len(level):
            inside = (bar_of >= 0) & (bar_of < len(level))
            known = np.where(inside, level[np.clip(bar_of, 0, len(level) - 1)], -np.inf)
        gain = np.prod([volume.at(beats) for volume in volumes], axis=0)
        own = 10 ** ((known - loudest) / 20 * BEND)
        heard = np.minimum(own * np.maximum(gain, 0) ** BEND, 1.0)
        found[stem] = Energy(edges, own, heard)
    return found


def _parts(plan: SetPlan, track: PlayedTrack) -> tuple[Array, NDArray[np.int64]]:
    """Seconds of the mix between which parts of bars of a track are heard, ``[parts + 1]``, cuts among them; and of
    which bar each is."""
    bars = np.array(track.grid.bars_until(track.seconds))
    own = np.interp(np.arange((len(bars) - 1) * PARTS + 1) / PARTS, np.arange(len(bars)), bars)
    edges: list[float] = []
    bar_of: list[int] = []
    ends = 0.0
    for run in track.runs:
        begins, until = plan.heard(track, run)
        begins, until = max(begins, run.mix_second(own[0])), min(until, run.mix_second(own[-1]))
        if until <= begins:
            continue
        low, high = run.track_second(begins), run.track_second(until)
        inner = [run.mix_second(second) for second in own[(own > low + 1e-6) & (own < high - 1e-6)].tolist()]
        for begin, end in pairwise([begins, *inner, until]):
            edges.append(begin)
            middle = run.track_second((begin + end) / 2)
            bar_of.append(int(np.searchsorted(bars, middle, side="right")) - 1)
        ends = until
    return np.array([*edges, ends]), np.array(bar_of, np.int64)


def _faders(plan: SetPlan, arrangement: Arrangement, track: PlayedTrack) -> dict[str, list[Lane]]:
    """By stem, the volumes that it goes through: of its own channel and its group's."""
    found: dict[str, list[Lane]] = {}
    own = {path: str(stem or "audio") for stem, files in track.stems.items() for path in files}
    decks = [name for name in plan.graph.inputs if any(played.input == name for played in plan.tracks)]
    group = arrangement.groups[decks.index(track.input)]
    for line in group.tracks:
        for clip in line.clips:
            if clip.file.path in own and track.enters - 1e-6 <= clip.begins < track.leaves:
                found.setdefault(own[clip.file.path], [line.channel.volume, group.channel.volume])
    return found
