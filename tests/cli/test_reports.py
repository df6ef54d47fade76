"""``djgraph report``, and ``render --report``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from djgraph import demo
from djgraph.sets.build import plan_set
from tests.sets.tracks import track, write_set

from .conftest import Run

GRAPH = """\
djgraph: 1
name: two_tracks
sample_rate: 8000
inputs: [{name: one, stems: [drums, bass]}, {name: two, stems: [drums, bass]}]
mixer:
  - for: {track: inputs}
    do:
      - for: {stem: $track.stems}
        do:
          - strip: $track.$stem
            input: $track.$stem
            chain: [{effect: gain, controls: {gain: {as: gain}}}]
            to: master
  - bus: master
outputs: [master]
"""


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """A graph, and two tracks of 10 s whose basses sound all the time."""
    (tmp_path / "graph.yaml").write_text(GRAPH)
    random = np.random.default_rng(1)
    time = np.arange(80_000) / 8000
    inputs = []
    for name, note in (("one", 55.0), ("two", 65.0)):
        folder = tmp_path / name
        folder.mkdir()
        soundfile.write(folder / "drums.wav", 0.02 * random.standard_normal((80_000, 2)), 8000)
        soundfile.write(
            folder / "bass.wav", 0.2 * np.sin(2 * np.pi * note * time)[:, None].repeat(2, 1), 8000
        )
        inputs += ["-i", f"{name}={folder}"]
    return [str(tmp_path / "graph.yaml"), *inputs]


def test_a_report_is_printed_and_written(run: Run, given: list[str], tmp_path: Path) -> None:
    fade = ["-t", "linear", "--cue-in", "2", "--cue-out", "8", "--tempo", "120"]
    text = run("report", *given, *fade).output
    assert "two basses" in text
    assert "one → two" in text
    assert "keep two.bass.gain down from beat" in text
    said = run("report", *given, *fade, "-o", tmp_path / "a.html", "-o", tmp_path / "a.json").output
    assert "1 transition, 1 finding" in said
    (found,) = json.loads((tmp_path / "a.json").read_text("utf-8"))["findings"]
    assert found["kind"] == "bass"
    assert 2 < found["begin"] < 5 < found["end"] < 8
    assert found["begin_beat"] == pytest.approx(2 * found["begin"], abs=0.01)
    printed = json.loads(run("report", *given, *fade, "--json").output)
    assert printed["findings"] == [found]


def test_nothing_is_found_where_the_basses_change_places(run: Run, given: list[str], tmp_path: Path) -> None:
    swap = tmp_path / "swap.csv"
    rows = ["control,time,value"]
    for control, points in (
        ("one.drums.gain", ((2, 1), (8, 0))),
        ("two.drums.gain", ((2, 0), (8, 1))),
        ("one.bass.gain", ((5, 1), (5.01, 0))),
        ("two.bass.gain", ((5, 0), (5.01, 1))),
    ):
        rows += [f"{control},{second}s,{value}" for second, value in points]
    swap.write_text("\n".join(rows))
    assert "nothing found" in run("report", *given, "-a", swap).output


def test_render_writes_one_beside_the_mix(run: Run, given: list[str], tmp_path: Path) -> None:
    out, report = tmp_path / "mix.wav", tmp_path / "mix.svg"
    said = run("render", *given, "-t", "linear", "-o", out, "--report", report).output
    assert f"{report}: 1 transition" in said
    assert "two basses" in report.read_text("utf-8")
    plain = tmp_path / "plain.wav"
    run("render", *given, "-t", "linear", "-o", plain)
    assert out.read_bytes() == plain.read_bytes()
    data = json.loads(run("render", *given, "-o", out, "--report", report, "--json").output)
    assert data["files"][0]["path"] == str(out)


def test_what_cannot_be_written_is_told_before_the_work(run: Run, given: list[str], tmp_path: Path) -> None:
    out = tmp_path / "mix.wav"
    failed = run("render", *given, "-o", out, "--report", tmp_path / "mix.bmp", code=1)
    assert ".txt, .json, .html, .svg, .png" in failed.output
    assert not out.exists()
    failed = run("report", *given, "-o", tmp_path / "no" / "a.txt", code=1)
    assert str(tmp_path / "no") in failed.output
    graph = tmp_path / "graph.json"
    graph.symlink_to(given[0])
    run("report", *given, "-o", graph, code=1)
    assert Path(given[0]).read_text() == GRAPH


@pytest.mark.slow
def test_the_shipped_demo(run: Run, tmp_path: Path) -> None:
    """A clean bass swap of the demo's tracks has no fault; a linear fade of them has two basses."""
    for name, stems in demo.demo_tracks().items():
        (tmp_path / name).mkdir()
        for stem, audio in stems.items():
            soundfile.write(tmp_path / name / f"{stem}.wav", audio.numpy().T, 44100)
    tracks = [f"-itrack_a={tmp_path / 'track_a'}", f"-itrack_b={tmp_path / 'track_b'}"]
    clean = json.loads(
        run(
            "report", "dj_mixer", *tracks, "-t", "bass_swap", "--cue-in", 18, "--cue-out", 22, "--json"
        ).output
    )
    assert clean["findings"] == []
    assert len(clean["transitions"]) == 1
    fade = ("report", "dj_mixer", *tracks, "-t", "linear", "--cue-in", 8, "--cue-out", 24, "--tempo", 120)
    data = json.loads(run(*fade, "--json").output)
    assert {one["kind"] for one in data["findings"]} == {"bass", "vocals"}
    page = (Path(__file__).parents[2] / "docs" / "reports.md").read_text("utf-8")
    shown = page.partition("```text\n")[2].partition("```")[0]
    assert re.sub(r"[\d.]+", "#", run(*fade).output) == re.sub(r"[\d.]+", "#", shown)


def test_of_a_set(run: Run, tmp_path: Path) -> None:
    for name, bpm in (("first", 120.0), ("second", 126.0)):
        track(tmp_path / name, bpm, 16)
    path, report = write_set(tmp_path, "first", "second"), tmp_path / "report.json"
    text = tmp_path / "report.txt"
    said = run("set", path, "--no-audio", "--report", report, "--report", text).output
    plan = plan_set(path)
    assert f"{report}, {text}: 1 transition" in said
    data = json.loads(report.read_text("utf-8"))
    assert data["seconds"] == pytest.approx(plan.seconds)
    (one,) = data["transitions"]
    assert one["names"] == [plan.tracks[0].title, plan.tracks[1].title]
    assert (one["begin_beat"], one["end_beat"]) == pytest.approx(
        (plan.transitions[0].begin, plan.transitions[0].end), abs=0.01
    )
    assert f"1. {plan.tracks[0].title} ({plan.tracks[0].input}) →" in text.read_text("utf-8")
