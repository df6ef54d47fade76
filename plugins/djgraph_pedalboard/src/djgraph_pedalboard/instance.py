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
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from djgraph.errors import EffectError

Setter = Callable[[Any, float], None]
"""Sets one parameter of a plugin to a value in a control's units."""


@dataclass(frozen=True)
class Latency:
    """By how many samples a plugin's output lags: as ``measured``, and as it says, None where it says nothing."""

    measured: int
    reported: int | None = None


LONGEST_LAG = 20
"""Seconds in which a plugin must have begun to give as much as it gets."""


class Instance:
    """A plugin that runs one signal of so many channels in blocks of at most ``size`` samples."""

    def __init__(
        self,
        plugin: Any,
        setters: Sequence[Setter],
        channels: int,
        sample_rate: int,
        size: int,
        names: Sequence[str] = (),
        expected: Latency | None = None,
    ) -> None:
        """names: of the controls that set parameters, for messages. expected: how the plugin has to lag, since its
        effect says so; not looked at where left out."""
        self._plugin, self._setters = plugin, tuple(setters)
        self._channels, self._rate, self._size = channels, sample_rate, size
        self._names, self._expected = tuple(names), expected
        self._values: list[float | None] = [None] * len(self._setters)
        self._missing = 0
        self._last: tuple[str, ...] = ()

    def start(self, values: Sequence[float], silence: int = 1) -> None:
        """The state before the first sample, with these values; ``silence``: blocks of it that are run before."""
        self.set(values)
        self._missing = 0
        nothing = np.zeros((self._channels, self._size), np.float32)
        for number in range(silence):
            self._process(nothing, reset=number == 0)
        self._process(nothing[:, :0], reset=True)
        self._hold_to_latency()

    def set(self, values: Sequence[float]) -> None:
        """Sets the parameters that have changed."""
        changed = []
        for place, (setter, value) in enumerate(zip(self._setters, values)):
            if value != self._values[place]:
                setter(self._plugin, value)
                if self._values[place] is not None:
                    changed.append(place)
                self._values[place] = value
        if changed:
            self._last = tuple(self._names[place] for place in changed if place < len(self._names))

    def feed(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """As many samples as it is given, ``[channels, samples]``: zeros where the plugin has not caught up yet.

        Raises EffectError where the plugin lags by more or less than its effect says: its latency moves.
        """
        made = self._process(block, reset=False)
        self._hold_to_latency()
        if made.shape == block.shape:
            return made
        made = made.reshape(self._channels, -1)  # without samples its shape may be (0,)
        missing = block.shape[1] - made.shape[1]
        if missing < 0:
            raise EffectError(f"the plugin gave {made.shape[1]} samples for {block.shape[1]}")
        self._missing += missing
        if self._expected is not None and self._missing > self._expected.measured:
            raise self._moved(self._expected.measured, f"{self._missing} or more")
        return np.pad(made, ((0, 0), (missing, 0)))

    def latency(self) -> Latency:
        """How the output lags: what is missing until the plugin gives as much as it gets, and what the plugin says."""
        return Latency(self._lag(), self._reported())

    def _reported(self) -> int | None:
        told = getattr(self._plugin, "reported_latency_samples", None)
        return None if told is None else int(told)

    def _hold_to_latency(self) -> None:
        before = self._expected.reported if self._expected is not None else None
        now = self._reported()
        if before is not None and now is not None and now != before:
            raise self._moved(before, str(now))

    def _moved(self, before: int, now: str) -> EffectError:
        last = (
            f" once {', '.join(self._last)} {'was' if len(self._last) == 1 else 'were'} set"
            if self._last
            else ""
        )
        return EffectError(
            f"the plugin lags by {now} samples{last}, and by {before} as it was loaded: what moves so cannot be lined "
            "up with the rest of the mix. Leave what moves it alone: take the parameter out of the catalogue, so that "
            "it is no control and the plugin keeps its own value"
        )

    def _lag(self) -> int:
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
