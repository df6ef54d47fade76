"""``djgraph set`` and ``render --sync`` as projects for DAWs: played by a small DAW, they are the mix."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from djgraph.daw.dawproject_read import audio_within, read_dawproject
from tests.cli.conftest import Run
from tests.daw.player import played
from tests.daw.rpp import parse
from tests.sets.tracks import RATE, STEMS, track, write_set


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two tracks whose stems hum, and a set of them."""
    for number, (name, bpm) in enumerate((("one", 120.0), ("two", 126.0))):
        track(tmp_path / name, bpm, 16, seed=number, loudness=-14.0 + 3 * number)
    write_set(tmp_path, "one", "two")
    return tmp_path


def _humming(folder: Path) -> None:
    """The stems again, as tones that a spline reads well; what is known of them stays."""
    for number, name in enumerate(("one", "two")):
        for place, stem in enumerate(STEMS):
            length = soundfile.info(folder / name / f"{stem}.flac").frames
            time = np.arange(length) / RATE
            swell = np.minimum(np.minimum(time, time[-1] - time) * 4, 1)  # no clicks at the ends
            tone = 0.1 * swell * np.sin(2 * np.pi * (60 + 37 * place + 11 * number) * time)
            soundfile.write(
                folder / name / f"{stem}.flac", np.stack([tone, -tone], 1), RATE, subtype="PCM_24"
            )
        about = json.loads((folder / name / "track.json").read_text())
        from djgraph.analysis.find import find_sources

        about["analysis"]["content"] = find_sources([folder / name])[0].digest()
        (folder / name / "track.json").write_text(json.dumps(about))


def test_projects_and_a_picture_without_the_audio(folder: Path, run: Run) -> None:
    files = [folder / f"set.{end}" for end in ("dawproject", "rpp", "svg")]
    result = run("set", folder / "set.yaml", "--no-audio", "--dawproject", files[0], "--reaper", files[1])
    assert not (folder / "set.flac").exists()
    for file in files:
        assert file.is_file()
        assert str(file) in result.stdout
    found = read_dawproject(files[0])
    assert [group.name for group in found.groups] == ["left", "right"]
    assert [len(group.tracks) for group in found.groups] == [4, 4]
    assert [clip.file.path.name for clip in found.clips()] == [f"{stem}.flac" for stem in STEMS] * 2
    assert all(clip.file.path.is_file() for clip in found.clips())
    project = parse(files[1].read_text(encoding="utf-8"))
    assert sum(len(block.all("ITEM")) for block in project.all("TRACK")) == 8


@pytest.mark.slow
def test_a_project_is_the_mix(folder: Path, run: Run) -> None:
    _humming(folder)
    project = folder / "set.dawproject"
    run("set", folder / "set.yaml", "-o", folder / "mix.wav", "--dawproject", project, "--embed")
    mix, rate = soundfile.read(folder / "mix.wav")
    assert len(dict(audio_within(project))) == 8
    found = played(project, len(mix) / rate, rate)
    error = 10 * np.log10(((found - mix) ** 2).mean() / (mix**2).mean())
    assert error < -50


@pytest.mark.slow
def test_a_render_is_a_project_too(folder: Path, run: Run) -> None:
    _humming(folder)
    project, picture = folder / "mix.dawproject", folder / "mix.svg"
    options = [
        "--sync",
        "--tempo",
        "122:125",
        "--at",
        "16beats",
        "--set",
        "length=16beats",
        "-t",
        "equal_power",
    ]
    run(
        "render", folder / "small.yaml", "-i", f"left={folder / 'one'}", "-i", f"right={folder / 'two'}", *options,
        "-o", folder / "mix.wav", "--dawproject", project, "--embed", "--picture", picture,
    )  # fmt: skip
    mix, rate = soundfile.read(folder / "mix.wav")
    found = played(project, len(mix) / rate, rate)
    error = 10 * np.log10(((found - mix) ** 2).mean() / (mix**2).mean())
    assert error < -45
    # At about 123.5 BPM, as they are heard: 126 − 120 BPM are 0.85 of a semitone.
    assert "equal_power · 16 beats · 8A → 1A" in picture.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dawproject", "x.zip"], "ends in .dawproject"),
        (["--reaper", "x.txt"], "ends in .rpp"),
        (["--picture", "x.pdf"], "ends in .svg or .png"),
        (["--embed"], "--embed belongs to --dawproject"),
        (["--reaper", "nowhere/x.rpp"], "does not exist"),
    ],
)
def test_what_cannot_be_written_is_told_before_any_work(folder: Path, run: Run, options, said) -> None:
    result = run("set", folder / "set.yaml", "--no-audio", *options, code=2 if options == ["--embed"] else 1)
    assert said in result.stderr
    assert not (folder / "set.cue").exists()


def test_inputs_are_not_written_over(folder: Path, run: Run) -> None:
    kept = (folder / "one" / "drums.flac").read_bytes()
    target = folder / "x.rpp"
    target.symlink_to(folder / "one" / "drums.flac")
    result = run("set", folder / "set.yaml", "--no-audio", "--reaper", target, code=1)
    assert "one of the inputs" in result.stderr
    assert (folder / "one" / "drums.flac").read_bytes() == kept


def test_a_render_without_beats_is_no_project(folder: Path, run: Run) -> None:
    result = run(
        "render", folder / "small.yaml", "-i", f"left={folder / 'one'}", "-o", folder / "x.wav", "--reaper",
        folder / "x.rpp", code=2,
    )  # fmt: skip
    assert "belong to --sync" in result.stderr
