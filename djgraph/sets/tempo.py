"""The tempo of a set: one, a ramp, or from track to track."""

from __future__ import annotations

import math
from collections.abc import Sequence

from djgraph.automation import TempoMap
from djgraph.errors import SetError
from djgraph.sets.document import RampModel
from djgraph.sets.load import SetDocument
from djgraph.sets.sources import SetTrack

TIMES = (1.0, 2.0, 0.5)
"""How many beats of the mix one of a track's may be."""


def times_for(own: float, tempo: float) -> float:
    """How many beats of the mix each of a track's is, so that its speed changes least. Both in BPM."""
    return min(TIMES, key=lambda times: abs(math.log(tempo / (own * times))))


def track_tempos(document: SetDocument, tracks: Sequence[SetTrack]) -> list[float]:
    """The mix's tempo while each track plays, in BPM, as far as it is known before anything is arranged: of ramps and
    tempo maps the one that they begin with. Raises SetError where two places say it."""
    said = document.model.tempo
    if isinstance(said, (RampModel, TempoMap)):
        problems = [
            site.problem("the tempo of the set says it for all tracks", "tempo", key=True)
            for track, site in document.tracks
            if track.tempo is not None
        ]
        if problems:
            raise SetError(*problems)
        first = said.begin if isinstance(said, RampModel) else said.points[0][1]
        return [first] * len(tracks)
    steady = said if isinstance(said, float) else None
    if said is None:
        steady = document.tracks[0][0].tempo or middle([track.grid.tempo for track in tracks])
    tempos: list[float] = []
    for (model, _), track in zip(document.tracks, tracks):
        before = tempos[-1] if tempos else steady
        own = track.grid.tempo
        if model.tempo is not None:
            tempos.append(model.tempo)
        elif steady is not None and before is not None:
            tempos.append(before)
        else:  # that of the track, counted as fast as the mix already is
            tempos.append(own if before is None else own * times_for(own, before))
    return tempos


def middle(tempos: Sequence[float]) -> float:
    """A tempo, in whole BPM, that none of some is far from: between the slowest and the fastest of them, half and
    double tempos counted as one."""
    folded = [tempo * times_for(tempo, tempos[0]) for tempo in tempos]
    return float(round(math.sqrt(min(folded) * max(folded)))) or 1.0


def tempo_of(
    document: SetDocument, tempos: Sequence[float], windows: Sequence[tuple[float, float]], beats: float
) -> TempoMap:
    """The whole set's. tempos: by track. windows: beats at which each transition begins and ends, within which
    the tempo goes from one to the next. beats: of the whole set."""
    said = document.model.tempo
    if isinstance(said, TempoMap):
        return said
    if isinstance(said, RampModel):
        return TempoMap([(0.0, said.begin, said.ramp), (max(beats, 1.0), said.to)])
    entries: list[tuple[float, float, str]] = [(0.0, tempos[0], "hold")]
    for (begin, end), before, after in zip(windows, tempos, tempos[1:]):
        if before != after:
            if end > begin:
                entries.append((begin, before, "per_beat"))
            entries.append((end, after, "hold"))
    unlike = [entry for entry, nxt in zip(entries, [*entries[1:], None]) if nxt is None or nxt[0] > entry[0]]
    return TempoMap(unlike)
