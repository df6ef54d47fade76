"""Pages in Chromium, opened from a file: what they play nulls against the mixer, and they ask for nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from djgraph.export import stem_of, web_page
from export.nulls import LIMIT, case, depth

pytestmark = pytest.mark.slow
ARGUMENTS = ("--no-sandbox", "--autoplay-policy=no-user-gesture-required")
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")
    with playwright.sync_playwright() as opened:
        path = next((path for name in NAMES if (path := shutil.which(name))), None)
        if path is None and not Path(opened.chromium.executable_path).exists():
            pytest.skip("no Chromium: apt-get install chromium, or playwright install chromium")
        made = opened.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield made
        made.close()


def until(page: Any, condition: str) -> None:
    """Waits for a condition in JavaScript. The page's own policy forbids Playwright's way of doing so."""
    for _ in range(400):
        if page.evaluate(condition):
            return
        time.sleep(0.025)
    raise AssertionError(f"never came true: {condition}")


class Opened:
    """A page from a file; what it says, throws or asks for beside its file is a fault."""

    def __init__(self, browser: Any, path: Path) -> None:
        self.faults: list[str] = []
        self.page = browser.new_page()
        self.page.on("console", lambda one: self.faults.append(one.text))
        self.page.on("pageerror", lambda one: self.faults.append(str(one)))
        self.page.on("request", self._asked)
        self._own = path.as_uri()
        self.page.goto(self._own)
        self.page.evaluate("djgraph.ready")

    def _asked(self, request: Any) -> None:
        if request.url != self._own and not request.url.startswith(("data:", "blob:")):
            self.faults.append(f"asked for {request.url}")

    def rendered(self) -> torch.Tensor:
        channels = self.page.evaluate("djgraph.render().then(all => all.map(one => Array.from(one)))")
        return torch.tensor(np.array(channels, dtype=np.float32))


def written(one: Any, path: Path, embed: bool = True) -> Path:
    """The page of a case, whose stems become what FLAC holds of them."""
    stems = []
    for number, told in enumerate(one.program.data["inputs"]):
        whole = (one.stems[number].double() * 2**23).round().clamp(-(2**23), 2**23 - 1)
        one.stems[number] = (whole / 2**23).float()
        stems.append(
            stem_of(told["input"], told["stem"], one.stems[number].numpy(), one.mixer.graph.sample_rate)
        )
    path.write_text(
        web_page(one.mixer.graph, one.program, stems if embed else (), None).html, encoding="utf-8"
    )
    return path


@pytest.mark.parametrize("graph", ["dj_mixer", "club_console"])
def test_a_page_nulls(graph: str, browser: Any, tmp_path: Path) -> None:
    one = case(graph, samples=30_011)
    opened = Opened(browser, written(one, tmp_path / "page.html"))
    wanted = next(iter(one.mixed().values()))
    assert depth(opened.rendered(), wanted) < LIMIT
    assert opened.faults == []


def test_stems_are_dropped_and_hands_play(browser: Any, tmp_path: Path) -> None:
    one = case("djtransgan", samples=8_000, frames=1)
    opened = Opened(browser, written(one, tmp_path / "page.html", embed=False))
    page = opened.page
    assert page.locator("button.play").is_disabled()
    for number, told in enumerate(one.program.data["inputs"]):
        path = tmp_path / f"{told['input']}.wav"
        soundfile.write(path, one.stems[number].numpy().T, 44100, subtype="FLOAT")
        page.locator(".stem input").nth(number).set_input_files(path)
        until(page, f"djgraph.signals[{number}] !== null")
    until(page, "!document.querySelector('button.play').disabled")
    assert depth(opened.rendered(), next(iter(one.mixed().values()))) < LIMIT
    held = one.params.clone()
    held[:, 0] = held[:, 0] / 2 + 0.1
    page.evaluate(f"djgraph.hold(0, {float(held[0, 0])})")
    moved = type(one)(one.mixer, held, one.positions, one.tempo, one.stems)
    assert depth(opened.rendered(), next(iter(moved.mixed().values()))) < LIMIT
    assert opened.faults == []


def test_it_plays_and_stops_and_seeks(browser: Any, tmp_path: Path) -> None:
    one = case("djtransgan", samples=200_000, frames=3)
    opened = Opened(browser, written(one, tmp_path / "page.html"))
    page = opened.page
    page.locator("button.play").click()
    until(page, "parseFloat(document.querySelector('.seek').value) > 0.02")
    page.locator("button.play").click()
    until(page, "document.querySelector('button.play').textContent === 'Play'")
    page.evaluate(
        "() => { const one = document.querySelector('.seek'); one.value = 0.9; one.dispatchEvent(new Event('input'));"
        " one.dispatchEvent(new Event('change')); }"
    )
    until(page, "document.querySelector('.time').textContent.startsWith('0:04.1')")
    page.locator("button.play").click()
    until(page, "document.querySelector('button.play').textContent === 'Play'")
    until(page, "document.querySelector('.time').textContent.startsWith('0:00.0')")
    assert opened.faults == []
