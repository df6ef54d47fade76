"""``djgraph export``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from djgraph.cli.app import app

runner = CliRunner()


def test_a_page_without_stems(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    done = runner.invoke(app, ["export", "djtransgan", "--to", "web", "-o", str(out), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["stems"], said["seconds"], said["moving"]) == (0, None, [])
    assert said["bytes"] == out.stat().st_size


@pytest.mark.slow
def test_a_page_with_a_transition(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ("drums", "bass", "vocals", "other")
    for track in ("one", "two"):
        (tmp_path / track).mkdir()
        for name in names:
            soundfile.write(tmp_path / track / f"{name}.wav", 0.1 * rng.standard_normal((4410, 2)), 44100)
    out = tmp_path / "page.html"
    done = runner.invoke(
        app,
        ["export", "dj_mixer", "-t", "equal_power", "-o", str(out), "--json"]
        + [
            text
            for track, name in (("a", "one"), ("b", "two"))
            for text in ("-i", f"track_{track}={tmp_path / name}")
        ],
    )
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["stems"], said["seconds"]) == (8, 0.1)
    assert "track_a.drums.gain" in said["moving"]
    assert len(re.findall(r'id="stem-\d"', out.read_text(encoding="utf-8"))) == 8


@pytest.mark.slow
def test_a_page_brings_the_tracks_that_decks_play(tmp_path: Path) -> None:
    (tmp_path / "decks.yaml").write_text(
        "{djgraph: 1, name: decks, inputs: [{name: track, stems: [drums, bass], source: deck}, "
        "{name: stab, source: sampler}], mixer: [{strip: drums, input: track.drums, to: master}, "
        "{strip: bass, input: track.bass, to: master}, {strip: stab, input: stab, to: master}, {bus: master}], "
        "outputs: [master]}",
        encoding="utf-8",
    )
    rng, out = np.random.default_rng(0), tmp_path / "page.html"
    (tmp_path / "one").mkdir()
    for name in ("one/drums", "one/bass", "stab"):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * rng.standard_normal((4410, 2)), 44100)
    given = ["-i", f"track={tmp_path / 'one'}", "-i", f"stab={tmp_path / 'stab.wav'}"]
    done = runner.invoke(
        app, ["export", str(tmp_path / "decks.yaml"), *given, "--seconds", "3", "-o", str(out), "--json"]
    )
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["stems"], said["seconds"]) == (3, 3.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-t", "linear"], "--seconds"),
        (["--seconds", "-1"], "expected more than 0"),
        (["--bits", "12"], "expected 16 or 24"),
        (["--sync", "bar"], "give -i"),
    ],
)
def test_what_contradicts_itself(arguments: list[str], said: str) -> None:
    done = runner.invoke(app, ["export", "dj_mixer", *arguments])
    assert done.exit_code == 2
    assert said in " ".join(re.sub(r"[│╭╰─╮╯]", " ", done.output).split())
