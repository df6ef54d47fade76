"""``djgraph fit`` from files to files, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import djgraph
from djgraph.cli.fit import Shown, state_file
from djgraph.cli.progress import Steps
from djgraph.fitting import Progress

from .conftest import Run

RATE = 8000

GRAPH = """\
djgraph: 1
name: two
sample_rate: 8000
transform: {size: 256, hop: 64}
inputs: [{name: a, stems: [drums, bass]}, {name: b}]
mixer:
  - {strip: a.drums, input: a.drums, chain: [{effect: gain, controls: {gain: {as: gain}}}], to: master}
  - {strip: a.bass, input: a.bass, chain: [{effect: gain, controls: {gain: {as: gain}}}], to: master}
  - {strip: b, input: b, chain: [{effect: gain, controls: {gain: {as: gain}}}], to: master}
  - bus: master
outputs: [master]
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A graph, stems, and a mix in which the drums fade from 1 to 0 while b stays at ½."""
    rng = np.random.RandomState(0)
    drums, bass, b = 0.1 * rng.standard_normal((3, RATE, 2))
    (tmp_path / "two.yaml").write_text(GRAPH)
    (tmp_path / "a").mkdir()
    soundfile.write(tmp_path / "a" / "drums.wav", drums, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "a" / "bass.wav", bass, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", b, RATE, subtype="FLOAT")
    mix = np.linspace(1, 0, RATE)[:, None] * drums + bass + 0.5 * b
    soundfile.write(tmp_path / "mix.wav", mix, RATE, subtype="FLOAT")
    return tmp_path


def fit(work: Path, *more: object) -> list[object]:
    inputs = ["-i", f"a={work / 'a'}", "-i", f"b={work / 'b.wav'}"]
    return ["fit", work / "two.yaml", *inputs, "--target", work / "mix.wav", "-o", work / "moves.yaml", *more]


def test_controls_mix_report_and_picture(run: Run, work: Path) -> None:
    pytest.importorskip("matplotlib")
    files = {"--mix": "again.wav", "--report": "report.json", "--plot": "moves.png"}
    options = [part for option, name in files.items() for part in (option, work / name)]
    shown = run(*fit(work, *options))
    assert "SI-SDR" in shown.stdout
    assert all((work / name).stat().st_size for name in files.values())
    auto = djgraph.automation.load(work / "moves.yaml")
    layout = djgraph.ParameterLayout.from_graph(djgraph.load(work / "two.yaml"))
    params = auto.render(layout, n_frames=11, duration=1.0).numpy()
    np.testing.assert_allclose(params[:, 0], np.linspace(1, 0, 11), atol=0.03)
    np.testing.assert_allclose(params[:, 1], 1, atol=0.03)
    np.testing.assert_allclose(params[:, 2], 0.5, atol=0.03)
    wanted, made = soundfile.read(work / "mix.wav")[0], soundfile.read(work / "again.wav")[0]
    assert 10 * np.log10((wanted**2).sum() / ((wanted - made) ** 2).sum()) > 30
    report = json.loads((work / "report.json").read_text())
    assert report["controls"]["a.drums.gain"]["moves"]
    assert not state_file(work / "moves.yaml").exists()


@pytest.mark.slow
def test_the_truth_says_how_far_off(run: Run, work: Path) -> None:
    pytest.importorskip("matplotlib")
    (work / "played.csv").write_text(
        "control,time,value\na.drums.gain,0%,1\na.drums.gain,100%,0\nb.gain,0,0.5\n"
    )
    report = work / "report.json"
    shown = run(*fit(work, "--truth", work / "played.csv", "--report", report, "--plot", work / "moves.svg"))
    assert "gains that are heard are off by" in shown.stdout
    errors = json.loads(report.read_text())["control_error"]
    assert set(errors) == {"a.drums.gain", "a.bass.gain", "b.gain"}
    assert max(errors.values()) < 0.02


def test_the_automation_plays_in_render(run: Run, work: Path) -> None:
    run(*fit(work, "--steps", 0))
    inputs = ["-i", f"a={work / 'a'}", "-i", f"b={work / 'b.wav'}"]
    moves = ["--automation", work / "moves.yaml", "-o", work / "again.wav"]
    run("render", work / "two.yaml", *inputs, *moves)
    wanted, made = soundfile.read(work / "mix.wav")[0], soundfile.read(work / "again.wav")[0]
    assert 10 * np.log10((wanted**2).sum() / ((wanted - made) ** 2).sum()) > 25


def test_the_bar_says_stage_and_loss_and_keeps_its_clock() -> None:
    """A new task of the bar begins at 0:00 and knows of no time left: there is one for each stage."""

    class Bar(Steps):
        def __init__(self) -> None:
            self.said: list[tuple[object, ...]] = []

        def begin(self, what: str, total: int | None = None, done: int = 0) -> None:
            self.said.append(("begin", what, total, done))

        def advance(self, amount: int = 1) -> None:
            self.said.append(("advance", amount))

        def say(self, what: str) -> None:
            self.said.append(("say", what))

    bar = Bar()
    shown = Shown(bar, steps=20)
    for stage, step, steps, loss in (
        ("guess", 1, 3, 0.5),
        ("curves", 2, 3, 0.25),
        ("curves", 3, 3, 0.125),
        ("mixer", 1, 20, 0.1),
        ("mixer", 2, 20, 0.05),
    ):
        shown(Progress(stage, step, steps, loss, None))  # type: ignore[arg-type]
    assert bar.said == [
        ("begin", "drawing curves, loss 0.5", 3, 1),
        ("say", "drawing curves, loss 0.25"),
        ("advance", 1),
        ("begin", "refining through the mixer, loss 0.12", 20, 0),
        ("say", "refining through the mixer, loss 0.1"),
        ("advance", 1),
        ("say", "refining through the mixer, loss 0.05"),
        ("advance", 1),
    ]


def test_json_says_all(run: Run, work: Path) -> None:
    shown = json.loads(run(*fit(work, "--steps", 0, "--json")).stdout)
    assert shown["graph"] == "two"
    assert shown["si_sdr_db"] > 30


def test_an_interrupted_fit_is_kept_and_resumed(
    run: Run, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from djgraph.fitting import job

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job, "descend", interrupted)
        shown = run(*fit(work), code=130)
    assert "--resume goes on" in shown.stderr
    assert (work / "moves.yaml").exists()
    assert state_file(work / "moves.yaml").exists()
    report = work / "report.json"
    run(*fit(work, "--resume", "--report", report))
    stages = {entry["stage"] for entry in json.loads(report.read_text())["loss_curve"]}
    assert stages <= {"mixer"}
    assert not state_file(work / "moves.yaml").exists()


def test_other_music_is_refused_and_nothing_written(run: Run, work: Path) -> None:
    other = 0.1 * np.random.RandomState(9).standard_normal((RATE, 2))
    soundfile.write(work / "mix.wav", other, RATE)
    shown = run(*fit(work), code=1)
    assert "does not sound like a mix of these stems" in shown.stderr
    assert not (work / "moves.yaml").exists()


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--resume"], 1, "nothing to resume"),
        (["--mix", "moves.txt"], 1, "suffix"),
        (["--plot", "moves.txt"], 1, "pictures are written to"),
        (["--truth", "equal_power", "--resume"], 1, "nothing to resume"),
        (["--truth", "bass_swap"], 1, "no control with the role 'low'"),
        (["--level", "nan"], 2, "--level"),
        (["--level", "1e9"], 2, "--level"),
        (["--delay", "1e306"], 1, "delay is"),
        (["--output", "cue"], 1, "no output 'cue'"),
        (["-o", "moves.txt"], 2, ".yaml"),
    ],
)
def test_what_is_refused_before_the_work(
    run: Run, work: Path, more: list[str], code: int, words: str
) -> None:
    paths = [str(work / word) if word.endswith(".txt") else word for word in more]
    assert words in run(*fit(work, *paths), code=code).stderr


def test_a_file_is_not_written_twice(run: Run, work: Path) -> None:
    shown = run(*fit(work, "--mix", work / "mix.wav"), code=1)
    assert "is one of the inputs" in shown.stderr


@pytest.fixture
def slipped(work: Path) -> Path:
    """The same tracks at other tempos: a at 0.95 from a second on, b at 1.03, of which the recording has a part."""
    from scipy.signal import lfilter

    rng = np.random.RandomState(3)
    rate, signals = RATE, {}
    for name in ("drums", "bass", "b"):
        loud = np.repeat(rng.rand(40), RATE // 5)[:, None]
        signals[name] = 0.2 * loud * lfilter([0.5], [1, -0.5], rng.standard_normal((8 * RATE, 2)), axis=0)
    for name, folder in (("drums", "a"), ("bass", "a"), ("b", ".")):
        soundfile.write(work / folder / f"{name}.wav", signals[name], rate, subtype="FLOAT")
    warp = {
        "djgraph_warp": 1,
        "seconds": 6.0,
        "tracks": {
            "a": {"passages": [{"begins": 0, "ends": 4.5, "start": 1.0, "rate": 0.95}]},
            "b": {"passages": [{"begins": 2.0, "ends": 6.0, "start": 0.5, "rate": 1.03}]},
        },
    }
    (work / "true.json").write_text(json.dumps(warp))
    (work / "played.csv").write_text(
        "control,time,value\na.drums.gain,0%,1\na.drums.gain,100%,0\nb.gain,0,0.5\n"
    )
    return work


def test_tracks_at_other_tempos_are_unmixed_and_rendered_again(run: Run, slipped: Path) -> None:
    work = slipped
    inputs = ["-i", f"a={work / 'a'}", "-i", f"b={work / 'b.wav'}"]
    moves = ["--automation", work / "played.csv", "--warp", work / "true.json"]
    run("render", work / "two.yaml", *inputs, *moves, "-o", work / "mix.wav")
    rough = json.loads((work / "true.json").read_text())
    rough["tracks"]["a"]["passages"][0]["start"] += 0.0007
    rough["tracks"]["b"]["passages"][0]["rate"] *= 1 + 2e-5
    (work / "rough.json").write_text(json.dumps(rough))
    pytest.importorskip("matplotlib")
    shown = run(*fit(work, "--warp", work / "rough.json", "--steps", 0, "--plot", work / "moves.svg"))
    assert "a: 0:00.000 to 0:04.500 of the mix plays from 0:01.000 on, at 0.950000 (-5.00 %)" in shown.stdout
    assert "not in the recording" not in (work / "moves.svg").read_text()
    found = json.loads((work / "moves.warp.json").read_text())
    assert found["refined"]
    for name, start, rate in (("a", 1.0, 0.95), ("b", 0.5, 1.03)):
        (passage,) = found["tracks"][name]["passages"]
        assert passage["start"] == pytest.approx(start, abs=0.1 / RATE)
        assert passage["rate"] == pytest.approx(rate, rel=2e-6)
    again = [
        "--automation",
        work / "moves.yaml",
        "--warp",
        work / "moves.warp.json",
        "-o",
        work / "again.wav",
    ]
    run("render", work / "two.yaml", *inputs, *again)
    wanted, made = soundfile.read(work / "mix.wav")[0], soundfile.read(work / "again.wav")[0]
    assert 10 * np.log10((wanted**2).sum() / ((wanted - made) ** 2).sum()) > 25
    assert not list(work.glob(".moves*"))


def test_a_warp_that_does_not_fit_is_told_before_the_work(run: Run, slipped: Path) -> None:
    work = slipped
    run(*fit(work, "--warp", "somewhere"), code=2)
    (work / "wrong.json").write_text((work / "true.json").read_text().replace("0.95", "9.5"))
    shown = run(*fit(work, "--warp", work / "wrong.json"), code=1)
    assert "wrong.json:1:" in shown.stderr
    assert "rate" in shown.stderr
    shown = run(*fit(work, "--warp", work / "true.json"), code=1)  # of 6 s, and the mix has one
    assert "the warp is of a mix of 6.00 s" in shown.stderr
    assert not (work / "moves.yaml").exists()


@pytest.mark.slow
def test_tracks_of_unequal_lengths_are_looked_for_and_absent_ones_are_said(
    run: Run, slipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What looks for tracks says roughly where a lies, and takes b for heard, which it is not."""
    from djgraph import alignment

    work = slipped
    inputs = ["-i", f"a={work / 'a'}", "-i", f"b={work / 'b.wav'}"]
    only = json.loads((work / "true.json").read_text())
    only["tracks"]["b"]["passages"] = []
    (work / "only.json").write_text(json.dumps(only))
    run("render", work / "two.yaml", *inputs, "--warp", work / "only.json", "-o", work / "mix.wav")
    other, _ = soundfile.read(work / "b.wav")
    soundfile.write(work / "b.wav", other[: 7 * RATE], RATE, subtype="FLOAT")

    def found(recording: object, tracks: dict, sample_rate: int, **_: object) -> list[alignment.Found]:
        assert {name: x.shape for name, x in tracks.items()} == {"a": (1, 8 * RATE), "b": (1, 7 * RATE)}
        rough = alignment.Passage(0.3 * RATE, 4.0 * RATE, 1.2854 * RATE, 0.95001, False, 8.0)
        false = alignment.Passage(1.0 * RATE, 4.0 * RATE, 0.0, 1.0, False, 8.0)
        return [alignment.Found("a", (rough,), 0.9), alignment.Found("b", (false,), 0.4)]

    monkeypatch.setattr(alignment, "find_tracks", found)
    shown = run(*fit(work, "--steps", 0, "--report", work / "report.json"))
    assert "b: not in the recording" in shown.stdout
    assert json.loads((work / "report.json").read_text())["absent"] == ["b"]
    (passage,) = json.loads((work / "moves.warp.json").read_text())["tracks"]["a"]["passages"]
    assert passage["rate"] == pytest.approx(0.95, rel=1e-6)
    assert passage["begins"] == 0
    assert passage["ends"] == pytest.approx(4.5, abs=0.6)  # a cell and a half


def test_where_no_track_is_found_nothing_is_written(
    run: Run, slipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from djgraph import alignment

    monkeypatch.setattr(
        alignment, "find_tracks", lambda _, tracks, *__, **___: [alignment.Found(n, (), 1.0) for n in tracks]
    )
    shown = run(*fit(slipped, "--warp", "find"), code=1)
    assert "none of the tracks is in the recording: a, b" in shown.stderr
    assert not list(slipped.glob("moves*"))
