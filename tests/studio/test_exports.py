"""What goes out: the mix that ``djgraph render`` makes of the exported automation; nothing is written over."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner
from waiting import until

import djgraph
from djgraph import audio
from djgraph.cli.app import app
from djgraph.demo import demo_tracks
from djgraph.errors import InputError
from djgraph.studio.begin import begin
from djgraph.studio.exporting import Job, export
from djgraph.studio.file_names import plain
from djgraph.studio.keeping import Keep
from djgraph.studio.messages import WRONG
from djgraph.studio.parts import exports
from djgraph.studio.parts.exports import Exports
from djgraph.studio.parts.saving import Saving
from djgraph.studio.parts.timeline import Timeline
from djgraph.studio.parts.transport import Transporting
from djgraph.studio.project import Clip, Lane, LanePoint, Origin, Project
from djgraph.studio.session import Session

SECONDS = 4.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short tracks in stems, one at another sample rate."""
    root = tmp_path_factory.mktemp("tracks")
    for name, rate in (("track_a", 44100), ("track_b", 48000)):
        for stem, signal in demo_tracks(rate, SECONDS)[name].items():
            (root / name).mkdir(exist_ok=True)
            audio.write(root / name / f"{stem}.flac", signal, rate)
    return root


def origin(folder: Path, **more: Any) -> Origin:
    return Origin(inputs={name: str(folder / name) for name in ("track_a", "track_b")}, **more)


def moved(project: Project) -> Project:
    """With a lane, a recipe, a value and a tempo that goes."""
    lane = Lane(
        control="track_b.drums.lpf",
        points=(
            LanePoint(at=0.37, value=0.09, shape="exponential", bend=3.0),
            LanePoint(at=2.011, value=0.405, shape="hold"),
            LanePoint(at=4.5, value=0.700123456789),
        ),
    )
    clip = Clip(id=1, recipe="bass_swap", start=1.25, length=4.0)
    changes = {"tempo": ((0.0, 123.4, "per_beat"), (6.0, 131.0, "hold")), "clips": (clip,)}
    return project.with_lane(lane).model_copy(update={**changes, "values": {"track_a.drums.eq_low": 0.3}})


@pytest.fixture
def session(folder: Path, tmp_path: Path) -> Iterator[Session]:
    session = begin(Keep(tmp_path / "project"), origin(folder), parts=(Saving, Exports))
    session.change(moved(session.project), "move")
    yield session
    session.close()


def wait(session: Session, *states: str) -> dict[str, Any]:
    for _ in range(1200):
        jobs = session.snapshot()["exports"]["jobs"]
        if jobs and jobs[-1]["state"] in states:
            return dict(jobs[-1])
        time.sleep(0.05)
    raise AssertionError(jobs)


@pytest.mark.slow
def test_the_mix_is_what_render_makes_of_the_exported_automation(
    session: Session, folder: Path, tmp_path: Path
) -> None:
    session.take('{"do": "export", "what": "automation", "name": "moves"}')
    assert wait(session, "done", "failed")["problem"] == ""
    assert session.keep is not None
    exports = session.keep.exports
    # In this process, which has as many threads as the other: sums of floats depend on them.
    export(Job(what="mix", path=str(exports / "mix.wav"), project=session.project))
    inputs = [f"-i{name}={folder / name}" for name in ("track_a", "track_b")]
    result = CliRunner().invoke(
        app,
        [
            "render",
            "dj_mixer",
            *inputs,
            "--pad",
            "--automation",
            str(exports / "moves.automation.yaml"),
            "-o",
            str(tmp_path / "r.wav"),
        ],
    )
    assert result.exit_code == 0, result.output
    ours, theirs = (
        soundfile.read(path, dtype="float32")[0] for path in (exports / "mix.wav", tmp_path / "r.wav")
    )
    assert np.array_equal(ours, theirs)
    assert abs(ours).max() > 0.1


