"""Proposals: heard without a change, taken whole, in part, in a region, into the other version; undone; dismissed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from djgraph.errors import InputError
from djgraph.studio.project import Clip, Lane, LanePoint
from djgraph.studio.proposal import Proposal
from djgraph.studio.session import Session

from .small import RATE, say, session


def _lane(control: str, *points: tuple[float, float]) -> Lane:
    return Lane(control=control, points=tuple(LanePoint(at=at, value=value) for at, value in points))


FALL = _lane("left.gain", (0.0, 1.0), (6.0, 0.0))  # over 3 s at 120 BPM


@pytest.fixture
def opened() -> Iterator[Session]:
    made = session()
    made.propose(Proposal(made.next_proposal(), "a test", "fit", {"left.gain": FALL}, whole=True))
    yield made
    made.close()


def _gains(opened: Session, seconds: float) -> tuple[float, float]:
    """What is played at a second, of left and right."""
    row, layout = opened.player.course.row(round(seconds * RATE)), opened.mixer.layout
    return float(row[layout.index("left.gain")]), float(row[layout.index("right.gain")])


def test_it_is_heard_and_nothing_is_changed(opened: Session) -> None:
    before = opened.project
    assert _gains(opened, 1.5) == (1.0, 1.0)
    say(opened, do="audition", on=True)
    assert _gains(opened, 1.5)[0] == pytest.approx(0.5, abs=1e-3)
    assert opened.project is before
    assert opened.snapshot()["auditioned"]
    # An edit meanwhile is kept, and what is proposed is still what sounds.
    say(opened, do="draw", lane=_lane("left.gain", (0.0, 0.25)).model_dump(mode="json"))
    assert _gains(opened, 1.5)[0] == pytest.approx(0.5, abs=1e-3)
    say(opened, do="audition", on=False)
    assert _gains(opened, 1.5)[0] == pytest.approx(0.25)
    say(opened, do="audition", on=True)
    say(opened, do="dismiss")
    assert _gains(opened, 1.5)[0] == pytest.approx(0.25)
    assert not opened.snapshot()["auditioned"]


def test_all_of_a_whole_one_leaves_nothing_else(opened: Session) -> None:
    project = opened.project.model_copy(update={"values": {"right.gain": 0.3}})
    opened.change(project, "move right.gain")
    clip = Clip(id=1, recipe="cut", start=2.0, length=1.0)
    opened.change(opened.project.with_clip(clip), "add cut")
    assert _gains(opened, 2.9)[0] == pytest.approx(0.0)
    before = opened.project
    say(opened, do="take")
    assert [_gains(opened, s) for s in (0.0, 1.5, 2.9)] == [
        pytest.approx((1 - s / 3, 1.0), abs=1e-3) for s in (0.0, 1.5, 2.9)
    ]
    say(opened, do="undo")
    assert opened.project == before


def test_a_region_leaves_the_rest_as_it_was(opened: Session) -> None:
    own = _lane("left.gain", (0.0, 0.2), (6.0, 0.8))
    opened.change(opened.project.with_lane(own), "draw")
    say(opened, do="take", region=[2.0, 4.0])
    for second in (0.0, 0.5, 0.99, 2.01, 2.5, 2.95):
        assert _gains(opened, second)[0] == pytest.approx(0.2 + 0.2 * second, abs=2e-3)
    for second in (1.01, 1.3, 1.5, 1.99):
        assert _gains(opened, second)[0] == pytest.approx(1 - second / 3, abs=2e-3)
    assert len(opened.project.lane("left.gain").points) < 12


def test_the_other_version_gets_it(opened: Session) -> None:
    say(opened, do="take", into="other")
    assert opened.project.lanes == ()
    say(opened, do="switch", letter="B")
    assert opened.project.lanes == (FALL,)
    say(opened, do="switch", letter="A")
    assert opened.project.lanes == ()


def test_one_control(opened: Session) -> None:
    say(opened, do="take", controls=["left.gain"])
    assert opened.project.lanes == (FALL,)
    with pytest.raises(InputError, match=r"did you mean 'left\.gain'"):
        say(opened, do="take", controls=["left.gian"])
    opened.propose(Proposal(opened.next_proposal(), "a model", "model", {"left.gain": FALL}))
    with pytest.raises(InputError, match=r"nothing is proposed for right\.gain"):
        say(opened, do="take", controls=["right.gain"])
    with pytest.raises(InputError, match="empty"):
        say(opened, do="take", region=[3.0, 3.0])
