"""How much of a block's length it takes to make it, and what takes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from djgraph.playing.line import Line

MEASURED = 256
"""Blocks of which the load is known."""


class Load:
    """Of the last blocks. One thread adds, any reads."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[float, float]] = deque(maxlen=MEASURED)
        self._asked: tuple[Line, int, dict[str, float]] | None = None

    def add(self, took: float, worked: float, length: float) -> None:
        """A block of ``length`` seconds: those that it took, and those of them that its thread had the processor."""
        self._blocks.append((took / length, worked / length))

    @property
    def shares(self) -> tuple[float, float]:
        """The median and the 99th percentile of the share of a block's length that it took to make it."""
        loads = sorted(took for took, _ in list(self._blocks))
        return (loads[len(loads) // 2], loads[int(0.99 * (len(loads) - 1))]) if loads else (0.0, 0.0)

    @property
    def waiting(self) -> float:
        """The median of what of that share was spent waiting, while other work had the processor."""
        waits = sorted(max(0.0, took - worked) for took, worked in list(self._blocks))
        return waits[len(waits) // 2] if waits else 0.0

    def causes(self, line: Line | None) -> Mapping[str, float]:
        """What a line that is heard takes how much of a block's length for, by effects and other work in words, the
        most first: since this was last asked, less what ran beside blocks."""
        before = self._asked
        if line is None:
            return {}
        now = (line, line.now, dict(line.seconds))
        self._asked = now
        if before is None or before[0] is not line or now[1] == before[1]:
            before = (line, 0, {})
        length = (now[1] - before[1]) / line.mixer.graph.sample_rate
        shares = {name: (value - before[2].get(name, 0.0)) / length for name, value in now[2].items()}
        return dict(sorted(shares.items(), key=lambda item: -item[1]))
