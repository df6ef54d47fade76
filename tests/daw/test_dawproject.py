"""DAWproject: what is written is read back, and is what the format asks for; hostile files are refused."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import zipfile
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

from djgraph.automation import TempoMap
from djgraph.daw import Arrangement, Channel, Lane
from djgraph.daw.arrangement import ramped
from djgraph.daw.dawproject import write_dawproject
from djgraph.daw.dawproject_read import LARGEST, audio_within, read_dawproject
from djgraph.errors import DJGraphError, InputError
from djgraph.guard import guarded

from .mixes import two_decks

DIGITS = 2e-9
"""What a number written with nine digits is off by at most, and a sum of two."""
SCHEMAS = os.environ.get("DAWPROJECT_SCHEMAS")
"""A folder with Project.xsd and MetaData.xsd of https://github.com/bitwig/dawproject."""


def _same_lane(found: Lane, given: Lane, most: float | None = None) -> None:
    assert (found.name, found.unit, found.low) == (given.name, given.unit, given.low)
    assert found.high == (given.high if most is None else max(given.high, most))
    assert [p.shape for p in found.points if given.moves] == [p.shape for p in given.points if given.moves]
    points = given.points if given.moves else [dataclasses.replace(given.points[0], beat=0.0)]
    for a, b in zip(found.points, points, strict=True):
        assert a.beat == pytest.approx(b.beat, abs=DIGITS)
        assert a.value == pytest.approx(b.value, abs=DIGITS)


def _same_channel(found: Channel, given: Channel) -> None:
    assert (found.name, found.to) == (given.name, given.to)
    _same_lane(found.volume, given.volume, 2.0)
    for a, b in zip(found.sends, given.sends, strict=True):
        assert (a.to, a.pre) == (b.to, b.pre)
        _same_lane(a.level, b.level, 2.0)
    for a, b in zip(found.devices, given.devices, strict=True):
        assert (a.name, a.type) == (b.name, b.type)
        for x, y in zip(a.lanes, b.lanes, strict=True):
            _same_lane(x, y)
        for x, y in zip(a.bands, b.bands, strict=True):
            assert x.kind == y.kind
            assert (x.gain is None) == (y.gain is None)
            _same_lane(x.frequency, y.frequency)
            if x.gain is not None and y.gain is not None:
                _same_lane(x.gain, y.gain)


def _same(found: Arrangement, given: Arrangement) -> None:
    for a, b in zip(found.channels(), given.channels(), strict=True):
        _same_channel(a, b)
    assert [len(g.tracks) for g in found.groups] == [len(g.tracks) for g in given.groups]
    for a, b in zip(found.clips(), given.clips(), strict=True):
        assert (a.name, a.key_lock, a.colour) == (b.name, b.key_lock, b.colour)
        assert dataclasses.replace(a.file, path=Path()) == dataclasses.replace(b.file, path=Path())
        assert a.begins == pytest.approx(b.begins, abs=DIGITS)
        assert a.ends == pytest.approx(b.ends, abs=DIGITS)
        # The markers, and what the file does beyond them.
        for warp in b.warps:
            assert a.second_at(warp.beat) == pytest.approx(warp.seconds, abs=1e-8)
        assert a.warps[0].seconds == 0
        assert a.warps[-1].seconds == pytest.approx(b.file.seconds)
    assert found.markers == given.markers
    assert found.meter == given.meter


@pytest.mark.parametrize("embed", [False, True])
def test_what_is_written_is_read_back(tmp_path, embed):
    given = two_decks(tmp_path)
    write_dawproject(given, tmp_path / "mix.dawproject", embed=embed)
    found = read_dawproject(tmp_path / "mix.dawproject")
    _same(found, given.with_gains_as_volume())
    assert found.tempo == given.tempo
    inside = dict(audio_within(tmp_path / "mix.dawproject"))
    assert sorted(inside.values()) == (sorted(p.stat().st_size for p in given.files()) if embed else [])
    for a, b in zip(found.clips(), given.clips()):
        if embed:
            assert a.file.path.relative_to(tmp_path / "mix.dawproject").as_posix() in inside
        else:
            assert a.file.path == b.file.path


