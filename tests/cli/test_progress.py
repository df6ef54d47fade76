"""The progress bar: for terminals only, with the time that is left."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from numba import njit

from djgraph.cli.progress import Steps, time_left


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, "0:00 left"), (0.2, "0:01 left"), (65, "1:05 left"), (3599.5, "1:00:00 left")],
)
def test_time_left(seconds: float | None, text: str) -> None:
    assert time_left(seconds) == text


def test_a_terminal_sees_step_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with Steps() as steps:
        steps.begin("making 1000 transitions", 1000, 500)
        for _ in range(3):
            time.sleep(0.01)
            steps.advance(1)
        assert steps._bar is not None
        (task,) = steps._bar.tasks
        assert task.completed == 503
        # What was there before was not made just now: some 500 are left, at a hundred a second at most.
        assert task.time_remaining is not None
        assert task.time_remaining >= 4
        steps.say("with other words")
        time.sleep(0.6)  # what the column shows is kept for half a second
        steps._bar.refresh()
    assert "with other words" in screen.getvalue()
    assert " left" in screen.getvalue()


def test_nothing_for_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    with Steps() as steps:
        steps.begin("making", 10)
        steps.advance()
        steps.say("more")
    assert screen.getvalue() == ""


def test_compiling_is_said_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    seen = []

    @njit
    def inner(x):
        return x + 1

    @njit
    def outer(x):
        return inner(x)

    with Steps() as steps:
        steps.begin("mixing")
        assert steps._bar is not None
        bar = steps._bar
        plainly = bar.update

        def update(task: Any, **what: Any) -> None:
            seen.append(what["description"])
            plainly(task, **what)

        monkeypatch.setattr(bar, "update", update)
        assert outer(1) == 2
        assert outer(2) == 3
    assert seen == ["mixing (compiling for this processor, once)", "mixing"]
    outer(1.5)  # nobody listens any more
    assert len(seen) == 2
