"""What a caller hands to a stream beside audio, checked: control frames and tempos, live or known beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from djgraph.arguments import real, shown, whole
from djgraph.errors import InputError
from djgraph.runtime.clock import check_tempo
from djgraph.runtime.compiled import Compiled
from djgraph.runtime.inputs import FARTHEST, prepare_params, prepare_positions
from djgraph.streams.clock import ClockTrack
from djgraph.streams.controls import ControlTrack
from djgraph.streams.state import StreamState, part, prefixed

CHECKED = 4096
"""Frames of a score that are checked at a time: checks take several times the memory of what they look at."""


@dataclass(frozen=True)
class Live:
    """What came with a block: a frame ``[batch, 1, columns]`` and a tempo ``[batch, 1]``, None where none is due."""

    frame: Tensor | None
    tempo: Tensor | None


class Intake:
    """The control frames (``track``) and the tempos (``clock``, None where no effect follows one) of a stream.

    The arguments are those of :meth:`djgraph.Mixer.stream`. What they count from the clip's start is counted from the
    stream's from here on. Raises InputError where one does not fit.
    """

    def __init__(
        self,
        compiled: Compiled,
        batch: int,
        like: Tensor,
        out_of_range: str,
        score: Any,
        frames: Iterable[Any] | None,
        fps: float | None,
        tempo: Any,
        start: int = 0,
    ) -> None:
        self._compiled, self._batch, self._like, self._out_of_range = compiled, batch, like, out_of_range
        self._columns, self._rate = len(compiled.layout), compiled.graph.sample_rate
        self._start = whole(start, "start", 0)
        if score is not None and frames is not None:
            raise InputError("give a score or an iterator of frames, not both")
        if frames is None and fps is not None:
            raise InputError("fps, the frames per second, comes with an iterator of frames")
        self._live = score is None and frames is None
        self.scored = score is not None
        self._latest: Tensor | None = None
        self._fetched = 0
        known = None if score is None else self._score(score)
        fetched = None if frames is None else self._fetch(_iterator(frames), self._speed(fps))
        self.track = ControlTrack(compiled.bank.rows, known, fetched)
        self._live_tempo = compiled.uses_clock and tempo is None
        self._known_tempo = tempo
        self.clock = self._clock(tempo, self._start)

    def jump(self, position: int, sample: int, tempo: Any) -> None:
        """From the stream's sample ``position`` on the clock is that of the clip from ``sample`` on. tempo: as when the
        stream was made; None: as it was. Raises InputError for one that does not fit."""
        before, start = self.clock, sample - position
        if before is None or (tempo is None and self._live_tempo and before.latest is None):
            if tempo is not None:
                raise InputError("no effect of this graph follows a clock: leave tempo out")
            self._start_clock(start)
            return
        if tempo is None:
            tempo = before.latest if self._live_tempo else self._known_tempo
        elif self._live_tempo:
            raise InputError("leave tempo out of a jump: this stream's comes with its blocks")
        after = self._clock(tempo, start)
        assert after is not None
        after.follow(before, position)
        self.clock, self._known_tempo = after, tempo

    def _start_clock(self, start: int) -> None:
        """Before a live stream's first tempo has come."""
        if self.clock is not None:
            self.clock = self._clock(None, start)

    def check(self, params: Any, tempo: Any) -> Live:
        """What comes with a block. Raises InputError, and changes nothing."""
        return Live(self._frame(params), self._tempo(tempo))

    def take(self, live: Live, position: int) -> None:
        """Adds what came with a block; it is reached at that sample."""
        if live.frame is not None:
            self._latest = live.frame
            self.track.append(live.frame, torch.tensor([position], device="cpu"))
        if live.tempo is not None and self.clock is not None:
            self.clock.append(live.tempo, position)

    def advance(self, stop: int) -> None:
        """Fetches what is needed before sample ``stop``. Raises InputError for frames that do not fit, and for none."""
        self.track.advance(stop)
        if self.track.rows is None:
            raise InputError("there is no control frame: the iterator of frames is empty")

    def forget(self, before: int, lookahead: int) -> None:
        """Drops what no sample from ``before`` on depends on."""
        self.track.forget(before - lookahead - 2)
        if self.clock is not None:
            self.clock.forget(before - 2)

    def detach(self) -> None:
        self.track.detach()
        if self.clock is not None:
            self.clock.detach()
        if self._latest is not None:
            self._latest = self._latest.detach()

    def state(self) -> StreamState:
        state = {
            "fetched": torch.tensor([self._fetched], device="cpu"),
            **prefixed("track", self.track.state()),
        }
        if self._latest is not None:
            state["latest"] = self._latest
        if self.clock is not None:
            state |= prefixed("clock", self.clock.state())
        return state

    def restore(self, state: StreamState) -> None:
        self._fetched, self._latest = int(state["fetched"]), state.get("latest")
        self.track.restore(part("track", state))
        if self.clock is not None:
            self.clock.restore(part("clock", state))

    def _frame(self, params: Any) -> Tensor | None:
        if not self._live:
            if params is not None:
                raise InputError("this stream has a score or an iterator of frames: leave params out")
            return None
        if params is None:
            if self._latest is None:
                raise InputError("give params with the first block")
            return self._latest
        return self._one_frame(params, "live params must be one frame")

    def _one_frame(self, params: Any, what: str) -> Tensor:
        """A single frame as ``[batch, 1, columns]``, checked and clamped."""
        shape = list(params.shape) if isinstance(params, Tensor) else None
        if shape is None or shape[-1:] != [self._columns] or shape[:-1] not in ([], [1], [self._batch]):
            got = f"not {type(params).__name__}" if shape is None else f"but have the shape {shape}"
            wanted = f"[{self._columns}] or [batch, {self._columns}] with a batch of {self._batch}"
            raise InputError(f"{what}, {wanted}, {got}")
        # (No −1: a graph may have no controls at all.)
        return self._prepared(params.reshape(*(shape[:-1] or [1]), 1, self._columns))

    def _prepared(self, params: Tensor) -> Tensor:
        """Checked and clamped ``[batch, frames, columns]``."""
        layout = self._compiled.layout
        prepared = prepare_params(layout, params, self._like, self._batch, self._out_of_range, True)
        return prepared.expand(self._batch, -1, -1)

    def _score(self, score: Any) -> tuple[Tensor, Tensor]:
        if not isinstance(score, tuple | list) or len(score) != 2:
            raise InputError("a score is (params, positions): frames, and the sample that each lies on")
        params, positions = score
        if isinstance(params, Tensor) and params.ndim in (2, 3):
            prepared = torch.cat([self._prepared(some) for some in params.split(CHECKED, -2)], -2)
        else:
            prepared = self._prepared(params)  # which says what is wrong with it
        return prepared, self._positions(positions, prepared, self._start)

    def _positions(self, positions: Any, frames: Tensor, start: int) -> Tensor:
        """On the CPU, where they are looked up; from the stream's start on, which is the clip's sample ``start``."""
        placed = prepare_positions(positions, frames, True)
        if placed is None:
            raise InputError("positions are missing: give the sample that each frame lies on")
        return placed.cpu() - start

    def _speed(self, fps: Any) -> float | None:
        if fps is None:
            return None
        speed = real(fps, "fps", 0, self._rate)
        if not speed:
            raise InputError(f"fps is {shown(fps)}; expected a number above 0")
        return speed

    def _fetch(self, frames: Iterator[Any], fps: float | None) -> Iterator[tuple[Tensor, int]]:
        latest = -FARTHEST - 1
        for frame in frames:
            if fps is None:
                frame, position = _placed(frame, latest)
                latest = position
            else:
                position = round(self._fetched * self._rate / fps)
            prepared = self._one_frame(frame, "the iterator must give single frames")
            self._fetched += 1
            yield prepared, position - self._start

    def _clock(self, tempo: Any, start: int) -> ClockTrack | None:
        if not self._compiled.uses_clock:
            if tempo is not None:
                raise InputError("no effect of this graph follows a clock: leave tempo out")
            return None
        if tempo is None:
            empty = torch.empty(self._batch, 0, dtype=torch.float64, device=self._like.device)
            return ClockTrack(self._rate, empty, torch.empty(0, dtype=torch.int64, device="cpu"), start)
        tempos, positions = tempo, [0]
        if isinstance(tempo, tuple):
            if len(tempo) != 2:
                raise InputError("tempo is a number, [batch], or (tempos, positions)")
            tempos, positions = tempo
            if isinstance(tempos, Tensor) and tempos.ndim == 1:
                tempos = tempos.unsqueeze(0)
        checked = check_tempo(tempos, self._batch, self._like).expand(self._batch, -1)
        return ClockTrack(
            self._rate, checked, self._positions(positions, checked.unsqueeze(-1), start), start
        )

    def _tempo(self, tempo: Any) -> Tensor | None:
        if self.clock is None or not self._live_tempo:
            if tempo is None:
                return None
            given = "the tempo was given when it was made" if self.clock else "no effect follows a clock"
            raise InputError(f"leave tempo out of this stream's blocks: {given}")
        if tempo is None:
            if self.clock.latest is None:
                raise InputError(
                    f"graph {self._compiled.graph.name} has effects that follow a clock: give its tempo in BPM, "
                    "tempo=, with the first block or when the stream is made"
                )
            return self.clock.latest
        checked = check_tempo(tempo, self._batch, self._like)
        if checked.shape[1] != 1:
            raise InputError(f"a live tempo is a number or [batch], but has the shape {list(checked.shape)}")
        return checked.expand(self._batch, -1)


def _placed(item: Any, latest: int) -> tuple[Any, int]:
    """A frame and the sample that it lies on, behind that of the frame before."""
    if not isinstance(item, tuple) or len(item) != 2:
        raise InputError(
            f"without fps the iterator must give pairs of a frame and the sample that it lies on, not {shown(item)}"
        )
    frame, position = item
    place = whole(position, "a frame's position", -FARTHEST)
    if not latest < place <= FARTHEST:
        raise InputError(f"a frame of the iterator lies on sample {place}, and the one before it on {latest}")
    return frame, place


def _iterator(frames: Any) -> Iterator[Any]:
    if not isinstance(frames, Iterable):
        raise InputError(f"frames must be an iterator of frames, not {type(frames).__name__}")
    return iter(frames)
