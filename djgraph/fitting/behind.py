"""Effects behind faders that a graph does not have: found from what is heard, and put behind the tracks of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.fitting.alone import BLOCK, Blocks
from djgraph.fitting.distorted import Distorted, find_distortion
from djgraph.fitting.fader_curves import LOWEST, Behind, Compressed, FaderCurves, Plain, hops
from djgraph.fitting.knots import KnotGrid
from djgraph.fitting.level_law import (
    HOP,
    QUIET,
    LevelLaw,
    Moves,
    find_law,
    offset_of,
    peaks_of,
    slow,
    without,
)
from djgraph.fitting.newton import gauss_newton, refine
from djgraph.fitting.prepare import Prepared
from djgraph.fitting.priors import Priors, Rest

Array = NDArray[np.float64]
DRIFT = 6.0
"""Seconds between knots of the slow curves that faders may draw while a law is looked for."""
TRIM, TRIMS = 4.0, 4
"""Moments that are off by so many times the median count nothing; how often they are looked for."""
RESTS = 0.97
"""Fader above which it is taken to be at its end."""
ENOUGH = 43
"""Blocks, about a second, in which a track has to be heard alone to tell of its level."""
STEEP = 0.1
"""Least slope of a law."""
SURE = 0.9
"""Share of the moves of resting tracks' gains that a law has to explain."""
GAINED = 0.5
"""Share of what is left with faders alone that may be left with a law."""
KNOTS = 0.75
"""Seconds between knots while laws are compared."""
ROUNDS = 3
"""How often law and faders are found in turn."""


@dataclass(frozen=True)
class Found:
    """names: of the sources. laws: by track. gains: by track ``[samples]``, what its law does where its fader stands,
    as a ratio beside ``level``, at which resting tracks are heard. left: share of what faders alone leave that is left
    with the laws."""

    names: tuple[str, ...]
    laws: dict[str, LevelLaw]
    gains: dict[str, Tensor]
    level: float
    left: float

    @property
    def slopes(self) -> dict[str, float]:
        """By track, the share of a fader's dB that is not heard."""
        return {name: law.slope for name, law in self.laws.items()}

    def described(self) -> dict[str, Any]:
        """For the report."""
        return {name: {**law.described(), "left": round(self.left, 4)} for name, law in self.laws.items()}

    def behind(self, material: Prepared) -> Prepared:
        """The material with every track as its law leaves it."""
        sources = [one * self.gains[track_of(name)] for name, one in zip(self.names, material.sources)]
        inputs: dict[str, Any] = {
            track: (
                {stem: audio * self.gains[track] for stem, audio in value.items()}
                if isinstance(value, Mapping)
                else value * self.gains[track]
            )
            if track in self.gains
            else value
            for track, value in material.inputs.items()
        }
        return replace(material, inputs=inputs, sources=sources, told_by=material.sounds())

    def remark(self) -> str:
        """For people."""
        law = next(iter(self.laws.values()))
        over = "" if law.threshold <= QUIET else f" above {law.threshold:.0f} dB"
        faders = "the faders" if len(self.laws) > 1 else "the fader"
        ratio = 1 / max(1 - law.slope, 1e-2)
        return (
            f"a compressor seems to follow {faders} of {', '.join(self.laws)} (about {ratio:.1f} : 1{over}, "
            f"{law.attack:.0f} and {law.release:.0f} ms): the curves say where {faders} stood in front of it. The "
            "graph has no such effect: what it makes of these controls without one sounds otherwise"
        )


def track_of(name: str) -> str:
    """The input of a source, ``track_a`` of ``track_a.drums``."""
    return name.partition(".")[0]


def find_behind(
    material: Prepared, names: Sequence[str], target: Tensor, valid: Tensor, rate: int, level: float | None
) -> Found | Distorted | None:
    """What follows the faders; None where nothing is found, or it is not sure.

    names: of the material's sources. target: aligned ``[channels, samples]``; valid: 1 where it is known. level: of the
    recording, where it is known.

    Where a track is heard alone and its fader rests, its gain moves as its level tells a compressor. From there a law
    is found; with it, faders that lie in front of it; with these, a better law, from all moments at which they are at
    their end; and so on. It is believed if it explains nearly all of what resting tracks' gains do, and if faders in
    front of it explain far more of the recording than faders alone.
    """
    tracks: dict[str, Tensor] = {}
    for name, audio in zip(names, material.sources):
        track = track_of(name)
        tracks[track] = tracks[track] + audio if track in tracks else audio
    blocks = Blocks.of(list(tracks.values()), target, valid)
    if not len(blocks.gram):  # too short to tell anything
        return None
    found = _compressed(blocks, list(names), tracks, target.shape[-1], rate, level)
    return found or find_distortion(material, names, blocks, target, valid, rate)


