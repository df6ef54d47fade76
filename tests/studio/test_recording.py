"""What hands play: as it was heard, in few points, in place of what the lane said meanwhile."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from playing.clips import tracks

import djgraph
from djgraph.automation import TempoMap
from djgraph.automation.shapes import SHAPES
from djgraph.effects import Control
from djgraph.playing import MemoryFeed, Run, Tape
from djgraph.studio.parts import PARTS
from djgraph.studio.parts.recording import Recording
from djgraph.studio.project import Lane, LanePoint, Project
from djgraph.studio.recording import ERROR, Ways, recorded, thin, value_at
from djgraph.studio.session import Session

from .small import say

RATE = 44100
SAMPLES = 40_000
GAIN, CUTOFF = "track_a.drums.gain", "track_a.drums.hpf"


@pytest.fixture(scope="module")
def mixer() -> djgraph.Mixer:
    return djgraph.compile("dj_mixer")


@pytest.fixture(scope="module")
def inputs(mixer: djgraph.Mixer) -> dict[str, Any]:
    return tracks(mixer.graph, SAMPLES)


@pytest.fixture
def session(mixer: djgraph.Mixer, inputs: Any) -> Any:
    made = Session(mixer, MemoryFeed(inputs), parts=PARTS)
    yield made
    made.close()


def _kept(session: Session) -> None:
    """Whether by the session's own watch or by this."""
    say(session, do="keep")


# ── Thinning ────────────────────────────────────────────────────────────────────────────────────────────────

LINEAR = Control(min=0.0, max=1.0, default=1.0)
HERTZ = Control(min=20.0, max=20000.0, default=1000.0, scale="log", unit="Hz")


@given(
    st.lists(st.tuples(st.integers(1, 512), st.floats(0, 1)), min_size=1, max_size=120),
    st.sampled_from([0.0, 0.002, 0.05]),
    st.sampled_from([LINEAR, HERTZ]),
)
@settings(max_examples=examples(60), deadline=None)
def test_thinned_lines_keep_to_their_error(
    frames: list[tuple[int, float]], error: float, control: Control
) -> None:
    at = np.cumsum([step for step, _ in frames]).astype(np.float64)
    values = control.min + np.array([share for _, share in frames]) * (control.max - control.min)
    ways = Ways(control)
    kept = thin(at, values, error, ways)
    assert kept == sorted(set(kept))
    assert kept[0] == 0
    assert kept[-1] == len(at) - 1
    lines = np.interp(at, at[kept], values[kept])
    assert np.abs(ways(lines) - ways(values)).max() <= error + 1e-9


def test_a_slow_turn_takes_few_points() -> None:
    at = np.arange(0, 44100 * 4, 512, dtype=np.float64)
    values = 0.5 - 0.5 * np.cos(at / at[-1] * np.pi)
    assert len(thin(at, values, ERROR, Ways(LINEAR))) < 40 < len(at)


# ── Runs in lanes ───────────────────────────────────────────────────────────────────────────────────────────

points = st.lists(
    st.tuples(st.integers(0, 40), st.floats(0, 1), st.sampled_from(sorted(SHAPES))), min_size=1, max_size=8
).map(
    lambda all_: [LanePoint(at=at / 4, value=value, shape=shape) for at, value, shape in sorted(all_)]  # type: ignore[arg-type]
)


@given(points, st.integers(0, 200_000), st.lists(st.floats(0, 1), min_size=2, max_size=30), st.booleans())
@settings(max_examples=examples(60), deadline=None)
def test_outside_a_run_a_lane_says_what_it_said(
    base: list[LanePoint], first: int, values: list[float], cut: bool
) -> None:
    clock = TempoMap(120)
    samples = [first + 512 * i for i in range(len(values))]
    run = Run(GAIN, samples, values, samples[-1] + 100 if cut else None)
    made = recorded(base, run, LINEAR, clock, RATE, error=0.0)
    assert all(a.at <= b.at for a, b in itertools.pairwise(made))
    end = run.end or samples[-1]
    grid = np.round(np.arange(0, 300) * RATE / 50)
    jumps = {round(p.at * RATE / 2) for p in base}
    for sample in [s for s in grid if not first - 1 <= s <= end + 1 and s not in jumps]:
        beat = float(clock.beat(sample / RATE))
        assert value_at(made, beat, False) == pytest.approx(value_at(base, beat, False), abs=2e-6)
    for sample, value in list(zip(samples, values))[1:-1]:
        assert value_at(made, clock.beat(sample / RATE), False) == pytest.approx(value, abs=1e-6)


