"""Memory of a stream: the part of a signal that is still needed.

Without gradients samples are written into a buffer that has room for more, and moved to another one when it is full.
What was handed out is never written to again. With gradients everything is out of place.
"""

from __future__ import annotations

import torch
from torch import Tensor

from djgraph.dsp.derivatives import unwatched
from djgraph.streams.state import StreamState

ROOM = 8192
"""Samples that a new buffer has room for, beside what is held; for one block where that is longer."""


class History:
    """The latest samples of a signal, from sample ``origin`` on: ``[…, samples]``."""

    def __init__(self, empty: Tensor, origin: int = 0) -> None:
        self._hold(empty)
        self.origin = origin

    @property
    def audio(self) -> Tensor:
        """The samples that are held."""
        return self._buffer[..., self._start : self._end]

    @property
    def stop(self) -> int:
        """The sample after the last."""
        return self.origin + self._end - self._start

    def append(self, audio: Tensor) -> None:
        """Adds a copy: a caller may fill its own buffer anew for every block."""
        if not unwatched():
            self._hold(torch.cat((self.audio, audio), -1))
            return
        self._room_for(audio.shape[-1]).copy_(audio)

    def forget(self, before: int) -> None:
        """Drops the samples before one of the clip's."""
        self.take(before)

    def take(self, stop: int) -> Tensor:
        """Hands on the samples before ``stop``, and drops them."""
        count = min(max(stop - self.origin, 0), self._end - self._start)
        taken = self._buffer[..., self._start : self._start + count]
        self._start += count
        self.origin += count
        return taken

    def detach(self) -> None:
        self._hold(self.audio.detach())

    def state(self) -> StreamState:
        return {"audio": self.audio, "origin": torch.tensor([self.origin], device="cpu")}

    def restore(self, state: StreamState) -> None:
        self._hold(state["audio"])
        self.origin = int(state["origin"])

    def _hold(self, audio: Tensor) -> None:
        """Holds these samples, in memory that somebody else may read: it is not written to."""
        self._buffer, self._start, self._end = audio, 0, audio.shape[-1]

    def _room_for(self, count: int) -> Tensor:
        """The next samples' place."""
        buffer, end = self._buffer, self._end
        if end + count > buffer.shape[-1] or buffer.is_inference() != torch.is_inference_mode_enabled():
            held = end - self._start
            self._buffer = buffer.new_empty(*buffer.shape[:-1], held + max(count, ROOM))
            self._buffer[..., :held] = buffer[..., self._start : end]
            self._start, self._end = 0, held
        self._end += count
        return self._buffer[..., self._end - count : self._end]
