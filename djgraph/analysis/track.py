"""One track, analysed: from its files to a record of all that is known of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from djgraph.analysis.bars import downbeats
from djgraph.analysis.beats import track
from djgraph.analysis.find import Source
from djgraph.analysis.grid import Grid
from djgraph.analysis.key import key_of
from djgraph.analysis.listening import listen
from djgraph.analysis.onsets import onsets
from djgraph.analysis.phrases import bar_levels, cycles, phrases
from djgraph.analysis.tempo import TEMPOS, pulse

VERSION = 3
"""Of what an analysis computes: a track.json of another one is made anew."""


@dataclass(frozen=True)
class Analysis:
    """What is known of a track.

    grid: None where no beat was found. source: where the grid comes from, such as ``analysis`` or ``rekordbox``. key,
    camelot: None where nothing sounds. loudness: LUFS, true_peak: dBTP, None where not defined. levels: dB of full
    scale by stem and bar. phrases: bars at which phrases begin.
    confidence: 0 … 1 of tempo, beats, downbeats and key.
    """

    seconds: float
    grid: Grid | None
    source: str
    key: str | None
    camelot: str | None
    loudness: float | None
    true_peak: float | None
    levels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    phrases: tuple[int, ...] = ()
    confidence: Mapping[str, float] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """As track.json holds it."""
        grid = self.grid
        out: dict[str, Any] = {"tempo": None, "beats": []}
        if grid is not None:
            out |= {
                "tempo": round(grid.tempo, 5),
                "beats": [round(float(x), 6) for x in grid.beats_until(self.seconds)],
                "downbeats": [round(float(x), 6) for x in grid.bars_until(self.seconds)[:-1]],
                "meter": grid.meter,
                "grid": {
                    "seconds": [round(x, 9) for x in grid.seconds],
                    "beats": list(grid.beats),
                    "meter": grid.meter,
                    "downbeat": grid.downbeat,
                    "source": self.source,
                },
            }
        return out | {
            "key": self.key,
            "camelot": self.camelot,
            "loudness": None if self.loudness is None else round(self.loudness, 2),
            "true_peak": None if self.true_peak is None else round(self.true_peak, 2),
            "levels": {name: [round(x, 1) for x in row] for name, row in self.levels.items()},
            "phrases": list(self.phrases),
            "confidence": {name: round(value, 3) for name, value in self.confidence.items()},
        }


def analyse_track(
    source: Source, low: float = TEMPOS[0], high: float = TEMPOS[1], given: tuple[Grid, str] | None = None
) -> Analysis:
    """Listen to a track. low, high: BPM that its tempo may have. given: a grid that is known, and where from; it is
    taken as it is. Raises AudioFileError for files that cannot be read."""
    heard = listen(source.parts)
    found = onsets(heard.drums)
    if heard.drums is not heard.audio:  # where the drums rest, the other stems tell the beat
        found = found.with_share(onsets(heard.audio), 0.5)
    confidence: dict[str, float] = {}
    grid = None
    origin = "analysis"
    if given is not None:
        grid, origin = given
        confidence |= {"tempo": 1.0, "beats": 1.0, "downbeats": 1.0}
    elif (beat := pulse(found.bands, low, high)) is not None:
        beats, on = track(found, beat.tempo)
        first, clear = downbeats(found, beats, beat.meter, heard.tonal)
        grid = dataclasses.replace(beats, meter=beat.meter, downbeat=first)
        confidence |= {"tempo": beat.confidence, "beats": on, "downbeats": clear}
    levels: dict[str, Any] = {}
    lines: list[int] = []
    if grid is not None:
        bars = grid.bars_until(heard.seconds)
        levels = bar_levels(heard.energies, bars)
        lines = phrases(levels)
    key = key_of(heard.tonal, None if grid is None else cycles(bars, lines))
    if key is not None:
        confidence["key"] = key.confidence
    return Analysis(
        heard.seconds,
        grid,
        origin,
        key.name if key else None,
        key.camelot if key else None,
        heard.lufs,
        heard.true_peak,
        {name: tuple(map(float, row)) for name, row in levels.items()},
        tuple(lines),
        confidence,
    )
