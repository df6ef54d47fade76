"""No command destroys what it reads, whichever option names it, and none does the work first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import djgraph
from djgraph import automation

from .conftest import Run, write_track

GRAPH = """
djgraph: 1
name: small
inputs: [{name: a}]
mixer:
  - {strip: s, input: a, chain: [{effect: gain, id: fader}], to: out}
  - bus: out
outputs: [out]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a graph, a stem, a recording, an automation, params, and links to each."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.yaml").write_text(GRAPH)
    folder = write_track(tmp_path / "stems", "track_a")
    os.replace(folder / "drums.wav", tmp_path / "a.wav")
    os.replace(folder / "bass.wav", tmp_path / "target.wav")
    layout = djgraph.compile(djgraph.load("g.yaml")).layout
    automation.from_params(layout, layout.pack({}, n_frames=4), duration=1.0).save("moves.yaml")
    (tmp_path / "params.csv").write_text("s.fader\n1\n")
    for name in ("g.yaml", "a.wav", "target.wav", "moves.yaml", "params.csv"):
        (tmp_path / f"link-{name}").symlink_to(name)
        (tmp_path / f"link-{name}.wav").symlink_to(name)
        (tmp_path / f"link-{name}.json").symlink_to(name)
        (tmp_path / f"link-{name}.svg").symlink_to(name)
        os.link(name, f"hard-{name}.yaml")
    return tmp_path


FIT = ("fit", "g.yaml", "-i", "a=a.wav", "--target", "target.wav")
RENDER = ("render", "g.yaml", "-i", "a=a.wav")


@pytest.mark.parametrize(
    "command",
    [
        ("layout", "g.yaml", "-o", "g.yaml"),
        ("layout", "g.yaml", "-o", "./link-g.yaml"),
        ("layout", "g.yaml", "-f", "json", "-o", "hard-g.yaml.yaml"),
        ("draw", "g.yaml", "-o", "g.yaml"),
        ("draw", "link-g.yaml", "-o", "g.yaml"),
        ("profile", "g.yaml", "--trace", "g.yaml"),
        ("transitions", "moves.yaml", "--plot", "link-moves.yaml.svg", "--graph", "g.yaml"),
        ("transitions", "linear", "--plot", "link-g.yaml.svg", "--graph", "g.yaml"),
        (*FIT, "-o", "g.yaml"),
        (*FIT, "-o", "link-g.yaml"),
        (*FIT, "-o", "link-a.wav.json"),
        (*FIT, "-o", "link-target.wav.json"),
        (*FIT, "--truth", "moves.yaml", "-o", "moves.yaml"),
        (*FIT, "--truth", "moves.yaml", "-o", "hard-moves.yaml.yaml"),
        (*FIT, "-o", "new.yaml", "--report", "g.yaml"),
        (*FIT, "-o", "new.yaml", "--report", "a.wav"),
        (*FIT, "-o", "new.yaml", "--report", "target.wav"),
        (*FIT, "-o", "new.yaml", "--mix", "a.wav"),
        (*FIT, "-o", "new.yaml", "--mix", "link-g.yaml.wav"),
        (*FIT, "-o", "new.yaml", "--plot", "link-g.yaml.svg"),
        (*RENDER, "-o", "a.wav"),
        (*RENDER, "-o", "link-a.wav"),
        (*RENDER, "-o", "link-g.yaml.wav"),
        (*RENDER, "--automation", "moves.yaml", "-o", "link-moves.yaml.wav"),
        (*RENDER, "-p", "params.csv", "-o", "link-params.csv.wav"),
        ("demo", "-t", "moves.yaml", "-o", "link-moves.yaml.wav"),
    ],
    ids=" ".join,
)
def test_what_a_command_reads_it_does_not_write(run: Run, here: Path, command: tuple[str, ...]) -> None:
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    said = run(*command, code=1).stderr
    assert "is one of the inputs; choose another name to write to" in said
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "command",
    [
        (*FIT, "-o", "new.json", "--report", "new.json"),
        (*FIT, "-o", "new.json", "--report", "./stems/../new.json"),
        (*FIT, "-o", "new.yaml", "--report", ".new.yaml.fit.json"),
        ("demo", "--stems", "s", "-o", "s/track_a/drums.flac"),
    ],
    ids=" ".join,
)
def test_two_files_to_write_have_two_names(run: Run, here: Path, command: tuple[str, ...]) -> None:
    (here / "s" / "track_a").mkdir(parents=True)
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert "two of the files to write have the same name" in run(*command, code=1).stderr
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


def test_what_was_written_before_is_replaced(run: Run, here: Path) -> None:
    run("layout", "g.yaml", "-o", "layout.txt")
    first = (here / "layout.txt").read_text()
    (here / "layout.txt").write_text("old")
    run("layout", "g.yaml", "-o", "layout.txt")
    assert (here / "layout.txt").read_text() == first


@pytest.mark.parametrize(
    ("source", "out"),
    [
        ("tracks/track_a", "tracks/track_a/Drums.flac"),
        ("tracks/track_a", "tracks/track_a/mixture.flac"),
        ("tracks/track_a", "link/vocals.ogg"),
        ("tracks", "tracks/bass.wav"),
        ("tracks", "tracks/track_b/mixture.wav"),
        ("link", "tracks/track_a/other.flac"),
    ],
)
def test_nothing_is_written_that_would_be_read_as_an_input_the_next_time(
    run: Run, here: Path, source: str, out: str
) -> None:
    write_track(here / "tracks" / "track_a", "track_a")
    (here / "tracks" / "track_b").mkdir()
    (here / "link").symlink_to("tracks/track_a")
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    said = run("render", "g.yaml", "-i", f"a={source}", "-o", out, code=1).stderr
    assert "lies in a folder of inputs under the name of one, so the next time it would be read" in said
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


def test_other_names_in_a_folder_of_inputs_are_free(run: Run, here: Path) -> None:
    write_track(here / "tracks" / "track_a", "track_a")
    (here / "tracks" / "track_a" / "new").mkdir()
    for out in ("tracks/track_a/mix.flac", "tracks/mix.flac", "tracks/track_a/new/drums.flac", "drums.flac"):
        run("render", "g.yaml", "-i", "a=tracks/track_a", "-o", out)
        run("render", "g.yaml", "-i", "a=tracks/track_a", "-o", out)


def test_stems_of_the_input_are_the_names_that_count(run: Run, here: Path) -> None:
    (here / "two.yaml").write_text(
        GRAPH.replace("{name: a}", "{name: a, stems: [low, {name: high, optional: true}]}").replace(
            "input: a,", "input: a.low,"
        )
    )
    (here / "pair").mkdir()
    os.replace(here / "a.wav", here / "pair" / "low.wav")
    command = ("render", "two.yaml", "-i", "a=pair", "-o")
    assert "the next time it would be read" in run(*command, "pair/high.flac", code=1).stderr
    run(*command, "pair/drums.flac")
