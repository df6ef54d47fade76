"""``djgraph render --sync``: clicks of two tracks of other tempos, in one file, on one grid."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from djgraph.audio import read, write
from djgraph.automation import TempoMap
from djgraph.cli.app import app

RATE = 22050

GRAPH = """
djgraph: 1
name: two
sample_rate: 22050
inputs: [{name: a}, {name: b}]
mixer:
  - for: {deck: inputs}
    do:
      - {strip: $deck, input: $deck, chain: [{effect: gain, id: fader}], to: master}
  - bus: master
outputs: [master]
"""


@pytest.fixture
def tracks(tmp_path) -> Path:
    (tmp_path / "two.yaml").write_text(GRAPH, encoding="utf-8")
    for name, tempo, first in (("a", 120.0, 0.2), ("b", 133.0, 0.35)):
        seconds = 20.0
        time = np.arange(round(seconds * RATE)) / RATE
        beats = np.arange(first, seconds - 0.1, 60 / tempo)
        audio = sum(np.exp(-0.5 * ((time - beat) / 0.003) ** 2) for beat in beats)
        write(
            tmp_path / f"{name}.wav",
            torch.from_numpy(0.4 * audio[None].astype(np.float32)),
            RATE,
            subtype="FLOAT",
        )
        (tmp_path / f"{name}.json").write_text(json.dumps({"beats": list(beats)}), encoding="utf-8")
    return tmp_path


def _render(folder: Path, *options: str):
    return CliRunner().invoke(
        app,
        [
            *(
                "render",
                str(folder / "two.yaml"),
                "-i",
                f"a={folder / 'a.wav'}",
                "-i",
                f"b={folder / 'b.wav'}",
            ),
            *("-o", str(folder / "mix.wav"), *options),
        ],
    )


def test_both_tracks_are_on_one_grid(tracks):
    run = _render(
        tracks, "-t", "linear", "--sync", "--at", "16beats", "--set", "length=8beats", "--tempo", "126"
    )
    assert run.exit_code == 0, run.output
    assert "a: 120.00 BPM played at 1.0500 (+5.0 %), from beat 0" in run.output
    assert "b: 133.00 BPM played at 0.9474 (-5.3 %), from beat 16" in run.output
    audio, rate = read(tracks / "mix.wav")
    x = audio[0].double().numpy()
    assert abs(len(x) / rate - (16 * 60 / 126 + (20 - 0.35) * 133 / 126)) < 0.01
    at = np.flatnonzero((x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:]) & (x[1:-1] > 0.1)) + 1
    beats = at / rate * 126 / 60
    # One burst for every beat (the first is cut at its middle): the two tracks' lie on one another.
    assert set(range(1, 30)) <= set(np.round(beats).astype(int))
    np.testing.assert_allclose(beats, np.round(beats), atol=0.004)  # 2 ms
    middle = x[round(20 * 60 / 126 * rate)]
    assert middle == pytest.approx(0.4, abs=0.02)  # half of each, at the same moment


def test_the_first_tracks_tempo_is_the_mixs(tracks):
    run = _render(tracks, "-t", "linear", "--sync", "--set", "length=8beats", "--json")
    assert run.exit_code == 0, run.output
    seconds = json.loads(run.stdout)["files"][0]["seconds"]
    # 39.6 beats of 120 BPM: the last phrase of 32 beats is the second one, where b enters.
    assert seconds == pytest.approx(32 * 0.5 + (20 - 0.35) * 133 / 120, abs=0.01)


def _beats(folder: Path, tempo: TempoMap) -> np.ndarray:
    audio, rate = read(folder / "mix.wav")
    x = audio[0].double().numpy()
    at = np.flatnonzero((x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:]) & (x[1:-1] > 0.1)) + 1
    return tempo.beats(at / rate)


def test_two_tempos_are_a_ramp_in_the_transition(tracks):
    run = _render(
        tracks, "-t", "linear", "--sync", "--at", "12beats", "--set", "length=8beats", "--tempo", "120:133"
    )
    assert run.exit_code == 0, run.output
    assert "at 120.00 to 133.00 BPM" in run.output
    assert "a: 120.00 BPM played at 1.0000 to 1.1083 (+0.0 to +10.8 %), from beat 0" in run.output
    assert "b: 133.00 BPM played at 0.9023 to 1.0000 (-9.8 to +0.0 %), from beat 12" in run.output
    beats = _beats(tracks, TempoMap([(12, 120, "per_beat"), (20, 133)]))
    assert set(range(1, 50)) <= set(np.round(beats).astype(int))
    np.testing.assert_allclose(beats, np.round(beats), atol=0.004)  # 2 ms


def test_key_lock_keeps_the_pitch(tracks):
    """Tones at the beats' places: at 126 BPM they are where they were in frequency, and beats on the mix's."""
    for name in "ab":
        audio, _ = read(tracks / f"{name}.wav")
        time = torch.arange(audio.shape[1]) / RATE
        tone = (440.0 if name == "a" else 660.0) * 2 * torch.pi
        write(tracks / f"{name}.wav", 0.3 * torch.sin(tone * time)[None], RATE, subtype="FLOAT")
    options = ("-t", "linear", "--sync", "--at", "16beats", "--set", "length=8beats", "--tempo", "126")
    for lock, expected in ((("--key-lock",), (440, 660)), ((), (440 * 1.05, 660 * 126 / 133))):
        run = _render(tracks, *options, *lock)
        assert run.exit_code == 0, run.output
        assert (", its pitch kept, from beat 16" in run.output) == bool(lock)
        x = read(tracks / "mix.wav")[0][0].double()
        for begins, frequency in ((1.0, expected[0]), (14.0, expected[1])):
            part = x[round(begins * RATE) :][: 4 * RATE] * torch.hann_window(4 * RATE, dtype=torch.float64)
            found = int(torch.fft.rfft(part).abs().argmax()) / 4
            assert found == pytest.approx(frequency, abs=0.3)


@pytest.mark.parametrize(
    "sync", [("--sync",), ("--sync", "bar"), ("--sync=bar",), ("--sync", "beat"), ("--sync", "off")]
)
def test_how_tracks_are_put_in_time(tracks, sync):
    """b has an upbeat of one beat: by bars its second beat is where it enters, by beats its first."""
    for name in "ab":
        about = json.loads((tracks / f"{name}.json").read_text(encoding="utf-8"))
        (tracks / f"{name}.json").write_text(
            json.dumps(about | {"downbeats": [about["beats"][name == "b"]]}), encoding="utf-8"
        )
    run = _render(
        tracks, *sync, "-t", "linear", "--at", "16beats", "--set", "length=8beats", "--tempo", "126"
    )
    assert run.exit_code == 0, run.output
    audio, rate = read(tracks / "mix.wav")
    mode = sync[-1].removeprefix("--sync").removeprefix("=") or "bar"
    seconds = 16 * 60 / 126 + {"beat": (20 - 0.35) * 133 / 126, "off": 20}.get(
        mode, 19.65 * 133 / 126 + 3 * 60 / 126
    )
    assert abs(audio.shape[1] / rate - seconds) < 0.02
    if mode == "off":
        assert "b: played as it is, from beat 16" in run.output
        x = audio[0].double().numpy()
        at = (np.flatnonzero((x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:]) & (x[1:-1] > 0.1)) + 1) / rate
        last = at[at > 12.5] - 16 * 60 / 126 - 0.35
        np.testing.assert_allclose(last * 133 / 60, np.round(last * 133 / 60), atol=0.01)


def test_without_sync_nothing_is_analysed(tracks):
    (tracks / "b.json").write_text('{"analysis": {}, "tempo": null}', encoding="utf-8")
    run = _render(tracks, "--sync", "off", "-t", "linear", "--at", "16beats", "--tempo", "126")
    assert run.exit_code == 0, run.output


def test_the_tempo_of_an_automation_is_the_mixs(tracks):
    moves = tracks / "moves.yaml"
    moves.write_text(
        """automation: 1
