"""Which passages are heard, and from when to when: what is explained better with a track than without it."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from djgraph.alignment import Passage
from djgraph.decks import Warp
from djgraph.fitting.bands import Bands
from djgraph.unmixing.cells import FRAMES
from djgraph.unmixing.material import Tracks, passages_of
from djgraph.unmixing.stretches import Told, stretches

HEARD = 10.0
"""Log likelihood for each band from which a track is heard in a cell. What does not sound stays below 8, even where the
rest is distorted; a track at a tenth of its level, below another, comes to 30 and more."""
LEAST = 0.05
"""Share of a passage's cells in which it has to be heard."""
PATIENCE = 4
"""Cells, of half a second each, for which a track may be silent and go on."""
HIGHEST = 14000.0
"""Hz."""


def trimmed(tracks: Tracks, warp: Warp, recording: Tensor, bands: Bands, told: Told | None = None) -> Warp:
    """A warp without passages that are not heard, in which each track begins and ends where it is first and last heard.

    Passages with key lock are left as they are: their phases say nothing of what sounds.
    """
    kept = _dropped(tracks, warp, recording, bands, told)
    wide = kept
    for name, material in tracks.items():
        wide = wide.with_passages(name, _extended(passages_of(kept, name), warp.samples, material.samples))
    heard = _presence(tracks, wide, recording, bands, told)
    for name in tracks:
        if name in heard and passages_of(kept, name):
            wide = wide.with_passages(
                name, _ends(passages_of(wide, name), passages_of(kept, name), *heard[name], bands)
            )
    return wide


def _dropped(tracks: Tracks, warp: Warp, recording: Tensor, bands: Bands, told: Told | None) -> Warp:
    heard = _presence(tracks, warp, recording, bands, told)
    half = FRAMES * bands.transform.hop / 2
    for name in tracks:
        if name not in heard:
            continue
        middle, present = heard[name]
        stays = []
        for one in passages_of(warp, name):
            # Whole cells alone, where there are such: half of one on an edge may be the passage before.
            whole = (middle - half >= one.begins) & (middle + half <= one.ends)
            inside = present[whole if bool(whole.any()) else (middle >= one.begins) & (middle < one.ends)]
            if one.key_locked or not len(inside) or float((inside >= HEARD).double().mean()) >= LEAST:
                stays.append(one)
        warp = warp.with_passages(name, stays)
    return warp


def _presence(
    tracks: Tracks, warp: Warp, recording: Tensor, bands: Bands, told: Told | None
) -> dict[str, tuple[Tensor, Tensor]]:
    """By track the middles of cells, and how clearly it is heard there."""
    chosen = slice(2, max(3, int((bands.frequencies <= HIGHEST).sum())))
    middles: dict[str, list[Tensor]] = {}
    values: dict[str, list[Tensor]] = {}
    for cells, members in stretches(
        tracks, warp, recording, bands, True, told, "listening where tracks are heard"
    ):
        for name, own in members.items():
            middles.setdefault(name, []).append(cells.middle)
            values.setdefault(name, []).append(cells.presence(own, chosen))
    return {name: (torch.cat(middles[name]), torch.cat(values[name])) for name in middles}


def _extended(passages: tuple[Passage, ...], samples: int, length: int) -> list[Passage]:
    """With the first one from the track's beginning on, and the last one to its end, as far as the mix has them."""
    found = list(passages)
    if found and not found[0].key_locked:
        one = found[0]
        begins = min(max(0.0, one.begins - one.start / one.rate), one.begins)
        found[0] = one.begun(begins)
    if found and not found[-1].key_locked:
        one = found[-1]
        ends = max(min(float(samples), one.begins + (length - one.start) / one.rate), one.begins + 1)
        found[-1] = dataclasses.replace(one, ends=ends)
    return found


def _ends(
    wide: tuple[Passage, ...], kept: tuple[Passage, ...], middle: Tensor, present: Tensor, bands: Bands
) -> list[Passage]:
    """Passages that were extended, back to where the track is heard without a long pause."""
    found = list(wide)
    loud = middle[present >= HEARD].tolist()
    cell = float(FRAMES * bands.transform.hop)
    first, last = found[0], found[-1]
    inside = [at for at in loud if kept[0].begins <= at < kept[-1].ends]
    if not inside:
        return list(kept)
    if not first.key_locked:
        edge = min(inside)
        for at in sorted((at for at in loud if at < edge), reverse=True):
            if edge - at > PATIENCE * cell:
                break
            edge = at
        begins = min(max(first.begins, edge - 1.5 * cell), first.ends - 1)
        found[0] = first.begun(begins)
    if not last.key_locked:
        edge = max(inside)
        for at in sorted(at for at in loud if at > edge):
            if at - edge > PATIENCE * cell:
                break
            edge = at
        ends = max(min(last.ends, edge + 1.5 * cell), found[-1].begins + 1)
        found[-1] = dataclasses.replace(found[-1], ends=ends)
    return found
