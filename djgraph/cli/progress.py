"""A progress bar on stderr, for people only: nothing is printed where stderr is no terminal."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from djgraph.text import one_line, time_left

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TaskID


REMEMBERED = 600.0
"""Seconds over which the speed is measured: single steps may take a minute."""


class Steps:
    """The steps of a job, one bar that says which is under way, how long it has taken and, where it is known how
    much there is of it, how long it will take::

    with Steps() as steps:
        steps.begin("reading", total=8)
        steps.advance(1)
        steps.begin("mixing")          # without a total: the bar only shows that something happens
    """

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._what = ""
        self._watching = ExitStack()

    def __enter__(self) -> Steps:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
            from rich.text import Text

            class Left(ProgressColumn):
                """Minutes and seconds that are left, as far as they can be known."""

                max_refresh = 0.5

                def render(self, task: Task) -> Text:
                    return Text(time_left(task.time_remaining))

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TimeElapsedColumn(),
                Left(),
            )
            self._bar = Progress(
                *columns,
                console=Console(file=getattr(sys.stderr, "raw", sys.stderr)),  # whose own escapes are meant
                transient=True,
                speed_estimate_period=REMEMBERED,
            )
            self._bar.start()
            self._watch_compiling()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watching.close()
        if self._bar is not None:
            self._bar.stop()

    def analysed(self, done: int, total: int) -> None:
        """One more track is analysed, of so many: what an analysis reports its progress to."""
        if done <= 1:
            self.begin(f"analysing {total} track{'s' * (total != 1)}", total)
        self.advance(1)

    def begin(self, what: str, total: int | None = None, done: int = 0) -> None:
        """The next step, with how much there is of it, and how much of that was there before."""
        if self._bar is None:
            return
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._what = what
        self._task = self._bar.add_task(one_line(what), total=total, completed=done)

    def advance(self, amount: int = 1) -> None:
        """Some of the step is done."""
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, amount)

    def say(self, what: str) -> None:
        """Other words for the step that is under way."""
        self._what = what
        self._describe(what)

    def _describe(self, what: str) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=one_line(what))

    def _watch_compiling(self) -> None:
        """Says why the first mix on a machine takes some seconds more."""
        from djgraph import simd

        begun = simd.compiling(
            lambda: self._describe(f"{self._what} (compiling for this processor, once)"),
            lambda: self._describe(self._what),
        )
        self._watching.enter_context(begun)
