"""What takes part: djgraph, and baselines that are given the places or look for them by DTW."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.unmix import dtw, faders
from benchmarks.unmix.mixes import FRAMES_PER_SECOND, RATE, Array, Case
from benchmarks.unmix.score import Answer
from djgraph.alignment import Found
from djgraph.layout import ParameterLayout


@dataclass(frozen=True)
class Entrant:
    """name: in the results. about: for people. blind: it is not told where the tracks lie."""

    name: str
    about: str
    blind: bool
    solve: Callable[[Case], Answer]


def graph_of(names: list[str]) -> dict[str, Any]:
    """A mixer of one channel strip for each track: three bands and a fader."""
    strips = [
        {"strip": name, "input": name, "chain": ["eq3", {"effect": "gain", "id": "fader"}], "to": "master"}
        for name in names
    ]
    return {
        "djgraph": 1,
        "name": "decks",
        "inputs": [{"name": name} for name in names],
        "mixer": [*strips, {"bus": "master"}],
        "outputs": ["master"],
    }


def find(case: Case) -> dict[str, Found]:
    """Where djgraph finds the tracks."""
    from djgraph.alignment import find_tracks

    tracks = {name: torch.from_numpy(audio) for name, audio in case.tracks.items()}
    found = find_tracks(torch.from_numpy(case.mix), tracks, RATE)
    return {one.track: one for one in found}


def _places(case: Case) -> Answer:
    return Answer(found=find(case))


def _fit(case: Case, found: dict[str, Found]) -> Answer:
    """djgraph's fit of a mixer with a strip for each track that is in the mix."""
    from djgraph.decks import Warp
    from djgraph.unmixing import unmix

    names = [name for name in case.tracks if found[name].passages]
    if not names:
        return Answer(found=found, gains={})
    warp = Warp.of(case.mix.shape[1], RATE, [found[name] for name in names])
    tracks = {name: torch.from_numpy(case.tracks[name]) for name in names}
    done = unmix(graph_of(names), tracks, torch.from_numpy(case.mix), warp=warp)
    result = done.result
    gains, low, high = (
        _faders(case, names, result.layout, one) for one in (result.params, result.low, result.high)
    )
    level = float(result.report["level_db"] or 0.0)
    return Answer({**found, **done.warp.tracks}, gains, low, high, level, tuple(result.report["warnings"]))


def _faders(case: Case, names: list[str], layout: ParameterLayout, params: Tensor) -> dict[str, Array]:
    """The faders' columns of ``[frames, controls]`` at the truth's frames."""
    place = np.linspace(0, case.mix.shape[1] - 1, len(params))
    at = np.arange(len(next(iter(case.truth.gains.values())))) * RATE / FRAMES_PER_SECOND
    columns = {name: params[:, layout.index(f"{name}.fader.gain")].double().numpy() for name in names}
    return {name: np.interp(at, place, column) for name, column in columns.items()}


def _dtw(case: Case) -> Answer:
    found = dtw.located(case)
    return Answer(found=found, gains=faders.bands(case, found))


ENTRANTS = {
    one.name: one
    for one in (
        Entrant("djgraph", "djgraph", True, lambda case: _fit(case, find(case))),
        Entrant("find", "djgraph, places alone", True, _places),
        Entrant("dtw", "MFCC-DTW and correlation, then per-band convex gains", True, _dtw),
        Entrant(
            "crossfade",
            "best linear crossfade",
            False,
            lambda case: Answer(gains=faders.crossfade(case, case.truth.found)),
        ),
        Entrant(
            "bands",
            "per-band convex gains",
            False,
            lambda case: Answer(gains=faders.bands(case, case.truth.found)),
        ),
        Entrant(
            "frames",
            "least squares frame by frame",
            False,
            lambda case: Answer(gains=faders.frames(case, case.truth.found)),
        ),
    )
}