def test_the_same_arrangement_is_the_same_file(tmp_path):
    given = two_decks(tmp_path)
    for name in "ab":
        write_dawproject(given, tmp_path / name, embed=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_files_beside_the_project_are_named_relative_to_it_and_others_wholly(tmp_path):
    given = two_decks(tmp_path / "audio here")
    (tmp_path / "elsewhere").mkdir()
    paths = []
    for name in ("mix.dawproject", "elsewhere/mix.dawproject"):
        write_dawproject(given, tmp_path / name)
        files = list(_project(tmp_path / name).iter("File"))
        assert all(file.get("external") == "true" for file in files)
        paths.append(files[0].get("path"))
    assert paths == ["audio here/a <one>/drums.wav", (tmp_path / "audio here/a <one>/drums.wav").as_posix()]


def test_ramps_by_second_are_cut_until_beats_fall_where_they_should(tmp_path):
    tempo = TempoMap([(0, 120, "per_second"), (64, 132, "per_second"), (128, 128), (140, 124)])
    points = ramped(tempo, "per_beat")
    assert all(ramp in ("hold", "per_beat") for *_, ramp in points)
    for beat in range(160):
        assert TempoMap(points).seconds(beat) == pytest.approx(tempo.seconds(beat), abs=1.5e-5)
    write_dawproject(two_decks(tmp_path, tempo), tmp_path / "mix.dawproject")
    found = read_dawproject(tmp_path / "mix.dawproject").tempo
    for beat in range(160):
        assert found.seconds(beat) == pytest.approx(tempo.seconds(beat), abs=1.5e-5)


ORDER = {
    "Project": ["Application", "Transport", "Structure", "Arrangement", "Scenes"],
    "Transport": ["Tempo", "TimeSignature"],
    "Track": ["Channel", "Track"],
    "Channel": ["Devices", "Mute", "Pan", "Sends", "Volume"],
    "Arrangement": ["Lanes", "Markers", "TempoAutomation", "TimeSignatureAutomation"],
    "BuiltinDevice": ["Parameters", "Enabled", "State"],
    "Equalizer": ["Parameters", "Enabled", "State", "Band", "InputGain", "OutputGain"],
    "Band": ["Freq", "Gain", "Q", "Enabled"],
    "Points": ["Target", "RealPoint"],
    "TempoAutomation": ["Target", "RealPoint"],
    "Warps": ["Audio", "Warp"],
    "Clips": ["Clip"],
}
"""What may stand in what, in this order, of the elements that djgraph writes (from the reference of the format)."""
REQUIRED = {
    "Project": ["version"], "Application": ["name", "version"], "Tempo": ["unit"], "RealParameter": ["unit"],
    "Volume": ["unit"], "Gain": ["unit"], "Freq": ["unit"], "TimeSignature": ["numerator", "denominator"],
    "Clip": ["time"], "Warps": ["contentTimeUnit"], "Warp": ["time", "contentTime"], "Marker": ["time"],
    "Audio": ["channels", "duration", "sampleRate"], "File": ["path"], "RealPoint": ["time", "value"],
    "Equalizer": ["deviceName", "deviceRole"], "BuiltinDevice": ["deviceName", "deviceRole"], "Band": ["type"],
}  # fmt: skip


def _project(path: Path) -> Element:
    return fromstring(zipfile.ZipFile(path).read("project.xml"))


def test_elements_stand_in_the_order_that_the_format_wants(tmp_path):
    write_dawproject(two_decks(tmp_path), tmp_path / "mix.dawproject")
    root = _project(tmp_path / "mix.dawproject")
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(set(ids)) == len(ids)
    assert all(name[0].isalpha() for name in ids)
    for element in root.iter():
        for name in REQUIRED.get(element.tag, ()):
            assert element.get(name), (element.tag, name)
        if element.tag in ORDER:
            order = [ORDER[element.tag].index(child.tag) for child in element]
            assert order == sorted(order), element.tag
        for reference in ("destination", "parameter", "track"):
            if element.get(reference):
                assert element.get(reference) in ids
    for warps in root.iter("Warps"):
        for name in ("time", "contentTime"):
            values = [float(warp.get(name, "")) for warp in warps.findall("Warp")]
            assert len(values) >= 2
            assert all(a < b for a, b in pairwise(values))


@pytest.mark.skipif(SCHEMAS is None, reason="DAWPROJECT_SCHEMAS names no folder with the schemas")
@pytest.mark.parametrize("embed", [False, True])
def test_the_published_schemas_hold(tmp_path, embed):
    etree = pytest.importorskip("lxml.etree")
    write_dawproject(two_decks(tmp_path), tmp_path / "mix.dawproject", embed=embed)
    with zipfile.ZipFile(tmp_path / "mix.dawproject") as archive:
        for name, schema in (("project.xml", "Project.xsd"), ("metadata.xml", "MetaData.xsd")):
            known = etree.XMLSchema(etree.parse(str(Path(SCHEMAS or "") / schema)))
            known.assertValid(etree.fromstring(archive.read(name)))


def test_files_that_are_not_there_and_names_that_no_text_can_hold(tmp_path):
    given = two_decks(tmp_path)
    gone = given.files()[1]
    gone.unlink()
    with pytest.raises(InputError, match=r"bass & keys\.wav is not there"):
        write_dawproject(given, tmp_path / "mix.dawproject")
    assert not (tmp_path / "mix.dawproject").exists()
    given = two_decks(tmp_path / "bell\x07")
    with pytest.raises(InputError, match="--embed"):
        write_dawproject(given, tmp_path / "mix.dawproject")
    write_dawproject(given, tmp_path / "mix.dawproject", embed=True)
    assert read_dawproject(tmp_path / "mix.dawproject").groups


def test_titles_may_hold_anything(tmp_path):
    given = two_decks(tmp_path)
    clip = dataclasses.replace(next(given.clips()), name="a \x00\x1b]<&\"'> \ud800 ☃")
    track = dataclasses.replace(given.groups[0].tracks[0], clips=(clip,))
    group = dataclasses.replace(given.groups[0], tracks=(track, *given.groups[0].tracks[1:]))
    given = dataclasses.replace(given, groups=(group, *given.groups[1:]))
    write_dawproject(given, tmp_path / "mix.dawproject", title="a \x00 title")
    found = next(read_dawproject(tmp_path / "mix.dawproject").clips())
    assert found.name == "a \\x00\\x1b]<&\"'> \\ud800 ☃"


def test_an_input_is_not_written_over(tmp_path):
    given = two_decks(tmp_path)
    with guarded(), pytest.raises(DJGraphError, match="one of the inputs"):
        write_dawproject(given, given.files()[0])


def _zip(path: Path, **files: bytes | str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.xml", content)
    return path


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><Project>&b;</Project>'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BOMB, "document type"),
        (BOMB.encode("utf-16"), "UTF-8"),
        ("<Project", "no XML"),
        ("<Other/>", "not a Project"),
        ("<Project>" + "<a>" * 50 + "</a>" * 50 + "</Project>", "nests"),
        ("<Project/>", "0 master channels"),
        ('<Project><a id="x"/><b id="x"/></Project>', "given twice"),
        ("<Project><Structure><Track/></Structure></Project>", "no Channel"),
        (b" " * (LARGEST + 1), "larger than 64 MiB"),
    ],
    ids=lambda x: None if isinstance(x, bytes) or len(x) > 40 else x,
)
def test_hostile_projects_are_refused(tmp_path, content, said):
    with pytest.raises(InputError, match=said):
        read_dawproject(_zip(tmp_path / "x.dawproject", project=content))


