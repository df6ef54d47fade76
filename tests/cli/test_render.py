"""``djgraph render`` from files to a file, and what it refuses."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from effort import few

import djgraph
from djgraph.seed.crossfade import FADES

from .conftest import FREQUENCIES, RATE, STEMS, Run, listing, tones, write_track
from .test_shell import with_path

SHARED = Path(__file__).resolve().parents[3] / "shared" / "stems"

TWO_OUTPUTS = """\
djgraph: 1
name: two_outputs
args: {level: 0.5}
inputs:
  - {name: deck, stems: [drums, {name: vocals, optional: true}]}
  - {name: mic, channels: mono, optional: true}
mixer:
  - {strip: deck.drums, input: deck.drums, chain: [{effect: gain, controls: {gain: $level}}], to: [master, cue]}
  - {strip: deck.vocals, input: deck.vocals, chain: [gain], to: master}
  - {strip: voice, input: mic, chain: [gain], to: booth}
  - bus: master
  - bus: cue
  - bus: booth
outputs: [master, cue, booth]
"""


def amplitude(audio: np.ndarray, frequency: float) -> float:
    """Amplitude of a sine in ``[samples]``, by projection onto sine and cosine under a Hann window."""
    window = np.hanning(len(audio))
    t = np.arange(len(audio)) / RATE
    return float(2 * abs((audio * window * np.exp(-2j * math.pi * frequency * t)).sum()) / window.sum())


def test_neutral_is_the_plain_sum(run: Run, tracks: list[str], tmp_path: Path) -> None:
    out = tmp_path / "mix.wav"
    run("render", "dj_mixer", *tracks, "-o", out)
    audio, rate = soundfile.read(out)
    expected = sum(sum(tones(track).values()) for track in FREQUENCIES)
    assert rate == RATE
    np.testing.assert_allclose(audio, expected, atol=1e-6)
    assert listing(tmp_path / "in") == [f"{t}/{s}.wav" for t in "ab" for s in sorted(STEMS)]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["mix.wav"]


def test_the_causal_lowering_has_the_same_levels(run: Run, tracks: list[str], tmp_path: Path) -> None:
    """Sines through open filters: their phases are turned, their amplitudes are not."""
    out = tmp_path / "mix.wav"
    run("render", "dj_mixer", *tracks, "-o", out, "--lowering", "causal")
    audio, _ = soundfile.read(out)
    studio = sum(sum(tones(track).values()) for track in FREQUENCIES)
    assert np.abs(audio - studio).max() > 1e-3
    for frequency in (220.0, 440.0, 650.0):
        assert amplitude(audio[:, 0], frequency) == pytest.approx(
            amplitude(studio[:, 0], frequency), rel=0.01
        )


@pytest.mark.parametrize("fade", few(list(FADES), 2))
def test_transition(run: Run, tmp_path: Path, fade: str) -> None:
    a = write_track(tmp_path / "a", "track_a", seconds=3)
    b = write_track(tmp_path / "b", "track_b", seconds=3)
    options = ["--input", f"track_a={a}", "--input", f"track_b={b}", "--transition", fade, "--frames", 601]
    run("render", "dj_mixer", *options, "--cue-in", 1, "--cue-out", 2, "-o", tmp_path / "mix.wav")
    audio = soundfile.read(tmp_path / "mix.wav")[0][:, 0]
    share = 0.5  # at the middle of the fade
    gone = {
        "linear": 1 - share,
        "equal_power": math.cos(math.pi / 2 * share),
        "exponential": 1 - (1 - 100**-share) / (1 - 1 / 100),
        "logarithmic": (1 - 100**-share) / (1 - 1 / 100),
    }[fade]
    come = math.sqrt(1 - gone**2) if fade == "equal_power" else 1 - gone
    middle = audio[int(1.48 * RATE) : int(1.52 * RATE)]
    level = np.hypot(amplitude(middle, FREQUENCIES["track_a"][3]), 0) / 0.1
    for f_a, f_b in zip(FREQUENCIES["track_a"], FREQUENCIES["track_b"]):
        before, after = audio[: int(0.95 * RATE)], audio[int(2.05 * RATE) :]
        assert amplitude(before, f_a) == pytest.approx(0.1, rel=0.01)
        assert amplitude(before, f_b) < 1e-3
        assert amplitude(after, f_b) == pytest.approx(0.1, rel=0.01)
        assert amplitude(after, f_a) < 1e-3
    # 40 ms hold too few periods to tell tones apart; the middle is held against the formula sample by sample.
    t = np.arange(len(audio)) / RATE
    track_a, track_b = (
        sum(0.1 * np.sin(2 * math.pi * f * t) for f in FREQUENCIES[name]) for name in ("track_a", "track_b")
    )
    at = int(1.5 * RATE)
    near = slice(at - 20, at + 20)
    slope = 0.02 * np.abs(track_a[near]).max() + 0.02 * np.abs(track_b[near]).max()
    np.testing.assert_allclose(audio[near], (gone * track_a + come * track_b)[near], atol=slope)
    assert level < 2


def test_summary(run: Run, tracks: list[str], tmp_path: Path) -> None:
    out = tmp_path / "mix.wav"
    text = run("render", "dj_mixer", *tracks, "-o", out).stdout
    for words in (str(out), "1.000 s, stereo, 44100 Hz", "dBFS", "LUFS", "× real time"):
        assert words in text
    summary = json.loads(run("render", "dj_mixer", *tracks, "-t", "linear", "-o", out, "--json").stdout)
    (file,) = summary["files"]
    audio, _ = soundfile.read(out)
    assert file["seconds"] == 1.0
    assert file["peak_dbfs"] == pytest.approx(20 * math.log10(np.abs(audio).max()), abs=0.01)
    assert (file["output"], file["channels"], file["clipped"]) == ("master", 2, 0)
    assert (summary["graph"], summary["frames"], summary["controls"]) == ("dj_mixer", 2, 54)
    assert summary["speed"] == pytest.approx(1 / summary["render_seconds"])
    assert 0 <= summary["compile_seconds"] < summary["total_seconds"]


def test_clipping_warns_and_normalize_mends_it(run: Run, tmp_path: Path) -> None:
    a = write_track(tmp_path / "a", "track_a", amplitude=0.6)
    b = write_track(tmp_path / "b", "track_b", amplitude=0.6)
    options = ["dj_mixer", "-i", f"track_a={a}", "-i", f"track_b={b}", "-o", tmp_path / "mix.flac"]
    result = run("render", *options)
    total = sum(sum(tones(track, amplitude=0.6).values()) for track in FREQUENCIES)
    assert "warning: " in result.stderr
    assert "--normalize" in result.stderr
    clipped = json.loads(run("render", *options, "--json").stdout)["files"][0]["clipped"]
    assert clipped == pytest.approx((np.abs(total) > 1).sum(), rel=0.01)
    result = run("render", *options, "--normalize")
    assert result.stderr == ""
    audio, _ = soundfile.read(tmp_path / "mix.flac")
    assert 20 * math.log10(np.abs(audio).max()) == pytest.approx(-1, abs=0.01)
    np.testing.assert_allclose(audio / np.abs(audio).max(), total / np.abs(total).max(), atol=1e-3)


def test_params_from_a_file(run: Run, tracks: list[str], tmp_path: Path) -> None:
    layout = djgraph.ParameterLayout.from_graph(djgraph.load("dj_mixer"))
    values = {name: 0.0 for name in layout.names if name.startswith("track_b") and name.endswith(".gain")}
    (tmp_path / "p.json").write_text(json.dumps(values))
    np.save(tmp_path / "p.npy", layout.pack(values, n_frames=3).numpy())
    (tmp_path / "p.csv").write_text(",".join(values) + "\n" + ",".join("0" for _ in values) + "\n")
    mixes = []
    for suffix in ("json", "npy", "csv"):
        run("render", "dj_mixer", *tracks, "--params", tmp_path / f"p.{suffix}", "-o", tmp_path / "mix.wav")
        mixes.append(soundfile.read(tmp_path / "mix.wav")[0])
    np.testing.assert_allclose(mixes[0], sum(tones("track_a").values()), atol=1e-6)
    np.testing.assert_allclose(mixes[1], mixes[0], atol=1e-6)
    np.testing.assert_allclose(mixes[2], mixes[0], atol=1e-6)
    (tmp_path / "p.json").write_text('{"track_a.drums.gian": 1}')
    message = run(
        "render", "dj_mixer", *tracks, "-p", tmp_path / "p.json", "-o", tmp_path / "n.wav", code=1
    ).stderr
    assert "did you mean 'track_a.drums.gain'" in message
    assert not (tmp_path / "n.wav").exists()


def test_several_outputs_optional_stems_and_arguments(run: Run, tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(TWO_OUTPUTS)
    (tmp_path / "deck").mkdir()
    soundfile.write(tmp_path / "deck" / "drums.wav", np.full((1000, 2), 0.5), RATE)
    soundfile.write(tmp_path / "mic.wav", np.full((1000, 2), (0.25, 0.125)), RATE)
    base = ["render", tmp_path / "g.yaml", "-i", f"deck={tmp_path / 'deck'}"]
    run(*base, "-o", tmp_path / "mix.wav")
    assert sorted(path.name for path in tmp_path.glob("mix*")) == ["mix.wav"]
    np.testing.assert_allclose(soundfile.read(tmp_path / "mix.wav")[0], 0.25, atol=1e-6)
    run(*base, "-i", f"mic={tmp_path / 'mic.wav'}", "--output", "all", "-o", tmp_path / "two.wav")
    np.testing.assert_allclose(soundfile.read(tmp_path / "two.wav")[0], 0.25, atol=1e-6)
    np.testing.assert_allclose(soundfile.read(tmp_path / "two.cue.wav")[0], 0.25, atol=1e-6)
    booth, _ = soundfile.read(tmp_path / "two.booth.wav")
    assert booth.shape == (1000,)  # mono, the mean of both sides
    np.testing.assert_allclose(booth, 0.1875, atol=1e-6)
    run(*base, "--output", "cue", "--arg", "level=0.25", "-o", tmp_path / "cue.wav")
    np.testing.assert_allclose(soundfile.read(tmp_path / "cue.wav")[0], 0.125, atol=1e-6)
    assert not (tmp_path / "cue.cue.wav").exists()
    message = run(*base, "--output", "quue", code=1).stderr
    assert "no output 'quue'; did you mean 'cue'" in message
    assert "it has: master, cue, booth" in message
    with pytest.raises(djgraph.DJGraphError):
        djgraph.load(tmp_path / "g.yaml", levle=1)
    assert "levle" in run(*base, "--arg", "levle=1", code=1).stderr


def test_a_graph_that_cannot_be_faded_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(TWO_OUTPUTS)
    (tmp_path / "deck").mkdir()
    soundfile.write(tmp_path / "deck" / "drums.wav", np.full((1000, 2), 0.5), RATE)
    options = ["-i", f"deck={tmp_path / 'deck'}", "-t", "linear", "-o", tmp_path / "mix.wav"]
    assert "two tracks" in run("render", tmp_path / "g.yaml", *options, code=1).stderr


@pytest.mark.parametrize(("layout", "count", "mask"), [("quad", 4, 0x33), ("5.1", 6, 0x3F)])
def test_more_than_two_channels_are_one_file(
    run: Run, tmp_path: Path, layout: str, count: int, mask: int
) -> None:
    (tmp_path / "g.yaml").write_text(
        f"""\
