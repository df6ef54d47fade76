"""The tracks of the demo, beat-matched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from djgraph.automation import TempoMap
    from djgraph.decks import Deck


def matched(
    tracks: Mapping[str, Mapping[str, Tensor]], rate: int, tempo: float | TempoMap | None = None
) -> dict[str, dict[str, Tensor]]:
    """The demo tracks at one tempo, the first one's where none is given, their bars on one another and as many beats
    long as at that one."""
    return {name: deck.read(0, samples) for name, (deck, samples) in decks_of(tracks, rate, tempo).items()}


def decks_of(
    tracks: Mapping[str, Mapping[str, Tensor]], rate: int, tempo: float | TempoMap | None = None
) -> dict[str, tuple[Deck, int]]:
    """What plays them so, and how many samples of it."""
    from djgraph.analysis import Grid
    from djgraph.automation import TempoMap
    from djgraph.decks import Deck, MemoryMaterial, Place
    from djgraph.demo import BPM, DOWNBEAT, PICKUP

    own = next(iter(BPM.values()))
    clock = TempoMap(own if tempo is None else tempo)
    out = {}
    for name, stems in tracks.items():
        grid = Grid.at_tempo(BPM[name], meter=4, downbeat=PICKUP[name])
        place = Place(grid, clock, DOWNBEAT * own / 60, float(grid.beat_at(DOWNBEAT)))
        beats = next(iter(stems.values())).shape[-1] / rate * own / 60
        out[name] = Deck(MemoryMaterial(stems), place, rate), round(clock.seconds(beats) * rate)
    return out
