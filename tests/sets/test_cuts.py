"""Loops and jumps in set files: what is heard, beat by beat; what cannot be; what DAWs and pictures are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from djgraph.daw.dawproject import write_dawproject
from djgraph.daw.dawproject_read import read_dawproject
from djgraph.errors import DocumentError, SetError
from djgraph.sets.build import plan_set
from djgraph.sets.cuts import Played
from djgraph.sets.lists import data_of, tracklist
from djgraph.sets.load import load_set
from djgraph.sets.picture import to_svg
from djgraph.sets.plan import SetPlan
from djgraph.sets.play import SetBlocks
from djgraph.sets.to_daw import arrangement_of
from tests.sets.test_play import clicks, whole
from tests.sets.tracks import RATE, track, write_set

BEATS = 64
ACCENTS = [0.2 + 0.01 * n for n in range(BEATS)]
"""A height for each beat, so that it is known by it."""
MOVES = "[{at: bar 3, loop: 2bars, times: 3}, {at: 6bars, jump: bar 13}, {at: bar 14, loop: 1beat, times: 4}]"
HEARD = [*range(8), *[*range(8, 16)] * 3, *range(16, 24), *range(48, 52), *[52] * 4, *range(53, 64)]
"""The track's beats in the order in which they are played."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("cuts")
    track(found / "one", 120.0, 16, accents=ACCENTS)
    track(found / "two", 127.0, 16, first=0.217, phrases=[0, 4, 12])
    return found


def made(folder: Path, *lines: str, head: str = "tempo: 120\nlength: 8beats\n") -> SetPlan:
    return plan_set(write_set(folder, *lines, head=head))


def test_every_beat_is_the_one_that_was_meant(folder: Path) -> None:
    plan = made(folder, f"{{track: one, moves: {MOVES}}}")
    assert plan.seconds == pytest.approx(len(HEARD) / 2, abs=1 / RATE)
    drums = whole(plan)["left"]["drums"][0]
    heard = [float(drums[round(beat * RATE / 2)]) for beat in range(len(HEARD))]
    assert heard == pytest.approx([ACCENTS[beat] for beat in HEARD], abs=1e-4)
    # and nothing else is
    assert int((drums.abs() > 0.05).sum()) == len(HEARD)


def test_clicks_of_both_tracks_fall_together(folder: Path) -> None:
    """In a transition in which the one loops and the other jumps, and the tempo changes."""
    plan = made(
        folder,
        "{track: one, moves: [{at: bar 13, loop: 2beats, times: 20}]}",
        "{transition: linear, at: bar 13, length: 10bars}",
        "{track: two, moves: [{at: bar 4, jump: bar 9}, {at: bar 10, jump: phrase 2}]}",
        head="tempo: {from: 118, to: 128}\n",
    )
    (transition,) = plan.transitions
    assert (transition.begin, transition.length) == (48, 40)
    played = whole(plan)
    begin, end = (round(plan.second(beat) * RATE) for beat in (transition.begin, transition.end))
    sides = [
        np.array(clicks(played[deck]["drums"][:, begin - 40 : end], end - begin + 40))
        for deck in ("left", "right")
    ]
    sides = [side[(side > 60) & (side < end - begin - 60)] for side in sides]
    assert len(sides[0]) == len(sides[1]) == 39
    assert np.abs(sides[0] - sides[1]).max() < 0.002 * RATE
    clock = [(plan.second(transition.begin + n) * RATE) - begin + 40 for n in range(1, 40)]
    assert np.abs(sides[0] - np.array(clock)).max() < 0.002 * RATE