@pytest.mark.slow
def test_every_output_is_written_as_render_writes_it(folder: Path, tmp_path: Path) -> None:
    graph = tmp_path / "two_outputs.yaml"
    graph.write_text(
        "djgraph: 1\nname: two_outputs\ninputs: [{name: track_a}]\nmixer:\n"
        "  - {strip: track_a, input: track_a, chain: [gain], sends: [{to: cue, level: 0.5}], to: master}\n"
        "  - {bus: cue}\n  - {bus: master, chain: [{effect: gain, id: fader, controls: {gain: 0.5}}]}\n"
        "outputs: [master, cue]\n"
    )
    song = folder / "track_a" / "drums.flac"
    keep = Keep(tmp_path / "project")
    session = begin(
        keep, Origin(graph=str(graph), inputs={"track_a": str(song)}), parts=(Saving, exports.Exports)
    )
    try:
        session.take('{"do": "export", "what": "mix", "form": "wav", "name": "mix", "outputs": ["cue"]}')
        assert wait(session, "done", "failed")["files"] == ["mix.cue.wav"]
        session.take(
            '{"do": "export", "what": "mix", "form": "wav", "name": "mine", "outputs": ["master", "cue"]}'
        )
        assert wait(session, "done", "failed")["files"] == ["mine.wav", "mine.cue.wav"]
    finally:
        session.close()
    told = CliRunner().invoke(
        app, ["render", str(graph), f"-itrack_a={song}", "--output", "all", "-o", str(tmp_path / "mine.wav")]
    )
    assert told.exit_code == 0, told.output
    for name, other in (
        ("mine.wav", "mine.wav"),
        ("mine.cue.wav", "mine.cue.wav"),
        ("mix.cue.wav", "mine.cue.wav"),
    ):
        ours, theirs = (soundfile.read(path)[0] for path in (keep.exports / name, tmp_path / other))
        assert np.array_equal(ours, theirs), name
        assert abs(ours).max() > 0.01


@pytest.mark.slow
def test_a_mix_is_written_in_a_process_of_its_own(session: Session) -> None:
    session.take('{"do": "export", "what": "mix", "form": "mp3"}')
    session.take('{"do": "export", "what": "mix", "form": "mp3"}')
    session.take('{"do": "export", "what": "picture", "form": "svg"}')  # waits for its turn
    session.take('{"do": "export", "what": "mix", "form": "wav"}')
    session.take('{"do": "cancel_export", "job": 4}')  # before its turn came
    session.take('{"do": "export", "what": "automation"}')  # takes a moment, and waits for nobody
    assert session.snapshot()["exports"]["jobs"][4]["state"] == "done"
    part = session.part(Exports)
    assert part is not None
    until(lambda: all(job["state"] != "running" for job in session.snapshot()["exports"]["jobs"]))
    jobs = session.snapshot()["exports"]["jobs"]
    assert [job["state"] for job in jobs] == ["done", "done", "done", "cancelled", "done"]
    assert [job["problem"] for job in jobs] == [""] * 5
    name = session.project.name
    written = {f"{name}.mp3", f"{name} 2.mp3", f"{name}.svg", f"{name}.automation.yaml"}
    assert {file["name"] for file in part.files()} == written


def test_no_more_exports_are_ordered_than_anybody_waits_for(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "ORDERED", 0)
    with pytest.raises(InputError, match="under way"):
        session.take('{"do": "export", "what": "mix"}')


@pytest.mark.slow
def test_what_is_played_is_what_is_written(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "mix.wav"
    export(Job(what="mix", path=str(path), project=session.project))
    session.player.play()
    blocks = []
    for _ in range(int(SECONDS * 44100) // 512):
        blocks.append(torch.from_numpy(session.player.block(512)[0]))
    heard = torch.cat(blocks, -1)
    written = audio.read(path)[0][:, : heard.shape[-1]]
    assert float((heard - written).abs().max()) < 2e-4


def test_nothing_is_written_over(session: Session) -> None:
    job = Job(what="automation", path="", project=session.project)
    assert session.keep is not None
    exports = session.keep.exports
    path = exports / "mine.yaml"
    export(job.model_copy(update={"path": str(path)}), opened=session.opened)
    text = path.read_bytes()
    with pytest.raises(InputError, match="there already"):
        export(job.model_copy(update={"path": str(path)}), opened=session.opened)
    assert path.read_bytes() == text
    part = session.part(Exports)
    assert part is not None
    (exports / "a.flac").write_text("mine")
    assert part._free("a", "mix", "flac").name == "a 2.flac"
    (exports / "b.cue.flac").write_text("mine")
    assert part._free("b", "mix", "flac").name == "b.flac"
    assert part._free("b", "mix", "flac", ("cue",)).name == "b 2.cue.flac"
    assert part._free("b", "mix", "flac", ("master", "cue")).name == "b 2.flac"
    assert part.file("a.flac") == exports / "a.flac"
    for name in ("", ".", "..", "../left.json", "/etc/passwd", "b.flac"):
        assert part.file(name) is None


def test_an_automation_comes_back_as_the_frames_that_were_played(session: Session, tmp_path: Path) -> None:
    layout, samples = session.mixer.layout, session.player.feed.samples
    for form in ("yaml", "json"):
        path = tmp_path / f"moves.{form}"
        export(Job(what="automation", path=str(path), project=session.project), opened=session.opened)
        again = djgraph.automation.load(path).render_exact(layout, samples=samples, sample_rate=44100)
        course = session.player.course
        for place, row in zip(again.positions.tolist(), again.params.numpy(), strict=True):
            assert np.array_equal(course.row(place), row)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("my mix", "my mix"),
        ("../../etc/passwd", "etc passwd"),
        ("/", "mix"),
        ("", "mix"),
        ("...", "mix"),
        ("a\0b\nc", "a b c"),
        ("con", "con_"),
        ("Üben & mehr (2)", "Üben & mehr (2)"),
        ("x" * 300, "x" * 80),
    ],
)
def test_names_lead_nowhere(said: str, name: str) -> None:
    assert plain(said) == name


