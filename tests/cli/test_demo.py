"""``djgraph demo``: a transition with nothing at hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import djgraph
from djgraph import demo
from djgraph.analysis import Grid
from djgraph.analysis.store import own_grid, read_about
from djgraph.audio import load_stems
from djgraph.demo import BPM, DOWNBEAT, SECONDS, demo_tracks
from djgraph.rendering.matched import matched

from .conftest import Run


def _sums(rate: int) -> dict[str, np.ndarray]:
    """Each track as the demo plays it, all stems together."""
    tracks = matched(demo_tracks(rate), rate)
    return {name: sum(x.numpy().T for x in stems.values()) for name, stems in tracks.items()}


@pytest.mark.slow
def test_demo(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("demo", "--stems", "stems")
    assert result.stderr == ""  # nothing clips
    assert "djgraph-demo.flac" in result.stdout
    assert "× real time" in result.stdout
    audio, rate = soundfile.read("djgraph-demo.flac")
    assert audio.shape == (SECONDS * rate, 2)
    assert np.abs(audio).max() < 1
    sums = _sums(rate)
    # One track alone before the fade, the other after it, both at its middle.
    fade = int((DOWNBEAT - 2.1) * rate), int((DOWNBEAT + 2.1) * rate)
    np.testing.assert_allclose(audio[: fade[0]], sums["track_a"][: fade[0]], atol=1e-4)
    np.testing.assert_allclose(audio[fade[1] :], sums["track_b"][fade[1] :], atol=1e-4)
    middle = slice(int((DOWNBEAT - 0.01) * rate), int((DOWNBEAT + 0.01) * rate))
    expected = math.sqrt(0.5) * (sums["track_a"] + sums["track_b"])[middle]
    np.testing.assert_allclose(audio[middle], expected, atol=0.02)
    # The stems it wrote are what it mixed.
    for track, stems in demo.demo_tracks(rate).items():
        for stem, sound in load_stems(f"stems/{track}").items():
            np.testing.assert_allclose(sound, stems[stem], atol=2**-23)
        # Beside them stands what is known, and what somebody has written there stays.
        assert read_about(Path("stems") / track / "track.json").data["tempo"] == BPM[track]


@pytest.mark.parametrize("track", BPM)
def test_what_the_demo_says_of_its_tracks(
    track: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beats as they were synthesised; a file that is there already stays as it is."""
    from djgraph.cli.demo import _tell

    for name in BPM:
        (tmp_path / name).mkdir()
    (tmp_path / "track_b" / "track.json").write_text('{"tempo": 63}')
    _tell(tmp_path, SECONDS)
    found = own_grid(read_about(tmp_path / "track_a" / "track.json"))
    assert found is not None
    assert found[0].tempo == pytest.approx(120, abs=1e-6)
    assert (tmp_path / "track_b" / "track.json").read_text() == '{"tempo": 63}'
    known = demo.beats(track, SECONDS)
    grid = Grid.from_beats(known["beats"], downbeat=demo.PICKUP[track])
    assert grid.tempo == pytest.approx(BPM[track], abs=1e-3)
    assert DOWNBEAT in [pytest.approx(second, abs=1e-5) for second in known["downbeats"]]
    assert known["beats"][-1] < SECONDS


