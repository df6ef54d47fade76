"""A fit from the studio: what it proposes, how it is taken, stopped, and how its crash is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import djgraph
from djgraph.analysis import Grid
from djgraph.decks import MemoryMaterial
from djgraph.errors import InputError
from djgraph.playing import MemoryFeed
from djgraph.studio.curves import automation_of
from djgraph.studio.folders import SOUND, file_named, files_in
from djgraph.studio.jobs import Job, JobError
from djgraph.studio.messages import WRONG
from djgraph.studio.parts import PARTS
from djgraph.studio.parts.fitting import Fitting
from djgraph.studio.session import Session
from djgraph.studio.target import Target

from .small import GRAPH, RATE, SECONDS, mixed, moves, say, session, tracks, until


@pytest.fixture
def opened() -> Iterator[Session]:
    made = session()
    mix = mixed(made.mixer, tracks(), moves())
    made.target = Target("mix.wav", mix)
    yield made
    made.close()


def _fit(opened: Session, **more: Any) -> dict[str, Any]:
    say(opened, do="fit", steps=2, **more)
    state: dict[str, Any] = until(
        lambda: (s := opened.snapshot()["fit"])["state"] in ("done", "failed", "stopped") and s, "the fit"
    )
    assert state["state"] == "done", state
    until(lambda: opened.proposal is not None, "the proposal")
    return state


@pytest.mark.slow
def test_a_fit_is_proposed_taken_and_heard(opened: Session) -> None:
    heard: list[dict[str, Any]] = []
    opened.listen(heard.append)
    state = _fit(opened)
    assert state["report"]["si_sdr_db"] > 30
    assert not state["report"]["warnings"]
    assert len(state["losses"]) >= 2
    assert state["losses"][0][0] == "guess"
    assert state["losses"][-1][1] == state["loss"]
    stages = [event["fit"]["stage"] for event in heard if event["event"] == "fit"]
    assert "listening" in stages
    assert "curves" in stages
    # The same by the library.
    expected = djgraph.fit(opened.mixer, tracks(), opened.target.audio, steps=2, tempo=120.0)  # type: ignore[union-attr]
    found = expected.automation.render(opened.mixer.layout, duration=SECONDS, n_frames=151)
    assert opened.project.lanes == ()
    say(opened, do="take")
    auto = automation_of(opened.project, opened.mixer.layout, SECONDS)
    got = auto.render(opened.mixer.layout, duration=SECONDS, n_frames=151)
    torch.testing.assert_close(got, found, atol=2e-3, rtol=0)
    # What is played is the target again.
    again = mixed(opened.mixer, tracks(), auto)
    wanted = opened.target.audio  # type: ignore[union-attr]
    assert float((again - wanted).pow(2).sum() / wanted.pow(2).sum()) < 1e-3
    say(opened, do="undo")
    assert opened.project.lanes == ()
    assert opened.proposal is not None
    drawn = opened.proposal.drawn()
    assert set(drawn["bands"]) == {"left.gain", "right.gain"}
    say(opened, do="dismiss")
    assert opened.proposal is None


@pytest.mark.slow
def test_a_fit_of_a_region_lies_where_the_region_is(opened: Session) -> None:
    _fit(opened, region=[2.0, 5.0], level=0)  # 1 to 2.5 s at 120 BPM
    proposal = opened.proposal
    assert proposal is not None
    assert proposal.region == (2.0, 5.0)
    assert min(p.at for lane in proposal.lanes.values() for p in lane.points) >= 2.0
    say(opened, do="take", controls=["left.gain"], region=[2.0, 5.0])
    auto = automation_of(opened.project, opened.mixer.layout, SECONDS)
    got = auto.render(opened.mixer.layout, n_frames=31, duration=SECONDS)
    known = moves().render(opened.mixer.layout, n_frames=31, duration=SECONDS)
    index = opened.mixer.layout.index("left.gain")
    assert float((got - known)[11:25, index].abs().max()) < 0.03
    rest = opened.mixer.layout.default[index]
    assert torch.allclose(got[[0, 5, 9, 26, 30], index], rest)


def test_of_tracks_that_sources_play_it_says_beforehand_that_there_is_no_fit() -> None:
    graph = {**GRAPH, "inputs": [{"name": "left", "source": "deck"}, {"name": "right"}]}
    track = torch.zeros(2, RATE, dtype=torch.float32, device="cpu")
    material = {"left": MemoryMaterial({"left": track}, Grid.at_tempo(120.0, meter=4))}
    made = Session(djgraph.compile(graph), MemoryFeed({"right": track}, material), parts=PARTS)
    try:
        why = made.snapshot()["fit_targets"]["why_not"]
        assert why.startswith("left is played by sources of the graph")
        with pytest.raises(InputError, match="left is played by sources"):
            say(made, do="fit")
    finally:
        made.close()


@pytest.mark.slow
def test_a_fit_that_is_stopped_says_what_it_found_or_that_there_is_nothing(opened: Session) -> None:
    say(opened, do="fit", steps=200)
    with pytest.raises(InputError, match="under way"):
        say(opened, do="fit")
    say(opened, do="fit_stop")
    state = until(
        lambda: (s := opened.snapshot()["fit"])["state"] in ("done", "failed", "stopped") and s, "the end"
    )
    assert state["state"] in ("done", "stopped"), state
    until(lambda: not opened.part(Fitting)._job.running, "the thread")  # type: ignore[union-attr]
    with pytest.raises(InputError, match="no fit"):
        say(opened, do="fit_stop")


@pytest.mark.slow
def test_what_cannot_be_fitted_is_told(opened: Session) -> None:
    opened.target = Target("noise.wav", 0.1 * torch.randn(2, round(SECONDS * RATE)))
    say(opened, do="fit")
    state = until(lambda: (s := opened.snapshot()["fit"])["state"] == "failed" and s, "the refusal")
    assert "does not sound like a mix of these stems" in state["message"]


def test_what_cannot_begin(opened: Session) -> None:
    opened.target = None
    with pytest.raises(InputError, match="no target"):
        say(opened, do="fit")
    with pytest.raises(InputError, match="not in a folder that was given"):
        say(opened, do="fit", target="../../etc/passwd")
    with pytest.raises(InputError, match="at least"):
        say(opened, do="fit", region=[1.0, 1.0])
    for message in ("take", "dismiss"):
        with pytest.raises(InputError, match="nothing is proposed"):
            say(opened, do=message)


def test_pages_choose_among_given_folders_alone(tmp_path: Path) -> None:
    given, other = tmp_path / "given", tmp_path / "other"
    (given / "deep").mkdir(parents=True)
    other.mkdir()
    for path in (given / "a.wav", given / "deep" / "b.FLAC", given / "c.txt", other / "d.wav"):
        path.write_bytes(b"")
    (given / "link.wav").symlink_to(other / "d.wav")
    (given / "way").symlink_to(other)
    assert list(files_in([given, given], SOUND)) == ["given/a.wav", "given/deep/b.FLAC"]
    assert file_named("given/a.wav", [given], SOUND) == given / "a.wav"
    for name in ("given/../other/d.wav", "given/link.wav", str(other / "d.wav"), "given/c.txt", ""):
        with pytest.raises(InputError):
            file_named(name, [given], SOUND)


# ── Jobs ────────────────────────────────────────────────────────────────────────────────────────────────────


def _count(spec: int, folder: Path, tell: Any, stopped: Any) -> dict[str, Any]:
    for number in range(spec):
        tell({"number": number})
    return {"sum": sum(range(spec))}


def _waits(spec: int, folder: Path, tell: Any, stopped: Any) -> dict[str, Any]:
    tell({"waiting": True})
    while not stopped():
        pass
    return {"stopped": True}


def _crashes(spec: str, folder: Path, tell: Any, stopped: Any) -> dict[str, Any]:
    if spec == "raise":
        raise ZeroDivisionError("nothing to divide by")
    if spec == "refuse":
        raise InputError("this cannot be")
    os._exit(3)


def _job(work: Any, spec: Any) -> tuple[Job, list[Any], list[Any]]:
    news: list[Any] = []
    ended: list[Any] = []
    job = Job(
        work,
        lambda folder, going: spec,
        news.append,
        lambda found, folder: ended.append((found, folder)),
        lambda problem: ended.append((problem, None)),
    )
    return job, news, ended


@pytest.mark.slow
def test_a_job_tells_and_ends() -> None:
    _, news, ended = _job(_count, 5)
    ((found, folder),) = until(lambda: ended, "its end")
    assert found == {"sum": 10}
    assert [one["number"] for one in news] == list(range(5))
    until(lambda: not folder.exists(), "the folder is gone")


@pytest.mark.slow
def test_a_job_is_stopped_and_killed() -> None:
    job, news, ended = _job(_waits, 0)
    until(lambda: news, "it has begun")
    job.stop()
    assert until(lambda: ended, "its end")[0][0] == {"stopped": True}
    job, news, ended = _job(_waits, 0)
    until(lambda: news, "it has begun")
    job.close()
    assert isinstance(ended[0][0], JobError)
    assert ended[0][0].kind == "Stopped"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("raise", "the job broke off: ZeroDivisionError: nothing to divide by"),
        ("refuse", "this cannot be"),
        ("exit", "the job broke off"),
    ],
)
def test_a_crash_is_told_without_a_traceback(how: str, said: str) -> None:
    _, _, ended = _job(_crashes, how)
    problem = until(lambda: ended, "its end")[0][0]
    assert isinstance(problem, JobError)
    assert str(problem).endswith(said)
    assert "Traceback" not in str(problem)


def _breaks(*_: Any) -> Any:
    raise ZeroDivisionError("nobody has foreseen this")


@pytest.mark.parametrize(
    "where", ["prepare", *(pytest.param(one, marks=pytest.mark.slow) for one in ("news", "done"))]
)
def test_no_job_goes_on_for_ever(where: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong in what is called, the end is told, the process is gone, and a log has the traceback."""
    failed: list[JobError] = []
    calls: dict[str, Any] = {"prepare": lambda *_: 3, "news": lambda *_: None, "done": lambda *_: None}
    calls[where] = _breaks
    job = Job(
        _waits if where == "news" else _count, calls["prepare"], calls["news"], calls["done"], failed.append
    )
    (problem,) = until(lambda: failed, "its end")
    assert (str(problem), problem.kind) == (WRONG, "")
    until(lambda: not job.running, "its thread")
    assert job._process is None or not job._process.is_alive()
    assert "nobody has foreseen this" in caplog.text
