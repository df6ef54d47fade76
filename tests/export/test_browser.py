"""Pages in Chromium, opened from a file: what they play nulls against the mixer, and they ask for nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from chromium import chromium
from waiting import until

from djgraph.export import stem_of, web_page
from djgraph.export.scripts import engine_source
from export.nulls import LIMIT, case, depth
from export.test_effects import all_of_them, depths
from export.test_engine import SHIPPED

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


def comes_true(page: Any, condition: str) -> None:
    """Waits for a condition in JavaScript. The page's own policy forbids Playwright's way of doing so."""
    until(lambda: page.evaluate(condition), f"never came true: {condition}")


ENCODE = """(channels) => channels.map((one) => {
  let text = "";
  const bytes = new Uint8Array(one.slice().buffer);
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
})"""
"""Channels of samples as text."""


def decoded(channels: list[str]) -> torch.Tensor:
    return torch.stack(
        [torch.frombuffer(bytearray(base64.b64decode(one)), dtype=torch.float32) for one in channels]
    )


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
        return decoded(self.page.evaluate(f"djgraph.render().then({ENCODE})"))


def written(one: Any, path: Path, embed: bool = True, samples: int | None = None) -> Path:
    """The page of a case, whose stems become what FLAC holds of them. samples: of its clip."""
    stems = []
    for number, told in enumerate(one.program.data["inputs"]):
        whole = (one.stems[number].double() * 2**23).round().clamp(-(2**23), 2**23 - 1)
        one.stems[number] = (whole / 2**23).float()
        stems.append(
            stem_of(told["input"], told["stem"], one.stems[number].numpy(), one.mixer.graph.sample_rate)
        )
    path.write_text(
        web_page(one.mixer.graph, one.program, stems if embed else (), samples).html, encoding="utf-8"
    )
    return path


@pytest.mark.parametrize("graph", SHIPPED)
def test_a_page_nulls(graph: str, browser: Any, tmp_path: Path) -> None:
    one = case(graph, samples=12_011)
    opened = Opened(browser, written(one, tmp_path / "page.html"))
    wanted = next(iter(one.mixed().values()))
    assert depth(opened.rendered(), wanted) < LIMIT
    assert opened.faults == []


def test_effects_null(browser: Any) -> None:
    """The engine by itself, without an audio context: every effect with its output."""
    one = case(all_of_them(), samples=4_001)
    program = one.program
    page = browser.new_page()
    page.add_script_tag(
        content=engine_source(program.scripts) + "\nObject.assign(window, { Engine, EXPORTERS });"
    )
    stems = [[base64.b64encode(signal.numpy().tobytes()).decode() for signal in audio] for audio in one.stems]
    made = page.evaluate(
        """([program, stems, samples, encode]) => {
          const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
          const inputs = stems.map((channels) => channels.map((text) => new Float32Array(bytes(text).buffer)));
          const engine = new Engine(program, EXPORTERS, samples), { latency, outputs } = program;
          const all = outputs.map(({ channels }) => Array.from({ length: channels }, () => new Float32Array(samples)));
          for (let at = 0; at < samples + latency; at += 128) {
            const count = Math.min(128, samples + latency - at);
            engine.process(inputs, at, count);
            outputs.forEach(({ name }, o) => engine.output(name).forEach((one, c) => {
              for (let i = 0; i < count; i++) if (at + i >= latency) all[o][c][at + i - latency] = one[i];
            }));
          }
          return all.map(eval(encode));
        }""",
        [program.data, stems, 4_001, ENCODE],
    )
    got = {told["name"]: decoded(channels) for told, channels in zip(program.data["outputs"], made)}
    assert {name: value for name, value in depths(got, one.mixed()).items() if value >= LIMIT} == {}


def test_stems_are_dropped_and_hands_play(browser: Any, tmp_path: Path) -> None:
    one = case("djtransgan", samples=8_000, frames=1)
    opened = Opened(browser, written(one, tmp_path / "page.html", embed=False))
    page = opened.page
    assert page.locator("button.play").is_disabled()
    for number, told in enumerate(one.program.data["inputs"]):
        path = tmp_path / f"{told['input']}.wav"
        soundfile.write(path, one.stems[number].numpy().T, 44100, subtype="FLOAT")
        page.locator(".stem input").nth(number).set_input_files(path)
        comes_true(page, f"djgraph.signals[{number}] !== null")
    comes_true(page, "!document.querySelector('button.play').disabled")
    assert depth(opened.rendered(), next(iter(one.mixed().values()))) < LIMIT
    held = one.params.clone()
    held[:, 0] = held[:, 0] / 2 + 0.1
    page.evaluate(f"djgraph.hold(0, {float(held[0, 0])})")
    moved = type(one)(one.mixer, held, one.positions, one.tempo, one.stems)
    assert depth(opened.rendered(), next(iter(moved.mixed().values()))) < LIMIT
    assert opened.faults == []


def test_a_page_without_stems_shows_what_the_controls_do(browser: Any, tmp_path: Path) -> None:
    one = case("djtransgan", samples=88_200, frames=3)
    path = tmp_path / "page.html"
    path.write_text(web_page(one.mixer.graph, one.program, (), 88_200).html, encoding="utf-8")
    opened = Opened(browser, path)
    page = opened.page
    assert page.locator(".time").inner_text().endswith("/ 0:02.0")
    assert page.locator(".lane path").first.get_attribute("d")
    assert page.locator("button.play").is_disabled()
    assert page.locator(".said").inner_text().startswith("Drop sound files")
    assert opened.faults == []


def test_outputs_have_as_many_channels_as_they_have(browser: Any, tmp_path: Path) -> None:
    """The first is mono, the other stereo with nothing on its left: its right is heard where it is chosen later."""
    graph = {
        "djgraph": 1,
        "name": "widths",
        "inputs": [{"name": "voice", "channels": "mono"}, {"name": "track"}],
        "mixer": [
            {"strip": "narrow", "input": "voice", "chain": ["gain"]},
            {"strip": "wide", "input": "track", "chain": ["gain"]},
        ],
        "outputs": ["narrow", "wide"],
    }
    one = case(graph, samples=300_000, frames=1)
    one.params[:] = 1
    one.stems[1][0] = 0
    opened = Opened(browser, written(one, tmp_path / "page.html"))
    page, wanted = opened.page, one.mixed()
    assert [len(wanted[name]) for name in ("narrow", "wide")] == [1, 2]
    assert depth(opened.rendered(), wanted["narrow"]) < LIMIT
    page.locator("button.play").click()
    comes_true(page, "playing")
    page.evaluate(
        """() => {
          window.linked = [0];
          const { connect, disconnect } = node;
          node.connect = (...to) => { linked.push(to[1]); return connect.apply(node, to); };
          node.disconnect = () => { linked.length = 0; disconnect.apply(node); };
        }"""
    )
    page.locator("select[aria-label=Output]").select_option("wide")
    assert page.evaluate("linked") == [1]
    page.evaluate(
        """() => {
          const right = new ChannelSplitterNode(context), meter = new AnalyserNode(context);
          node.connect(right, 1).connect(meter, 1);
          const some = new Float32Array(2048);
          window.level = () => { meter.getFloatTimeDomainData(some); return Math.max(...some); };
        }"""
    )
    comes_true(page, "level() > 0.01")
    assert depth(opened.rendered(), wanted["wide"]) < LIMIT
    assert opened.faults == []


def test_tracks_that_sources_play(browser: Any, tmp_path: Path) -> None:
    """The clip is as long as the page says, not as the tracks are; a hand on a sampler's trigger is a shot."""
    graph = {
        "djgraph": 1,
        "name": "decks",
        "inputs": [
            {"name": "track", "stems": ["drums", "music"], "source": "deck"},
            {"name": "stab", "source": "sampler"},
        ],
        "mixer": [
            {"strip": "drums", "input": "track.drums", "chain": ["gain"], "to": "master"},
            {"strip": "music", "input": "track.music", "chain": ["gain"], "to": "master"},
            {"strip": "stab", "input": "stab", "chain": ["gain"], "to": "master"},
            {"bus": "master"},
        ],
        "outputs": ["master"],
    }
    params = {"track.start": 0.02, "drums.gain.gain": 1, "stab.trigger": 0, "stab.rate": 1, "stab.start": 0}
    one = case(graph, samples=9_000, params=params | {"stab.gain.gain": 1})
    path = written(one, tmp_path / "page.html", samples=7_000)
    one = replace(one, samples=7_000)
    opened = Opened(browser, path)
    page, wanted = opened.page, one.mixed()["master"]
    assert "track" in page.locator(".strip h2").all_inner_texts()
    assert depth(opened.rendered(), wanted) < LIMIT
    page.evaluate(f"djgraph.hold({one.mixer.layout.index('stab.trigger')}, 1)")
    assert depth(opened.rendered() - wanted, one.stems[-1][:, :7_000]) < LIMIT
    assert opened.faults == []