def test_what_cannot_be_written_is_refused(session: Session) -> None:
    for message in (
        '"what": "mix", "form": "exe"',
        '"what": "mix", "outputs": ["master", "clue"]',
        '"what": "set"',
        '"what": "automation", "form": "yml"',
    ):
        with pytest.raises(InputError):
            session.take('{"do": "export", ' + message + "}")
    assert session.snapshot()["exports"]["jobs"] == []


@pytest.mark.parametrize("what", ["mix", "automation"])
def test_an_export_that_cannot_begin_is_over(
    session: Session, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process to be had, or a fault that nobody has foreseen: it is told, and takes nobody's turn."""

    def no(*_: Any, **__: Any) -> Any:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(exports.subprocess, "Popen", no)
    monkeypatch.setattr(exports, "export", no)
    with contextlib.nullcontext() if what == "mix" else pytest.raises(BlockingIOError):
        session.take(f'{{"do": "export", "what": "{what}"}}')
    problem = {
        "mix": "it could not be started: Resource temporarily unavailable",
        "automation": WRONG,
    }
    assert wait(session, "failed")["problem"] == problem[what]


@pytest.mark.slow
def test_an_export_that_is_ended_leaves_nothing(session: Session) -> None:
    session.take('{"do": "export", "what": "mix", "name": "gone"}')
    time.sleep(1.0)
    session.take('{"do": "cancel_export", "job": 1}')
    assert wait(session, "cancelled")["files"] == []
    assert session.keep is not None
    left = list(session.keep.exports.iterdir()) if session.keep.exports.is_dir() else []
    assert left == []


@pytest.mark.slow
def test_a_project_is_opened_as_it_was_left(session: Session, folder: Path, tmp_path: Path) -> None:
    project = session.project
    session.seek(44100 * 2)
    row = session.player.course.row(44100)
    session.take('{"do": "look", "view": "timeline"}')
    session.close()
    again = begin(Keep(tmp_path / "project"), None, parts=(Saving, Exports))
    assert again.project == project
    assert np.array_equal(again.player.course.row(44100), row)
    assert again.position == 44100 * 2
    assert again.snapshot()["saving"]["view"] == "timeline"
    again.close()


@pytest.mark.slow
def test_an_older_save_is_brought_back_and_can_be_undone(session: Session) -> None:
    session.take('{"do": "keep_save", "note": "before"}')
    before = session.project
    assert session.keep is not None
    (number, *_) = [save["number"] for save in session.keep.list() if save["note"] == "before"]
    session.change(before.model_copy(update={"clips": ()}), "remove")
    after = session.project
    session.take(f'{{"do": "restore", "number": {number}}}')
    assert session.project == before
    session.go_back()
    assert session.project == after
    assert session.keep.newest().project == after  # type: ignore[union-attr]


@pytest.fixture
def pair(folder: Path, tmp_path: Path) -> Iterator[Session]:
    """Two tracks at one mix's beats, known by their beats."""
    for name, bpm in (("track_a", 120.0), ("track_b", 126.0)):
        beats = ", ".join(f"{60 / bpm * n:.6f}" for n in range(int(SECONDS * bpm / 60)))
        (folder / name / "track.json").write_text(f'{{"beats": [{beats}]}}')
    parts = (Saving, Exports, Transporting, Timeline)
    session = begin(Keep(tmp_path / "project"), origin(folder, sync="bar", at=4.0), parts=parts)
    yield session
    session.close()


@pytest.mark.slow
def test_two_tracks_in_time_become_a_set_and_a_project_for_daws(pair: Session, tmp_path: Path) -> None:
    from djgraph.daw.dawproject_read import read_dawproject
    from djgraph.sets.build import plan_set

    lane = Lane(
        control="track_b.drums.lpf", points=(LanePoint(at=1.0, value=0.2), LanePoint(at=3.0, value=0.9))
    )
    pair.change(pair.project.with_lane(lane), "draw")
    assert pair.opened is not None
    path = tmp_path / "mine.set.yaml"
    written = export(Job(what="set", path=str(path), project=pair.project), opened=pair.opened)
    assert [file.name for file in written.files] == ["mine.set.yaml", "mine.set.moves.yaml"]
    plan = plan_set(path)
    synced = pair.opened.synced
    assert synced is not None
    assert [track.input for track in plan.tracks] == ["track_a", "track_b"]
    for track in plan.tracks:
        place = synced.places[track.input]
        for second in (0.5, 1.7, 3.1):
            (there,) = track.mix_seconds(second)
            assert there == pytest.approx(plan.tempo.seconds(place.mix_beat(second)), abs=1e-6)
    frames = plan.automation.render_exact(pair.mixer, samples=plan.samples, sample_rate=44100)
    course, column = pair.player.course, pair.mixer.layout.index("track_b.drums.lpf")
    for place, row in zip(frames.positions.tolist(), frames.params.numpy(), strict=True):
        assert course.row(place)[column] == pytest.approx(row[column], abs=1e-6)
    out = tmp_path / "mine.dawproject"
    export(Job(what="daw", path=str(out), project=pair.project), opened=pair.opened)
    assert len(read_dawproject(out).groups) == 2


@pytest.mark.slow
def test_tracks_in_time_follow_the_tempo(pair: Session, folder: Path, tmp_path: Path) -> None:
    """As if they had been placed at it in the first place: on the page, undone, opened again, and in an export."""

    def heard(session: Session) -> torch.Tensor:
        return torch.cat(tuple(session.player.feed.read(88200, 4096)["track_b"].values()))

    before, seconds = heard(pair), pair.seconds
    told: list[dict[str, Any]] = []
    pair.listen(told.append)
    pair.seek(88200)
    pair.take('{"do": "tempo", "bpm": 140}')
    placed = begin(
        Keep(tmp_path / "placed"),
        origin(folder, sync="bar", at=4.0, tempo=(140.0,)),
        parts=(Saving, Exports, Transporting),
    )
    wanted = heard(placed)
    placed.close()
    assert not torch.equal(wanted, before)
    assert torch.equal(heard(pair), wanted)
    assert pair.position == round(88200 * 120 / 140)  # beat 4
    assert pair.seconds < seconds
    assert [event["seconds"] for event in told if event["event"] == "project"][-1] == pair.seconds
    path = tmp_path / "mix.wav"
    export(Job(what="mix", path=str(path), project=pair.project))
    assert audio.read(path)[0].shape[-1] == pair.player.feed.samples
    pair.take('{"do": "undo"}')
    assert torch.equal(heard(pair), before)
    assert pair.seconds == seconds
    with pytest.raises(InputError, match="times as fast"):
        pair.take('{"do": "tempo", "bpm": 25}')
    assert pair.project.clock.bpm(0) == 120
    pair.take('{"do": "redo"}')
    project = pair.project
    pair.close()
    again = begin(Keep(tmp_path / "project"), None, parts=(Saving, Exports))
    assert again.project == project
    assert torch.equal(heard(again), wanted)
    again.close()


@pytest.mark.slow
def test_tracks_of_the_demo_are_written_beside_a_project_for_daws(tmp_path: Path) -> None:
    session = begin(Keep(tmp_path / "project"), Origin(), parts=(Saving, Exports))
    out = tmp_path / "demo.dawproject"
    written = export(Job(what="daw", path=str(out), project=session.project), opened=session.opened)
    assert written.files == (out, tmp_path / "demo stems")
    drums = audio.read(tmp_path / "demo stems" / "track_b" / "drums.wav")[0]
    fed = session.player.feed.read(0, session.player.feed.samples)["track_b"]["drums"]
    assert float((drums - fed).abs().max()) < 2e-7  # 24 bits
    session.close()