def _compressed(
    blocks: Blocks, names: list[str], tracks: dict[str, Tensor], samples: int, rate: int, level: float | None
) -> Found | None:
    """The compressor that follows all faders. tracks: the sums of their sources ``[channels, samples]``."""
    search = _Search(blocks, [peaks_of(audio) for audio in tracks.values()], rate, samples)
    moves = search.moving()
    if not moves:
        return None
    laws = [find_law(some, BLOCK, rate) for some in (moves, *([one] for one in moves if len(moves) > 1))]
    tried = [search.improved(law) for law in laws if law is not None and law.slope > STEEP]
    if not tried:
        return None
    law, offsets, u = min(tried, key=lambda one: one[0])[1:]
    law, offsets, u = search.refined(law, offsets, u)
    curves = search.curves(law, offsets)
    left = curves.loss(u) / max(search.plain(), 1e-30)
    if law.explained < SURE or law.slope < STEEP or left > GAINED:
        return None
    gains = search.gains(law, offsets, u)
    resting = search.resting(u)
    heard = [float(np.median(10 ** (one.gains / 20))) for one in resting if len(one.places) >= ENOUGH]
    common = level or (max(heard) if heard else 1.0)
    return Found(
        tuple(names),
        {name: replace(law, offset=offset) for name, offset in zip(tracks, offsets)},
        {name: (torch.from_numpy(gain) / common).float() for name, gain in zip(tracks, gains)},
        common,
        left,
    )


