"""``djgraph live`` from the shell, on no card."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import djgraph
from djgraph.cli.app import app


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["live", *words])


@pytest.mark.slow
def test_plays_records_and_ends(tmp_path: Path) -> None:
    out, controls = tmp_path / "out.wav", tmp_path / "out.yaml"
    result = run(
        "--device", "none", "--seconds", "1.5", "--json", "--record", str(out), "--record-controls", str(controls)
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[0]["live"]["latency"]["stream"] > 0
    end = lines[-1]["end"]
    assert end["record"] == [str(out)]
    audio, _ = djgraph.audio.read(out)
    assert audio.shape[1] == pytest.approx(end["seconds"] * 44100, abs=1)
    assert np.abs(audio.numpy()).max() > 0.1
    assert djgraph.automation.load(controls).curves == ()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_lost_on_a_signal(tmp_path: Path, kind: signal.Signals) -> None:
    out, controls = tmp_path / "out.flac", tmp_path / "out.yaml"
    words = ["--device", "none", "--json", "--record", str(out), "--record-controls", str(controls)]
    process = subprocess.Popen(
        [sys.executable, "-m", "djgraph", "live", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    assert process.stdout is not None
    assert "live" in process.stdout.readline()
    assert "state" in process.stdout.readline()
    assert "state" in process.stdout.readline()
    assert not out.exists()
    process.send_signal(kind)
    rest, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode == (0 if kind == signal.SIGINT else 143)
    audio, _ = djgraph.audio.read(out)
    assert audio.shape[1] > 4000
    if kind == signal.SIGINT:
        assert json.loads(rest.splitlines()[-1])["end"]["record"] == [str(out)]
    assert djgraph.automation.load(controls).name == "live"


def write_one() -> None:
    """A graph and a tenth of a second for it, in the working directory."""
    graph = {
        "djgraph": 1,
        "name": "one",
        "inputs": [{"name": "a"}],
        "mixer": [{"strip": "x", "input": "a", "chain": ["gain"]}],
        "outputs": ["x"],
    }
    Path("one.json").write_text(json.dumps(graph))
    djgraph.audio.write("one.wav", torch.zeros(2, 4410), 44100)


def test_what_is_played_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_one()
    words = ("--device", "none", "--seconds", "0.2", "-i", "a=one.wav")
    result = run("one.json", *words, "--record", "mix.flac", "--record-controls", "moves.yaml")
    assert result.exit_code == 0, result.output
    assert "wrote mix.flac" in result.output
    assert djgraph.audio.read("mix.flac")[0].shape[1] >= 512  # those that are made before the card begins
    assert djgraph.automation.load("moves.yaml").name == "live"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--record", "mix.xyz"], "names no format"),
        (["--record", "nowhere/mix.flac"], "the folder"),
        (["--record-controls", "moves.txt"], "controls are written as"),
        (["--record-controls", "nowhere/moves.yaml"], "the folder"),
        (["--record", "one.wav"], "one of the inputs"),
        (["--record", "one.yaml", "--record-controls", "one.yaml"], "the same name"),
    ],
)
def test_what_cannot_be_kept_is_told_before_it_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_one()
    before = Path("one.wav").read_bytes()
    result = run("one.json", "--device", "none", "--seconds", "0.1", "-i", "a=one.wav", *words)
    assert result.exit_code == 1
    assert said in result.output
    assert "latency" not in result.output
    assert Path("one.wav").read_bytes() == before


@pytest.mark.slow
def test_mappings_are_checked_without_a_device(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("mapping: 1\ncontrols:\n  - {control: master.volume, cc: 7}\n")
    result = run("--check", "--midi", str(file))
    assert result.exit_code == 0, result.output
    assert "1 mapped" in result.stdout
    file.write_text("mapping: 1\ncontrols:\n  - {control: master.volum, cc: 7}\n")
    result = run("--check", "--midi", str(file))
    assert result.exit_code == 1
    assert f"{file}:3:15" in result.output
    assert "did you mean: master.volume" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--outputs", "0,1"], "names no channels"),
        (["--device", "none", "-i", "track_c=card:1,2"], "track_c is no signal that a card can give"),
        (["--device", "none", "-i", "track_a=card:1,2"], "those are track_a.drums, "),
        (["--device", "none", "-i", "track_a.drums=card:1"], "has 2 channels, and 1 of the card"),
        (["--device", "none", "--loop", "3:1"], "does not lie in"),
        (["--device", "none", "--loop", "x"], "is no loop"),
        (["--block", "32"], "64"),
    ],
)
def test_what_cannot_be_is_told(words: list[str], said: str) -> None:
    result = run(*words)
    assert result.exit_code != 0
    assert said in result.output
    assert "Traceback" not in result.output
