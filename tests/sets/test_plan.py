"""Sets as they are planned: places, recipes, tempo, what the controls do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import djgraph
from djgraph.automation import TempoMap
from djgraph.errors import SetError
from djgraph.sets.build import plan_set
from djgraph.sets.moves import automation_of
from djgraph.sets.plan import Transition
from tests.sets.tracks import track, write_set


def three(folder: Path, **head: str) -> None:
    for name, bpm in (("one", 120.0), ("two", 126.0), ("three", 114.0)):
        track(folder / name, bpm, 32)


def test_a_file_of_tracks_alone(tmp_path: Path) -> None:
    three(tmp_path)
    plan = plan_set(write_set(tmp_path, "one", "two", "three"))
    assert [each.input for each in plan.tracks] == ["left", "right", "left"]
    assert plan.tempo.points == ((0.0, 120.0),)  # √(114·126), in whole BPM
    for transition, leaving in zip(plan.transitions, plan.tracks):
        assert transition.length == 32
        own = leaving.track_second(plan.second(transition.begin))
        bar = (float(leaving.grid.beat_at(own)) - leaving.grid.downbeat) / 4
        assert bar == pytest.approx(24, abs=1e-6)  # the last phrase that leaves eight bars
    assert plan.tracks[0].leaves == plan.transitions[0].end
    assert plan.tracks[1].enters == plan.transitions[0].begin


def test_beats_of_both_tracks_fall_together(tmp_path: Path) -> None:
    three(tmp_path)
    plan = plan_set(write_set(tmp_path, "one", "two", "three", head="tempo: {from: 118, to: 126}\n"))
    for transition in plan.transitions:
        a, b = plan.tracks[transition.leaving], plan.tracks[transition.entering]
        for beat in np.arange(transition.begin, transition.end + 1):
            second = plan.second(float(beat))
            for each in (a, b):
                own = float(each.grid.beat_at(each.track_second(second)))
                assert own == pytest.approx(round(own), abs=1e-4)


def test_places_that_are_said(tmp_path: Path) -> None:
    three(tmp_path)
    plan = plan_set(
        write_set(
            tmp_path,
            "one",
            "{transition: linear, at: 8bars, length: 4bars}",
            "{track: two, from: phrase 2}",
            "{transition: cut, at: phrase 3}",
            "three",
        )
    )
    first, second = plan.transitions
    assert (first.recipe, first.begin, first.length) == ("linear", 32.0, 16.0)
    assert second.length == 0  # a cut takes no time
    assert second.begin == 32 + (16 - 8) * 4
    two = plan.tracks[1]
    assert two.track_second(plan.second(32.0)) == pytest.approx(float(two.grid.at(32.0)), abs=1e-9)


def test_voices_are_kept_apart(tmp_path: Path) -> None:
    """Sung to the end, and from the beginning: no phrase helps, so the recipe does."""
    for name in ("one", "two"):
        track(tmp_path / name, 120.0, 32)
    plan = plan_set(write_set(tmp_path, "one", "two"))
    assert plan.transitions[0].recipe == "vocals_over"
    rest = {"vocals": [bar < 16 for bar in range(32)]}
    track(tmp_path / "three", 120.0, 32, playing={**rest, "bass": [bar < 24 for bar in range(32)]})
    plan = plan_set(write_set(tmp_path, "three", "two"))
    assert plan.transitions[0].recipe == "equal_power"
    assert "no two voices" in plan.transitions[0].why


def test_tempo_of_each_track(tmp_path: Path) -> None:
    three(tmp_path)
    plan = plan_set(write_set(tmp_path, "one", "two", "three", head="tempo: tracks\n"))
    for each, (begin, end) in zip(plan.tracks, map(plan.span, plan.tracks)):
        assert each.rate((begin + end) / 2) == pytest.approx(1.0, rel=1e-6)
    begin = plan.second(plan.transitions[0].begin)
    assert plan.tempo.bpm(begin - 1) == pytest.approx(120)
    assert plan.tempo.bpm(plan.second(plan.transitions[0].end) + 1) == pytest.approx(126)


def test_controls_are_handed_over(tmp_path: Path) -> None:
    three(tmp_path)
    plan = plan_set(write_set(tmp_path, "one", "two", "three", head="transition: equal_power\n"))
    frames = plan.automation.render_exact(plan.graph, plan.samples, plan.sample_rate)
    layout = [column.name for column in plan.graph.columns]
    at = frames.positions.double() / plan.sample_rate
    left = frames.params[:, layout.index("left.drums.gain")]
    middle = [np.mean([plan.second(t.begin), plan.second(t.end)]) for t in plan.transitions]
    heard = np.interp([0.0, *middle, plan.seconds], at, left)
    assert heard == pytest.approx([1, 0.5**0.5, 0.5**0.5, 1], abs=0.01)
    between = (plan.second(plan.transitions[0].end) + plan.second(plan.transitions[1].begin)) / 2
    assert float(np.interp(between, at, left)) == 0


@pytest.mark.parametrize(
    ("lines", "head", "words"),
    [
        (
            ["one", "two"],
            "",
            "keys 1 step apart, at this pitch 6 (key_lock keeps the pitch)",
        ),  # +5 %: 4A as 11A
        (["one", "two"], "key_lock: true\n", "keys 1 step apart"),
        (["one", "same"], "", "keys 1 step apart"),
        (["one", "two"], "tempo: tracks\n", "keys 1 step apart, at this pitch 6 (key_lock keeps the pitch)"),
        (["one", "half"], "", "keys 1 step apart"),  # 60 is played as 120, at its own pitch
        (["one", "{track: two, key_lock: true}"], "tempo: 120\n", "keys 1 step apart"),  # the one is at rest
    ],
)
def test_keys_are_compared_as_they_sound(tmp_path: Path, lines: list[str], head: str, words: str) -> None:
    """Where pitch follows tempo, a twentieth of it is a semitone, and that is seven fifths."""
    for name, bpm, key in (
        ("one", 120.0, "8A"),
        ("two", 126.0, "9A"),
        ("same", 120.0, "9A"),
        ("half", 60.0, "9A"),
    ):
        track(tmp_path / name, bpm, 16, camelot=key)
    (transition,) = plan_set(write_set(tmp_path, *lines, head=head)).transitions
    assert transition.why.endswith(words)


def test_a_part_of_a_transition_is_said(tmp_path: Path) -> None:
    three(tmp_path)
    lines = ("one", "{at: 8bars}", "two", "{length: 4bars}", "three")
    first, second = plan_set(write_set(tmp_path, *lines, head="transition: linear\n")).transitions
    assert (first.recipe, first.begin, first.length) == ("linear", 32.0, 32.0)
    assert (second.recipe, second.length) == ("linear", 16.0)


@pytest.mark.parametrize(
    ("lines", "place", "words"),
    [
        (["one", "nowhere"], ":5:5", "nowhere does not exist"),
        (["one", "{transition: cutt}", "two"], ":5:18", "did you mean: cut"),
        (["one", "{transition: bass_swap, settings: {ovr: 3}}", "two"], ":5:40", "did you mean: over"),
        (["one", "{transition: cut, at: 40bars}", "two"], ":5:27", "behind the end of one"),
        (["one", "{at: bar 50}", "two"], ":5:10", "bar 50 lies behind the end of one"),
        (["one", "{transition: cut, at: phrase 9}", "two"], ":5:27", "4 phrases"),
        (["one", "{transition: linear, length: 40bars}", "two"], ":5:34", "transition of 160"),
        (["one", "{transition: linear, at: 28bars, length: 8bars}", "two"], ":5:46", "is over at beat 144"),
        (["one", "{transition: bass_swap}", "two"], ":5:18", "'low'"),
        (["short", "two"], ":5:5", "which leave no room"),
        (["one", "slow"], ":5:5", "4 times"),
        (["one", "bare"], ":5:5", "bass"),
    ],
)
def test_what_cannot_be(tmp_path: Path, lines: list[str], place: str, words: str) -> None:
    for name, bpm, bars in (("one", 120, 32), ("two", 126, 32), ("short", 120, 1), ("slow", 28, 16)):
        track(tmp_path / name, bpm, bars)
    track(tmp_path / "bare", 120, 8, stems=("drums", "vocals", "other"))
    head = "tempo: 399\n" if "slow" in lines else ""
    path = write_set(tmp_path, *lines, head=head)
    with pytest.raises(SetError) as caught:
        plan_set(path)
    if head:
        place = ":6:5"
    assert f"{path}{place}: " in str(caught.value)
    assert words in str(caught.value)


def test_three_at_once(tmp_path: Path) -> None:
    three(tmp_path)
    lines = ["one", "{transition: linear, at: 16bars, length: 8bars}", "two"]
    # The first is heard until beat 96 of the mix, which is the second's bar 9.
    path = write_set(tmp_path, *lines, "{transition: linear, at: bar 5, length: 4bars}", "three")
    with pytest.raises(SetError) as caught:
        plan_set(path)
    assert (
        f"{path}:7:30: three tracks at once: three would come in at bar 5 of two, beat 80 of the "
        "mix, and one is heard until bar 9 of two, beat 96"
    ) in str(caught.value)
    plan = plan_set(
        write_set(tmp_path, *lines, "{transition: linear, at: bar 9, length: 4bars}", "three")
    )  # one after the other is as near as they come
    assert [each.begin for each in plan.transitions] == [64, 96]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bpm", "late", "words"), [(120.0, 0.0, ""), (113.0, 0.0, "113.0 BPM"), (120.0, 0.25, "beyond chance")]
)
def test_beats_that_are_not_the_audio_s(tmp_path: Path, bpm: float, late: float, words: str) -> None:
    pytest.importorskip("librosa")
    for name in ("one", "two"):
        track(tmp_path / name, 120.0, 16, first=0.1, rate=22050)
    about = tmp_path / "two" / "track.json"
    data = json.loads(about.read_text())
    beat, first = 60 / bpm, 0.1 + late * 60 / bpm
    data["grid"] |= {"seconds": [first, first + beat], "source": "rekordbox"}
    about.write_text(json.dumps(data))
    path = write_set(tmp_path, "one", "two")
    if not words:
        plan_set(path)
        return
    with pytest.raises(SetError) as caught:
        plan_set(path)
    assert f"{path}:5:5: two: its beats, at {bpm:.1f} BPM, are not where its sounds begin" in str(
        caught.value
    )
    assert words in str(caught.value)


def test_what_a_later_transition_moves_rests_before() -> None:
    """The bass of the third track comes in by a swap: that of the first, on the same deck, is not cut for it."""
    graph = djgraph.load("dj_mixer")
    transitions = [
        Transition(leaving=0, entering=1, recipe="equal_power", settings={}, begin=64.0, length=32.0),
        Transition(leaving=1, entering=2, recipe="bass_swap", settings={}, begin=160.0, length=32.0),
    ]
    decks, tempo = ["track_a", "track_b", "track_a"], TempoMap(((0.0, 120.0),))
    auto = automation_of(graph, transitions, decks, [None, None], tempo, 120.0, "three")
    layout = djgraph.ParameterLayout.from_graph(graph)
    frames = auto.render(layout, 241, 120.0)  # one each beat
    low = frames[:, layout.index("track_a.bass.eq_low")]
    assert (low[:160] == 1).all()
    assert (low[161:170] == 0).all()
    assert low[-1] == 1
