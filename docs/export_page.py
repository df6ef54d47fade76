"""Draws the picture of a page, docs/export/page.png, and measures how fast it plays: python docs/export_page.py

The demo's tracks go from one to the other by a recipe. The page is opened in Chromium (and Playwright, Pillow),
photographed while it plays, and mixes its clip once more for the time: the processor time of all of the page's process.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

PICTURE = Path(__file__).parent / "export" / "page.png"
SIZE = {"width": 1280, "height": 860}
SECONDS = 16.0
COLOURS = 192


def main() -> None:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = made(Path(folder))
        chromium = next((one for name in ("chromium", "google-chrome") if (one := shutil.which(name))), None)
        arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_page(viewport=SIZE, color_scheme="dark")
        page.goto(path.as_uri())
        page.evaluate("djgraph.ready")
        page.locator("button.play").click()
        page.wait_for_timeout(9000)
        photograph(page)
        page.locator("button.play").click()
        before = seconds_of(browser)
        page.evaluate("djgraph.render().then(() => null)")
        spent = seconds_of(browser) - before
        print(
            f"{SECONDS:g} s of dj_mixer in {spent:.2f} s of processor time: {SECONDS / spent:.0f} times real time"
        )
        print(f"the page has {path.stat().st_size / 1e6:.1f} MB")
        browser.close()


def made(folder: Path) -> Path:
    """The page of a transition between the demo's tracks."""
    import numpy as np

    import djgraph
    from djgraph.automation import template
    from djgraph.demo import demo_tracks
    from djgraph.export import program_of, stem_of, web_page

    mixer = djgraph.compile("dj_mixer", lowering="causal")
    rate, samples = mixer.graph.sample_rate, round(SECONDS * mixer.graph.sample_rate)
    moves = template("bass_swap").fill(start="25%", length="50%")
    score = moves.render_exact(mixer, samples=samples, sample_rate=rate, tempo=126.0)
    program = program_of(mixer, djgraph.registry(), score.params, score.positions, score.tempo)
    tracks = demo_tracks(rate, SECONDS)
    stems = [
        stem_of(track, stem, np.ascontiguousarray(audio[:, :samples].numpy()), rate, 16)
        for track, named in zip(mixer.graph.inputs, tracks.values())
        for stem, audio in named.items()
    ]
    path = folder / "page.html"
    path.write_text(web_page(mixer.graph, program, stems, samples).html, encoding="utf-8")
    return path


def photograph(page: Any) -> None:
    from PIL import Image

    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    PICTURE.parent.mkdir(exist_ok=True)
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


def seconds_of(browser: Any) -> float:
    """The processor time of the processes that run pages."""
    told = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return sum(one["cpuTime"] for one in told if one["type"] == "renderer")


if __name__ == "__main__":
    main()
