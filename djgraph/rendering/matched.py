"""The tracks of the demo, beat-matched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def matched(tracks: Mapping[str, Mapping[str, Tensor]], rate: int) -> dict[str, dict[str, Tensor]]:
    """The demo tracks at the first one's tempo, their bars on one another."""
    from djgraph.analysis import Grid
    from djgraph.decks import Deck, MemoryMaterial, Place
    from djgraph.demo import BPM, DOWNBEAT, PICKUP

    tempo = next(iter(BPM.values()))
    out = {}
    for name, stems in tracks.items():
        grid = Grid.at_tempo(BPM[name], meter=4, downbeat=PICKUP[name])
        place = Place(grid, tempo, DOWNBEAT * tempo / 60, float(grid.beat_at(DOWNBEAT)))
        samples = next(iter(stems.values())).shape[-1]
        out[name] = Deck(MemoryMaterial(stems), place, rate).read(0, samples)
    return out
