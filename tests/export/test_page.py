"""A page is one file that asks for nothing, whatever its graph is called; what cannot be a page is told, all of it."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
import types
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import djgraph
from djgraph.errors import CompileError, InputError
from djgraph.export import Page, program_of, stem_of, web_page
from djgraph.plugins import Exporter, Registry, hookimpl

HOSTILE = '</script><!--<script>"&\u2028alert(1)'


class Parts(HTMLParser):
    """The elements of a page, and the text of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inner: list[str] = []
        self.within = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inner.append("")

        self.within = True

    def handle_endtag(self, tag: str) -> None:
        self.within = False

    def handle_data(self, data: str) -> None:
        if self.within:
            self.inner[-1] += data

    def texts(self, tag: str) -> list[str]:
        return [text for (one, _), text in zip(self.tags, self.inner) if one == tag]


def graph_of(**more: Any) -> djgraph.Graph:
    return djgraph.load(
        {
            "djgraph": 1,
            "name": "page",
            "inputs": [{"name": "track"}],
            "mixer": [{"strip": "strip", "input": "track", "chain": ["gain"]}],
            "outputs": ["strip"],
            **more,
        }
    )


def page_of(graph: djgraph.Graph, *stems: Any) -> Page:
    program = program_of(djgraph.compile(graph, lowering="causal"), djgraph.registry())
    return web_page(graph, program, stems)


def test_text_of_strangers_is_escaped() -> None:
    page = page_of(graph_of(title=HOSTILE, description=HOSTILE)).html
    parts = Parts(page)
    assert [tag for tag, _ in parts.tags].count("script") == 2
    data = json.loads(parts.texts("script")[0])
    assert not set("<>&") & set(
        parts.texts("script")[0]
    )  # browsers end scripts at more than Python's parser does
    assert data["title"] == data["description"] == HOSTILE
    assert html.unescape(parts.texts("title")[0]) == HOSTILE


def test_a_page_that_no_browser_takes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("djgraph.export.page.LARGEST", len(page_of(graph_of()).html) - 1)
    with pytest.raises(InputError, match="--no-embed"):
        page_of(graph_of())


def test_it_may_run_its_own_script_alone_and_ask_for_nothing() -> None:
    parts = Parts(page_of(graph_of()).html)
    (policy,) = [attributes["content"] for tag, attributes in parts.tags if "http-equiv" in attributes]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    for kind, text in (("script", parts.texts("script")[-1]), ("style", parts.texts("style")[0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not [
        one for _, attributes in parts.tags for one in ("src", "onclick", "style") if one in attributes
    ]
    assert [a["href"] for _, a in parts.tags if "href" in a] == ["data:,"]


def test_stems_are_exact() -> None:
    whole = np.random.default_rng(0).integers(-(2**15), 2**15, (2, 500))
    for bits, audio in ((16, whole / 2**15), (24, whole / 2**17)):
        stem = stem_of("track", None, audio.astype(np.float32), 44100)
        assert (stem.bits, stem.exact, stem.gain) == (bits, True, 1.0)
        read, rate = soundfile.read(io.BytesIO(base64.b64decode(stem.flac)), dtype="float32")
        assert rate == 44100
        np.testing.assert_array_equal(read.T, audio.astype(np.float32))


def test_louder_than_full_scale_is_kept() -> None:
    audio = np.array([[0.5, -3.0, 2.0, 0.1]], dtype=np.float32)
    stem = stem_of("track", None, audio, 44100)
    read, _ = soundfile.read(io.BytesIO(base64.b64decode(stem.flac)))
    np.testing.assert_allclose(read * stem.gain, audio[0], atol=3 * 2.0**-23)
    assert not stem.exact


def test_effects_without_exporter_are_named_with_their_places(tmp_path: Path) -> None:
    file = tmp_path / "mix.yaml"
    file.write_text(
        "djgraph: 1\nname: two\ninputs: [{name: a}]\nmixer:\n"
        "  - strip: a\n    input: a\n    chain:\n      - gain\n      - shimmer\n      - {effect: fdn, id: hall}\n"
        "outputs: [a]\n"
    )
    mixer = djgraph.compile(file, lowering="causal")
    with pytest.raises(CompileError) as caught:
        program_of(mixer, Registry())
    text = str(caught.value)
    assert re.search(r"a\.gain \(.*mix\.yaml:8:9\): effect gain has no exporter", text)
    assert re.search(r"a\.shimmer \(.*mix\.yaml:9:9\): effect shimmer has no exporter", text)
    assert re.search(r"a\.hall \(.*mix\.yaml:10:\d+\): effect fdn has no exporter", text)
    assert "what can be done" in text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (lambda effect, channels: 1 / 0, "its exporter failed: ZeroDivisionError"),
        (lambda effect, channels: {"it": float("nan")}, "its exporter failed: ValueError"),
        (lambda effect, channels: {"it": object()}, "its exporter failed: TypeError"),
    ],
)
def test_an_exporter_that_fails_is_told(settings: Any, said: str, tmp_path: Path) -> None:
    script = tmp_path / "gain.js"
    script.write_text("class Processor {}")
    registry = Registry()
    hooks = types.SimpleNamespace(djgraph_exporters=hookimpl(lambda: [Exporter("gain", script, settings)]))
    registry.register(hooks, "acme")
    with pytest.raises(CompileError, match=said):
        program_of(djgraph.compile(graph_of(), lowering="causal"), registry)


def test_without_a_tempo_there_is_no_clock() -> None:
    graph = graph_of(mixer=[{"strip": "strip", "input": "track", "chain": ["trans"]}])
    with pytest.raises(InputError, match="follow a clock"):
        program_of(djgraph.compile(graph, lowering="causal"), Registry())


def test_what_does_not_move_is_one_point() -> None:
    mixer = djgraph.compile(graph_of(), lowering="causal")
    params = torch.tensor([[0.5], [0.5], [0.5], [0.75], [0.75]])
    data = program_of(mixer, djgraph.registry(), params, [0, 100, 200, 300, 400]).data
    assert data["rows"][0]["at"] == [0, 200, 300]
    assert data["rows"][0]["values"] == [0.5, 0.5, 0.75]


def test_stems_that_nothing_hears_are_left_out() -> None:
    graph = graph_of(
        inputs=[{"name": "track", "stems": ["drums", "bass"]}],
        mixer=[{"strip": "strip", "input": "track.drums", "chain": ["gain"]}],
    )
    program = program_of(djgraph.compile(graph, lowering="causal"), djgraph.registry())
    audio = np.zeros((2, 100), np.float32)
    page = web_page(graph, program, [stem_of("track", one, audio, 44100) for one in ("drums", "bass")])
    assert page.stems == 1
    assert [one["stem"] for one in json.loads(Parts(page.html).texts("script")[0])["stems"]] == ["drums"]


def test_what_a_source_is_controlled_by_is_on_the_page() -> None:
    graph = graph_of(inputs=[{"name": "track", "source": "deck"}])
    program = program_of(djgraph.compile(graph, lowering="causal"), djgraph.registry())
    data = json.loads(Parts(web_page(graph, program).html).texts("script")[0])
    assert [(one["name"], one["kind"]) for one in data["groups"]] == [("track", "source"), ("strip", "strip")]
    columns = [column for group in data["groups"] for block in group["blocks"] for column in block["columns"]]
    assert sorted(columns) == list(range(len(graph.columns)))
