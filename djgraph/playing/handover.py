"""What is played, what is offered in its place, and the fades between them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from djgraph.playing.course import Course
from djgraph.playing.feed import Feed, faded
from djgraph.playing.hands import Hands
from djgraph.playing.line import Line

if TYPE_CHECKING:
    from djgraph.effects import State
    from djgraph.mixer import Mixer

Region = tuple[int, int] | None
FADE = 1024
"""Samples over which one mixer takes over from another."""


@dataclass(frozen=True)
class Setup:
    """What is played: a mixer, what its controls do, who holds them, and the material as its graph takes it."""

    mixer: Mixer
    course: Course
    hands: Hands
    feed: Feed
    taps: bool = True
    """Whether strips and buses have meters."""

    def line(
        self,
        at: int,
        states: Mapping[str, State] | None = None,
        loop: Region = None,
        loop_states: Mapping[str, State] | None = None,
    ) -> Line:
        """Its stream from a sample of the clip on. states: of what plays inputs, there and at the loop's begin; looked
        for where they are left out."""
        line = Line(self.mixer, self.feed, self.course, self.hands, at, self.taps, states, primed=False)
        line.loop = loop
        if loop is not None and self.mixer.graph.sources:
            line.loop_states = line.states_at(loop[0]) if loop_states is None else loop_states
        line.prime(line.latency)
        return line


@dataclass
class Offer:
    """A mixer that is warm. at: the sample, of all that a player has made, at which ``audio`` ``[channels, FADE]``, its
    first, begins; ``line`` goes on behind it. epoch: of the player that this is true for."""

    setup: Setup
    line: Line
    audio: Tensor
    at: int
    epoch: int
    taken: bool = False
    settled: threading.Event = field(default_factory=threading.Event)

    def settle(self, taken: bool) -> None:
        self.taken = taken
        self.settled.set()


class Fade:
    """From one line to another whose first samples are there."""

    def __init__(self, line: Line, audio: Tensor) -> None:
        self.line, self._audio, self._done = line, audio, 0

    @property
    def left(self) -> int:
        return self._audio.shape[-1] - self._done

    def mix(self, before: Tensor) -> Tensor:
        """The next samples of what was heard so far ``[channels, samples]``, with the other's faded in."""
        total, samples = self._audio.shape[-1], before.shape[-1]
        fresh = self._audio[:, self._done : self._done + samples]
        places = torch.arange(self._done, self._done + samples, dtype=fresh.dtype, device=fresh.device)
        self._done += samples
        share = (places + 0.5) / total
        return same_channels(before, len(fresh)) * (1 - share) + fresh * share


class Tail:
    """What would be heard next had it not been left, ``[channels, samples]``: it fades out over what comes instead."""

    def __init__(self, audio: Tensor) -> None:
        self._audio, self._done = audio, 0

    @property
    def over(self) -> bool:
        return self._done == self._audio.shape[-1]

    def into(self, audio: Tensor) -> Tensor:
        """The next samples of what comes, with it."""
        begun, total = self._done, self._audio.shape[-1]
        old = same_channels(self._audio[:, begun : begun + audio.shape[-1]], len(audio))
        self._done += old.shape[-1]
        return faded(old, audio, 0, begun, total)


def first(line: Line) -> Tensor:
    """What is faded in."""
    return line.block(FADE)[0]


def same_channels(signal: Tensor, channels: int) -> Tensor:
    """With as many channels: one serves all, others are cut off or silent."""
    if len(signal) == channels:
        return signal
    if len(signal) == 1:
        return signal.expand(channels, -1)
    return torch.nn.functional.pad(signal[:channels], (0, 0, 0, max(0, channels - len(signal))))
