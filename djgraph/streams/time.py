"""Where a stream is on the time axis, and the stretch of it that each value of a plan covers in one call."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Moment:
    """One call of a stream: samples ``start…stop−1`` arrive, or, at the end, none do.

    end: the clip's length, in the call that finishes it; None before.
    """

    start: int
    stop: int
    end: int | None = None

    def span(self, latency: int) -> tuple[int, int]:
        """The samples of the clip that a value of that latency covers in this call."""
        start = max(self.start - latency, 0)
        return start, max(self.stop - latency, 0) if self.end is None else self.end
