"""REAPER projects: read back by a parser of the tests' own, they are the arrangement."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from djgraph.automation import TempoMap
from djgraph.daw import LanePoint
from djgraph.daw.reaper import write_reaper
from djgraph.errors import DJGraphError, InputError
from djgraph.guard import guarded

from .mixes import two_decks
from .rpp import Block, beat_at, parse, source_second, value_at

TEMPOS = {
    "steady": TempoMap(124),
    "per beat": TempoMap([(0, 120, "per_beat"), (8, 126), (12, 125)]),
    "per second": TempoMap([(0, 120, "per_second"), (10, 126)]),
}


def _written(tmp_path, arrangement) -> Block:
    write_reaper(arrangement, tmp_path / "mix.rpp")
    return parse((tmp_path / "mix.rpp").read_text(encoding="utf-8"))


def _tracks(project: Block) -> dict[str, Block]:
    return {block.one("NAME")[0]: block for block in project.all("TRACK")}


@pytest.mark.parametrize("name", TEMPOS)
def test_items_play_what_the_arrangement_plays(tmp_path, name):
    mix = two_decks(tmp_path, TEMPOS[name])
    tracks = _tracks(_written(tmp_path, mix))
    for group in mix.groups:
        for track in group.tracks:
            (clip,), (item,) = track.clips, tracks[track.name].all("ITEM")
            for beat in np.linspace(clip.begins, clip.ends, 100)[1:-1]:
                found = source_second(item, mix.tempo.seconds(beat))
                assert found == pytest.approx(clip.second_at(beat), abs=2e-4)
            end = item.number("POSITION") + item.number("LENGTH")
            assert end == pytest.approx(mix.tempo.seconds(clip.ends), abs=1e-9)
            assert item.number("VOLPAN", 2) == pytest.approx(10 ** (clip.gain / 20))
            assert item.one("PLAYRATE")[1] == ("1" if clip.key_lock else "0")
            assert item.one("NAME") == [clip.name]
            (source,) = item.all("SOURCE")
            assert (tmp_path / source.one("FILE")[0]) == clip.file.path


def test_one_speed_is_a_play_rate(tmp_path):
    mix = two_decks(tmp_path, TempoMap(124))
    clip = next(mix.clips())
    steady = dataclasses.replace(clip, warps=clip.warps[:2])
    track = dataclasses.replace(mix.groups[0].tracks[0], clips=(steady,))
    group = dataclasses.replace(mix.groups[0], tracks=(track, *mix.groups[0].tracks[1:]))
    project = _written(tmp_path, dataclasses.replace(mix, groups=(group, *mix.groups[1:])))
    (item,) = _tracks(project)["a.drums"].all("ITEM")
    assert not [line for line in item.lines if line[0] == "SM"]
    assert item.number("PLAYRATE") == pytest.approx(1.03 / (2 * 60 / 124))
    assert item.number("SOFFS") == pytest.approx(0.1)


@pytest.mark.parametrize("name", TEMPOS)
def test_the_tempo_is_the_arrangements(tmp_path, name):
    mix = two_decks(tmp_path, TEMPOS[name])
    project = _written(tmp_path, mix)
    (envelope,) = project.all("TEMPOENVEX")
    for beat in np.linspace(0, 20, 81):
        assert beat_at(envelope.points(), mix.tempo.seconds(beat)) == pytest.approx(beat, abs=5e-5)
    assert project.one("TEMPO") == [f"{mix.tempo.points[0][1]:g}", "4", "4"]


@pytest.mark.parametrize("name", TEMPOS)
def test_envelopes_are_lanes(tmp_path, name):
    mix = two_decks(tmp_path, TEMPOS[name])
    tracks = _tracks(_written(tmp_path, mix))
    beats = np.linspace(0.01, 19.99, 500)
    for group in mix.groups:
        for track in group.tracks:
            (volume,) = tracks[track.name].all("VOLENV2")
            for beat in beats:
                wanted = float(track.channel.volume.at(beat))
                assert value_at(volume.points(), mix.tempo.seconds(beat)) == pytest.approx(wanted, abs=1e-3)
    rows = list(tracks)
    received = [line for line in tracks["room"].items if isinstance(line, list) and line[0] == "AUXRECV"]
    assert [(rows[int(line[1])], line[2]) for line in received] == [("a", "0"), ("b", "3")]
    for group, envelope in zip(mix.groups, tracks["room"].all("AUXVOLENV"), strict=True):
        for beat in beats:
            wanted = float(group.channel.sends[0].level.at(beat))
            assert value_at(envelope.points(), mix.tempo.seconds(beat)) == pytest.approx(wanted, abs=1e-3)


def test_equalisers_are_effects_that_reaper_has(tmp_path):
    from djgraph.daw import Band, Device, Lane

    mix = two_decks(tmp_path)
    low = Lane(
        "low", "dB", -60, 6, (LanePoint(8, 0.0, "hold"), LanePoint(12, -60.0), LanePoint(16, 0.0, "hold"))
    )
    still = Lane.constant("mid", "dB", -60, 6, -3.0)
    hertz = [Lane.constant("f", "Hz", 20, 20000, f) for f in (300, 1100, 4000)]
    kinds = ("lowShelf", "bell", "highShelf")
    eq = Device("eq", "eq3", bands=tuple(map(Band, kinds, hertz, (low, still, still))))
    sweep = Lane("f", "Hz", 20, 20000, (LanePoint(0, 20.0), LanePoint(4, 800.0)))
    passes = Device("filter", "highpass", bands=(Band("highPass", sweep),))
    open_one = Device(
        "filter", "lowpass", bands=(Band("lowPass", Lane.constant("f", "Hz", 20, 20000, 20000)),)
    )
    main = dataclasses.replace(mix.main, devices=(eq, passes, open_one))
    project = _written(tmp_path, dataclasses.replace(mix, main=main))
    (chain,) = project.all("MASTERFXLIST")
    names = [block.words[1] for block in chain.all("JS")]
    assert names == ["loser/3BandEQ", "sstillwell/hpflpf", "sstillwell/hpflpf"]
    sliders = [
        list(map(float, block.lines[0][: {"l": 6, "s": 3}[block.words[1][0]]])) for block in chain.all("JS")
    ]
    assert sliders == [[0, 300, -3, 4000, -3, 0], [20, 22000, 0], [0, 22000, 0]]
    first, second = chain.all("PARMENV")
    assert first.words[1:] == ["0", "-24", "24", "0"]
    assert second.words[1] == "0"
    for beat in np.linspace(0.01, 15.9, 200):
        wanted = max(-24.0, float(low.at(beat)))
        assert value_at(first.points(), mix.tempo.seconds(beat)) == pytest.approx(wanted, abs=0.2)


def test_folders_and_markers(tmp_path):
    mix = two_decks(tmp_path)
    project = _written(tmp_path, mix)
    tracks = _tracks(project)
    assert list(tracks) == ["a", "a.drums", "a.bass & keys", "b", "b.drums", "b.bass & keys", "room"]
    depth = [int(block.one("ISBUS")[1]) for block in tracks.values()]
    assert depth == [1, 0, -1, 1, 0, -1, 0]
    assert all(block.one("MAINSEND") == ["1", "0"] for block in tracks.values())
    found = [line[1:5] for line in project.lines if line[0] == "MARKER"]
    assert [line[2] for line in found] == ['One — & "two"', "bass_swap", ""]
    assert [line[3] for line in found] == ["0", "1", "1"]
    assert [float(line[1]) for line in found] == pytest.approx([mix.tempo.seconds(b) for b in (0, 8, 14)])
    # What REAPER has no effect for is said in the notes.
    (notes,) = project.all("NOTES")
    assert any("echo (echo) of a; it moves a.time" in line[1] for line in notes.lines if line[0] == "|")


def test_a_track_that_leaves_its_folder_is_received_elsewhere(tmp_path):
    mix = two_decks(tmp_path)
    drums = mix.groups[0].tracks[0]
    drums = dataclasses.replace(drums, channel=dataclasses.replace(drums.channel, to="room"))
    group = dataclasses.replace(mix.groups[0], tracks=(drums, *mix.groups[0].tracks[1:]))
    tracks = _tracks(_written(tmp_path, dataclasses.replace(mix, groups=(group, *mix.groups[1:]))))
    assert tracks["a.drums"].one("MAINSEND")[0] == "0"
    received = [line[1:4] for line in tracks["room"].lines if line[0] == "AUXRECV"]
    assert ["1", "0", "1"] in received


def test_the_same_arrangement_is_the_same_text(tmp_path):
    mix = two_decks(tmp_path)
    texts = []
    for name in ("a.rpp", "b.rpp"):
        write_reaper(mix, tmp_path / name)
        texts.append((tmp_path / name).read_bytes())
    assert texts[0] == texts[1]


@pytest.mark.parametrize("name", ['"', "'", "`", "\"'", "\"'`", "> <", "\n", "\x1b[31m", ""])
def test_names_may_hold_anything(tmp_path, name):
    mix = two_decks(tmp_path)
    marker = dataclasses.replace(mix.markers[0], name=name)
    project = _written(tmp_path, dataclasses.replace(mix, markers=(marker,)))
    (line,) = [line for line in project.lines if line[0] == "MARKER"]
    assert len(line) == 5


def test_what_cannot_be_written_is_told(tmp_path):
    mix = two_decks(tmp_path / "\"'`")
    with pytest.raises(InputError, match="all kinds of quotes"):
        write_reaper(mix, tmp_path / "mix.rpp")
    mix = two_decks(tmp_path)
    with guarded(), pytest.raises(DJGraphError, match="one of the inputs"):
        write_reaper(mix, mix.files()[0])
    mix.files()[0].unlink()
    with pytest.raises(InputError, match="is not there"):
        write_reaper(mix, tmp_path / "mix.rpp")
    assert not (tmp_path / "mix.rpp").exists()
