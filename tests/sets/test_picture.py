"""The picture of a set: everything stands where the set has it; stems are as loud as they are heard."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import numpy as np
import pytest

from djgraph.automation import TempoMap
from djgraph.errors import DJGraphError, InputError
from djgraph.sets import Run
from djgraph.sets.energies import BEND, energies
from djgraph.sets.marks import LEFT, clock
from djgraph.sets.moving import moving
from djgraph.sets.picture import LONGEST, WIDE, draw_set, to_svg
from djgraph.sets.to_daw import arrangement_of

from .plans import STEMS, two_tracks

SVG = "{http://www.w3.org/2000/svg}"
LEVELS = {"drums": -12.0, "bass": -18.0, "vocals": -80.0, "other": -24.0}


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    plan = two_tracks(tmp_path_factory.mktemp("tracks"))
    tracks = tuple(
        dataclasses.replace(
            track,
            known=track.known.model_copy(
                update={"levels": {name: [level] * 20 for name, level in LEVELS.items()}}
            ),
        )
        for track in plan.tracks
    )
    return dataclasses.replace(plan, tracks=tracks)


@pytest.fixture(scope="module")
def mix(plan):
    return arrangement_of(plan)


def _texts(root: Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_tracks_stand_where_they_are_played(plan, mix):
    root = fromstring(to_svg(plan, mix))
    found = [
        (float(rect.get("x", "")), float(rect.get("width", "")))
        for rect in root.iter(f"{SVG}rect")
        if rect.get("class") == "track"
    ]
    scale = WIDE / plan.seconds
    for (x, wide), track in zip(found, plan.tracks, strict=True):
        begins, ends = plan.span(track)
        assert x == pytest.approx(LEFT + begins * scale, abs=0.06)
        assert wide == pytest.approx((ends - begins) * scale, abs=0.11)
    texts = _texts(root)
    assert texts[:2] == ["Two tracks", f"2 tracks · {clock(plan.seconds)} · 120 to 126 BPM"]
    for text in (
        "1  One",
        "2  Two",
        "8A",
        "120",
        "bass_swap · 16 beats · 3A → 8A",  # at 123 BPM the first, of 118, is 0.7 semitones higher; the other is locked
        *STEMS,
        "track_a",
        "track_b",
    ):
        assert text in texts
    assert "hpf" in texts
    assert "gain" not in texts  # faders are seen by what is heard


@pytest.mark.parametrize(
    ("bpm", "locked", "expected"),
    [
        (121, (True, True), "8A → 8A"),
        (121, (False, False), "8A → 1A"),  # 0.43 higher and 0.42 lower: nearly a semitone apart
        (125, (False, False), "3A → 8A"),  # a semitone higher, and 0.1
        (125, (True, False), "8A → 8A"),
        (132, (True, False), "8A → 3A"),
        (60.5, (False, False), "8A → 1A"),  # an octave lower, both
    ],
)
def test_transitions_say_keys_as_they_are_heard(
    tmp_path: Path, bpm: float, locked: tuple[bool, bool], expected: str
) -> None:
    """Tracks of 118 and 124 BPM."""
    plan = two_tracks(tmp_path, TempoMap(bpm))
    tracks = tuple(dataclasses.replace(t, key_lock=kept) for t, kept in zip(plan.tracks, locked))
    plan = dataclasses.replace(plan, tracks=tracks)
    root = fromstring(to_svg(plan, arrangement_of(plan)))
    assert f"bass_swap · 16 beats · {expected}" in _texts(root)


def test_long_sets_have_rows(plan, mix):
    slow = TempoMap(10)
    long = dataclasses.replace(
        plan,
        tempo=slow,
        samples=round(slow.seconds(400) * 44100),
        tracks=tuple(
            dataclasses.replace(t, runs=(Run(((0.0, 0.3), (2000.0, 2000.3))),), leaves=400.0)
            for t in plan.tracks
        ),
    )
    root = fromstring(to_svg(long, mix))
    rows = [element for element in root.iter(f"{SVG}g") if element.get("class") == "row"]
    assert len(rows) == np.ceil(long.seconds / LONGEST) == 4
    assert [float(row.get("data-begins", "")) for row in rows] == [0, 600, 1200, 1800]
    assert "30:00" in _texts(root)


def test_stems_are_as_loud_as_they_are_heard(plan, mix):
    for number, track in enumerate(plan.tracks):
        found = energies(plan, mix, number)
        assert list(found) == list(STEMS)
        layout_name = f"{track.input}.drums.gain"
        frames = plan.automation.render_exact(plan.graph, plan.samples, plan.sample_rate, plan.tempo)
        from djgraph import ParameterLayout

        column = ParameterLayout.from_graph(plan.graph).index(layout_name)
        for name, level in LEVELS.items():
            energy = found[name]
            assert len(energy.own) == len(energy.heard) == len(energy.seconds) - 1
            np.testing.assert_allclose(energy.own, 10 ** ((level + 12) / 20 * BEND), rtol=1e-9)
        energy = found["drums"]
        middle = np.clip((energy.seconds[1:] + energy.seconds[:-1]) / 2, 0, plan.seconds)
        gain = np.interp(middle * 44100, frames.positions, frames.params[:, column].double())
        inner = slice(1, -1)  # the outer parts are cut where the track enters and leaves
        np.testing.assert_allclose(energy.heard[inner], gain[inner] ** BEND, atol=0.03)


def test_two_tracks_of_the_same_files_are_told_apart(plan):
    one, two = plan.tracks
    again = dataclasses.replace(plan, tracks=(one, dataclasses.replace(two, stems=one.stems)))
    for number, found in enumerate(energies(again, arrangement_of(again), n) for n in (0, 1)):
        ends = found["drums"].heard[[0, -1]] / found["drums"].own[[0, -1]]
        # The first is faded out, the second in.
        assert (ends[0] > 0.9, ends[-1] > 0.9) == ((True, False) if number == 0 else (False, True))


def test_each_part_of_a_bar_is_as_loud_as_its_bar(plan):
    one = plan.tracks[0]
    bars = one.grid.bars_until(one.seconds)
    levels = -2.0 * np.arange(len(bars))
    one = dataclasses.replace(one, known=one.known.model_copy(update={"levels": {"drums": levels.tolist()}}))
    again = dataclasses.replace(plan, tracks=(one, plan.tracks[1]))
    found = energies(again, arrangement_of(again), 0)["drums"]
    middles = [one.track_second(second) for second in ((found.seconds[1:] + found.seconds[:-1]) / 2).tolist()]
    number = np.floor(one.grid.beat_at(np.array(middles)) / one.grid.meter)
    assert len(set(number.tolist())) > 8
    np.testing.assert_allclose(found.own, 10 ** (-2.0 * number / 20 * BEND))


def test_what_moves_has_a_course_for_each_deck_and_kind(plan):
    found = {(course.deck, course.kind): course for course in moving(plan)}
    assert set(found) == {("track_a", "hpf"), ("track_a", "delay_send"), ("track_b", "eq_low")}
    (beats, positions), = found["track_a", "delay_send"].ways  # fmt: skip
    assert beats[0] == pytest.approx(40, abs=1e-3)
    assert beats[-1] == pytest.approx(48, abs=1e-3)
    assert positions.max() == pytest.approx(0.5)


def test_titles_may_hold_anything(plan, mix):
    strange = dataclasses.replace(plan.tracks[0], title="<b>&\x00\x1b[31m\ud800 ☃")
    root = fromstring(to_svg(dataclasses.replace(plan, tracks=(strange, plan.tracks[1])), mix))
    assert "1  <b>&\\x00\\x1b[31m\\ud800 ☃" in _texts(root)


def test_without_an_analysis_there_is_a_picture_too(plan, mix):
    bare = tuple(
        dataclasses.replace(
            t, known=t.known.model_copy(update={"levels": {}, "phrases": [], "camelot": None})
        )
        for t in plan.tracks
    )
    assert "1  One" in _texts(fromstring(to_svg(dataclasses.replace(plan, tracks=bare), mix)))


def test_files(plan, mix, tmp_path):
    draw_set(plan, mix, tmp_path / "set.svg")
    draw_set(plan, mix, tmp_path / "again.svg")
    assert (tmp_path / "set.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()
    with pytest.raises(InputError, match=re.escape(".svg, .png")):
        draw_set(plan, mix, tmp_path / "set.pdf")
    with pytest.raises(DJGraphError, match="does not exist"):
        draw_set(plan, mix, tmp_path / "nowhere" / "set.svg")
    pytest.importorskip("resvg_py")
    draw_set(plan, mix, tmp_path / "set.png")
    assert (tmp_path / "set.png").read_bytes()[:4] == b"\x89PNG"


def test_clocks():
    assert [clock(s) for s in (0, 59.6, 61, 3600, 3725.4)] == ["0:00", "1:00", "1:01", "1:00:00", "1:02:05"]
