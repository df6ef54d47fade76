"""A deck: plays a track from a place, at a rate, or in time with the mix's clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import Cut, Stretcher, positions, warp_positions
from djgraph.effects import (
    Beats,
    Block,
    Control,
    ControlModel,
    Environment,
    Material,
    SettingModel,
    SourceEffect,
    State,
)

LONGEST = 36_000.0
"""Seconds of a track that a deck may begin at."""


class Deck(SourceEffect):
    """``out[n] = track(p[n])``, read by a windowed sinc that is band-limited above rate 1.

    ``sync: off``: ``p[n] = start·sample_rate + Σ rate[m]`` over all samples m before n. Where the track comes with warp
    markers, they take the place of n: ``p[n] = start·sample_rate + w[n] + Σ (rate[m] − 1)·w′[m]``.

    Otherwise the deck follows the clock: the track's beat at the mix's beat β is ``b + ∫ rate dβ``, where b is the beat
    of ``start``, rounded to a whole one (``beat``) or to one that begins a bar (``bar``), and p is where the track's
    grid has that beat. So at rate 1 each beat of the track sounds on one of the mix's, to the sample, whatever the
    tempo does. Positions are float64, and the sum is taken in whole numbers, so that it does not drift. All stems have
    the same.

    ``key_lock``: the same beats at the same times, and the pitch that was recorded, by a phase vocoder in which all
    stems turn by the same phases (:class:`djgraph.dsp.Stretcher`), without latency. Its gradients in ``start``,
    ``rate`` and markers are a declared surrogate: what moves the position moves the sound as on a turntable.
    """

    type = "deck"
    family = "sources"
    description = "Plays a track of any length from a place, at a rate, or in time with the clock"

    class Settings(SettingModel):
        sync: Literal["off", "beat", "bar"] = Field(
            "off",
            description="Whether it plays at its own tempo (off), or in time with the clock: from a beat, from a bar",
        )
        key_lock: bool = Field(
            False, description="Whether the pitch stays as it was recorded when the rate is another"
        )

    class Controls(ControlModel):
        start: Annotated[
            float, Control(0, LONGEST, neutral=0, unit="s", description="Where in the track the mix begins")
        ] = 0.0
        rate: Annotated[
            float,
            Control(
                0.25,
                4,
                neutral=1,
                scale="log",
                description="How fast it plays; with sync, beats of the track for each of the mix",
            ),
        ] = 1.0

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.uses_clock = self.needs_beats = settings.sync != "off"
        self._stretcher = Stretcher(Cut.at(environment.sample_rate)) if settings.key_lock else None

    def initial_state(self, batch: int, like: Tensor) -> State:
        """``position``: the sum of the rates so far, in whole samples and a part of one, ``[batch, 2]``, float64. With
        key lock also what its frames leave behind."""
        position = torch.zeros(batch, 2, dtype=torch.float64, device=like.device)
        frames = {} if self._stretcher is None else self._stretcher.state(batch, like)
        return {"position": position, **frames}

    def process(
        self, material: Material, controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[Tensor, State]:
        start, rate = (controls[name].double().squeeze(1) for name in ("start", "rate"))
        if self.uses_clock:
            position, speed, after = self._in_time(material, start, rate, state, block)
        else:
            position, speed, after = self._at_its_tempo(material, start, rate, state, block)
        if self._stretcher is None:
            return material.read(position, speed), {"position": after}
        widths = material.widths or (material.channels,)
        sound, frames = self._stretcher(material.read, position, speed, widths, block.start, state)
        return sound, {"position": after, **frames}

    def passed(self, material: Material, controls: Mapping[str, Tensor], state: State, block: Block) -> State:
        rate = controls["rate"].double().squeeze(1)
        if self.uses_clock:
            assert block.clock is not None
            rate = (rate - 1) * block.clock.tempo.squeeze(1) / (60 * block.sample_rate)
        elif (markers := material.markers) is not None:
            _, slope = warp_positions(
                markers.clip, markers.track, block.length, first=block.start, rate=markers.rate
            )
            rate = (rate - 1) * slope
        return {**state, "position": positions(0.0, rate, block.length, state["position"])[1]}

    def _at_its_tempo(
        self, material: Material, start: Tensor, rate: Tensor, state: State, block: Block
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Position and rate in samples of the track, and the sum of the rates, or of what is beside the markers."""
        first, markers = start * block.sample_rate, material.markers
        if markers is None:
            played, after = positions(0.0, rate, block.length, state["position"])
            return first + played, rate, after
        warped, slope = warp_positions(
            markers.clip, markers.track, block.length, first=block.start, rate=markers.rate
        )
        beside, after = positions(0.0, (rate - 1) * slope, block.length, state["position"])
        return first + warped + beside, rate * slope, after

    def _in_time(
        self, material: Material, start: Tensor, rate: Tensor, state: State, block: Block
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Position and rate in samples of the track, and the sum of what it has run ahead of the clock, in beats."""
        clock, grid = block.clock, material.beats
        assert clock is not None
        assert grid is not None
        step = clock.tempo.squeeze(1) / (60 * block.sample_rate)
        ahead, after = positions(0.0, (rate - 1) * step, block.length, state["position"])
        beat = self._first(grid, start) + clock.beats.squeeze(1) + ahead
        seconds, slope = _straight(beat, grid.beats, grid.seconds)
        speed = slope * rate * step * block.sample_rate
        return seconds * block.sample_rate, speed, after

    def _first(self, grid: Beats, start: Tensor) -> Tensor:
        """The track's beat at the mix's beat 0."""
        beat = _straight(start, grid.seconds, grid.beats)[0].detach()
        if self.settings.sync == "beat":
            return beat.round()
        downbeat, meter = (
            one.to(beat.device) if isinstance(one, Tensor) else one for one in (grid.downbeat, grid.meter)
        )
        return ((beat - downbeat) / meter).round() * meter + downbeat


def _straight(at: Tensor, xs: Tensor, ys: Tensor) -> tuple[Tensor, Tensor]:
    """The straight lines through points, ``[points]`` or ``[batch, points]``, and on beyond them: their values and
    slopes at ``[batch, …]``."""
    xs, ys = xs.to(at.device), ys.to(at.device)
    slopes = ys.diff() / xs.diff()
    if xs.ndim > 1:
        at = at.expand(len(xs), -1)
    piece = torch.searchsorted(xs, at.detach().contiguous(), right=True) - 1
    piece = piece.clamp(0, slopes.shape[-1] - 1)
    x, y, slope = (_of(one, piece) for one in (xs, ys, slopes))
    return y + slope * (at - x), slope


def _of(values: Tensor, index: Tensor) -> Tensor:
    """``[points]`` or ``[batch, points]`` at an index, ``[batch, …]``."""
    return values[index] if values.ndim == 1 else values.gather(-1, index)
