"""Mapping files: what they take, what they refuse, and where they say so."""

from __future__ import annotations

from pathlib import Path

import pytest

import djgraph
from djgraph.errors import DocumentError, MappingError
from djgraph.live.learn import mapping_text, write_mapping
from djgraph.live.mapping import load_mapping

GOOD = """\
mapping: 1
name: nano
port: nanoKONTROL
takeover: pickup
controls:
  - {control: track_a.drums.gain, cc: 7, channel: 2}
  - {control: track_a.bass.gain, cc14: 1, takeover: jump}
  - {control: track_a.drums.lpf, nrpn: 257, range: [1, 0.2]}
  - {control: track_b.drums.gain, pitch: true, touch: 104}
  - {control: track_b.bass.gain, cc: 20, relative: offset, step: 0.01}
  - {control: track_b.vocals.gain, note: 36, button: hold, lit: 5, dark: 1}
  - {do: play, note: 40}
"""


@pytest.fixture(scope="module")
def layout() -> djgraph.ParameterLayout:
    return djgraph.ParameterLayout.from_graph(djgraph.load("dj_mixer"))


def test_a_file_is_read(layout: djgraph.ParameterLayout) -> None:
    bindings = load_mapping(GOOD, layout)
    kinds = [(entry.kind, entry.number, entry.channel) for entry in bindings.entries]
    assert kinds == [
        ("cc", 7, 2),
        ("cc14", 1, 1),
        ("nrpn", 257, 1),
        ("pitch", 0, 1),
        ("cc", 20, 1),
        ("note", 36, 1),
        ("note", 40, 1),
    ]
    assert [bindings.takeover(entry) for entry in bindings.entries[:2]] == ["pickup", "jump"]
    assert bindings.entries[2].range == (1.0, 0.2)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("drums.gain, cc: 7", "drums.gian, cc: 7", "6:15: there is no control 'track_a.drums.gian'"),
        ("cc: 7", "cc: 128", "whole number from 0 to 127"),
        ("cc: 7", "cc: 7, note: 3", "expected one of cc, cc14, nrpn, note, pitch, got cc and note"),
        ("cc: 7", "kanal: 7", "kanal"),
        ("takeover: pickup", "takeover: pikcup", "did you mean: pickup"),
        ("do: play", "do: pley", "did you mean: play"),
        ("relative: offset, step", "step", "a step belongs to `relative`"),
        ("step: 0.01", "step: 2", "share of the travel"),
        ("range: [1, 0.2]", "range: [1, 2]", "position from 0 to 1"),
        ("cc: 20", "cc: 33", "is a part of controls[1]"),
        ("mapping: 1", "mapping: 2", "version 1"),
        ("{do: play, note: 40}", "{note: 40}", "either `control` or `do`"),
        ("channel: 2", "channel: 17", "whole number from 1 to 16"),
    ],
)
def test_mistakes_are_told_at_their_place(
    layout: djgraph.ParameterLayout, tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in GOOD
    channel = "" if "33" not in new else ", channel: 1"
    file = tmp_path / "m.yaml"
    file.write_text(GOOD.replace(old, new + channel, 1))
    with pytest.raises(DocumentError) as caught:
        load_mapping(file, layout)
    assert said in str(caught.value)
    assert f"{file}:" in str(caught.value)


def test_what_is_no_mapping_is_refused(layout: djgraph.ParameterLayout) -> None:
    for text in ("[1,\n2]", "mapping: 1\ncontrols: 3", "a: &a [*a]\nb: 1", "!!python/object:os.system\nx: 1"):
        with pytest.raises(DocumentError):
            load_mapping(text, layout)


def test_one_knob_may_move_several_controls(layout: djgraph.ParameterLayout) -> None:
    text = "mapping: 1\ncontrols:\n" + "".join(
        f"  - {{control: track_a.{stem}.gain, cc: 1}}\n" for stem in ("drums", "bass")
    )
    assert len(load_mapping(text, layout).entries) == 2


def test_what_is_learnt_is_a_mapping(layout: djgraph.ParameterLayout, tmp_path: Path) -> None:
    entries = {
        "track_a.drums.gain": {"cc": 7, "channel": 3},
        "track_a.bass.gain": {"pitch": True, "channel": 1, "touch": 104},
        "track_a.drums.lpf": {"cc": 3, "channel": 1, "relative": "sign_bit"},
    }
    file = tmp_path / "learnt.yaml"
    write_mapping(file, mapping_text(entries, "a: #name", "port 1:0"))
    bindings = load_mapping(file, layout)
    assert bindings.name == "a: #name"
    assert [entry.kind for entry in bindings.entries] == ["cc", "pitch", "cc"]
    assert bindings.entries[1].touch == 104
    with pytest.raises(MappingError):
        load_mapping(file.read_text().replace("drums.gain", "drums.gin"), layout)
