"""Studios in a real browser: Chromium of the system or Playwright's own; skipped, with the reason, where there is none.

    def test_it_plays(desk):  # a studio of the default mixer, and a page that shows it
        desk.page.get_by_role("button", name="Play").click()
        desk.until(lambda: desk.session.player.transport.playing)

``opened`` makes others: ``opened("path.yaml", seconds=1, view="timeline")``. One browser for each worker, a page for
each test; tests of several workers take turns. What a page throws, and what its policy forbids, fails the test.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chromium import chromium

from studio.browser.desk import Desk

ARGUMENTS = (
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--force-color-profile=srgb",
)


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Chromium, without a window."""
    with chromium(*ARGUMENTS) as made:
        yield made


@pytest.fixture
def turn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One test at a time has a browser, of all workers: what is heard needs a machine that is not full."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if os.environ.get("PYTEST_XDIST_WORKER") else folder
    with (folder / "browser.lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def opened(browser: Any, turn: None) -> Iterator[Callable[..., Desk]]:
    """Serve a graph and open its page: the arguments are those of :class:`Desk`."""
    desks: list[Desk] = []

    def open_(*arguments: Any, **more: Any) -> Desk:
        desks.append(Desk(browser, *arguments, **more))
        return desks[-1]

    yield open_
    for desk in desks:
        desk.close()
    assert [fault for desk in desks for fault in desk.faults] == []


@pytest.fixture
def desk(opened: Callable[..., Desk]) -> Desk:
    """The default mixer and two seconds of noise."""
    return opened()
