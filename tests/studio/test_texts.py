"""A graph's text in the studio: checked, kept, and made what plays."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import djgraph
from djgraph.errors import DJGraphError
from djgraph.playing import MemoryFeed
from djgraph.studio.checking import findings
from djgraph.studio.graph_file import BEFORE, Kept, digest_of
from djgraph.studio.parts import PARTS
from djgraph.studio.parts.texts import Texts
from djgraph.studio.project import Clip, Lane, LanePoint
from djgraph.studio.session import Session
from djgraph.studio.worker import Worker, _answer

PATIENCE = 90
RATE = 44100
MIXER = """\
djgraph: 1
name: mine
inputs:
  - name: track
mixer:
  - strip: deck
    input: track
    chain:
      - gain
      - effect: delay
        settings: {time: 50}
        controls: {mix: {default: 0.5}}
    to: out
  - bus: out
    chain: [gain]
outputs: [out]
"""
GAIN, MIX = "deck.gain.gain", "deck.delay.mix"


class Direct(Worker):
    """Checks in this process, for tests that are not about the other one."""

    def ask(self, what: str, **question: Any) -> dict[str, Any]:
        assert what == "check"
        return findings(**question)

    def begin(self) -> None:
        pass


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., tuple[Session, Path]]]:
    sessions: list[Session] = []

    def open_(text: str = MIXER, shipped: str = "") -> tuple[Session, Path]:
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        mixer = djgraph.compile(shipped or str(path))
        torch.manual_seed(1)
        feed = MemoryFeed({"track": 0.1 * torch.randn(2, RATE * 8)})
        session = Session(mixer, feed, parts=PARTS)
        texts = _texts(session)
        texts.worker = Direct()
        texts._reloading._lead = 0.2
        sessions.append(session)
        return session, path

    yield open_
    for session in sessions:
        session.close()


def _texts(session: Session) -> Texts:
    texts = session.part(Texts)
    assert texts is not None
    return texts


def _say(session: Session, **message: Any) -> None:
    session.take(json.dumps(message))


def _save(session: Session, text: str, wait: bool = True) -> dict[str, Any]:
    """Save a text, and play silently until it is what plays; what was said last."""
    texts = _texts(session)
    wish = texts._last["wish"] + 1
    _say(session, do="save_text", text=text, over=texts.document()["digest"])
    return _settled(session, wish) if wait else {}


def _settled(session: Session, wish: int) -> dict[str, Any]:
    texts, ends = _texts(session), time.monotonic() + PATIENCE
    while texts._last["wish"] < wish or texts._last["stage"] not in ("done", "failed"):
        assert time.monotonic() < ends
        if session.player.transport.playing:
            session.player.block(512)
        time.sleep(0.01)
    return texts._last


# ── Checking ────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_wrong_is_said_as_validate_says_it(tmp_path: Path) -> None:
    text = MIXER.replace("effect: delay", "effect: dellay").replace("to: out", "to: outt")
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(DJGraphError) as raised:
        djgraph.validate(path)
    found = findings(text, str(path))["problems"]
    assert [one["line"] for one in found] == [problem.position.line for problem in raised.value.problems]  # type: ignore[attr-defined]
    words = str(raised.value)
    for one in found:
        assert one["level"] == "error"
        assert f":{one['line']}:{one['column']}: {one['message']}" in words
        assert f"did you mean: {one['guess']}" in words
    assert [one["guess"] for one in found] == ["delay", "out"]


def test_a_sound_text_has_warnings_and_a_size() -> None:
    found = findings(MIXER.replace("    to: out\n", ""))
    assert found["name"] == "mine"
    assert found["controls"] == 4
    assert all(one["level"] == "warning" and one["line"] for one in found["problems"])
    assert found["problems"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "a: [" * 5000,
        "a: &a [*a]",
        "x: " + "9" * 5000,
        "!!python/object/apply:os.system ['true']",
        "\ud800",
        "- " * 100_000,
        MIXER.replace("delay", "../../etc/passwd"),
        MIXER + "graphs: {fx: ../other.yaml}\n",
        "a" * 1_100_000,
        "x: &a [1]\n" + "".join(f"{y}: &{y} [{','.join(['*' + x] * 9)}]\n" for x, y in pairwise("abcdefgh")),
    ],
    ids=range(12),
)
def test_hostile_texts_are_refused_in_words(text: str) -> None:
    problems = findings(text)["problems"]
    assert problems
    json.dumps(problems)
    assert all(one["message"] and "Traceback" not in one["message"] for one in problems)


def test_what_goes_wrong_inside_is_told_in_the_terminal(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A page hears that something did; whoever started the studio sees what."""

    def broken(**_: Any) -> dict[str, Any]:
        raise AssertionError("there is no such node")

    answer = _answer({"check": broken}, {"do": "check", "text": ""})
    worker, asked = Worker(), io.StringIO()

    def started() -> Any:
        worker._answers.put(json.dumps(answer))
        return SimpleNamespace(stdin=asked)

    monkeypatch.setattr(worker, "_started", started)
    with pytest.raises(DJGraphError, match="this went wrong inside the studio"):
        worker.ask("check", text="")
    assert json.loads(asked.getvalue()) == {"do": "check", "text": ""}
    assert "AssertionError: there is no such node" in caplog.text