djgraph: 1
name: wide
inputs: [{{name: bed, channels: {layout}}}, {{name: mic, channels: mono}}]
mixer:
  - {{strip: bed, input: bed, chain: [gain], to: room}}
  - {{strip: mic, input: mic, chain: [gain], to: room}}
  - {{bus: room, channels: {layout}}}
outputs: [{{name: room, from: room, channels: {layout}}}]
"""
    )
    level = 0.05 * np.arange(1, count + 1)
    bed, mic = np.random.default_rng(0).uniform(-1, 1, (RATE, count)) * level, np.full((RATE, 1), 0.1)
    soundfile.write(tmp_path / "bed.wav", bed, RATE, "FLOAT", format="WAVEX")
    soundfile.write(tmp_path / "mic.wav", mic, RATE, "FLOAT")
    inputs = ["-i", f"bed={tmp_path / 'bed.wav'}", "-i", f"mic={tmp_path / 'mic.wav'}"]
    for name in ("out.wav", "out.flac"):
        shown = run("render", tmp_path / "g.yaml", *inputs, "-o", tmp_path / name).stdout
        assert f"1.000 s, {layout}, {RATE} Hz" in shown
        assert "LUFS" in shown
        made, rate = soundfile.read(tmp_path / name)
        assert rate == RATE
        np.testing.assert_allclose(made, bed + 0.1, atol=2e-6)
    assert (
        f"Channel Mask  : {mask:#x}".lower() in soundfile.SoundFile(tmp_path / "out.wav").extra_info.lower()
    )
    message = run("render", tmp_path / "g.yaml", *inputs, "-o", tmp_path / "out.mp3", code=1).stderr
    assert f"MP3 is written with 1 to 2 channels, not with {count}" in message
    soundfile.write(tmp_path / "bed.wav", bed[:, :2], RATE)
    message = run("render", tmp_path / "g.yaml", *inputs, "-o", tmp_path / "out.wav", code=1).stderr
    assert f"bed.wav: stereo cannot be read as {layout}" in message


def test_other_rates_and_padding(run: Run, tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for folder, rate in ((a, 48000), (b, 22050)):
        folder.mkdir()
        for stem in STEMS:
            soundfile.write(folder / f"{stem}.ogg", np.zeros((rate // 2, 1)), rate, format="OGG")
    options = ["dj_mixer", "-i", f"track_a={a}", "-i", f"track_b={b}", "-o", tmp_path / "mix.wav"]
    run("render", *options)
    assert soundfile.info(tmp_path / "mix.wav").frames == RATE // 2
    soundfile.write(b / "bass.ogg", np.zeros((22050, 1)), 22050, format="OGG")
    message = run("render", *options, code=1).stderr
    assert "track_b.bass: 1.000 s (44100 samples)" in message
    assert "--pad" in message
    run("render", *options, "--pad")
    assert soundfile.info(tmp_path / "mix.wav").frames == RATE
    # Silence has a peak and a loudness that JSON cannot say.
    (file,) = json.loads(run("render", *options, "--pad", "--json").stdout)["files"]
    assert (file["peak_dbfs"], file["lufs"]) == (None, None)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--input", "track_a"], 2, "--input takes NAME=PATH"),
        (["--input", "track_a=x", "--input", "track_a=y"], 2, "gives 'track_a' twice"),
        (["--transition", "linear", "--params", "p.npy"], 2, "not both"),
        (["--cue-in", "1"], 2, "belong to --transition"),
        (["--transition", "crash"], 2, "equal_power"),
        (["--transition", "linear", "--frames", "1"], 2, "--frames"),
        (["--input", "track_c=x"], 1, "no input 'track_c'; did you mean"),
        ([], 1, "needs audio for track_a, track_b; give --input track_a=PATH --input track_b=PATH"),
        (["-o", "mix.xyz"], 1, "'.xyz' names no format"),
        (["-o", "no/such/folder/mix.wav"], 1, "does not exist"),
        (["--input", "track_a=nowhere", "--input", "track_b=nowhere"], 1, "nowhere does not exist"),
    ],
)
def test_refusals(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("render", "dj_mixer", *options, code=code)
    assert message in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cues", "message"), [((0.5, 0.5), "cue-in"), ((-1, 1), "cue-in"), ((0, 9), "<= 1 s")]
)
def test_impossible_cue_points(
    run: Run, tracks: list[str], tmp_path: Path, cues: tuple[float, float], message: str
) -> None:
    options = [*tracks, "-t", "linear", "--cue-in", cues[0], "--cue-out", cues[1], "-o", tmp_path / "m.wav"]
    assert message in run("render", "dj_mixer", *options, code=1).stderr


def test_unknown_graph_and_bad_audio(run: Run, tracks: list[str], tmp_path: Path) -> None:
    assert "did you mean: dj_mixer" in run("render", "dj_mixr", *tracks, code=1).stderr
    (tmp_path / "in" / "a" / "drums.wav").write_text("no audio " * 100)
    message = run("render", "dj_mixer", *tracks, "-o", tmp_path / "mix.wav", code=1).stderr
    assert message.startswith(f"error: {tmp_path / 'in' / 'a' / 'drums.wav'} cannot be read as audio")
    assert not (tmp_path / "mix.wav").exists()


def test_a_graph_that_follows_a_clock_wants_a_tempo(run: Run, tracks: list[str], tmp_path: Path) -> None:
    graph, out = tmp_path / "gated.yaml", tmp_path / "mix.wav"
    graph.write_text(
        "djgraph: 1\nname: gated\ninputs: [{name: track_a, stems: [drums]}]\n"
        "mixer: [{strip: kit, input: track_a.drums, chain: [trans]}]\noutputs: [kit]\n"
    )
    options = [graph, *tracks[:2], "-o", out]
    message = run("render", *options, code=1).stderr
    assert "graph gated has effects that follow a clock" in message
    assert "--tempo BPM" in message
    assert not out.exists()
    run("render", *options, "--tempo", "128")
    assert out.exists()


def test_an_input_is_not_overwritten(run: Run, tracks: list[str], tmp_path: Path) -> None:
    target = tmp_path / "in" / "a" / "drums.wav"
    before = target.read_bytes()
    assert "is one of the inputs" in run("render", "dj_mixer", *tracks, "-o", target, code=1).stderr
    assert target.read_bytes() == before


def test_a_disk_that_fills_up_keeps_the_old_mix(
    run: Run, tracks: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "mix.flac"
    out.write_bytes(b"an older mix")

    def full(self: object, data: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(soundfile.SoundFile, "write", full)
    result = run("render", "dj_mixer", *tracks, "-o", out, code=1)
    assert result.stderr == f"error: {out}: cannot be written: No space left on device\n"
    assert out.read_bytes() == b"an older mix"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["mix.flac"]


@pytest.mark.slow
def test_a_limited_disk_in_a_process_of_its_own(tracks: list[str], tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys\n"
        "from djgraph.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    out = tmp_path / "mix.wav"
    done = subprocess.run(
        [sys.executable, "-c", program, "render", "dj_mixer", *tracks, "-o", str(out)],
        capture_output=True,
        text=True,
        check=False,
        # Else Python would leave cut modules behind: it does not look whether all of one could be written.
        env=with_path() | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 1
    # Code that was compiled on the way cannot be kept on such a disk either, which is only a warning.
    lines = [line for line in done.stderr.splitlines() if "compiled code is not kept" not in line]
    assert lines == [f"error: {out}: cannot be written: {os.strerror(errno.EFBIG)}"]
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_stems_serve_a_graph_for_full_tracks(run: Run, tracks: list[str], tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("track_a.fader: [1, 0]\ntrack_b.fader: [0, 1]\n")
    run("render", "djtransgan", *tracks, "--params", tmp_path / "p.yaml", "-o", tmp_path / "mix.wav")
    audio, _ = soundfile.read(tmp_path / "mix.wav")
    share = np.linspace(0, 1, RATE)[:, None]
    sums = [sum(tones(track).values()) for track in FREQUENCIES]
    inner = slice(RATE // 20, -RATE // 20)  # away from the ends of the fade, which are rounded
    np.testing.assert_allclose(audio[inner], ((1 - share) * sums[0] + share * sums[1])[inner], atol=1e-3)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared stems are not at hand")
def test_two_real_tracks(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "mix.wav"
    inputs = ["-i", f"track_a={SHARED / 'track_a'}", "-i", f"track_b={SHARED / 'track_b'}"]
    run("render", "dj_mixer", *inputs, "-t", "equal_power", "--cue-in", 15, "--cue-out", 25, "-o", out)
    audio, rate = soundfile.read(out)
    assert audio.shape == (40 * 44100, 2)
    sums = {
        name: sum(soundfile.read(SHARED / name / f"{stem}.flac")[0] for stem in STEMS)
        for name in ("track_a", "track_b")
    }
    # Alone on either side of the fade, and cosine and sine of each in its middle.
    before, after = slice(0, int(14.9 * rate)), slice(int(25.1 * rate), None)
    np.testing.assert_allclose(audio[before], sums["track_a"][before], atol=1e-4)
    np.testing.assert_allclose(audio[after], sums["track_b"][after], atol=1e-4)
    middle = slice(int(19.99 * rate), int(20.01 * rate))
    expected = math.sqrt(0.5) * (sums["track_a"] + sums["track_b"])[middle]
    np.testing.assert_allclose(audio[middle], expected, atol=0.01)
