"""Edits of lanes and recipes; undo and redo; two versions."""

from __future__ import annotations

from typing import Any

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

import djgraph
from djgraph.errors import DJGraphError
from djgraph.studio.history import DEPTH, History
from djgraph.studio.project import Lane, LanePoint, Project
from djgraph.studio.session import Session

from .small import say, silent

GAIN = "track_a.drums.gain"
SAMPLES = 44100 * 8


@pytest.fixture(scope="module")
def mixer() -> djgraph.Mixer:
    return djgraph.compile("dj_mixer")


@pytest.fixture
def session(mixer: djgraph.Mixer) -> Any:
    made = silent(mixer, SAMPLES)
    yield made
    made.close()


def _lane(*pairs: tuple[float, float], control: str = GAIN) -> dict[str, Any]:
    return {"control": control, "points": [{"at": at, "value": value} for at, value in pairs]}


# ── Undo and redo ───────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.sampled_from(["edit", "drag", "undo", "redo"]), max_size=60))
@settings(max_examples=examples(100), deadline=None)
def test_undo_and_redo_walk_along_what_was(steps: list[str]) -> None:
    history = History(Project())
    states, at, dragged = [history.project], 0, False
    for number, step in enumerate(steps):
        if step in ("edit", "drag"):
            made = Project(name=str(number))
            history.change(made, step, "one" if step == "drag" else "")
            if step == "drag" and dragged:
                states[at] = made
            else:
                at += 1
            states[at:] = [made]
            dragged = step == "drag"
        elif step == "undo":
            assert (history.undo() is None) == (at == 0)
            at = max(0, at - 1)
            dragged = dragged and at > 0 and _is_drag(history)
        else:
            assert (history.redo() is None) == (at == len(states) - 1)
            at = min(len(states) - 1, at + 1)
        dragged = _is_drag(history)
        assert history.project is states[at]
    before, after = history.labels
    assert (before is None) == (at == 0)
    assert (after is None) == (at == len(states) - 1)


def _is_drag(history: History) -> bool:
    return history.labels[0] == "drag"


edits = st.one_of(
    st.builds(
        lambda control, at, value: {"do": "draw", "lane": _lane((at, value), control=control)},
        st.sampled_from([GAIN, "track_b.bass.gain"]),
        st.integers(0, 15),
        st.floats(0, 1),
    ),
    st.builds(
        lambda start, number: {
            "do": "place",
            "number": number,
            "recipe": "cut",
            "start": start,
            "length": 1.0,
        },
        st.integers(0, 14),
        st.sampled_from([0, 1]),
    ),
    st.builds(lambda letter: {"do": "switch", "letter": letter}, st.sampled_from(["A", "B"])),
    st.sampled_from([{"do": "copy"}, {"do": "remove", "numbers": [1]}, {"do": "unfold", "numbers": [1]}]),
)


@given(st.lists(edits, max_size=12))
@settings(max_examples=examples(40), deadline=None)
def test_whatever_was_done_is_undone_and_done_again(
    mixer: djgraph.Mixer, messages: list[dict[str, Any]]
) -> None:
    session = silent(mixer, SAMPLES)
    states = [session.project]
    for message in messages:
        before = session.history.labels[0], session.project
        try:
            say(session, **message)
        except DJGraphError:  # a recipe that there is not
            assert (session.history.labels[0], session.project) == before
        if session.project is not before[1]:
            states.append(session.project)
    for state in reversed(states[:-1]):
        say(session, do="undo")
        assert session.project == state
    for state in states[1:]:
        say(session, do="redo")
        assert session.project == state
    session.close()


def test_history_ends_somewhere() -> None:
    history = History(Project())
    for number in range(DEPTH + 10):
        history.change(Project(name=str(number)), "edit")
    undone = 0
    while history.undo() is not None:
        undone += 1
    assert undone == DEPTH
    assert history.project.name == "9"


# ── Lanes ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_several_lanes_are_one_edit(session: Session) -> None:
    other = "track_b.drums.gain"
    say(session, do="edit", what="paste", lanes=[_lane((0, 1), (4, 0)), _lane((0, 0), control=other)])
    assert [lane.control for lane in session.project.lanes] == [GAIN, other]
    say(session, do="undo")
    assert session.project.lanes == ()
    say(session, do="redo")
    assert len(session.project.lanes) == 2
    say(session, do="edit", what="clear", lanes=[_lane()])
    assert [lane.control for lane in session.project.lanes] == [other]


@pytest.mark.parametrize(
    ("lane", "fault"),
    [
        (_lane((0, 1), control="track_a.drums.gian"), "did you mean"),
        (_lane((4, 1), (2, 0)), "order of time"),
        (_lane((0, 7)), "out of the range"),
    ],
)
def test_lanes_that_cannot_be_change_nothing(session: Session, lane: Any, fault: str) -> None:
    before = session.project
    with pytest.raises(DJGraphError, match=fault):
        say(session, do="edit", what="draw", lanes=[_lane((0, 1), control="track_b.bass.gain"), lane])
    assert session.project is before


# ── Recipes ─────────────────────────────────────────────────────────────────────────────────────────────────


def _place(session: Session, **more: Any) -> None:
    given = {"recipe": "linear", "start": 2.0, "length": 8.0, **more}
    say(session, do="place", **given)


