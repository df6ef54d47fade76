"""``djgraph render`` of graphs whose inputs are played by sources."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from djgraph.audio import read, write
from djgraph.cli.app import app

RATE = 22050
GRAPH = """
djgraph: 1
name: decks
sample_rate: 22050
inputs: [{name: a, source: deck}, {name: b, source: {effect: deck, settings: {sync: SYNC}}}]
mixer:
  - {strip: one, input: a, chain: [{effect: gain, id: fader}], to: master}
  - {strip: two, input: b, chain: [{effect: gain, id: fader}], to: master}
  - bus: master
outputs: [master]
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    for sync in ("off", "beat"):
        (tmp_path / f"{sync}.yaml").write_text(GRAPH.replace("SYNC", f'"{sync}"'), encoding="utf-8")
    for name, tempo, seconds in (("a", 120.0, 6.0), ("b", 100.0, 8.0)):
        time = np.arange(round(seconds * RATE)) / RATE
        audio = sum(
            np.exp(-0.5 * ((time - beat) / 0.001) ** 2) for beat in np.arange(0.2, seconds, 60 / tempo)
        )
        write(tmp_path / f"{name}.wav", torch.tensor(0.5 * audio).float().expand(2, -1), RATE)
        about = {"beats": [0.2 + 60 / tempo * beat for beat in range(8)]}
        (tmp_path / f"{name}.json").write_text(json.dumps(about))
    return tmp_path


def run(folder, graph, *options):
    inputs = [word for name in "ab" for word in ("-i", f"{name}={folder / name}.wav")]
    out = ["-o", str(folder / "mix.wav")]
    return CliRunner().invoke(app, ["render", str(folder / graph), *inputs, *out, *options])


def test_tracks_of_any_length_are_played_at_their_rates(folder):
    (folder / "p.json").write_text(json.dumps({"a.rate": 0.5, "a.start": 1.0, "two.fader.gain": 0}))
    result = run(folder, "off.yaml", "--params", str(folder / "p.json"), "--seconds", "10")
    assert result.exit_code == 0, result.output
    mix = read(folder / "mix.wav")[0][0]
    assert mix.shape[-1] == 10 * RATE
    peaks = [n for n in range(9, 9 * RATE) if mix[n] > 0.3 and mix[n - 1] <= mix[n] > mix[n + 1]]
    # Beats at 0.2 + n/2 in the track, of which the mix begins at 1.0 and goes half as fast.
    assert peaks == pytest.approx([2 * (0.2 + n / 2 - 1.0) * RATE for n in range(2, 12)][: len(peaks)], abs=1)
    assert len(peaks) >= 9


def test_a_deck_in_time_follows_the_tempo(folder):
    (folder / "p.json").write_text(json.dumps({"one.fader.gain": 0}))
    result = run(folder, "beat.yaml", "--params", str(folder / "p.json"), "--tempo", "110")
    assert result.exit_code == 0, result.output
    mix = read(folder / "mix.wav")[0][0]
    assert mix.shape[-1] == 8 * RATE  # the longest track
    peaks = [n for n in range(1, len(mix) - 1) if mix[n] > 0.3 and mix[n - 1] <= mix[n] > mix[n + 1]]
    assert peaks == pytest.approx([n * 60 / 110 * RATE for n in range(1, len(peaks) + 1)], abs=1)
    assert len(peaks) >= 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seconds", "0"], "expected more than 0"),
        (["--seconds", "nan"], "expected more than 0"),
        (["--sync"], "--sync plays the tracks itself"),
    ],
)
def test_options_that_do_not_fit_are_told(folder, options, message):
    result = run(folder, "off.yaml", *options)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not (folder / "mix.wav").exists()


def test_a_clock_that_is_missing_is_told(folder):
    result = run(folder, "beat.yaml")
    assert result.exit_code != 0
    assert "tempo" in result.output


def test_seconds_are_for_sources(folder):
    one = folder / "a.wav"
    result = CliRunner().invoke(
        app,
        ["render", "club_console", "-i", f"deck_1={one}", "-o", str(folder / "mix.wav"), "--seconds", "3"],
    )
    assert result.exit_code == 2
    assert "--seconds is for graphs with sources" in " ".join(result.output.split())


def test_reports_of_tracks_that_are_played(folder):
    (folder / "p.json").write_text(json.dumps({"a.rate": 0.5}))
    told = folder / "told.json"
    result = run(
        folder, "off.yaml", "--params", str(folder / "p.json"), "--seconds", "7", "--report", str(told)
    )
    assert result.exit_code == 0, result.output
    rendered = json.loads(told.read_text())
    inputs = [word for name in "ab" for word in ("-i", f"{name}={folder / name}.wav")]
    result = CliRunner().invoke(
        app,
        [
            "report",
            str(folder / "off.yaml"),
            *inputs,
            "--params",
            str(folder / "p.json"),
            "--seconds",
            "7",
            "--json",
        ],
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert told["transitions"] == rendered["transitions"]
    assert told["measures"] == rendered["measures"]
    assert [(one["leaving"], one["entering"]) for one in told["transitions"]] in ([("a", "b")], [("b", "a")])