@pytest.mark.slow
def test_a_process_that_takes_too_long_is_ended_and_comes_back() -> None:
    worker = Worker(deadline=60)
    try:
        assert worker.ask("check", text=MIXER)["name"] == "mine"
        first = worker._process
        worker._deadline = 0.0
        with pytest.raises(DJGraphError, match="took longer"):
            worker.ask("check", text=MIXER + "\n" * 100_000)
        assert first is not None
        assert first.poll() is not None
        worker._deadline = 60
        assert worker.ask("check", text=MIXER.replace("delay", "dellay"))["problems"]
        drawn = worker.ask("draw", text=MIXER, file=None, args={}, theme="dark")
        assert drawn["tag"] == "svg"
        assert "'data-of': 'deck.delay'" in str(drawn)
        with pytest.raises(DJGraphError):
            worker.ask("draw", text="", file=None, args={}, theme="dark")
    finally:
        worker.close()
    with pytest.raises(DJGraphError, match="ends"):
        worker.ask("check", text=MIXER)


# ── Keeping ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("one\n")
    kept = Kept(path)
    assert not kept.changed()
    copy = kept.write("two\n")
    assert copy is not None
    assert copy.parent.name == BEFORE
    assert (copy.read_text(), path.read_text()) == ("one\n", "two\n")
    assert not kept.changed()
    assert kept.write("two\n") is None
    path.write_text("three\n")
    assert kept.changed()
    assert not kept.changed()


def test_of_many_copies_the_newest_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("djgraph.studio.graph_file.KEPT", 3)
    path = tmp_path / "mine.yaml"
    path.write_text("0")
    kept = Kept(path)
    for number in range(1, 7):
        kept.write(str(number))
    assert sorted(one.read_text() for one in (tmp_path / BEFORE).iterdir()) == ["3", "4", "5"]


# ── Playing ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_saved_text_is_what_plays_and_values_stay_by_name(opened: Any) -> None:
    session, path = opened()
    _say(session, do="hold", control=GAIN, value=0.5)
    _say(session, do="release", control=GAIN)
    _say(session, do="hold", control=MIX, value=0.25)
    _say(session, do="listen", muted=["deck"], soloed=[])
    new = MIXER.replace("      - gain\n", "      - {effect: filter_knob}\n      - gain\n", 1)
    last = _save(session, new)
    assert last["stage"] == "done"
    assert path.read_text() == new
    layout = session.mixer.layout
    assert "deck.filter_knob.position" in layout or any("filter_knob" in name for name in layout.names)
    row = session.player.course.row(0)
    assert row[layout.index(GAIN)] == 0.5
    assert dict(session.player.hands.held) == {MIX: 0.25}
    over = session.player.hands.over(row, 0)
    assert over[layout.index(GAIN)] == 0  # muted
    assert any("filter_knob" in note for note in last["notes"])


def test_lanes_rest_while_their_control_is_gone(opened: Any) -> None:
    session, _ = opened()
    lane = Lane(control=MIX, points=(LanePoint(at=0, value=0.1), LanePoint(at=4, value=0.9)))
    session.change(session.project.with_lane(lane), "draw")
    without = MIXER.replace(MIXER[MIXER.index("      - effect: delay") : MIXER.index("    to: out")], "")
    last = _save(session, without)
    assert last["stage"] == "done"
    assert any(MIX in note and "resting" in note for note in last["notes"])
    assert session.project.lane(MIX) == lane
    session.moved()
    _save(session, MIXER)
    assert session.player.course.row(0)[session.mixer.layout.index(MIX)] == pytest.approx(0.1)


