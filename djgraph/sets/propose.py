"""A set proposed from analysed tracks: which order suits their keys, tempos and energy, as a file to edit."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from djgraph.analysis import Known, distance
from djgraph.sets.tempo import middle, times_for
from djgraph.text import one_line

Array = NDArray[np.float64]
EXACT = 12
"""Tracks up to which the best order is found; of more, one that no single change makes better."""
KEYS = (0.0, 0.2, 1.0, 2.0)
"""What a step of so many places on the wheel of keys costs; more than the last count as that."""
TEMPO = 1.0
"""What a change of tempo by 6 % costs, half and double tempos counted as one."""
ENERGY = 2.0
"""What a track costs that lies at the opposite end of the course of energy."""
PEAK_AT = 0.75
"""Where in a set its energy is highest."""
_HALF_A_SEMITONE = math.log(2) / 24
_SMOOTH = 0.045
"""Change of tempo from track to track up to which each is played at its own."""


@dataclass(frozen=True)
class Candidate:
    """A track to be put into a set. path: its folder or file."""

    name: str
    path: Path
    known: Known

    @property
    def tempo(self) -> float:
        """BPM."""
        assert self.known.grid is not None
        return self.known.grid.grid().tempo


@dataclass(frozen=True)
class Proposal:
    """tracks: in order. cost: of the order, and of the one that they were given in. exact: no order is better."""

    tracks: tuple[Candidate, ...]
    cost: float
    before: float
    exact: bool


def propose(tracks: Sequence[Candidate]) -> Proposal:
    """The order whose steps (keys, tempos) and course of energy cost least.

    For up to :data:`EXACT` tracks by dynamic programming over sets of tracks (Held and Karp, "A Dynamic Programming
    Approach to Sequencing Problems", J. SIAM 10, 1962); for more the nearest neighbours, made better by turning
    stretches round and moving tracks until nothing helps.
    """
    if not tracks:
        return Proposal((), 0.0, 0.0, True)
    steps, places = _steps(tracks), _places(tracks)
    given = list(range(len(tracks)))
    exact = len(tracks) <= EXACT
    order = _best(steps, places) if exact else _good(steps, places)
    return Proposal(
        tuple(tracks[i] for i in order), _cost(order, steps, places), _cost(given, steps, places), exact
    )


def _steps(tracks: Sequence[Candidate]) -> Array:
    """What going from one track to another costs, ``[tracks, tracks]``."""
    out = np.zeros((len(tracks), len(tracks)))
    for i, one in enumerate(tracks):
        for j, other in enumerate(tracks):
            keys = one.known.camelot, other.known.camelot
            if keys[0] and keys[1]:
                out[i, j] += KEYS[min(distance(keys[0], keys[1]), len(KEYS) - 1)]
            ratio = other.tempo * times_for(other.tempo, one.tempo) / one.tempo
            out[i, j] += TEMPO * abs(math.log(ratio)) / math.log(1.06)
    return out


def energy(tracks: Sequence[Candidate]) -> Array:
    """How much energy each track has beside the others, 0 … 1: by tempo, loudness and how many of its stems sound."""

    def ranks(values: Array) -> Array:
        below = (values[:, None] > values).sum(1) + 0.5 * ((values[:, None] == values).sum(1) - 1)
        out: Array = below / max(1, len(values) - 1)
        return out

    first = tracks[0].tempo
    tempo = np.array([track.tempo * times_for(track.tempo, first) for track in tracks])
    loud = np.array([track.known.loudness or -30.0 for track in tracks])
    full = np.array([_fullness(track.known) for track in tracks])
    return ranks(0.4 * ranks(tempo) + 0.3 * ranks(loud) + 0.3 * ranks(full))


def _fullness(known: Known) -> float:
    rows = [np.array(levels) for levels in known.levels.values() if levels]
    return float(np.mean([(row > row.max() - 15).mean() for row in rows])) if rows else 0.0


def course(count: int) -> Array:
    """The energy that a set has at each of its places, 0 … 1: it rises to three quarters, and comes down a little."""
    at = np.linspace(0, 1, count) if count > 1 else np.array([PEAK_AT])
    up = at / PEAK_AT
    down = 1 - 0.5 * (at - PEAK_AT) / (1 - PEAK_AT)
    return np.where(at <= PEAK_AT, up, down)


def _places(tracks: Sequence[Candidate]) -> Array:
    """What a track costs at each place, ``[tracks, places]``."""
    out: Array = ENERGY * np.abs(energy(tracks)[:, None] - course(len(tracks)))
    return out


def _cost(order: Sequence[int], steps: Array, places: Array) -> float:
    where = np.array(order)
    return float(steps[where[:-1], where[1:]].sum() + places[where, np.arange(len(where))].sum())


def _best(steps: Array, places: Array) -> list[int]:
    count = len(steps)
    total = np.full((1 << count, count), np.inf)
    back = np.zeros((1 << count, count), np.int64)
    for i in range(count):
        total[1 << i, i] = places[i, 0]
    for chosen in range(1, 1 << count):
        place = chosen.bit_count()
        here = total[chosen]
        if place == count or not np.isfinite(here).any():
            continue
        reach = here[:, None] + steps
        from_, cost = reach.argmin(0), reach.min(0)
        for i in range(count):
            if not chosen >> i & 1:
                wider = chosen | 1 << i
                value = cost[i] + places[i, place]
                if value < total[wider, i]:
                    total[wider, i], back[wider, i] = value, from_[i]
    chosen = (1 << count) - 1
    last = int(total[chosen].argmin())
    order = [last]
    while chosen.bit_count() > 1:
        before = int(back[chosen, last])
        chosen ^= 1 << last
        last = before
        order.append(last)
    return order[::-1]


def _good(steps: Array, places: Array) -> list[int]:
    count = len(steps)
    order = [int(places[:, 0].argmin())]
    left = set(range(count)) - set(order)
    while left:
        nearest = min(left, key=lambda i: steps[order[-1], i] + places[i, len(order)])
        order.append(nearest)
        left.remove(nearest)
    cost = _cost(order, steps, places)
    better = True
    while better:
        better = False
        for i in range(count - 1):
            for j in range(i + 1, count):
                turned = order[:i] + order[i : j + 1][::-1] + order[j + 1 :]
                moved = order[:i] + order[i + 1 : j + 1] + [order[i]] + order[j + 1 :]
                brought = [*order[:i], order[j], *order[i:j], *order[j + 1 :]]
                for other in (turned, moved, brought):
                    value = _cost(other, steps, places)
                    if value < cost - 1e-9:
                        order, cost, better = other, value, True
    return order


def to_yaml(proposal: Proposal, folder: Path, left_out: Sequence[str] = (), name: str = "set") -> str:
    """The proposal as a set file in a folder, with what it was made of as comments. left_out: lines on tracks that are
    not in it."""
    tracks = proposal.tracks
    lines = ["set: 1"]
    if re.fullmatch(r"[a-z][a-z0-9_]*", name):
        lines.append(f"name: {name}")
    tempos = [track.tempo for track in tracks]
    folded = tempos[:1]
    for tempo in tempos[1:]:
        folded.append(tempo * times_for(tempo, folded[-1]))
    widest = max((abs(math.log(b / a)) for a, b in itertools.pairwise(folded)), default=0.0)
    if widest <= math.log1p(_SMOOTH):
        lines.append("tempo: tracks  # each at its own; the transitions go from one to the next")
    else:
        lines.append(
            f"tempo: {middle(tempos):g}  # BPM; also {{from: 124, to: 130}}, or tracks: each at its own"
        )
    if widest >= _HALF_A_SEMITONE and any(track.known.camelot for track in tracks):
        lines.append("key_lock: true  # else pitch follows tempo, and the keys are no longer those below")
    else:
        lines.append("key_lock: false  # true: tracks keep their pitch at another tempo")
    lines.append("length: 32beats  # of transitions")
    lines.append(
        "# In an order that suits keys (neighbours on the wheel), tempos (half and double as one) and energy (most at"
    )
    how = "no order costs less" if proposal.exact else "no single change costs less"
    lines.append(f"# three quarters): it costs {proposal.cost:.1f}, {how}; as given, {proposal.before:.1f}.")
    lines.append("tracks:")
    shown = energy(tracks) if tracks else np.zeros(0)
    texts = [_path(track.path, folder) for track in tracks]
    width = max(map(len, texts), default=0)
    for track, text, power in zip(tracks, texts, shown):
        known = track.known
        facts = [f"{track.tempo:.1f} BPM", known.camelot or "no key", f"energy {power:.1f}"]
        facts += [] if known.loudness is None else [f"{known.loudness:.1f} LUFS"]
        lines.append(f"  - {text.ljust(width)}  # {', '.join(facts)}")
    lines += [f"# left out: {one_line(line)}" for line in left_out]
    lines += [
        "# Between two tracks a line may say how the one goes over to the other:",
        "#  - {transition: bass_swap, at: last chorus, length: 8bars}",
        "# and a track where it begins: {track: …, from: phrase 2, gain: -1, title: …}.",
    ]
    return "\n".join(lines) + "\n"


def _path(path: Path, folder: Path) -> str:
    """As YAML, beside the file where it lies below its folder or next to it."""
    absolute = os.path.abspath(path)
    try:
        beside = os.path.relpath(absolute, os.path.abspath(folder))
    except ValueError:  # another drive
        beside = absolute
    text = Path(absolute if beside.startswith("../../..") else beside).as_posix()
    if re.fullmatch(r"[A-Za-z_./][A-Za-z0-9_./ -]*[A-Za-z0-9_]", text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
