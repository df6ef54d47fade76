"""Set files: what is read, what is told of mistakes, and that the schema says the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from djgraph.errors import DocumentError, SetError
from djgraph.sets.document import json_schema
from djgraph.sets.load import load_set
from djgraph.sets.places import TrackPlace

WHOLE = """set: 1
name: friday
title: A night
graph: dj_mixer
decks: [track_b, track_a]
tempo: {from: 124, to: 130, ramp: per_second}
key_lock: true
gain: none
transition: bass_swap
length: 16beats
tracks:
  - one
  - {transition: echo_out, at: last chorus, length: 8bars, settings: {feedback: 0.5}}
  - {track: two, title: Two, from: phrase 2, gain: -3, key_lock: false}
  - three
"""


def test_a_whole_file() -> None:
    document = load_set(WHOLE)
    assert [track.track for track, _ in document.tracks] == ["one", "two", "three"]
    assert list(document.moves) == [0]
    move, _ = document.moves[0]
    assert (move.transition, move.at, move.length) == ("echo_out", TrackPlace("chorus", -1), 32.0)
    two = document.tracks[1][0]
    assert (two.title, two.begin, two.gain, two.key_lock) == ("Two", TrackPlace("phrase", 2), -3.0, False)


def test_a_transition_that_says_no_recipe() -> None:
    document = load_set("set: 1\ntracks: [a, {at: last chorus}, b, {length: 8bars}, c]")
    assert [document.moves[n][0].transition for n in (0, 1)] == [None, None]
    assert document.moves[0][0].at == TrackPlace("chorus", -1)
    assert document.moves[1][0].length == 32


@pytest.mark.parametrize(("head", "title"), [("", "my set"), ("name: x\n", ""), ("title: T\n", "T")])
def test_a_set_is_called_like_its_file(tmp_path: Path, head: str, title: str) -> None:
    path = tmp_path / "my set.yaml"
    path.write_text(f"set: 1\n{head}tracks: [a]\n")
    assert load_set(path).title == title
    assert load_set("set: 1\ntracks: [a]").title == ""


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("64bars", TrackPlace("bars", 64)),
        ("1 bar", TrackPlace("bars", 1)),
        ("bar 3", TrackPlace("bars", 2)),
        ("256beats", TrackPlace("beats", 256)),
        ("phrase 3", TrackPlace("phrase", 3)),
        ("last phrase", TrackPlace("phrase", -1)),
        ("first chorus", TrackPlace("chorus", 1)),
        ("end", TrackPlace("end")),
    ],
)
def test_places(text: str, place: TrackPlace) -> None:
    assert TrackPlace.parse(text) == place
    assert TrackPlace.parse(str(place)) == place
    assert str(TrackPlace.parse("bar 3")) == "bar 3"  # as it was said
    assert str(TrackPlace.parse("2bars")) == "2bars"


@pytest.mark.parametrize(
    "text", ["", "64", "phrase 0", "last bar", "-3bars", "chorus", "1e9bars", "64bars 2"]
)
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(ValueError, match="no place"):
        TrackPlace.parse(text)


WRONG = {
    "set: 2\ntracks: [a]": (":1:6", "version 1"),
    "set: 1\ntrack: [a]": (":2:1", "did you mean: tracks"),
    "set: 1\ntracks: []": (":2:9", "at least 1"),
    "set: 1\ntracks: [a, 7]": (":2:13", "expected a track"),
    "set: 1\ntracks: [{transition: cut}, a]": (":2:10", "between two tracks"),
    "set: 1\ntracks: [a, {transition: cut}]": (":2:13", "between two tracks"),
    "set: 1\ntracks: [a, {transition: cut}, {transition: cut}, b]": (":2:32", "between two tracks"),
    "set: 1\ntracks: [a, {transition: cut, lenght: 8beats}, b]": (":2:31", "did you mean: length"),
    "set: 1\ntracks: [a, {at: the drop}, b]": (":2:18", "last chorus"),
    "set: 1\ntracks: [a, {length: 8bars}]": (":2:13", "between two tracks"),
    "set: 1\ntracks: [a, {}, b]": (":2:13", "missing key 'track'"),
    "set: 1\ntracks: [a, {transition: cut, length: 32}, b]": (":2:39", "32beats, 8bars"),
    "set: 1\ntracks: [a, {transition: cut, length: 4000bars}, b]": (":2:39", "longer than 1024"),
    "set: 1\ntracks: [a, {transition: cut, at: last corus}, b]": (":2:35", "last chorus"),
    "set: 1\ntracks: [a, {transition: cut, settings: {start: 3}}, b]": (":2:42", "`at` says it"),
    "set: 1\ntempo: 12\ntracks: [a]": (":2:8", "20 to 400"),
    "set: 1\ntempo: own\ntracks: [a]": (":2:8", "tracks"),
    "set: 1\ntempo: {from: 120, too: 124}\ntracks: [a]": (":2:20", "did you mean: to"),
    "set: 1\ntempo: [[0, 120], [16, 124, per_beet]]\ntracks: [a]": (":2:29", "did you mean: per_beat"),
    "set: 1\ngain: loud\ntracks: [a]": (":2:7", "loudness, none"),
    "set: 1\ntracks: [{track: a, gain: 100}]": (":2:27", "-60 to 24 dB"),
    "djgraph: 1\nmixer: []": (":1:1", "this is a graph"),
}


@pytest.mark.parametrize("text", WRONG)
def test_mistakes_have_their_place(text: str) -> None:
    place, words = WRONG[text]
    with pytest.raises(DocumentError) as caught:
        load_set(text)
    assert f"<text>{place}: " in str(caught.value)
    assert words in str(caught.value)


def test_a_track_twice() -> None:
    with pytest.raises(SetError, match=r"<text>:3:16: \./a is in the set twice: at <text>:3:10, too"):
        load_set("set: 1\n\ntracks: [a, b, ./a]")


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("set: 1\ntempo: fast\nlenght: 3\ntracks: [7, {track: a, gain: x}]\n")
    with pytest.raises(DocumentError) as caught:
        load_set(path)
    assert [p.position.line for p in caught.value.problems if p.position] == [2, 3, 4, 4]
    assert f"{path}:2:8" in str(caught.value)


def _data(text: str) -> Any:
    return YAML(typ="safe").load(text)


def test_the_schema_takes_what_is_right() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for text in (
        WHOLE,
        "set: 1\ntempo: tracks\ntracks: [a]",
        "set: 1\ntempo: [[0, 120, per_beat], [9, 124]]\ntracks: [a]",
    ):
        validator.validate(_data(text))


# What the schema cannot say: places and arguments are texts to it, and what stands beside what is not looked at.
_BEYOND = ("last corus", "the drop", "settings", "4000bars")


@pytest.mark.parametrize(
    "text", [t for t in WRONG if "between two" not in WRONG[t][1] and not any(part in t for part in _BEYOND)]
)
def test_the_schema_refuses_what_is_wrong(text: str) -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    assert not validator.is_valid(_data(text))
