"""A recording and the tracks where they lie in it, stretch by stretch, as cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from djgraph.decks import PassageDeck, Warp
from djgraph.fitting.bands import Bands
from djgraph.fitting.prepare import fold
from djgraph.unmixing.cells import FRAMES, Cells, gather_cells
from djgraph.unmixing.material import Tracks, passages_of

CELLS = 12
"""Cells that are gathered at a time."""

Told = Callable[[str, int, int], None]
"""Hears what is under way, how many parts of it are done, and how many there are."""


def stretches(
    tracks: Tracks,
    warp: Warp,
    recording: Tensor,
    bands: Bands,
    whole: bool,
    told: Told | None = None,
    what: str = "",
) -> Iterator[tuple[Cells, dict[str, list[int]]]]:
    """The cells of the mix, some at a time, and which sources are whose: tracks read where a warp says.

    whole: the stems of a track as one source. told: hears ``what`` and how many stretches are done.
    """
    hop, size = bands.transform.hop, bands.transform.size
    length = FRAMES * hop * CELLS
    decks = {  # of passages with key lock the phases say nothing
        name: PassageDeck(
            material, [one for one in passages_of(warp, name) if not one.key_locked], warp.sample_rate
        )
        for name, material in tracks.items()
    }
    channels = len(recording)
    firsts = range(0, recording.shape[-1], length)
    for number, first in enumerate(firsts):
        if told is not None:
            told(what, number, len(firsts))
        begins = max(0, first - size)
        ends = min(recording.shape[-1], first + length + size)
        signals: list[Tensor] = []
        members: dict[str, list[int]] = {}
        for name, deck in decks.items():
            if not any(one.begins < ends and one.ends > begins for one in deck.passages):
                continue
            stems = [_wide(fold(x, channels), channels) for x in deck.read(begins, ends - begins).values()]
            if whole:
                stems = [torch.stack(stems).sum(0)]
            members[name] = list(range(len(signals), len(signals) + len(stems)))
            signals += stems
        if signals:
            cells = gather_cells(torch.stack(signals), recording[:, begins:ends], bands, begins)
            if len(cells.middle):
                yield cells, members


def _wide(audio: Tensor, channels: int) -> Tensor:
    return audio.expand(channels, -1)
