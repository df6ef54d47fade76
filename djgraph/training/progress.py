"""How far a training is, for whoever shows it: the command line's bar, or nobody."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol


class Progress(Protocol):
    """What a training reports to; entered while something is shown."""

    def __enter__(self) -> Progress: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def begin(self, what: str, total: int | None = None, done: int = 0) -> None:
        """The next step, with how much there is of it, and how much of that was there before."""

    def advance(self, amount: int = 1) -> None:
        """Some of the step is done."""

    def say(self, what: str) -> None:
        """Other words for the step that is under way."""


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def begin(self, what: str, total: int | None = None, done: int = 0) -> None:
        """Nothing."""

    def advance(self, amount: int = 1) -> None:
        """Nothing."""

    def say(self, what: str) -> None:
        """Nothing."""