class _Search:
    """Laws and faders in turn."""

    def __init__(self, blocks: Blocks, peaks: list[Array], rate: int, samples: int) -> None:
        self.blocks, self.peaks, self.rate, self.samples = blocks, peaks, rate, samples
        self.gram, self.left = torch.from_numpy(blocks.gram), torch.from_numpy(blocks.left)
        one = torch.ones(len(peaks), dtype=torch.float64, device="cpu")
        self.rest, self.priors = Rest(one, one), Priors()
        self.alone = [blocks.alone(track, rate) for track in range(len(peaks))]
        self.decibels = 20 * np.log10(np.maximum(blocks.gains, 1e-6))
        self.knots = max(2, round(samples / rate / KNOTS))

    def moving(self) -> list[Moves]:
        """How the gains move of tracks that are heard alone, but for slow curves and what stands out."""
        found = []
        for track, alone in enumerate(self.alone):
            places, gains = np.flatnonzero(alone), self.decibels[:, track]
            for _ in range(TRIMS):
                if len(places) < ENOUGH:
                    break
                basis = slow(places * BLOCK / self.rate, DRIFT)
                off = np.abs(without(gains[places][:, None], basis)[:, 0])
                near = off <= TRIM * np.median(off)
                if near.all():
                    break
                places = places[near]
            if len(places) >= ENOUGH:
                basis = slow(places * BLOCK / self.rate, DRIFT)
                ones = np.ones(len(self.peaks[track]))
                found.append(Moves(self.peaks[track], ones, places, gains[places], basis))
        return found

    def resting(self, u: Tensor) -> list[Moves]:
        """The same of all tracks where their faders are at their end."""
        read = self._read(u)
        found = []
        for track, alone in enumerate(self.alone):
            fader = read[:, track]
            places = np.flatnonzero(alone & (fader > RESTS))
            gains = self.decibels[places, track] - 20 * np.log10(fader[places])
            basis = np.ones((len(places), 1)) / np.sqrt(max(len(places), 1))
            peaks = self.peaks[track]
            found.append(Moves(peaks, hops(fader, len(peaks)), places, gains, basis))
        return found

    def improved(self, law: LevelLaw) -> tuple[float, LevelLaw, list[float], Tensor]:
        """What is left at best, and with which law, offsets and faders, on few knots."""
        moves = self.resting(torch.ones(2, len(self.peaks), dtype=torch.float64, device="cpu"))
        offsets = self._offsets(law, moves, [-0.0] * len(moves))
        u = torch.ones(max(2, self.knots // 2), len(self.peaks), dtype=torch.float64, device="cpu")
        best: tuple[float, LevelLaw, list[float], Tensor] | None = None
        for turn in range(ROUNDS + 1):
            for factor in (10.0, 3.0) if turn == 0 else (1.0,):
                u, cost = self._solve(law, offsets, u, self.knots, factor)
            if best is None or cost < best[0]:
                best = cost, law, offsets, u
            again = self._again(law, u)
            if again is None:
                break
            law, offsets = again, self._offsets(again, self.resting(u), offsets)
        assert best is not None
        return best

    def refined(self, law: LevelLaw, offsets: list[float], u: Tensor) -> tuple[LevelLaw, list[float], Tensor]:
        """The same through ever more knots."""
        for count, factor in ((2, 1.0), (6, 0.5), (15, 0.3), (15, 0.3)):
            again = self._again(law, u)
            if again is not None:
                law, offsets = again, self._offsets(again, self.resting(u), offsets)
            u, _ = self._solve(law, offsets, u, count * self.knots, factor)
        return law, offsets, u

    def curves(self, law: LevelLaw, offsets: list[float]) -> FaderCurves:
        behind: tuple[Behind, ...] = tuple(
            Compressed(replace(law, offset=offset), peaks, self.rate)
            for offset, peaks in zip(offsets, self.peaks)
        )
        return FaderCurves.of(self.gram, self.left, behind, self.samples, self.rate)

    def plain(self) -> float:
        """What faders alone leave, each track at the level at which it is heard."""
        level = max(
            float(np.quantile(self.blocks.gains[alone, k], 0.9))
            for k, alone in enumerate(self.alone)
            if alone.any()
        )
        behind: tuple[Behind, ...] = tuple(Plain(level) for _ in self.peaks)
        curves = FaderCurves.of(self.gram, self.left, behind, self.samples, self.rate)
        u = torch.ones(self.knots, len(self.peaks), dtype=torch.float64, device="cpu")
        for count, factor in ((1, 1.0), (2, 1.0), (6, 0.5), (15, 0.3)):
            u = gauss_newton(curves, refine(u, count * self.knots), self.rest, self.priors.scaled(factor))
        return curves.loss(u)

    def gains(self, law: LevelLaw, offsets: list[float], u: Tensor) -> list[Array]:
        """What the law does to each track, ``[samples]``."""
        read = self._read(u)
        places = (np.arange(self.samples) - (HOP - 1) / 2) / HOP
        found = []
        for track, offset in enumerate(offsets):
            peaks = self.peaks[track]
            level = law.level(peaks, hops(read[:, track], len(peaks)), self.rate)
            decibels = replace(law, offset=offset).gain(level)
            found.append(10 ** (np.interp(places, np.arange(len(decibels)), decibels) / 20))
        return found

    def _solve(
        self, law: LevelLaw, offsets: list[float], u: Tensor, knots: int, factor: float
    ) -> tuple[Tensor, float]:
        curves, priors = self.curves(law, offsets), self.priors.scaled(factor)
        u = gauss_newton(curves, refine(u, knots), self.rest, priors)
        return u, curves.loss(u) + float(priors.value(u, self.rest))

    def _again(self, law: LevelLaw, u: Tensor) -> LevelLaw | None:
        moves = [one for one in self.resting(u) if len(one.places) >= ENOUGH]
        return find_law(moves, BLOCK, self.rate, near=law) if moves else None

    def _offsets(self, law: LevelLaw, moves: list[Moves], before: list[float]) -> list[float]:
        """Of each track; of one that tells nothing, what the others have in the middle."""
        own = [
            offset_of(law, one, BLOCK, self.rate)[0] if len(one.places) >= ENOUGH else None for one in moves
        ]
        known = [one for one in own if one is not None]
        return [
            (float(np.median(known)) if known else old) if one is None else one
            for one, old in zip(own, before)
        ]

    def _read(self, u: Tensor) -> Array:
        places = (torch.arange(len(self.gram), dtype=torch.float64, device="cpu") + 0.5) * BLOCK
        read: Array = KnotGrid.at(places, self.samples, len(u)).read(u).numpy()
        return np.maximum(read, LOWEST)
