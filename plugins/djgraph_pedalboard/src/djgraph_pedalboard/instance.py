"""One live plugin: its parameters, silence before the first sample, and blocks in and out without loss.

What of Pedalboard has to be known for that:

- A plugin is prepared anew, and forgets, whenever a block is longer than all before. So it gets a block of the full
  size, of silence, before the first one.
- ``Plugin.reset()`` makes it forget the size of blocks, too. A call of ``process`` without samples and with
  ``reset=True`` forgets the sound only.
- A plugin that lags gives fewer samples than it got until it has caught up, those it has at the right end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from djgraph.errors import EffectError

Setter = Callable[[Any, float], None]
"""Sets one parameter of a plugin to a value in a control's units."""

LONGEST_LAG = 20
"""Seconds in which a plugin must have begun to give as much as it gets."""


class Instance:
    """A plugin that runs one signal of so many channels in blocks of at most ``size`` samples."""

    def __init__(
        self, plugin: Any, setters: Sequence[Setter], channels: int, sample_rate: int, size: int
    ) -> None:
        self._plugin, self._setters = plugin, tuple(setters)
        self._channels, self._rate, self._size = channels, sample_rate, size
        self._values: list[float | None] = [None] * len(self._setters)

    def start(self, values: Sequence[float], silence: int = 1) -> None:
        """The state before the first sample, with these values; ``silence``: blocks of it that are run before."""
        self.set(values)
        nothing = np.zeros((self._channels, self._size), np.float32)
        for number in range(silence):
            self._process(nothing, reset=number == 0)
        self._process(nothing[:, :0], reset=True)

    def set(self, values: Sequence[float]) -> None:
        """Sets the parameters that have changed."""
        for place, (setter, value) in enumerate(zip(self._setters, values)):
            if value != self._values[place]:
                setter(self._plugin, value)
                self._values[place] = value

    def feed(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """As many samples as it is given, ``[channels, samples]``: zeros where the plugin has not caught up yet."""
        made = self._process(block, reset=False)
        if made.shape == block.shape:
            return made
        made = made.reshape(self._channels, -1)  # without samples its shape may be (0,)
        missing = block.shape[1] - made.shape[1]
        if missing < 0:
            raise EffectError(f"the plugin gave {made.shape[1]} samples for {block.shape[1]}")
        return np.pad(made, ((0, 0), (missing, 0)))

    def lag(self) -> int:
        """By how many samples the output lags: what is missing until the plugin gives as much as it gets."""
        missing, silence = 0, np.zeros((self._channels, self._size), np.float32)
        for _ in range(1 + LONGEST_LAG * self._rate // self._size):
            given = self._process(silence, reset=False).size // self._channels
            if given == self._size:
                return missing
            missing += self._size - given
        raise EffectError(f"after {LONGEST_LAG} s the plugin still gives fewer samples than it gets")

    def _process(self, block: NDArray[np.float32], reset: bool) -> NDArray[np.float32]:
        made: NDArray[np.float32] = self._plugin.process(
            np.ascontiguousarray(block), self._rate, self._size, reset=reset
        )
        return made
