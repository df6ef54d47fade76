"""Grids of DJ programs: files as these programs write them, made by hand."""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest

from djgraph.analysis.collections import read_collection
from djgraph.analysis.find import Source
from djgraph.errors import AudioFileError

_XML = """<?xml version="1.0" encoding="UTF-8"?>
<DJ_PLAYLISTS Version="1.0.0"><PRODUCT Name="rekordbox" Version="6.6.4"/><COLLECTION Entries="2">
<TRACK TrackID="1" Name="First" Location="file://localhost/music/A%20b.flac" AverageBpm="120.00">
<TEMPO Inizio="0.100" Bpm="120.00" Metro="4/4" Battito="3"/>
<TEMPO Inizio="8.101" Bpm="125.00" Metro="4/4" Battito="3"/></TRACK>
<TRACK TrackID="3" Name="Third" Location="file://localhost/music/third.flac">
<TEMPO Inizio="0.1" Bpm="120.00" Metro="0/4" Battito="1"/></TRACK>
<TRACK TrackID="2" Name="Second" Location="file://localhost/C:/music/second.mp3"/>
</COLLECTION></DJ_PLAYLISTS>"""


def _source(name: str) -> Source:
    return Source(Path(name).stem, {"mixture": Path(name)}, Path(name).with_suffix(".json"))


def test_rekordbox(tmp_path):
    file = tmp_path / "collection.xml"
    file.write_text(_XML, encoding="utf-8")
    collection = read_collection(file)
    assert len(collection) == 1
    grid = collection.grid(_source("/elsewhere/A b.wav"))
    assert grid is not None
    assert collection.grid(_source("/elsewhere/second.mp3")) is None
    # The first marked beat is the third of its bar, so two beats later a bar begins.
    np.testing.assert_allclose(grid.at(np.array([0.0, 1.0])), [0.1, 0.6], atol=1e-3)
    assert grid.downbeat == 2
    # Sixteen beats of 120 BPM to the second mark, then 125.
    np.testing.assert_allclose(grid.at(np.array([16.0, 17.0])), [8.101, 8.101 + 0.48], atol=1e-9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<a", "is no XML"),
        ("<other/>", "no export of rekordbox"),
        ('<!DOCTYPE x [<!ENTITY a "aaaa">]><DJ_PLAYLISTS>&a;</DJ_PLAYLISTS>', "entities"),
    ],
)
def test_what_is_no_export(tmp_path, text, said):
    file = tmp_path / "wrong.xml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(AudioFileError, match=said):
        read_collection(file)


def _varint(value: int) -> bytes:
    value %= 1 << 64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _message(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _mixxx(path: Path, rows: list[tuple[str, str, bytes, str]]) -> Path:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE track_locations (id INTEGER, location TEXT)")
        database.execute(
            "CREATE TABLE library (title TEXT, location INTEGER, beats BLOB, beats_version TEXT, samplerate INTEGER)"
        )
        for number, (place, title, beats, version) in enumerate(rows):
            database.execute("INSERT INTO track_locations VALUES (?, ?)", (number, place))
            database.execute(
                "INSERT INTO library VALUES (?, ?, ?, ?, 44100)", (title, number, beats, version)
            )
    database.close()
    return path


def test_mixxx(tmp_path):
    steady = _message(1, _varint(1 << 3 | 1) + struct.pack("<d", 128.0)) + _message(
        2, _varint(1 << 3) + _varint(4410)
    )
    beats = [1000 + 22050 * k + (500 if k > 4 else 0) for k in range(10)]
    uneven = b"".join(_message(1, _varint(1 << 3) + _varint(beat)) for beat in beats)
    before = _message(1, _varint(1 << 3 | 1) + struct.pack("<d", 120.0)) + _message(
        2, _varint(1 << 3) + _varint(-4410)
    )
    path = _mixxx(
        tmp_path / "mixxxdb.sqlite",
        [
            ("/m/steady.flac", "One", steady, "BeatGrid-2.0"),
            ("/m/uneven.flac", "Two", uneven, "BeatMap-1.0"),
            ("/m/before.flac", "Three", before, "BeatGrid-2.0"),
            ("/m/broken.flac", "Four", b"\x0a\xff", "BeatGrid-2.0"),
            ("/m/zero.flac", "Five", steady[:-1], "Other-1.0"),
        ],
    )
    collection = read_collection(path)
    assert len(collection) == 3
    grid = collection.grid(_source("/x/steady.wav"))
    assert grid is not None
    np.testing.assert_allclose(grid.at(np.array([0.0, 1.0])), [0.1, 0.1 + 60 / 128])
    grid = collection.grid(_source("/x/uneven.wav"))
    assert grid is not None
    np.testing.assert_allclose(grid.beats_until(9 * 0.5), np.array(beats[:9]) / 44100, atol=1e-9)
    grid = collection.grid(_source("/x/before.wav"))
    assert grid is not None
    np.testing.assert_allclose(grid.at(np.array([0.0])), [0.4])  # beat 0 is the first within the track
    assert grid.downbeat == 3


def test_what_is_no_database(tmp_path):
    file = tmp_path / "mixxxdb.sqlite"
    file.write_bytes(b"not a database at all, but long enough to be taken for one" * 40)
    with pytest.raises(AudioFileError, match="no database of Mixxx"):
        read_collection(file)
    with pytest.raises(AudioFileError, match="no collection"):
        read_collection(tmp_path / "x.txt")
