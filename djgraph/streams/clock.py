"""The musical time of a stream: frames of tempo, and beats that do not depend on how the time was cut."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from djgraph.dsp.placed import PlacedTimeline
from djgraph.effects import Clock
from djgraph.runtime.clock import beats_at, clock_span
from djgraph.streams.state import part, prefixed


class ClockTrack:
    """Tempos ``[batch, frames]`` in BPM at ascending positions, float64; those behind the present are dropped.

    Beat 0 is the clip's first sample. Before the first frame its tempo holds.
    """

    def __init__(self, sample_rate: int, tempo: Tensor, positions: Tensor, start: int = 0) -> None:
        """tempo: ``[batch, frames]``, without frames where they come later, one by one. positions: from the stream's
        start on. start: the clip's sample at which the stream begins."""
        self._rate, self._tempo, self._positions, self._start = sample_rate, tempo, positions, start
        self._first = self._beats_of_first()
        self._before: ClockTrack | None = None  # what holds ahead of the stream's sample ``_begins``
        self._begins = 0

    def follow(self, before: ClockTrack, position: int) -> None:
        """Hold from a sample of the stream on; ahead of it another one does."""
        self._before, self._begins = before, position

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
        if self._before is not None and start < self._begins:
            middle = min(stop, self._begins)
            early = self._before.read(start, middle)
            if middle == stop:
                return early
            late = self.read(middle, stop)
            return Clock(torch.cat((early.tempo, late.tempo), -1), torch.cat((early.beats, late.beats), -1))
        return clock_span(self._timeline(), self._tempo, start, stop, self._rate, self._first)

    def forget(self, before: int) -> None:
        """Drops frames that no sample from ``before`` on depends on."""
        if self._before is not None:
            if before < self._begins:
                self._before.forget(before)
                return
            self._before = None
        keep = int(torch.searchsorted(self._positions, torch.tensor(before, device="cpu"), right=True)) - 1
        if keep > 0:
            place = self._positions[keep : keep + 1]
            self._first = beats_at(self._timeline(), self._tempo, place, self._rate, self._first)[:, 0]
            self._tempo, self._positions = self._tempo[:, keep:].clone(), self._positions[keep:].clone()

    def detach(self) -> None:
        self._tempo, self._first = self._tempo.detach(), self._first.detach()
        if self._before is not None:
            self._before.detach()

    def state(self) -> dict[str, Tensor]:
        own = {"tempo": self._tempo, "positions": self._positions, "first": self._first}
        if self._before is None:
            return own
        begins = torch.tensor([self._begins], device="cpu")
        return {**own, "begins": begins, **prefixed("before", self._before.state())}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._tempo, self._first = state["tempo"], state["first"]
        self._positions = state["positions"].cpu()
        self._before = None
        if "begins" in state:
            empty = self._tempo[:, :0]
            before = ClockTrack(self._rate, empty, torch.empty(0, dtype=torch.int64, device="cpu"))
            before.restore(part("before", state))
            self.follow(before, int(state["begins"]))

    def _timeline(self) -> PlacedTimeline:
        return PlacedTimeline.at(None, self._positions)

    def _beats_of_first(self) -> Tensor:
        """At the first frame, counted from the clip's start."""
        zero = self._tempo.new_zeros(len(self._tempo))
        if not len(self._positions):
            return zero
        begin = torch.full_like(self._positions[:1], -self._start)
        return -beats_at(self._timeline(), self._tempo, begin, self._rate, zero)[:, 0]
