"""Hands on controls, and where controls stand that lanes and recipes move."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from djgraph.errors import InputError

from .served import Studio

GAIN, OTHER = "track_a.drums.gain", "track_a.drums.hpf"


@pytest.fixture
def studio() -> Iterator[Studio]:
    made = Studio("dj_mixer", seconds=8)
    yield made
    made.close()


def _say(studio: Studio, **message: Any) -> None:
    studio.session.take(json.dumps(message))


def test_what_a_recipe_moves_is_told_to_pages(studio: Studio) -> None:
    _say(studio, do="place", recipe="linear", start=0, length=16)
    _say(studio, do="seek", seconds=4)
    studio.session.player.block(1)
    moved = studio.session.moved()
    assert moved[GAIN] == pytest.approx(0.5, abs=0.01)
    assert OTHER not in moved


def test_pages_are_told_where_playing_ended_not_where_it_was_sent(studio: Studio) -> None:
    _say(studio, do="seek", seconds=4)
    assert studio.session.transport()["seconds"] == 4  # before a block is made
    _say(studio, do="play")
    studio.session.player.block(441)
    _say(studio, do="seek", seconds=6)
    studio.session.player.block(882)
    _say(studio, do="stop")
    studio.session.player.block(1)
    assert studio.session.transport()["seconds"] == pytest.approx(6 + 882 / 44100)
    assert not studio.session.transport()["playing"]


def test_a_hand_that_lets_go_of_what_a_recipe_moves_leaves_it_to_the_recipe(studio: Studio) -> None:
    _say(studio, do="place", recipe="linear", start=0, length=16)
    for name in (GAIN, OTHER):
        _say(studio, do="hold", control=name, value=0.25)
        _say(studio, do="release", control=name)
    assert studio.session.project.values == {OTHER: 0.25}
    assert not studio.session.player.hands.held


def test_where_nothing_plays_faders_stand_where_the_playhead_was_put(studio: Studio) -> None:
    """Nobody has the sound yet, who would take the player there; a hand that lets go leaves the recipe's place."""
    told: list[dict[str, Any]] = []
    end = studio.session.listen(told.append)
    _say(studio, do="tempo", bpm=60)
    assert studio.session.snapshot()["transport"]["tempo"] == 60
    _say(studio, do="tempo", bpm=120)
    _say(studio, do="place", recipe="linear", start=0, length=16)
    _say(studio, do="seek", seconds=4)
    assert told[-1]["event"] == "sought"
    assert told[-1]["values"][GAIN] == pytest.approx(0.5, abs=0.01)
    snapshot = studio.session.snapshot()
    assert snapshot["transport"]["seconds"] == 4
    assert snapshot["values"][studio.mixer.layout.index(GAIN)] == pytest.approx(0.5, abs=0.01)
    _say(studio, do="hold", control=GAIN, value=0.1)
    _say(studio, do="release", control=GAIN)
    assert told[-1] == {"event": "released", "controls": [GAIN], "values": told[-1]["values"]}
    assert told[-1]["values"][GAIN] == pytest.approx(0.5, abs=0.01)
    with pytest.raises(
        InputError, match="at 60 BPM the clip is 8 beats long, and linear goes from beat 0 to 16: move it"
    ):
        _say(studio, do="tempo", bpm=60)
    end()
