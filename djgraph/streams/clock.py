"""The musical time of a stream: frames of tempo, and beats that do not depend on how the time was cut."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from djgraph.dsp.placed import PlacedTimeline
from djgraph.effects import Clock
from djgraph.runtime.clock import beats_at, clock_span


class ClockTrack:
    """Tempos ``[batch, frames]`` in BPM at ascending positions, float64; those behind the present are dropped.

    Beat 0 is the clip's first sample. Before the first frame its tempo holds.
    """

    def __init__(self, sample_rate: int, tempo: Tensor, positions: Tensor, start: int = 0) -> None:
        """tempo: ``[batch, frames]``, without frames where they come later, one by one. positions: from the stream's
        start on. start: the clip's sample at which the stream begins."""
        self._rate, self._tempo, self._positions, self._start = sample_rate, tempo, positions, start
        self._first = self._beats_of_first()

    def append(self, tempo: Tensor, position: int) -> None:
        """A live frame, ``[batch, 1]``."""
        begins = not len(self._positions)
        self._tempo = torch.cat((self._tempo, tempo), -1)
        self._positions = torch.cat((self._positions, torch.tensor([position], device="cpu")))
        if begins:
            self._first = self._beats_of_first()

    @property
    def latest(self) -> Tensor | None:
        """The last frame, ``[batch, 1]``."""
        return self._tempo[:, -1:] if len(self._positions) else None

    def read(self, start: int, stop: int) -> Clock:
        """Tempo and beats on samples ``start…stop−1``, ``[batch, 1, samples]`` each."""
        return clock_span(self._timeline(), self._tempo, start, stop, self._rate, self._first)

    def forget(self, before: int) -> None:
        """Drops frames that no sample from ``before`` on depends on."""
        keep = int(torch.searchsorted(self._positions, torch.tensor(before, device="cpu"), right=True)) - 1
        if keep > 0:
            place = self._positions[keep : keep + 1]
            self._first = beats_at(self._timeline(), self._tempo, place, self._rate, self._first)[:, 0]
            self._tempo, self._positions = self._tempo[:, keep:].clone(), self._positions[keep:].clone()

    def detach(self) -> None:
        self._tempo, self._first = self._tempo.detach(), self._first.detach()

    def state(self) -> dict[str, Tensor]:
        return {"tempo": self._tempo, "positions": self._positions, "first": self._first}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._tempo, self._first = state["tempo"], state["first"]
        self._positions = state["positions"].cpu()

    def _timeline(self) -> PlacedTimeline:
        return PlacedTimeline.at(None, self._positions)

    def _beats_of_first(self) -> Tensor:
        """At the first frame, counted from the clip's start."""
        zero = self._tempo.new_zeros(len(self._tempo))
        if not len(self._positions):
            return zero
        begin = torch.full_like(self._positions[:1], -self._start)
        return -beats_at(self._timeline(), self._tempo, begin, self._rate, zero)[:, 0]
