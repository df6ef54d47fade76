"""The control frames of a stream: those that are still needed, as rows of the control bank.

Frames come one at a time (live), from an iterator, or are known beforehand (a score). Only those near the present are
kept as rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from djgraph.controls.reader import ControlReader, JointReader, SampleSpan
from djgraph.dsp.placed import PlacedTimeline

Rows = Callable[[Tensor], Tensor]
"""``[batch, frames, columns]`` → ``[rows, batch, frames]``."""

AHEAD = 256
"""Frames of a score that are made rows at a time, at least."""
SPARE = 32
"""Frames that nobody needs any more before they are dropped: dropping one at a time would copy the others each time."""
TOGETHER = 4096
"""Samples of a block whose curves are read for several effects at once: of longer ones each effect reads its own, so
that they are still in the cache when it needs them."""


class ControlTrack:
    """Rows ``[rows, batch, frames]`` at ascending positions, of which old ones are dropped as time passes.

    score: frames that are known beforehand, and where they lie; iterator: frames that are fetched when their time
    comes, as (params ``[batch, 1, columns]``, position). Live frames are given to :meth:`append`.
    """

    def __init__(
        self,
        rows: Rows,
        score: tuple[Tensor, Tensor] | None = None,
        iterator: Iterator[tuple[Tensor, int]] | None = None,
    ) -> None:
        self._make, self._score, self._iterator = rows, score, iterator
        self._next = 0
        self.rows: Tensor | None = None
        self.positions = torch.empty(0, dtype=torch.int64, device="cpu")
        self._timelines: dict[tuple[int | None, int], PlacedTimeline] = {}

    @property
    def known(self) -> int:
        """The position of the last frame that is there; −1 where there is none."""
        return int(self.positions[-1]) if len(self.positions) else -1

    def append(self, params: Tensor, positions: Tensor) -> None:
        """Frames ``[batch, frames, columns]`` behind those that are there; positions: int64 ``[frames]``."""
        rows = self._make(params)
        self._set(
            rows if self.rows is None else torch.cat((self.rows, rows), -1),
            torch.cat((self.positions, positions)),
        )

    def _set(self, rows: Tensor | None, positions: Tensor) -> None:
        self.rows, self.positions = rows, positions
        self._timelines.clear()

    def advance(self, stop: int) -> None:
        """Fetches frames until one lies at or behind sample ``stop − 1``, or there is none left."""
        if self._score is not None:
            params, positions = self._score
            wanted = int(np.searchsorted(positions.numpy(), stop)) + 1
            # The first frame always, whatever its position: before it, its values hold.
            if wanted > self._next and self._next < len(positions):
                last = min(max(wanted, self._next + AHEAD), len(positions))
                self.append(params[:, self._next : last], positions[self._next : last])
                self._next = last
        while self._iterator is not None and (self.rows is None or self.known < stop - 1):
            try:
                params, position = next(self._iterator)
            except StopIteration:
                self._iterator = None
                break
            self.append(params, torch.tensor([position], device="cpu"))

    def forget(self, before: int) -> None:
        """Drops frames that no curve from sample ``before`` on depends on.

        The first frame stays: controls of rate clip read it. So what lies between it and the next is a line that
        nobody reads, and its end a corner that nobody may reach: ``before`` leaves room for the widest smoothing.
        """
        if self.rows is None:
            return
        # The last frame at or before that sample begins the line on which it lies.
        keep = int(np.searchsorted(self.positions.numpy(), before, side="right")) - 1
        if keep > SPARE:
            self._set(
                torch.cat((self.rows[..., :1], self.rows[..., keep:]), -1),
                torch.cat((self.positions[:1], self.positions[keep:])),
            )

    def timeline(self, end: int | None, shift: int = 0) -> PlacedTimeline:
        """Where the rows' frames lie, counted from sample ``shift`` on; end: the clip's length, if it is known."""
        key = (end, shift)
        if key not in self._timelines:
            self._timelines[key] = PlacedTimeline.at(
                None if end is None else end - shift, self.positions - shift
            )
        return self._timelines[key]

    def detach(self) -> None:
        if self.rows is not None:
            self.rows = self.rows.detach()

    def state(self) -> dict[str, Tensor]:
        state = {"positions": self.positions, "next": torch.tensor([self._next], device="cpu")}
        return state if self.rows is None else {**state, "rows": self.rows}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._next = int(state["next"])
        self._set(state.get("rows"), state["positions"].cpu())


@dataclass(frozen=True)
class _Curves:
    """What several readers gave, and for what."""

    rows: Tensor
    timeline: PlacedTimeline
    span: SampleSpan
    values: list[dict[str, Tensor]]

    def answers(self, rows: Tensor, timeline: PlacedTimeline, span: SampleSpan) -> bool:
        return self.rows is rows and self.timeline is timeline and self.span == span


class SharedReading:
    """The controls of effects that run on the same samples of a stream: of a short block, read by one call for all.

    Whoever asks first has all of them read; the others of the block find theirs. Where it asks for something else, as
    at the end, where effects lag differently, an effect gets a reading of its own.
    """

    def __init__(self, readers: Sequence[ControlReader]) -> None:
        self._readers, self._joint = readers, JointReader(readers)
        self._curves: _Curves | None = None

    def read(self, number: int, track: ControlTrack, end: int | None, span: SampleSpan) -> dict[str, Tensor]:
        """As the reader of that number reads the track's rows. end: the clip's length, if it is known."""
        rows, timeline = track.rows, track.timeline(end)
        assert rows is not None
        if span[1] - span[0] > TOGETHER or len(self._readers) == 1:
            return self._readers[number](rows, timeline, span)
        if self._curves is None or not self._curves.answers(rows, timeline, span):
            self._curves = _Curves(rows, timeline, span, self._joint(rows, timeline, span))
        return self._curves.values[number]
