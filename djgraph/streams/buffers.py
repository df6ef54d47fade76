"""Buffers along the time axis: the last samples of a signal, and what waits to be handed on.

They are functional: tensors are joined and cut, never written to, so that gradients may pass and what was handed out
stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.streams.state import State


class History:
    """The latest samples of a signal, from sample ``origin`` on: ``[…, samples]``."""

    def __init__(self, empty: Tensor, origin: int = 0) -> None:
        self.audio, self.origin = empty, origin

    @property
    def stop(self) -> int:
        """The sample after the last."""
        return self.origin + self.audio.shape[-1]

    def append(self, audio: Tensor) -> None:
        """Adds a copy: a caller may fill its own buffer anew for every block."""
        self.audio = torch.cat((self.audio, audio), -1)

    def append_stack(self, signals: Sequence[Tensor]) -> None:
        """Adds signals that become one, ``[signals, …, samples]``."""
        if self.audio.requires_grad or any(signal.requires_grad for signal in signals):
            self.append(torch.stack(list(signals)))
            return
        held, count = self.audio.shape[-1], signals[0].shape[-1]
        audio = self.audio.new_empty(*self.audio.shape[:-1], held + count)
        audio[..., :held] = self.audio
        for place, signal in zip(audio, signals):
            place[..., held:] = signal
        self.audio = audio

    def forget(self, before: int) -> None:
        """Drops the samples before one of the clip's."""
        drop = min(max(before - self.origin, 0), self.audio.shape[-1])
        # A view, which keeps what was dropped in memory no longer than until the next block is added.
        self.audio = self.audio[..., drop:]
        self.origin += drop

    def take(self, stop: int) -> Tensor:
        """Hands on the samples before ``stop``, and drops them."""
        count = max(stop - self.origin, 0)
        taken = self.audio[..., :count]
        self.audio = self.audio[..., count:]
        self.origin += count
        return taken

    def detach(self) -> None:
        self.audio = self.audio.detach()

    def state(self) -> State:
        return {"audio": self.audio, "origin": torch.tensor([self.origin], device="cpu")}

    def restore(self, state: State) -> None:
        self.audio, self.origin = state["audio"], int(state["origin"])
