"""Draws the studio's pictures: python docs/studio_pictures.py [NAME …], with Chromium (and Playwright, Pillow).

The demo's tracks are played in a project of its own, with a recipe and a lane on the timeline, and every view is
photographed. A picture is a palette of 192 colours, so that it is small.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "studio"
SIZE = {"width": 1440, "height": 760}
VIEWS = ("console", "timeline", "graph", "text")
COLOURS = 192
MOVED = {"track_a.drums.hpf": "30 %", "track_a.bass.eq_low": "-6 dB", "track_a.drums.eq_high": "+3 dB"}


def main(names: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as state, sync_playwright() as playwright:
        command = [sys.executable, "-m", "djgraph", "studio", "--no-browser", "--project", f"{state}/project"]
        environment = {**os.environ, "DJGRAPH_STUDIO": state}
        served = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        try:
            assert served.stdout is not None
            url = next(found[0] for line in served.stdout if (found := re.search(r"http://\S+", line)))
            path = next((one for name in ("chromium", "google-chrome") if (one := shutil.which(name))), None)
            arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
            browser = playwright.chromium.launch(executable_path=path, args=arguments)
            page = browser.new_page(viewport=SIZE, color_scheme="dark")
            page.goto(url)
            page.locator("[role=tab][aria-selected=true]").wait_for()
            pose(page)
            views = page.evaluate("[...document.querySelectorAll('[role=tab]')].map(tab => tab.id.slice(4))")
            for view in [one for one in views if one in VIEWS]:
                page.locator(f"#tab-{view}").click()
                if view == "graph":
                    page.locator("#panel-graph .picture svg g").first.wait_for()
                page.wait_for_timeout(1500)
                keep(page, view, names)
            page.locator(f"#tab-{views[0]}").click()
            page.get_by_role("button", name="Light / dark").click()
            page.wait_for_timeout(1000)
            keep(page, f"{views[0]}_light", names)
            browser.close()
        finally:
            served.terminate()
            served.wait()


def pose(page: Any) -> None:
    """Something to see: a recipe, a few controls elsewhere, playing."""
    page.locator("#tab-timeline").click()
    page.locator("[data-recipe=bass_swap]").focus()
    page.keyboard.press("Enter")
    page.locator(".tl-clip").first.wait_for()
    page.locator("#tab-console").click()
    for control, text in MOVED.items():
        field = page.locator(f'[data-control="{control}"] input.value').first
        if field.count():
            field.fill(text)
            field.press("Enter")
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_timeout(5500)


def keep(page: Any, name: str, names: list[str]) -> None:
    from PIL import Image

    if names and name not in names:
        return
    image = (
        Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    )
    image.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