def test_demo_options(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "d.wav"
    options = ["-o", out, "--transition", "linear", "--cue-in", 0, "--cue-out", 32, "--normalize", "--json"]
    summary = json.loads(run("demo", *options).stdout)
    assert summary["graph"] == "dj_mixer"
    assert summary["files"][0]["peak_dbfs"] == pytest.approx(-1, abs=0.01)
    assert [path.name for path in tmp_path.iterdir()] == ["d.wav"]


@pytest.mark.slow
def test_a_cut_falls_on_the_downbeat(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "cut.wav"
    run("demo", "-t", "cut", "-o", out)
    audio, rate = soundfile.read(out)
    sums = _sums(rate)
    cut = round(DOWNBEAT * rate)
    margin = rate // 40  # a control frame, and the smoothing of a jump
    np.testing.assert_allclose(audio[: cut - margin], sums["track_a"][: cut - margin], atol=1e-4)
    np.testing.assert_allclose(audio[cut + margin :], sums["track_b"][cut + margin :], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", list(djgraph.automation.recipes()))
def test_every_recipe(run: Run, tmp_path: Path, recipe: str) -> None:
    """Each plays, and begins with the first track alone."""
    out = tmp_path / "x.wav"
    run("demo", "-t", recipe, "-o", out, "--normalize")
    audio, rate = soundfile.read(out)
    first = sum(x.numpy().T for x in demo.demo_tracks(rate)["track_a"].values())[: 17 * rate]
    heard = audio[: 17 * rate]
    gain = float((heard * first).sum() / (first * first).sum())
    np.testing.assert_allclose(heard, gain * first, atol=1e-4)


@pytest.mark.slow
def test_arguments_of_a_recipe(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "x.wav"
    run("demo", "-t", "linear", "--set", "start=4beats", "--set", "length=8beats", "-o", out)
    audio, rate = soundfile.read(out)
    # 120 BPM: from 2 s to 6 s.
    last = _sums(rate)["track_b"][7 * rate :]
    np.testing.assert_allclose(audio[7 * rate :], last, atol=1e-4)
    assert "did you mean" in run("demo", "-t", "bass_swop", "-o", tmp_path / "y.wav", code=2).stderr
    assert "lenght" in run("demo", "--set", "lenght=1", "-o", tmp_path / "y.wav", code=1).stderr
    assert not (tmp_path / "y.wav").exists()


def test_demo_refuses(run: Run, tmp_path: Path) -> None:
    assert "does not exist" in run("demo", "-o", tmp_path / "no" / "d.flac", code=1).stderr
    assert "names no format" in run("demo", "-o", tmp_path / "d.txt", code=1).stderr
    assert "cue-in" in run("demo", "-o", tmp_path / "d.wav", "--cue-in", 23, code=1).stderr
    assert list(tmp_path.iterdir()) == []


def test_the_downbeat_is_a_beat_of_both() -> None:
    for bpm in BPM.values():
        assert (DOWNBEAT * bpm / 60) % 1 == pytest.approx(0)


def test_the_tracks_are_beat_matched_at_any_tempo_and_as_many_beats_long() -> None:
    rate = 8000
    tracks = demo_tracks(rate, 4.0)
    own, same = matched(tracks, rate), matched(tracks, rate, 120.0)
    assert all(torch.equal(own["track_b"][stem], one) for stem, one in same["track_b"].items())
    fast = matched(tracks, rate, 150.0)
    assert {one.shape[-1] for stems in fast.values() for one in stems.values()} == {
        round(4.0 * rate * 120 / 150)
    }


def test_the_tracks_are_beat_matched() -> None:
    """Below 200 Hz, where straight lines between samples will do, against NumPy's interpolation."""
    from scipy.signal import butter, sosfiltfilt

    tracks = demo_tracks(22050, 24.0)
    both = matched(tracks, 22050)
    low, lower = (butter(4, hertz, fs=22050, output="sos") for hertz in (600, 200))
    time = np.arange(24 * 22050) / 22050
    for name, pace in (("track_a", 1.0), ("track_b", 120 / 126)):
        for stem in ("drums", "bass"):
            source = sosfiltfilt(low, tracks[name][stem].double().numpy())
            position = (DOWNBEAT + (time - DOWNBEAT) * pace) * 22050
            expected = [np.interp(position, np.arange(source.shape[1]), row, right=0) for row in source]
            found = both[name][stem].double().numpy()
            inside = slice(2000, -2000)
            error = np.abs(sosfiltfilt(lower, found - np.array(expected)))[:, inside].max()
            assert error < 0.01 * np.abs(source).max()