def test_recipes_that_a_graph_cannot_play_rest_and_come_back(opened: Any) -> None:
    session, _ = opened()
    clip = Clip(id=1, recipe="bass_swap", start=0, length=8)
    session.history.project = session.project.with_clip(clip)  # as if the graph had been another one
    last = _save(session, MIXER + "# another\n")
    assert last["stage"] == "done"
    assert any("bass_swap rests" in note for note in last["notes"])
    assert session.resting == (clip,)
    session.refresh()


def test_values_beyond_a_range_that_has_become_smaller(opened: Any) -> None:
    text = MIXER.replace("controls: {mix: {default: 0.5}}", "controls: {mix: {default: 0.5, max: 1.0}}")
    session, _ = opened(text)
    _say(session, do="hold", control=MIX, value=1.0)
    _say(session, do="release", control=MIX)
    lane = Lane(control=GAIN, points=(LanePoint(at=0, value=1.0), LanePoint(at=4, value=0.9)))
    session.change(session.project.with_lane(lane), "draw")
    last = _save(session, text.replace("max: 1.0", "max: 0.6"))
    assert last["stage"] == "done", last
    assert session.player.course.row(0)[session.mixer.layout.index(MIX)] == pytest.approx(0.6)


def test_a_wrong_text_is_kept_and_what_plays_goes_on(opened: Any) -> None:
    session, path = opened()
    before = session.mixer
    wrong = MIXER.replace("effect: delay", "effect: dellay")
    last = _save(session, wrong)
    assert last["stage"] == "failed"
    assert last["problems"][0]["guess"] == "delay"
    assert session.mixer is before
    assert path.read_text() == wrong
    assert _save(session, MIXER)["stage"] == "done"


def test_two_edits_quickly_one_after_another_end_with_the_second(opened: Any) -> None:
    session, path = opened()
    session.player.play()
    for _ in range(20):
        session.player.block(512)
    texts = _texts(session)
    first, second = MIXER.replace("time: 50", "time: 60"), MIXER.replace("time: 50", "time: 70")
    _save(session, first, wait=False)
    _save(session, second, wait=False)
    ends = time.monotonic() + PATIENCE
    while texts._played != second:
        assert time.monotonic() < ends
        session.player.block(512)
        time.sleep(0.005)
    assert path.read_text() == second
    _settled(session, 2)
    assert session.mixer.graph.by_id["deck.delay"].settings.time == 70  # type: ignore[union-attr]
    assert session.player.mixer is session.mixer
    # What plays is what the second text makes of the clip.
    at = session.player.transport.position
    heard = np.concatenate([session.player.block(512)[0] for _ in range(8)], 1)
    audio = session.player.feed.read(0, RATE * 8)["track"]
    with torch.no_grad():
        whole = session.mixer({"track": audio[None]}, session.mixer.layout.default[None, None])[0].numpy()
    np.testing.assert_allclose(heard, whole[:, at : at + heard.shape[1]], atol=2e-6)


def test_what_another_editor_has_written_is_not_overwritten_unasked(opened: Any) -> None:
    session, path = opened()
    other = MIXER + "# from elsewhere\n"
    told: list[dict[str, Any]] = []
    session.listen(told.append)
    path.write_text(other)
    with pytest.raises(DJGraphError, match="changed since"):
        _save(session, MIXER + "# from here\n", wait=False)
    assert path.read_text() == other
    assert any(event["event"] == "text" and event["disk"] == digest_of(other) for event in told)
    wish = _texts(session)._last["wish"] + 1
    _say(session, do="fetch_text")
    assert _settled(session, wish)["stage"] == "done"
    assert _texts(session).document()["text"] == other


def test_a_shipped_graph_is_kept_in_the_project_and_undone(opened: Any) -> None:
    session, _ = opened(shipped="dj_mixer")
    texts = _texts(session)
    text = texts.document()["text"]
    assert not texts.document()["own"]
    where = Path(session.mixer.graph.file)
    before = where.read_text()
    assert _save(session, text + "\n# mine\n")["stage"] == "done"
    assert where.read_text() == before
    assert session.project.graph == text + "\n# mine\n"
    _say(session, do="undo")
    assert _settled(session, 2)["stage"] == "done"
    assert session.project.graph == ""
    assert texts._played == text
    assert session.history.labels == (None, "edit the graph")