tempo: [[0, 118, per_second], [16, 126], [24, 121]]
curves:
  - {fader: 1st, points: [[16beats, 1], [24beats, 0]]}
  - {fader: 2nd, points: [[16beats, 0], [24beats, 1]]}
""",
        encoding="utf-8",
    )
    run = _render(tracks, "-a", str(moves), "--sync", "--at", "16beats")
    assert run.exit_code == 0, run.output
    assert "at 118.00 … 121.00 BPM" in run.output
    beats = _beats(tracks, TempoMap([(0, 118, "per_second"), (16, 126), (24, 121)]))
    assert set(range(1, 50)) <= set(np.round(beats).astype(int))
    np.testing.assert_allclose(beats, np.round(beats), atol=0.004)
    assert (
        "at 130.00 BPM"
        in _render(tracks, "-a", str(moves), "--sync", "--at", "16beats", "--tempo", "130").output
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--at", "16beats"), "--at belongs to --sync"),
        (("-t", "linear", "--sync", "--cue-in", "2"), "with --sync give --at"),
        (("-t", "linear", "--sync", "--at", "soon"), "64beats or 16bars"),
        (("-t", "linear", "--sync", "--at", "4beats", "--set", "start=8beats"), "contradict"),
        (("-t", "linear", "--sync", "--at", "400beats"), "the first track ends at beat"),
        (("-t", "linear", "--sync", "--tempo", "1200"), "times as fast"),
        (("-t", "linear", "--tempo", "120:130"), "--tempo 120:130 belongs to --sync"),
        (("-t", "linear", "--sync=bars"), "'bars' is none of bar, beat, off; did you mean 'bar'?"),
        (("-t", "linear", "--sync", "off", "--key-lock"), "--key-lock belongs to --sync"),
        (("-t", "linear", "--sync", "--tempo", "125", "--", "more"), "unexpected extra argument"),
        (("-t", "linear", "--key-lock"), "--key-lock belongs to --sync"),
        (("-t", "linear", "--sync", "--tempo", "120:130:140"), "is no tempo; expected BPM"),
        (("-t", "linear", "--sync", "--tempo", "fast"), "is no tempo; expected BPM"),
        (("-t", "linear", "--sync", "--tempo", "120:0"), "expected 0.1 to 100,000 BPM"),
        (("-t", "linear", "--sync", "--at", "4beats", "--tempo", "120:900"), "times as fast"),
        (("-t", "linear", "--sync"), "too few for a transition of 32 beats"),
    ],
)
def test_what_cannot_be(tracks, options, said):
    run = _render(tracks, *options)
    assert run.exit_code in (1, 2)
    assert said in " ".join(run.output.split())
    assert not (tracks / "mix.wav").exists()


def test_stems_of_unequal_length_are_told_as_ever(tracks):
    folder = tracks / "stems"
    folder.mkdir()
    for name, seconds in (("drums", 20), ("bass", 19)):
        write(folder / f"{name}.wav", torch.zeros(1, seconds * RATE), RATE)
    (folder / "track.json").write_text((tracks / "a.json").read_text(encoding="utf-8"), encoding="utf-8")
    graph = (
        (tracks / "two.yaml")
        .read_text(encoding="utf-8")
        .replace("{name: a}", "{name: a, stems: [drums, bass]}")
    )
    graph = graph.replace("for: {deck: inputs}", "for: {deck: [b]}").replace(
        "  - bus: master",
        "  - {strip: a, input: a.drums, to: master}\n  - {strip: x, input: a.bass, to: master}\n  - bus: master",
    )
    (tracks / "two.yaml").write_text(graph, encoding="utf-8")
    command = [
        *("render", str(tracks / "two.yaml"), "-i", f"a={folder}", "-i", f"b={tracks / 'b.wav'}"),
        *("--sync", "--at", "4beats", "-o", str(tracks / "mix.wav")),
    ]
    assert "the lengths differ" in CliRunner().invoke(app, command).output
    assert CliRunner().invoke(app, [*command, "--pad"]).exit_code == 0


def test_a_track_without_beats_says_how_to_give_them(tracks):
    (tracks / "b.json").write_text('{"analysis": {}, "tempo": null}', encoding="utf-8")
    run = _render(tracks, "-t", "linear", "--sync")
    assert run.exit_code == 1
    assert "no beat was found" in run.output
    assert '"beats"' in run.output
