"""``djgraph transitions``, and ``djgraph render`` with recipes and automation files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from effort import few

import djgraph
from djgraph.seed.crossfade import FADES

from .conftest import FREQUENCIES, RATE, Run, tones, write_track


def sums(seconds: float = 1.0) -> list[np.ndarray]:
    return [sum(tones(track, seconds).values()) for track in FREQUENCIES]  # type: ignore[misc]


def test_list(run: Run) -> None:
    text = run("transitions").stdout
    listed = json.loads(run("transitions", "--json").stdout)
    names = {entry["name"] for entry in listed}
    assert names == set(djgraph.automation.recipes()) >= set(FADES)
    for name in names:
        assert name in text


def test_one(run: Run) -> None:
    text = run("transitions", "bass_swap").stdout
    for words in (
        "bass_swap: Bass swap",
        "start     25%",
        "When the basses change places",
        "low of 1st",
        "-t bass_swap",
    ):
        assert words in text
    data = json.loads(run("transitions", "bass_swap", "--json").stdout)
    assert data["arguments"][0] == {"name": "a", "default": "1st", "description": "Outgoing track"}
    assert "did you mean: bass_swap" in run("transitions", "bass_swop", code=1).stderr


def test_a_file_of_ones_own(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "dip.yaml"
    path.write_text(
        "automation: 1\nname: dip\ntitle: Dip\ndescription: Down and up.\n"
        "args: {amount: {default: 0.2, description: How far}}\n"
        "curves: [{fader: 1st, points: [[0, 1], [50%, $amount], [100%, 1]]}]\n"
    )
    text = run("transitions", path).stdout
    for words in ("dip: Dip", "Down and up.", "How far", "the fader of 1st", f"-t {path}"):
        assert words in text
    assert json.loads(run("transitions", path, "--json").stdout)["name"] == "dip"
    assert djgraph.automation.recipe(path).title == "Dip"
    assert "there is no file" in run("transitions", tmp_path / "dap.yaml", code=1).stderr


@pytest.mark.slow
def test_plot(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "x.svg"
    run("transitions", "eq_blend", "--plot", out, "--set", "length=8bars", "--tempo", 128, "--seconds", 20)
    assert "EQ blend" in out.read_text()
    run("transitions", "filter_fade", "--plot", out, "--graph", "filter_knob")
    assert "track_a.filter" in out.read_text()
    message = run("transitions", "eq_blend", "--plot", out, code=1).stderr
    assert "needs a tempo" in message
    assert "give --tempo, or `tempo:` in the file" in message
    assert "belong to a recipe" in run("transitions", "--set", "length=4s", code=2).stderr


def test_a_recipe_with_settings_and_tempo(run: Run, tracks: list[str], tmp_path: Path) -> None:
    """A cut after one beat at 120 BPM is a cut at half a second."""
    out = tmp_path / "mix.wav"
    run("render", "dj_mixer", *tracks, "-t", "cut", "--set", "start=1beat", "--tempo", 120, "-o", out)
    audio, _ = soundfile.read(out)
    a, b = sums()
    np.testing.assert_allclose(audio[: int(0.45 * RATE)], a[: int(0.45 * RATE)], atol=1e-4)
    np.testing.assert_allclose(audio[int(0.55 * RATE) :], b[int(0.55 * RATE) :], atol=1e-4)


@pytest.mark.parametrize("tempo", [120, 133.7])
def test_a_cut_on_a_beat_is_on_its_sample(run: Run, tracks: list[str], tmp_path: Path, tempo: float) -> None:
    """But for the smoothing of the gains, 5 ms around it; evenly spread frames would begin up to 20 ms early."""
    out = tmp_path / "mix.wav"
    moves = {
        "automation": 1,
        "tempo": tempo,
        "curves": [
            {"control": "track_a.*.gain", "points": [["1beat", 1], ["1beat", 0]]},
            {"control": "track_b.*.gain", "points": [[0, 0, "hold"], ["1beat", 1]]},
        ],
    }
    (tmp_path / "moves.json").write_text(json.dumps(moves))
    run("render", "dj_mixer", *tracks, "-a", tmp_path / "moves.json", "-o", out)
    audio, _ = soundfile.read(out)
    a, b = sums()
    cut, near = round(60 / tempo * RATE), round(0.0026 * RATE)
    np.testing.assert_allclose(audio[: cut - near], a[: cut - near], atol=1e-4)
    np.testing.assert_allclose(audio[cut + near :], b[cut + near :], atol=1e-4)
    middle = (a[cut - 1 : cut + 1] + b[cut - 1 : cut + 1]).mean(0) / 2
    np.testing.assert_allclose(audio[cut - 1 : cut + 1].mean(0), middle, atol=0.02)


@pytest.mark.parametrize("fade", few(FADES, 2))
def test_the_four_fades_sound_as_the_crossfader_has_them(
    run: Run, tracks: list[str], tmp_path: Path, fade: str
) -> None:
    """The same samples as params of SimpleCrossfader give, cue points and number of frames included."""
    graph = djgraph.load("dj_mixer")
    layout = djgraph.ParameterLayout.from_graph(graph)
    params = djgraph.SimpleCrossfader(fade, layout)(41, cue_in=0.25, cue_out=0.75)[0]
    np.save(tmp_path / "p.npy", params.numpy())
    run("render", "dj_mixer", *tracks, "--params", tmp_path / "p.npy", "-o", tmp_path / "wanted.wav")
    cues = ["--cue-in", 0.25, "--cue-out", 0.75, "--frames", 41]
    run("render", "dj_mixer", *tracks, "-t", fade, *cues, "-o", tmp_path / "mix.wav")
    wanted, got = (soundfile.read(tmp_path / name)[0] for name in ("wanted.wav", "mix.wav"))
    np.testing.assert_allclose(got, wanted, atol=2**-22)


def test_tracks_and_cues_set_arguments(run: Run, tracks: list[str], tmp_path: Path) -> None:
    out = tmp_path / "mix.wav"
    run("render", "dj_mixer", *tracks, "-t", "cut", "--tracks", "track_b,track_a", "--cue-in", 0.5, "-o", out)
    audio, _ = soundfile.read(out)
    a, b = sums()
    np.testing.assert_allclose(audio[: int(0.45 * RATE)], b[: int(0.45 * RATE)], atol=1e-4)
    np.testing.assert_allclose(audio[-10:], a[-10:], atol=0.05)  # the cut, stretched to a fade up to the end


@pytest.mark.parametrize("suffix", [".yaml", ".json", ".csv"])
def test_an_automation_file(run: Run, tracks: list[str], tmp_path: Path, suffix: str) -> None:
    auto = djgraph.automation.load(
        {"automation": 1, "curves": [{"control": "*.*.gain", "points": [[0, 1], [0.5, 0.5], [1, 0.5]]}]}
    )
    auto.save(tmp_path / f"moves{suffix}")
    out = tmp_path / "mix.wav"
    text = run("render", "dj_mixer", *tracks, "-a", tmp_path / f"moves{suffix}", "-o", out, "--json").stdout
    assert json.loads(text)["frames"] == 3
    audio, _ = soundfile.read(out)
    a, b = sums()
    np.testing.assert_allclose(audio[-RATE // 3 :], 0.5 * (a + b)[-RATE // 3 :], atol=1e-4)
    quarter = slice(RATE // 4 - 5, RATE // 4 + 5)
    np.testing.assert_allclose(audio[quarter], 0.75 * (a + b)[quarter], atol=1e-3)


def test_the_files_tempo_drives_the_clock(run: Run, tmp_path: Path) -> None:
    """An effect that follows a clock hears the automation's tempo; without any, the mixer asks for one."""
    import types

    from djgraph.effects import TimeEffect
    from djgraph.plugins import hookimpl, registry, reset

    class Count(TimeEffect):
        """Puts out the beat it is, over 100."""

        type = "count_beats"
        memoryless = True
        uses_clock = True

        def process(self, audio, controls, state, block):  # type: ignore[no-untyped-def]
            return {"out": audio["in"] * 0 + block.clock.beats / 100}, state

    reset()
    registry().register(types.SimpleNamespace(djgraph_effects=hookimpl(lambda: [Count])), name="count")
    try:
        (tmp_path / "g.yaml").write_text(
            "djgraph: 1\nname: g\ninputs: [{name: x}]\nmixer:\n"
            "  - {strip: s, input: x, chain: [count_beats, gain], to: master}\n  - bus: master\noutputs: [master]\n"
        )
        soundfile.write(tmp_path / "x.wav", np.zeros((RATE, 2)), RATE)
        base = ["render", tmp_path / "g.yaml", "-i", f"x={tmp_path / 'x.wav'}", "-o", tmp_path / "mix.wav"]
        (tmp_path / "m.yaml").write_text(
            "automation: 1\ntempo: 240\ncurves: [{control: s.gain.gain, value: 1}]\n"
        )
        for extra, beats in ([], 4), (["--tempo", "60"], 1):
            run(*base, "-a", tmp_path / "m.yaml", *extra)
            assert soundfile.read(tmp_path / "mix.wav")[0][-1, 0] == pytest.approx(beats / 100, abs=1e-4)
        (tmp_path / "m.yaml").write_text(
            "automation: 1\ntempo: [[0, 60], [0.5, 180]]\ncurves: [{control: s.gain.gain, value: 1}]\n"
        )
        run(*base, "-a", tmp_path / "m.yaml")
        assert soundfile.read(tmp_path / "mix.wav")[0][-1, 0] == pytest.approx(0.02, abs=5e-4)
    finally:
        reset()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["-a", "linaer"], 2, "Invalid value for --automation: there is no recipe 'linaer'"),
        (["-t", "linear", "-a", "moves.yaml"], 2, "give one of --transition, --automation and --params"),
        (["-a", "moves.yaml", "--cue-in", "1"], 2, "belong to --transition"),
        (["--set", "length=4s"], 2, "--frames and --set belong to"),
        (["-t", "linear", "--set", "length"], 2, "--set takes NAME=VALUE"),
        (["-t", "linear", "--set", "start=1s", "--cue-in", "1"], 2, "contradict each other"),
        (["-t", "linear", "--set", "a=x", "--tracks", "x,y"], 2, "contradict each other"),
        (["-t", "bas_swap"], 2, "did you mean: bass_swap"),
        (["-t", "linear", "--tracks", "track_a"], 1, "--tracks takes two tracks"),
        (["-t", "linear", "--tracks", "track_a,track_c"], 1, "no track 'track_c' with a fader"),
        (["-t", "linear", "--set", "lenght=4s"], 1, "did you mean: length"),
        (["-t", "bass_swap", "--set", "bass=7"], 1, "7 is out of the range of track_a.drums.eq_low"),
        (["-t", "cut", "--set", "start=1beat"], 1, "the start 1beat needs a tempo"),
        (["-a", "no.yaml"], 1, "there is no file no.yaml"),
        (["-a", "bad.yaml"], 1, "bad.yaml:2:20: there is no control 'track_a.gian'"),
    ],
)
def test_refusals_come_before_the_work(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text("automation: 1\ncurves: [{control: track_a.gian, value: 1}]\n")
    result = run("render", "dj_mixer", "-i", "track_a=nowhere", "-i", "track_b=nowhere", *options, code=code)
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


def test_a_recipe_that_the_graph_cannot_play(run: Run, tmp_path: Path) -> None:
    write_track(tmp_path / "a", "track_a")
    inputs = [
        "-i",
        f"track_a={tmp_path / 'a'}",
        "-i",
        f"track_b={tmp_path / 'a'}",
        "-o",
        tmp_path / "mix.wav",
    ]
    result = run("render", "djtransgan", *inputs, "-t", "vocals_over", code=1)
    assert "there is no stem with a fader 'track_a.vocals'" in result.stderr
    result = run("render", "dj_mixer", *inputs, "-t", "eq_blend", "--tempo", 120, code=1)
    assert "does not fit the clip: it goes from 0 s to 32 s, and the clip from 0 s to 1 s" in result.stderr
    assert math.isclose(soundfile.info(tmp_path / "a" / "drums.wav").duration, 1.0)
    assert not (tmp_path / "mix.wav").exists()