def test_blocks_are_the_whole(folder: Path) -> None:
    plan = made(folder, f"{{track: one, moves: {MOVES}}}", "two", head="tempo: {from: 118, to: 126}\n")
    expected = whole(plan)
    source = SetBlocks(plan)
    got = [source.read(1511) for _ in range(-(-plan.samples // 1511))]
    for deck, stems in expected.items():
        for stem, signal in stems.items():
            at = 0
            for block in got:
                part = block[deck][stem]
                assert part.equal(signal[:, at : at + part.shape[1]])
                at += part.shape[1]


def test_a_loop_makes_room(folder: Path) -> None:
    """The last bar, again and again: a long transition fits behind what is otherwise the end."""
    said = "{transition: linear, at: bar 16, length: 8bars}"
    with pytest.raises(SetError, match="is over at beat 92"):
        made(folder, "one", said, "two")
    plan = made(folder, "{track: one, moves: [{at: bar 16, loop: 1bar, times: 8}]}", said, "two")
    assert (plan.transitions[0].begin, plan.transitions[0].end) == (60, 92)
    # Left to djgraph, it lies where the loop is heard.
    plan = made(folder, "{track: one, moves: [{at: bar 13, loop: 4bars, times: 3}]}", "two")
    assert plan.transitions[0].end > 48


def test_what_is_played(folder: Path) -> None:
    plan = made(folder, f"{{track: one, moves: {MOVES}}}")
    (one,) = plan.tracks
    for beat, own in enumerate(HEARD):
        second = plan.second(beat + 0.25)
        assert float(one.grid.beat_at(one.track_second(second))) == pytest.approx(own + 0.25, abs=1e-6)
    counts = [len(one.mix_seconds(float(one.grid.at(beat + 0.25)))) for beat in range(BEATS)]
    assert counts == [HEARD.count(beat) for beat in range(BEATS)]
    text = tracklist(plan)
    assert "0:04.0  loops 8 beats, 3 times" in text
    assert "0:20.0  jumps to bar 13" in text
    moves = data_of(plan)["tracks"][0]["moves"]
    assert [sorted(move) for move in moves] == [
        ["at", "at_beat", "loop", "times"],
        ["at", "at_beat", "jump"],
        ["at", "at_beat", "loop", "times"],
    ]


def test_clips_lie_as_it_sounds(folder: Path, tmp_path: Path) -> None:
    plan = made(folder, f"{{track: one, moves: {MOVES}}}", head="tempo: {from: 118, to: 126}\n")
    (one,) = plan.tracks
    mix = arrangement_of(plan)
    for line in mix.groups[0].tracks:
        assert len(line.clips) == 7
        for clip, following in zip(line.clips, line.clips[1:]):
            assert clip.ends == pytest.approx(following.begins, abs=1e-9)
        for beat in np.linspace(0.01, len(HEARD) - 0.1, 500):
            (clip,) = (clip for clip in line.clips if clip.begins <= beat < clip.ends)
            assert clip.second_at(beat) == pytest.approx(one.track_second(plan.second(beat)), abs=2.6e-4)
    write_dawproject(mix, tmp_path / "cuts.dawproject")
    found = read_dawproject(tmp_path / "cuts.dawproject")
    for clip, again in zip(mix.clips(), found.clips(), strict=True):
        for beat in np.linspace(clip.begins, clip.ends, 9):
            assert again.second_at(beat) == pytest.approx(clip.second_at(beat), abs=1e-6)
    svg = to_svg(plan, mix)
    assert svg.count('class="cut"') == 6
    assert "a loop begins again, or a jump" in svg


@pytest.mark.parametrize(
    ("moves", "place", "words"),
    [
        ("[{at: bar 16, loop: 2bars}]", ":6:45", "beyond the end of one: it has 4.0 beats"),
        ("[{at: 20bars, loop: 1bar}]", ":6:31", "behind the end of one, which has 64 beats"),
        ("[{at: bar 3, jump: bar 40}]", ":6:44", "behind the end"),
        ("[{at: bar 3, jump: phrase 9}]", ":6:44", "2 phrases"),
        ("[{at: end, loop: 1bar}]", ":6:31", "end of a track"),
        ("[{at: bar 3, loop: 4bars}, {at: bar 5, jump: bar 1}]", ":6:57", "it is at its bar 7"),
        ("[{at: bar 3, jump: bar 9}, {at: bar 5, jump: bar 1}]", ":6:57", "it is at its bar 9"),
        ("[{at: bar 1, loop: 1beat, times: 900}, {at: bar 3, loop: 1beat, times: 200}]", ":6:64", "1000 pieces"),
    ],
)  # fmt: skip
def test_what_cannot_be(folder: Path, moves: str, place: str, words: str) -> None:
    with pytest.raises(SetError) as caught:
        made(folder, f"{{track: one, moves: {moves}}}")
    assert f"set.yaml{place}: " in str(caught.value)
    assert words in str(caught.value)


def test_what_is_not_heard(folder: Path) -> None:
    one = "{track: one, moves: [{at: bar 9, loop: 1bar}]}"
    with pytest.raises(SetError, match=r"set.yaml:6:26: this loop is not heard: one gets there at beat 32"):
        made(folder, one, "{transition: linear, at: bar 3, length: 8beats}", "two")
    with pytest.raises(SetError, match=r"set.yaml:7:30: one jumps over bar 5, and never plays it"):
        made(
            folder,
            "{track: one, moves: [{at: bar 3, jump: bar 9}]}",
            "{transition: linear, at: bar 5, length: 8beats}",
            "two",
        )


WRONG = {
    "{loop: 1bar}": "at",
    "{at: bar 3}": "say `loop` or `jump`",
    "{at: bar 3, loop: 1bar, jump: bar 9}": "say `loop` or `jump`",
    "{at: bar 3, jump: bar 9, times: 3}": "`times` belongs to loops",
    "{at: bar 3, loop: 4}": "4beats, 8bars",
    "{at: bar 3, loop: 0.001beats}": "shortest loop",
    "{at: bar 3, loop: 1bar, times: 1}": "2 to 1000",
    "{at: bar 3, loop: 1bar, tims: 2}": "did you mean: times",
}


@pytest.mark.parametrize("move", WRONG)
def test_mistakes(move: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load_set(f"set: 1\ntracks:\n  - track: a\n    moves:\n      - {move}")
    assert "<text>:5:" in str(caught.value)
    assert WRONG[move] in str(caught.value)


def test_beats_of_what_is_played() -> None:
    """Against a list of every beat."""
    from djgraph.decks import Jump, Loop

    moves = (Loop(8, 8, 3), Jump(40, 48), Loop(44, 1, 4))
    play = Played(0.0, 64.0, moves)
    assert [play.own(beat) for beat in range(len(HEARD))] == HEARD
    assert play.last == len(HEARD)
    for own in range(64):
        assert play.when(own) == [beat for beat, one in enumerate(HEARD) if one == own]
    assert [move.at for move in play.placed(16.0, 2.0)] == [32, 96, 104]
