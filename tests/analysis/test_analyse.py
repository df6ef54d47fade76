"""Folders of tracks, analysed from Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from djgraph.analysis import analyse, read_analysis
from djgraph.analysis.find import find_sources
from djgraph.audio import lufs, write
from djgraph.cli.app import app
from djgraph.demo import demo_tracks
from djgraph.errors import AudioFileError, InputError


@pytest.fixture(scope="module")
def music(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("music")
    tracks = demo_tracks(22050, 16.0)
    for name, stems in tracks.items():
        (root / name).mkdir()
        for stem, audio in stems.items():
            write(root / name / f"{stem}.flac", audio, 22050)
    write(root / "song.flac", torch.stack(list(tracks["track_b"].values())).sum(0), 22050)
    (root / "track_a" / "track.json").write_text('{"title": "A", "tempo": 120}', encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def analysed(music):
    return {result.source.name: result for result in analyse([music], workers=1)}


def test_tempo_beats_key_and_loudness(music, analysed):
    assert set(analysed) == {"track_a", "track_b", "song"}
    for name, tempo, downbeat in (("track_a", 120, 0), ("track_b", 126, 2), ("song", 126, 2)):
        result = analysed[name]
        assert result.problem is None
        assert result.known.grid is not None
        grid = result.known.grid.grid()
        assert grid.tempo == pytest.approx(tempo, abs=0.01)
        assert grid.downbeat == downbeat
        np.testing.assert_allclose(
            grid.beats_until(15.0), np.arange(15 * tempo / 60) * 60 / tempo, atol=0.004
        )
    mix = torch.stack([audio for audio in demo_tracks(22050, 16.0)["track_a"].values()]).sum(0)
    assert analysed["track_a"].known.loudness == pytest.approx(lufs(mix, 22050), abs=0.05)
    assert analysed["track_b"].known.camelot[:-1] == "9"  # E minor or its relative key
    assert set(analysed["track_a"].known.levels) == {"drums", "bass", "vocals", "other"}


def test_what_a_person_wrote_stays(music, analysed):
    about = json.loads((music / "track_a" / "track.json").read_text(encoding="utf-8"))
    assert about["title"] == "A"
    assert about["before"] == {"tempo": 120}
    assert read_analysis(music / "song.json").tempo == pytest.approx(126, abs=0.01)
    with pytest.raises(AudioFileError, match="djgraph analyse"):
        read_analysis(music / "missing.json")


def test_nothing_is_analysed_twice(music, analysed):
    assert all(result.kept for result in analyse([music], workers=1))
    (again,) = analyse([music / "song.flac"], tempos=(60, 110), workers=1, write=False)
    assert not again.kept
    assert again.known.tempo == pytest.approx(63, abs=0.01)  # 126 lies outside


def test_a_grid_that_is_known_is_taken(tmp_path, music):
    audio = torch.randn(2, 22050 * 6) * 0.1
    write(tmp_path / "x.wav", audio, 22050)
    beats = [0.3 + 0.55 * k for k in range(10)]
    (tmp_path / "x.json").write_text(json.dumps({"beats": beats, "downbeats": [beats[2]]}), encoding="utf-8")
    (result,) = analyse([tmp_path], workers=1)
    assert result.known.grid is not None
    grid = result.known.grid.grid()
    assert grid.downbeat == 2
    np.testing.assert_allclose(grid.beats_until(5.0), [b for b in beats if b < 5], atol=1e-6)
    # And kept, however often the track is analysed.
    for options in ({}, {"force": True}, {"tempos": (60, 120)}):
        (again,) = analyse([tmp_path], workers=1, **options)
        assert again.known.grid == result.known.grid
        assert again.kept == (not options)
    about = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert about["before"] == {"beats": beats, "downbeats": [beats[2]]}


def test_an_analysis_that_was_tampered_with(music, tmp_path):
    write(tmp_path / "x.wav", 0.1 * torch.randn(1, 22050), 22050)
    analyse([tmp_path], workers=1)
    whole = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    for wrong in (
        {"grid": {}},
        {"grid": {"seconds": [1, 0], "beats": [0, 1], "meter": 4, "downbeat": 0}},
        {"phrases": ["a"]},
        {"confidence": 3},
    ):
        (tmp_path / "x.json").write_text(json.dumps(whole | wrong), encoding="utf-8")
        with pytest.raises(AudioFileError, match=r"x\.json:1:"):
            read_analysis(tmp_path / "x.json")
        (result,) = analyse([tmp_path], workers=1)
        assert not result.kept
        assert result.problem is None


def test_a_track_that_cannot_be_read_does_not_stop_the_others(tmp_path):
    write(tmp_path / "good.wav", 0.1 * torch.randn(1, 22050), 22050)
    (tmp_path / "bad.wav").write_bytes(b"RIFF nonsense")
    (tmp_path / "wrong.json").write_text("{", encoding="utf-8")
    write(tmp_path / "wrong.wav", 0.1 * torch.randn(1, 22050), 22050)
    results = {result.source.name: result for result in analyse([tmp_path], workers=1)}
    assert results["good"].problem is None
    assert "bad.wav" in results["bad"].problem
    assert "wrong.json:1:2" in results["wrong"].problem
    assert (tmp_path / "wrong.json").read_text(encoding="utf-8") == "{"


def test_silence_and_one_sample(tmp_path):
    write(tmp_path / "silence.wav", torch.zeros(2, 22050 * 3), 22050)
    write(tmp_path / "one.wav", torch.full((1, 1), 0.5), 22050)
    for result in analyse([tmp_path], workers=1):
        assert result.problem is None
        assert result.known.tempo is None
        assert result.known.loudness is None


def test_tracks_are_found_once(tmp_path):
    album = tmp_path / "album"
    (album / "Song").mkdir(parents=True)
    write(album / "Song" / "drums.wav", torch.zeros(1, 10), 22050)
    write(album / "plain.wav", torch.zeros(1, 10), 22050)
    (album / "round").symlink_to(tmp_path)
    assert [source.name for source in find_sources([tmp_path, album])] == ["plain", "Song"]
    with pytest.raises(AudioFileError, match="does not exist"):
        find_sources([tmp_path / "nothing"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioFileError, match="no track in it"):
        find_sources([tmp_path / "empty"])
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(AudioFileError, match="no audio file"):
        find_sources([tmp_path / "notes.txt"])


@pytest.mark.parametrize("tempos", [(100, 120), (160, 80), (0, 100), (100, 500)])
def test_ranges_that_are_none(tempos, tmp_path):
    with pytest.raises(InputError, match="20 and 400"):
        analyse([tmp_path], tempos=tempos)


def test_the_command(music, analysed):
    run = CliRunner().invoke(app, ["analyse", str(music), "-j", "1"])
    assert run.exit_code == 0, run.output
    assert "3 tracks, 3 known before" in run.output
    assert "126.00" in run.output
    run = CliRunner().invoke(app, ["analyse", str(music / "song.flac"), "--json", "-j", "1"])
    (row,) = json.loads(run.stdout)
    assert row["track"]["meter"] == 4
    assert CliRunner().invoke(app, ["analyse", str(music), "--tempo", "fast"]).exit_code == 2
