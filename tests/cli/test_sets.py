"""The commands: a set file to files, stopped and gone on with; proposals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import djgraph
from djgraph import audio
from djgraph.sets.build import plan_set
from djgraph.sets.kept import folder_of
from djgraph.sets.play import SetBlocks
from tests.cli.conftest import Run
from tests.sets.tracks import RATE, track, write_set


def test_the_command(tmp_path: Path, run: Run) -> None:
    for name, bpm in (("one", 120.0), ("two", 126.0)):
        track(tmp_path / name, bpm, 16)
    path = write_set(tmp_path, "one", "two")
    out = tmp_path / "mix.wav"
    result = run("set", path, "-o", out, "--json")
    plan = plan_set(path)
    data = json.loads(result.stdout)
    assert data["files"][0]["seconds"] == pytest.approx(plan.seconds)
    assert [each["name"] for each in data["set"]["tracks"]] == ["one", "two"]
    mixed, rate = audio.read(out)
    assert rate == RATE
    mixer = djgraph.compile(plan.graph)
    frames = plan.automation.render_exact(mixer, plan.samples, RATE)
    batch = {
        deck: {stem: x[None] for stem, x in stems.items()}
        for deck, stems in SetBlocks(plan).read(plan.samples).items()
    }
    expected = mixer(batch, frames.params, positions=frames.positions)[0]
    assert torch.allclose(mixed, expected, atol=2e-6)
    assert not folder_of(out).exists()
    cue = (tmp_path / "mix.cue").read_text()
    assert cue.count("TRACK") == 2
    assert "INDEX 01 00:00:00" in cue
    assert 'FILE "mix.wav" WAVE' in cue
    again = djgraph.automation.load(tmp_path / "mix.automation.yaml")
    assert again == plan.automation
    assert "two" in (tmp_path / "mix.tracklist.txt").read_text()
    listed = json.loads((tmp_path / "mix.tracklist.json").read_text())
    assert listed["tracks"][1]["begin"] == pytest.approx(plan.second(plan.transitions[0].begin))


class _Killed(BaseException):
    pass


def test_a_killed_run_goes_on(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, bpm in (("one", 120.0), ("two", 126.0)):
        track(tmp_path / name, bpm, 16)
    path = write_set(tmp_path, "one", "two")
    monkeypatch.setattr("djgraph.rendering.mixdown.BLOCK", 30_000)
    monkeypatch.setattr("djgraph.sets.kept.SECONDS", 0.0)
    run("set", path, "-o", tmp_path / "whole.wav")
    read, count = SetBlocks.read, 0

    def dies(self: SetBlocks, samples: int) -> Any:
        nonlocal count
        count += 1
        if count == 7:
            raise _Killed
        return read(self, samples)

    monkeypatch.setattr(SetBlocks, "read", dies)
    out = tmp_path / "mix.wav"
    with pytest.raises(_Killed):
        run("set", path, "-o", out)
    assert not out.exists()
    assert folder_of(out).is_dir()
    seeks: list[int] = []
    seek = SetBlocks.seek
    monkeypatch.setattr(SetBlocks, "seek", lambda self, at: seeks.append(at) or seek(self, at))
    run("set", path, "-o", out, "--resume")
    assert seeks[0] >= 4 * 30_000
    assert out.read_bytes() == (tmp_path / "whole.wav").read_bytes()
    assert not folder_of(out).exists()


def test_an_error_leaves_nothing(tmp_path: Path, run: Run) -> None:
    for name, bpm in (("one", 120.0), ("two", 126.0)):
        track(tmp_path / name, bpm, 16)
    path = write_set(tmp_path, "one", "two")
    before = sorted(tmp_path.rglob("*"))
    path.write_text(path.read_text().replace("- two", "- tow"))
    result = run("set", path, "-o", tmp_path / "mix.flac", code=1)
    assert f"{path}:5:5: " in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_a_folder_is_no_set(run: Run, name: str) -> None:
    result = run("set", name, code=1)
    assert "is a folder, not a set file" in result.stderr


@pytest.mark.slow
def test_set_new(tmp_path: Path, run: Run) -> None:
    pytest.importorskip("librosa")
    for name, bpm in (("one", 120.0), ("two", 126.0)):
        track(tmp_path / "music" / name, bpm, 4)
    run("set", "new", tmp_path / "music", "-o", tmp_path / "my.yaml", "--workers", "1")
    text = (tmp_path / "my.yaml").read_text()
    assert "- music/one " in text
    assert "- music/two " in text


@pytest.mark.slow
def test_a_report(tmp_path: Path, run: Run) -> None:
    for name, bpm in (("one", 120.0), ("two", 126.0)):
        track(tmp_path / name, bpm, 8)
    path = write_set(tmp_path, "one", "two", head="length: 8beats\n")
    run("set", path, "-o", tmp_path / "mix.wav", "--report", tmp_path / "faults.json", "--audio-only")
    found = json.loads((tmp_path / "faults.json").read_text())
    assert found["transitions"]
