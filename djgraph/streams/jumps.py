"""A stream that goes on from elsewhere in its clip: where the sources of its inputs are there, and how they fade."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from djgraph.dsp.placed import PlacedTimeline
from djgraph.effects import State
from djgraph.runtime.sources import SourceInput
from djgraph.streams.controls import Rows
from djgraph.streams.intake import Intake

PIECE = 1 << 16
"""Samples that are passed at a time."""


def states_at(
    sources: Mapping[str, SourceInput], intake: Intake, rows: Rows, sample: int, like: Tensor
) -> dict[str, State]:
    """The states of sources that have played the clip from its beginning to a sample, of which nobody hears the sound.

    intake: with the clip's score and tempo, from its first sample on. rows: of the control bank.
    """
    states = {name: source.start(1, like) for name, source in sources.items()}
    track, clock = intake.track, intake.clock
    for start in range(0, sample, PIECE):
        stop = min(start + PIECE, sample)
        intake.advance(stop)
        assert track.rows is not None
        ticks = None if clock is None else clock.read(start, stop)
        timeline: PlacedTimeline = track.timeline(None)
        for name, source in sources.items():
            states[name] = source.passed(track.rows, timeline, ticks, (start, stop), states[name])
        intake.forget(stop, 0)
    return states


def moved(source: SourceInput, samples: int) -> SourceInput:
    """With the markers of its material so many samples later on the stream's clock."""
    markers = getattr(source.material, "markers", None)
    if markers is None or not samples:
        return source
    material = copy(source.material)
    material.markers = replace(markers, clip=markers.clip + samples)
    return replace(source, material=material)


class Leaving:
    """What was to come before a jump, and fades out behind it as what comes now fades in.

    audio: ``[batch, channels, samples]`` by input node; all of one length.
    """

    def __init__(self, audio: Mapping[str, Tensor]) -> None:
        self._audio, self._samples = dict(audio), next((one.shape[-1] for one in audio.values()), 0)
        self._done = 0

    @property
    def over(self) -> bool:
        return self._done >= self._samples

    def into(self, audio: Mapping[str, Tensor], samples: int) -> dict[str, Tensor]:
        """The next block of what comes, with what goes."""
        count = min(samples, self._samples - self._done)
        way = torch.arange(self._done + 1, self._done + count + 1, dtype=torch.float64, device="cpu")
        out: dict[str, Any] = {}
        for node, now in audio.items():
            share = (way / (self._samples + 1)).to(now)
            old = self._audio[node][..., self._done : self._done + count]
            mixed = old * (1 - share) + now[..., :count] * share
            out[node] = torch.cat((mixed, now[..., count:]), -1)
        self._done += count
        return out
