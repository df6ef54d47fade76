"""``djgraph dataset``: make, go on, check."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from djgraph.cli.jobs import _ADDRESS
from djgraph.cli.sync import filled
from djgraph.data import Corpus

from .conftest import Run, write_track

STRIP = "  - {{strip: {0}, input: {0}, chain: [{{effect: gain, controls: {{gain: {{as: gain}}}}}}], to: master}}\n"
GRAPH = f"""djgraph: 1
name: two
args: {{rate: 8000}}
sample_rate: $rate
inputs:
  - {{name: a, stems: [drums, bass]}}
  - {{name: b, stems: [drums, bass]}}
mixer:
{"".join(STRIP.format(stem) for stem in ("a.drums", "a.bass", "b.drums", "b.bass"))}  - bus: master
outputs: [master]
"""


@pytest.fixture
def options(tmp_path: Path) -> list[object]:
    (tmp_path / "two.yaml").write_text(GRAPH)
    for name in ("track_a", "track_b"):
        write_track(tmp_path / "in" / name, name)
    return ["--tracks", tmp_path / "in", "--graph", tmp_path / "two.yaml", "-j", 1, "--seconds", 0.2]


def test_make_grow_check(run: Run, tmp_path: Path, options: list[object]) -> None:
    out = tmp_path / "corpus"
    result = run(
        "dataset", "make", out, *options, "-n", 3, "--recipes", "linear,equal_power", "--curves", 0.25
    )
    assert "3 transitions, 3 made now, 0 kept" in result.stdout
    assert "params [5, 4]" in result.stdout
    assert result.stderr == ""
    settings = Corpus(out).settings
    assert (settings.recipes, settings.curves, settings.seconds) == (("linear", "equal_power"), 0.25, 0.2)
    summary = json.loads(run("dataset", "make", out, "-n", 4, "-j", 1, "--json").stdout)
    assert (summary["items"], summary["made"], summary["kept"]) == (4, 1, 3)
    assert summary["fingerprint"] == Corpus(out).layout.fingerprint
    # The whole command again.
    assert "4 kept" in run("dataset", "make", out, *options, "-n", 4).stdout
    assert "4 of 4 items whole" in run("dataset", "check", out).stdout
    mix = out / "shard-00000" / "00000002" / "mix.flac"
    mix.write_bytes(mix.read_bytes()[:-1] + b"x")
    result = run("dataset", "check", out, code=1)
    assert "checksum" in result.stdout
    assert "3 of 4 items whole" in result.stdout
    assert "makes the others" in result.stderr
    assert list(json.loads(run("dataset", "check", out, "--json", code=1).stdout)["wrong"]) == ["2"]
    assert "made anew" in run("dataset", "make", out, "--verify", "-j", 1).stderr
    assert "4 of 4" in run("dataset", "check", out).stdout


def test_only_curves(run: Run, tmp_path: Path, options: list[object]) -> None:
    out = tmp_path / "corpus"
    run("dataset", "make", out, *options, "-n", 4, "--recipes", "none", "--curves", 0, "--arg", "rate=16000")
    corpus = Corpus(out, audio=False)
    assert {item["kind"] for item in corpus} == {"curves"}
    assert corpus.sample_rate == 16000


def test_refusals(run: Run, tmp_path: Path, options: list[object]) -> None:
    out = tmp_path / "corpus"
    assert "what is to be mixed" in run("dataset", "make", out, code=1).stderr
    assert (
        "did you mean 'linear'" in run("dataset", "make", out, *options, "--recipes", "lineal", code=1).stderr
    )
    assert "name it with --graph" in run("dataset", "make", out, "--demo", "--arg", "x=1", code=1).stderr
    assert "no corpus" in run("dataset", "check", tmp_path, code=1).stderr
    run("dataset", "make", out, *options, "--count", 0, code=2)
    run("dataset", "make", out, *options, "--stems", "move", code=2)
    assert not out.exists()
    run("dataset", "make", out, *options, "-n", 1)
    assert "seed: 0 → 2" in run("dataset", "make", out, "--seed", 2, code=1).stderr


def test_help(run: Run) -> None:
    assert "djgraph dataset make corpus --demo" in run("dataset", "make", "--help").stdout
    assert "checksum" in run("dataset", "check", "--help").stdout


def test_documentation_names_every_option(run: Run) -> None:
    text = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    options = re.findall(r"^\s+(?:-\w, )?(--[a-z-]+)", run("dataset", "make", "--help").stdout, re.MULTILINE)
    assert len(options) > 15
    for option in options:
        assert option in text, option


def test_where_it_is_made(run: Run, tmp_path: Path, options: list[object]) -> None:
    pytest.importorskip("ray")
    out = tmp_path / "corpus"
    refused = run("dataset", "make", out, *options, "--ray", "127.0.0.1:1", code=1)
    assert "no Ray cluster answers at 127.0.0.1:1" in refused.stderr
    assert not out.exists()


def test_ray_needs_no_address() -> None:
    def words(*given: str) -> list[str]:
        return filled([*given], "--ray", "local", lambda word: bool(_ADDRESS.fullmatch(word)))

    assert words("--ray", "out") == ["--ray", "local", "out"]
    assert words("out", "--ray") == ["out", "--ray", "local"]
    assert words("--ray", "--demo") == ["--ray", "local", "--demo"]
    assert words("--ray", "s3://bucket/x") == ["--ray", "local", "s3://bucket/x"]
    for address in ("auto", "local", "10.0.0.1:6379", "head:1", "[::1]:6379", "10.0.0.1"):
        assert words("--ray", address) == ["--ray", address]
    assert words("--", "--ray") == ["--", "--ray"]


def test_shards(run: Run, tmp_path: Path, options: list[object]) -> None:
    out, made = tmp_path / "packed", tmp_path / "made"
    run("dataset", "make", tmp_path / "corpus", *options, "-n", 3)
    packed = run("dataset", "shard", tmp_path / "corpus", out, "--shard-size", 2, "-j", 1)
    assert "3 transitions, 3 packed now, 0 kept" in packed.stdout
    again = json.loads(run("dataset", "shard", tmp_path / "corpus", out, "--shard-size", 2, "--json").stdout)
    assert (again["packed"], again["kept"]) == (0, 3)
    said = run("dataset", "make", made, *options, "-n", 3, "--shards", "tar", "--shard-size", 2)
    assert "in tar shards of 2" in said.stdout
    for name in ("shard-00000.tar", "shard-00001.tar"):
        assert (made / "shards" / name).read_bytes() == (out / "shards" / name).read_bytes()
    assert "3 of 3 items whole" in run("dataset", "check", made).stdout
    (made / "shards" / "shard-00001.tar").unlink()
    assert "shard-00001.tar is missing" in run("dataset", "check", made, code=1).stdout
