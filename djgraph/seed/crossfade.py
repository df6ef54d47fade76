"""SimpleCrossfader: params that fade from one track to the other."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from djgraph.errors import InputError, LayoutError, did_you_mean
from djgraph.graph import load
from djgraph.layout import ParameterLayout, measures
from djgraph.layout.faders import find_faders, find_tracks, no_fade, too_few, unclear

STEEPNESS = math.log(100)
"""The exponential and logarithmic fades follow e^(−STEEPNESS·t): 40 dB over the fade."""


def _exponential(t: Tensor) -> Tensor:
    return torch.expm1(-STEEPNESS * t) / math.expm1(-STEEPNESS)


FADES: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "linear": lambda t: (1 - t, t),
    "equal_power": lambda t: (torch.cos(t * (math.pi / 2)), torch.sin(t * (math.pi / 2))),
    "exponential": lambda t: (1 - _exponential(t), _exponential(t)),
    "logarithmic": lambda t: (_exponential(1 - t), 1 - _exponential(1 - t)),
}
"""Fade type → gains of the outgoing and the incoming track at a share t (0…1) of the fade."""


class SimpleCrossfader:
    """Fades from the first track of a layout to the second.

    fade_type: ``linear``; ``equal_power`` (cosine and sine: the sum of squares stays 1); ``exponential`` (fast
    start, slow end: 40 dB of e^(−t)); ``logarithmic`` (the same backwards: slow start, fast end).
    layout: of the default mixer where left out, else any with two tracks that have faders: the graph knows which
    columns these are (see docs/recipes.md). A track with a fader of its own is faded by that, and its stems stay as
    they are.
    tracks: the names of the outgoing and the incoming track; those of the graph's first two inputs where left out.

    >>> params = SimpleCrossfader("equal_power")(n_frames=64, batch_size=1)       # [1, 64, 54]

    Raises InputError for an unknown fade type, LayoutError for a layout that cannot be faded.
    """

    def __init__(
        self,
        fade_type: str = "equal_power",
        layout: ParameterLayout | None = None,
        tracks: Sequence[str] | None = None,
    ) -> None:
        if fade_type not in FADES:
            guess = did_you_mean(str(fade_type), FADES)
            raise InputError(f"fade_type is {fade_type!r}; allowed: {', '.join(FADES)}{guess}")
        self.fade_type = fade_type
        self.layout = _default_layout() if layout is None else layout
        self.tracks = _faders(self.layout, tracks)

    def __call__(
        self,
        n_frames: int,
        batch_size: int = 1,
        cue_in: float = 0.0,
        cue_out: float = 1.0,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Params ``[batch, frames, controls]``: the tracks' gains (of faders in dB, as decibels), and every other
        control's default.

        cue_in, cue_out: shares of the clip, 0 ≤ cue_in < cue_out ≤ 1. The first track holds 1 until cue_in
        and 0 from cue_out, the second the other way round. Frame i of F sits at i/(F − 1); a single one at 0.
        Raises InputError for impossible sizes and cue points.
        """
        n_frames, batch_size = _whole("n_frames", n_frames), _whole("batch_size", batch_size)
        if not 0 <= cue_in < cue_out <= 1:
            raise InputError(
                f"cue_in is {cue_in} and cue_out {cue_out}; "
                "expected shares of the clip, 0 <= cue_in < cue_out <= 1"
            )
        place = torch.arange(n_frames, dtype=torch.float64, device="cpu") / max(n_frames - 1, 1)
        share = (place - cue_in) / (cue_out - cue_in)
        gains = FADES[self.fade_type](share.clamp(0, 1))
        params = self.layout.pack(n_frames=n_frames, dtype=torch.float64)
        for columns, gain, start in zip(self.tracks, gains, (1.0, 0.0)):
            # The ends are set, not computed: cos(π/2) is not 0 in floating point.
            exact = torch.where(place <= cue_in, start, torch.where(place >= cue_out, 1 - start, gain))
            for column in columns:
                control = self.layout.columns[column].control
                params[:, column] = torch.from_numpy(measures.plain(control, "amplitude", exact.numpy()))
        params = params.to(device=device, dtype=torch.get_default_dtype() if dtype is None else dtype)
        return params.expand(batch_size, -1, -1).contiguous()

    def __repr__(self) -> str:
        return f"SimpleCrossfader(fade_type={self.fade_type!r}, layout={self.layout!r})"


@lru_cache(maxsize=1)
def _default_layout() -> ParameterLayout:
    return ParameterLayout.from_graph(load("dj_mixer"))


def _faders(layout: ParameterLayout, tracks: Sequence[str] | None) -> tuple[list[int], list[int]]:
    """The fader columns of two tracks, by default those of the first two inputs."""
    faders, tracks_found = find_faders(layout), find_tracks(layout)
    names = [" and ".join(track.names) for track in tracks_found]
    for name in tracks or ():
        if name not in faders:
            raise LayoutError(f"there is no track {name!r} with a fader{did_you_mean(name, faders)}")
    chosen = (
        [track.columns for track in tracks_found[:2]]
        if tracks is None
        else [faders[t].columns for t in tracks]
    )
    if len(chosen) != 2 or (tracks is not None and len(set(tracks)) != 2):
        raise LayoutError(too_few(layout, names))
    for number, track in enumerate(tracks_found[:2] if tracks is None else ()):
        if (fault := unclear(layout, track, ("the first track", "the second track")[number])) is not None:
            raise LayoutError(f"{fault}; say which faders are meant: tracks=(…, …)")
    first, second = chosen
    for column in (*first, *second):
        if (fault := no_fade(layout, column)) is not None:
            raise LayoutError(fault)
    return first, second


def _whole(name: str, value: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise InputError(f"{name} is {value!r}; expected a whole number from 1")
    return number