def test_files_find_their_stems(browser: Any, tmp_path: Path) -> None:
    one = case("dj_mixer", samples=2_000, frames=1)
    opened = Opened(browser, written(one, tmp_path / "page.html", embed=False))
    names = ["track_b drums.wav", "bass.wav", "Vocals (track_a).flac", "other.wav"]
    files = "[" + ",".join(f"new File([], {name!r})" for name in names) + "]"
    told = [(told["input"], told["stem"]) for told in one.program.data["inputs"]]
    by_name = opened.page.evaluate(f"djgraph.placed({files}).map(([number]) => number)")
    assert [told[number] for number in by_name] == [
        ("track_b", "drums"),
        ("track_a", "bass"),
        ("track_a", "vocals"),
        ("track_a", "other"),
    ]
    on_box = opened.page.evaluate(f"djgraph.placed({files}, 'track_b').map(([number]) => number)")
    assert {told[number][0] for number in on_box} == {"track_b"}
    assert opened.faults == []


def test_text_of_strangers_is_text(browser: Any, tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    graph = {
        "djgraph": 1,
        "name": "hostile",
        "title": hostile,
        "description": hostile,
        "inputs": [{"name": "track"}],
        "mixer": [{"strip": "strip", "input": "track", "chain": ["gain"]}],
        "outputs": ["strip"],
    }
    opened = Opened(browser, written(case(graph, samples=500), tmp_path / "page.html"))
    opened.page.on("dialog", lambda one: opened.faults.append(one.message))
    assert opened.page.title() == opened.page.locator("h1").inner_text() == hostile
    assert opened.page.locator(".about").inner_text() == hostile
    assert opened.faults == []


def test_it_plays_and_stops_and_seeks(browser: Any, tmp_path: Path) -> None:
    one = case("djtransgan", samples=200_000, frames=3)
    opened = Opened(browser, written(one, tmp_path / "page.html"))
    page = opened.page
    page.locator("button.play").click()
    comes_true(page, "parseFloat(document.querySelector('.seek').value) > 0.02")
    page.locator("button.play").click()
    comes_true(page, "document.querySelector('button.play').textContent === 'Play'")
    page.evaluate(
        "() => { const one = document.querySelector('.seek'); one.value = 0.9; one.dispatchEvent(new Event('input'));"
        " one.dispatchEvent(new Event('change')); }"
    )
    comes_true(page, "document.querySelector('.time').textContent.startsWith('0:04.1')")
    page.locator("button.play").click()
    comes_true(page, "document.querySelector('button.play').textContent === 'Play'")
    comes_true(page, "document.querySelector('.time').textContent.startsWith('0:00.0')")
    assert opened.faults == []
