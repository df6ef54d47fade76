"""A studio and the pages that show it, as tests use them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from waiting import PATIENCE, until

from studio.served import Studio

SCRIPTS = Path(__file__).parent / "scripts"
SIZE = {"width": 1400, "height": 900}


class Desk:
    """graph, seconds: of the studio that is served. view: the tab that is shown first. More: of Playwright's contexts.

    page: the first page; :meth:`open` opens others. faults: what pages threw and what their policy forbade; the test
    fails for them, so one that expects some clears the list.
    """

    def __init__(
        self,
        browser: Any,
        graph: Any = "dj_mixer",
        seconds: float = 2.0,
        view: str = "console",
        studio: Studio | None = None,
        **context: Any,
    ) -> None:
        self.studio = Studio(graph, seconds) if studio is None else studio
        self.session, self.mixer = self.studio.session, self.studio.mixer
        self.faults: list[str] = []
        self._context = browser.new_context(**{"viewport": SIZE, "accept_downloads": True, **context})
        self._context.set_default_timeout(1000 * PATIENCE)
        for script in ("watch.js", "access.js"):
            self._context.add_init_script(path=SCRIPTS / script)
        try:
            self.page = self.open(view)
        except BaseException:
            self.close()
            raise

    def open(self, view: str = "console") -> Any:
        """Another page of the same studio."""
        page = self._context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"thrown: {error}"))
        page.on("console", self._hear)
        page.goto(f"{self.studio.url}#{view}")
        page.get_by_role("tab", selected=True).wait_for()
        return page

    def control(self, name: str, page: Any = None) -> Any:
        """A control of the console: its slider, button or list."""
        return (
            (page or self.page)
            .locator(f'[data-control="{name}"] :is([role=slider], button.toggle, select)')
            .first
        )

    def field(self, name: str, page: Any = None) -> Any:
        """Where a control's value is typed."""
        return (page or self.page).locator(f'[data-control="{name}"] input.value').first

    def value(self, name: str) -> float:
        """What a control is at, as the next block will hear it."""
        player = self.session.player
        row = player.course.row(player.transport.position)
        return float(player.hands.held.get(name, row[self.mixer.layout.index(name)]))

    def play(self) -> None:
        """As somebody who clicks does."""
        self.page.get_by_role("button", name="Play", exact=True).click()

    def heard(self, page: Any = None) -> NDArray[np.float32]:
        """All that went to the loudspeakers so far, ``[channels, samples]``, from the first that is not silence."""
        text = (page or self.page).evaluate("() => globalThis.djgraphTest.heard()")
        return np.frombuffer(base64.b64decode(text), "<f4").reshape(2, -1)

    def sounding(self, page: Any = None) -> int:
        """How many samples so far were not silence."""
        return int((page or self.page).evaluate("() => globalThis.djgraphTest.sounding"))

    def until(self, ready: Callable[[], Any], what: str = "it does not come about") -> Any:
        """Wait for a condition of the session or of a page. Meanwhile pages go on, which they do not in a sleep."""
        return until(ready, what, lambda seconds: self.page.wait_for_timeout(1000 * seconds))

    def close(self) -> None:
        self._context.close()
        self.studio.close()

    def _hear(self, message: Any) -> None:
        text = message.text
        if "Content Security Policy" in text or "Trusted" in text:
            self.faults.append(f"forbidden: {text}")