def test_what_is_no_zip_is_refused(tmp_path):
    path = tmp_path / "x.dawproject"
    with pytest.raises(InputError, match="cannot be read"):
        read_dawproject(path)
    path.write_bytes(b"PK\x03\x04" + b"x" * 100)
    with pytest.raises(InputError, match="no DAWproject file"):
        read_dawproject(path)
    with pytest.raises(InputError, match=r"no project\.xml"):
        read_dawproject(_zip(path, other="x"))
    whole = tmp_path / "mix.dawproject"
    write_dawproject(two_decks(tmp_path), whole)
    content = whole.read_bytes()
    for place in range(0, len(content), 997):
        broken = bytearray(content)
        broken[place] ^= 0x55
        path.write_bytes(broken)
        with contextlib.suppress(InputError):  # and nothing else
            read_dawproject(path)


@pytest.mark.parametrize(
    ("attribute", "value", "said"),
    [("time", "soon", "no number"), ("time", "1e300", "too large"), ("contentTimeUnit", "beats", "seconds")],
)
def test_values_that_are_none_are_told_with_their_place(tmp_path, attribute, value, said):
    write_dawproject(two_decks(tmp_path), tmp_path / "mix.dawproject")
    root = _project(tmp_path / "mix.dawproject")
    for element in root.iter():
        if element.tag in ("Warp", "Warps") and element.get(attribute):
            element.set(attribute, value)
    from xml.etree.ElementTree import tostring

    with pytest.raises(InputError, match=said):
        read_dawproject(_zip(tmp_path / "x.dawproject", project=tostring(root)))