def test_a_recipe_moves_what_it_names(session: Session) -> None:
    _place(session)
    rate = session.mixer.graph.sample_rate
    middle = session.player.course.row(round(3.0 * rate))  # 2 + 4 beats at 120 BPM
    assert middle[session.mixer.layout.index(GAIN)] == pytest.approx(0.5, abs=1e-4)
    _place(session, number=1, settings={"a": "track_b", "b": "track_a"})
    begin = session.player.course.row(0)
    assert begin[session.mixer.layout.index(GAIN)] == 0
    say(session, do="remove", numbers=[1])
    assert session.player.course.row(0)[session.mixer.layout.index(GAIN)] == 1


def test_lanes_made_of_a_recipe_sound_as_it_does(session: Session) -> None:
    _place(session, recipe="equal_power")
    samples = range(0, session.player.feed.samples, 1000)
    before = [session.player.course.row(sample) for sample in samples]
    say(session, do="unfold", numbers=[1])
    assert session.project.clips == ()
    assert session.project.lane(GAIN).points
    for sample, row in zip(samples, before):
        assert session.player.course.row(sample) == pytest.approx(row, abs=1e-6)


def test_several_recipes_are_one_edit(session: Session) -> None:
    spots = [{"recipe": "linear", "start": float(4 * i), "length": 2.0} for i in range(3)]
    say(session, do="arrange", what="paste 3 recipes", clips=spots)
    assert [(clip.id, clip.start) for clip in session.project.clips] == [(1, 0), (2, 4), (3, 8)]
    later = [{**spot, "number": i, "start": spot["start"] + 1} for i, spot in enumerate(spots, 1)]
    before = session.project
    with pytest.raises(DJGraphError, match="no recipe number 9"):
        say(session, do="arrange", what="move", clips=[*later, {**spots[0], "number": 9}])
    assert session.project is before
    say(session, do="arrange", what="move 3 recipes", clips=later)
    assert [clip.start for clip in session.project.clips] == [1, 5, 9]
    assert session.history.labels[0] == "move 3 recipes"
    say(session, do="undo")
    assert session.project == before
    say(session, do="remove", numbers=[1, 3])
    assert session.history.labels[0] == "remove 2 recipes"
    say(session, do="undo")
    say(session, do="undo")
    assert session.project.clips == ()


def test_one_recipe_behind_another(session: Session) -> None:
    _place(session, start=0.0, length=4.0)
    _place(session, start=8.0, length=4.0, settings={"a": "track_b", "b": "track_a"})
    index, rate = session.mixer.layout.index(GAIN), session.mixer.graph.sample_rate
    heard = [float(session.player.course.row(round(beat / 2 * rate))[index]) for beat in (0, 2, 4, 6, 10, 12)]
    assert heard == pytest.approx([1, 0.5, 0, 0, 0.5, 1], abs=1e-3)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"recipe": "../../etc/passwd"}, "no recipe"),
        ({"recipe": "automation: 1\ncurves: []"}, "no recipe"),
        ({"recipe": "liner"}, "did you mean 'linear'"),
        ({"start": 15.0}, "does not fit the clip"),
        ({"settings": {"sped": 1.0}}, "no argument 'sped'"),
        ({"settings": {"a": "track_c"}}, "track_c"),
        ({"number": 7}, "no recipe number 7"),
    ],
)
def test_recipes_that_cannot_be_change_nothing(session: Session, more: dict[str, Any], fault: str) -> None:
    before = session.project
    with pytest.raises(DJGraphError, match=fault):
        _place(session, **more)
    assert session.project is before


def test_a_page_is_told_of_recipes_and_their_courses(session: Session) -> None:
    told = session.snapshot()
    assert {one["name"] for one in told["recipes"]} >= {"linear", "bass_swap"}
    assert all(one["problem"] is None for one in told["recipes"])
    events: list[Any] = []
    session.listen(events.append)
    _place(session)
    (clips,) = [event["clips"] for event in events if event["event"] == "clips"]
    assert [point["at"] for point in clips[0]["lanes"][GAIN]] == [2.0, 10.0]


# ── Two versions ────────────────────────────────────────────────────────────────────────────────────────────


def test_versions_are_apart_and_undone(session: Session) -> None:
    say(session, do="draw", lane=_lane((0, 0.5)))
    say(session, do="switch", letter="B")
    assert session.project.letter == "B"
    assert session.project.lane(GAIN).points[0].value == 0.5
    say(session, do="draw", lane=_lane((0, 0.25)))
    say(session, do="switch", letter="A")
    assert session.project.letter == "A"
    assert session.project.lane(GAIN).points[0].value == 0.5
    say(session, do="switch", letter="B")
    assert session.project.lane(GAIN).points[0].value == 0.25
    say(session, do="copy")
    say(session, do="switch", letter="A")
    assert session.project.lane(GAIN).points[0].value == 0.25
    for _ in range(7):
        say(session, do="undo")
    assert session.project == Project(name=session.project.name)


def test_a_project_with_two_versions_is_one_value() -> None:
    other = Project(letter="B").with_lane(Lane(control=GAIN, points=(LanePoint(at=1, value=0.5),)))
    project = Project(other=other)
    assert Project.model_validate_json(project.model_dump_json()) == project
    with pytest.raises(ValueError, match="two versions"):
        Project(other=Project(other=other))
