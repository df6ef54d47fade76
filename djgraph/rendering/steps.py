"""The steps of a long job, as whoever shows them is told; :class:`djgraph.cli.progress.Steps` is a bar of them."""

from __future__ import annotations

from typing import Protocol


class Steps(Protocol):
    """Told what a job is at."""

    def begin(self, what: str, total: int | None = None, done: int = 0) -> None:
        """The next step, with how much there is of it, and how much of that was there before."""

    def advance(self, amount: int = 1) -> None:
        """Some of the step is done."""

    def analysed(self, done: int, total: int) -> None:
        """One more track is analysed, of so many."""


class Silent:
    """Nobody is told."""

    def begin(self, what: str, total: int | None = None, done: int = 0) -> None:
        pass

    def advance(self, amount: int = 1) -> None:
        pass

    def analysed(self, done: int, total: int) -> None:
        pass