def test_a_tape_keeps_what_stays_as_two_points(mixer: djgraph.Mixer) -> None:
    tape, row = Tape(mixer.layout, "latch"), mixer.layout.default.numpy()
    index = mixer.layout.index(GAIN)
    tape.note(0, row.copy(), {})
    for sample in range(512, 512 * 100, 512):
        heard = tape.note(sample, row.copy(), {index: 0.25} if sample < 5120 else {})
        assert heard[index] == 0.25  # latched
    tape.stop(512 * 99)
    (run,) = tape.collect()
    assert run.samples == [0, 512, 512 * 99]
    assert run.values == [1.0, 0.25, 0.25]


# ── Heard and rendered ──────────────────────────────────────────────────────────────────────────────────────


def _heard(session: Session, moves: Any, blocks: int, size: int = 512) -> np.ndarray:
    """Blocks with moves in between: by block's number, messages."""
    out = []
    for number in range(blocks):
        for message in moves.get(number, ()):
            say(session, **message)
        out.append(session.player.block(size)[0])
    return np.concatenate(out, 1)


def _rendered(session: Session, mixer: djgraph.Mixer, inputs: Any, project: Project) -> np.ndarray:
    from djgraph.studio.curves import automation_of

    auto = automation_of(project, mixer.layout, SAMPLES / RATE)
    frames = auto.render_exact(mixer, samples=SAMPLES, sample_rate=RATE)
    batched = {track: {stem: x[None] for stem, x in stems.items()} for track, stems in inputs.items()}
    with torch.no_grad():
        return mixer(batched, frames.params[None], positions=frames.positions)[0].numpy()


@pytest.mark.parametrize("mode", ["touch", "latch", "write"])
@pytest.mark.parametrize("error", [0.0, ERROR])
def test_what_was_recorded_renders_as_it_was_heard(
    session: Session, mixer: djgraph.Mixer, inputs: Any, mode: str, error: float, monkeypatch: Any
) -> None:
    monkeypatch.setattr("djgraph.studio.parts.recording.ERROR", error)
    lane = Lane(
        control=GAIN,
        points=tuple(
            LanePoint(at=at, value=value, shape=shape)  # type: ignore[arg-type]
            for at, value, shape in [(0.1, 0.2, "cosine"), (0.9, 1.0, "linear"), (1.6, 0.3, "linear")]
        ),
    )
    session.change(session.project.with_lane(lane), "draw")
    rng = np.random.default_rng(3)
    moves: dict[int, list[dict[str, Any]]] = {0: [{"do": "record", "mode": mode}, {"do": "play"}]}
    for block in range(6, 40):
        moves[block] = [{"do": "hold", "control": GAIN, "value": float(rng.uniform(0, 1))}]
    for block in range(20, 34):
        moves[block].append({"do": "hold", "control": CUTOFF, "value": float(rng.uniform(0, 0.5))})
    moves[40] = [{"do": "release", "control": GAIN}]
    moves[41] = [{"do": "release", "control": CUTOFF}]
    moves[60] = [{"do": "stop"}]
    # Where playing ends the lane goes back to what it was; the mixer's windows reach there from a little before.
    heard = _heard(session, moves, 61)[:, : 56 * 512]
    _kept(session)
    project = session.project
    assert {one.control for one in project.lanes} == {GAIN, CUTOFF}
    wanted = _rendered(session, mixer, inputs, project)[:, : heard.shape[1]]
    # As a share of the travel, 0.002 is −54 dB of a gain; of a filter's cutoff less is heard.
    np.testing.assert_allclose(heard, wanted, atol=3e-6 if error == 0 else 0.01)
    if error:
        rough = np.sqrt(np.mean((heard - wanted) ** 2) / np.mean(heard**2))
        assert rough < 0.01
    say(session, do="undo")
    assert session.project != project


