"""``djgraph certify``: what it prints, as text and as JSON, and when it exits with 1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run

GRAPH = """
djgraph: 1
name: filtered
inputs: [{name: a}]
mixer:
  - {strip: s, input: a, chain: [CHAIN], to: mix}
  - bus: mix
outputs: [mix]
"""


def graph(tmp_path: Path, chain: str) -> Path:
    path = tmp_path / "filtered.yaml"
    path.write_text(GRAPH.replace("CHAIN", chain), encoding="utf-8")
    return path


@pytest.mark.slow  # the conformance kit measures the same three
def test_the_default_mixer_keeps_the_bound(run: Run) -> None:
    text = run("certify", "dj_mixer", "--bound", 0.1).stdout
    for effect in ("eq3", "lowpass", "highpass"):
        assert f"{effect} " in text
    assert "0.03" in text
    assert "latency of a studio stream: 2158 samples, 48.9 ms" in text
    assert "latency of a causal stream: 111 samples, 2.5 ms" in text


@pytest.mark.slow
def test_a_bound_that_is_not_kept(run: Run, tmp_path: Path) -> None:
    path = graph(tmp_path, "lowpass")
    outcome = run("certify", path, "--bound", 0.01, code=1)
    assert "not within 0.01 dB" in outcome.stderr
    run("certify", path, "--bound", -1, code=2)


def test_as_data(run: Run, tmp_path: Path) -> None:
    data = json.loads(run("certify", graph(tmp_path, "lowpass"), "--bound", 0.1, "--json").stdout)
    assert data["graph"] == "filtered"
    assert data["kept"] is True
    assert data["latency"] == {"studio": 2047, "causal": 111}
    (effect,) = data["effects"]
    assert effect["nodes"] == ["s.lowpass"]
    assert effect["difference"]["decibels"] < 0.04
    assert effect["difference"]["controls"].keys() == {"cutoff"}


def test_without_a_twin_no_bound_is_kept(run: Run, tmp_path: Path) -> None:
    path = graph(tmp_path, "{effect: lowpass, settings: {order: 5}}")
    text = run("certify", path).stdout
    assert "lowpass (order=5.0)" in text
    assert "no causal twin" in text
    assert "orders with a causal twin: 2 and 4, the nearest is 4" in text
    assert "latency of a causal stream: none" in text
    data = json.loads(run("certify", path, "--json", "--bound", 3, code=1).stdout)
    assert (data["kept"], data["latency"]["causal"]) == (False, None)
    assert data["effects"][0]["difference"] is None


def test_without_spectral_effects_there_is_nothing_to_measure(run: Run, tmp_path: Path) -> None:
    path = graph(tmp_path, "gain")
    assert "no spectral effects" in run("certify", path, "--bound", 0).stdout