@pytest.mark.parametrize("length", [1.2, 3.0])
def test_hands_in_the_midst_of_a_recipe(
    session: Session, mixer: djgraph.Mixer, inputs: Any, monkeypatch: Any, length: float
) -> None:
    """Its curved ways are cut; what lies before and behind is as it was. (Of other controls' curved ways the renderer
    draws more frames then, and is nearer to the curve than what was heard.)"""
    monkeypatch.setattr("djgraph.studio.parts.recording.ERROR", 0.0)
    noted: list[tuple[int, float]] = []
    note = Tape.note

    def noting(tape: Tape, sample: int, row: Any, held: Any) -> Any:
        heard = note(tape, sample, row, held)
        noted.append((sample, float(heard[mixer.layout.index(GAIN)])))
        return heard

    monkeypatch.setattr(Tape, "note", noting)
    length = min(length, session.project.clock.beat(SAMPLES / RATE) - 0.1)
    say(session, do="place", recipe="equal_power", start=0.1, length=length)
    moves: dict[int, list[dict[str, Any]]] = {0: [{"do": "record", "mode": "touch"}, {"do": "play"}]}
    for block in range(8, 20):
        moves[block] = [{"do": "hold", "control": GAIN, "value": block / 40}]
    moves[20] = [{"do": "release", "control": GAIN}]
    moves[70] = [{"do": "stop"}]
    heard = _heard(session, moves, 71)[:, : 66 * 512]
    _kept(session)
    wanted = _rendered(session, mixer, inputs, session.project)[:, : heard.shape[1]]
    np.testing.assert_allclose(heard, wanted, atol=5e-4)
    index, course = mixer.layout.index(GAIN), session.player.course
    assert len(noted) > 80
    for sample, value in noted:
        assert course.row(sample)[index] == pytest.approx(value, abs=1e-6)


def test_what_was_recorded_is_heard_the_next_time(session: Session) -> None:
    moves: dict[int, list[dict[str, Any]]] = {
        0: [{"do": "record", "mode": "latch"}, {"do": "play"}],
        4: [{"do": "hold", "control": GAIN, "value": 0.5}],
        20: [{"do": "stop"}],
    }
    _heard(session, moves, 21)
    _kept(session)
    assert not session.player.hands.held


def test_controls_with_steps_stay_from_point_to_point() -> None:
    control = Control(min=0.0, max=4.0, default=0.0, step=1.0)
    base = [LanePoint(at=0, value=3, shape="hold"), LanePoint(at=4, value=1, shape="hold")]
    run = Run("steps", [0, 512, 1024, 1536, 2048], [3, 2, 2, 4, 3], None)
    made = recorded(base, run, control, TempoMap(120), RATE)
    assert {p.shape for p in made} == {"hold"}
    said = [value_at(made, 2 * sample / RATE + 1e-6, True) for sample in (0, 512, 1024, 1536, 2048, 2 * RATE)]
    assert said == [3, 2, 2, 4, 3, 1]


def test_loops_overwrite(session: Session) -> None:
    moves: dict[int, list[dict[str, Any]]] = {
        0: [
            {"do": "loop", "region": [0.1, 0.2]},
            {"do": "record", "mode": "latch"},
            {"do": "play"},
        ],
        2: [{"do": "hold", "control": GAIN, "value": 0.5}],
        22: [{"do": "hold", "control": GAIN, "value": 0.25}],
        60: [{"do": "stop"}],
    }
    _heard(session, moves, 61)
    _kept(session)
    lane = session.project.lane(GAIN)
    inside = [p for p in lane.points if 0.21 < p.at < 0.39]
    clock = session.project.clock
    assert all(p.value == pytest.approx(0.25) for p in inside)
    assert value_at(lane.points, clock.beat(0.15), False) == pytest.approx(0.25)


def test_nothing_is_recorded_unarmed(session: Session) -> None:
    before = session.project
    _heard(session, {0: [{"do": "play"}], 2: [{"do": "hold", "control": GAIN, "value": 0.5}]}, 10)
    part = session.part(Recording)
    assert part is not None
    assert part.snapshot() == {"recording": None}
    assert session.project == before
