"""Tracks behind URLs are the tracks of a folder: found by the same rules, read to the same samples."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from two_decks import GRAPH, RATE

from djgraph.data import Corpus, StemPairs, check_corpus, find_tracks, make_corpus
from djgraph.errors import AudioFileError, CorpusError
from djgraph.storage import cache

from .conftest import tree, write_track
from .test_collections import moises

TWO = ("drums", "bass")
SMALL: dict[str, Any] = {"graph": GRAPH, "seconds": 0.25, "frames_per_second": 20, "workers": 1}


@pytest.fixture
def away(library: Path, memory: Any) -> str:
    """The library, in memory."""
    memory.put(str(library), "/lib", recursive=True)
    return "memory://lib"


def items(root: Path) -> dict[str, bytes]:
    """All but what says where the tracks are."""
    return {name: content for name, content in tree(root).items() if name != "corpus.json"}


def test_the_same_tracks_and_samples(library: Path, away: str, memory: Any) -> None:
    here, there = find_tracks(library, TWO), find_tracks(away, TWO)
    assert [(t.name, t.seconds, t.tempo, t.beats, dict(t.info)) for t in there] == [
        (t.name, t.seconds, t.tempo, t.beats, dict(t.info)) for t in here
    ]
    assert str(there[0].parts["bass"][0]) == "memory://lib/album/two/bass.wav"
    for one, two in zip(here, there):
        for start in (-50, 1000, 30000):
            audio = two.read(start, 500, RATE)
            for stem, expected in one.read(start, 500, RATE).items():
                assert torch.equal(audio[stem], expected)
    assert find_tracks(f"{away}/one", TWO)[0].name == "one"  # a root that is a track
    pairs = [StemPairs(root, 0.1, RATE, stems=TWO, length=3) for root in (library, away)]
    for one, two in zip(*pairs):
        assert torch.equal(one["inputs"]["track_a"]["bass"], two["inputs"]["track_a"]["bass"])
        assert one["track"] == two["track"]


def test_a_url_of_this_machine_is_its_path(library: Path, cached: Path) -> None:
    pytest.importorskip("fsspec")
    assert find_tracks(f"file://{library}", TWO) == find_tracks(library, TWO)
    assert not cached.exists()


def test_lengths_are_known_without_the_files(library: Path, away: str, cached: Path) -> None:
    """A cache that is smaller than the tracks is not filled again to find them."""
    found = find_tracks(away, TWO)
    for file in cached.rglob("*.wav"):
        file.unlink()
    cache._versions.clear()
    assert find_tracks(away, TWO) == found
    assert not list(cached.rglob("*.wav"))
    for note in (cached / "notes").rglob("*.json"):
        note.write_text('{"samples": 0}')  # made by nobody: they are read again
    assert find_tracks(away, TWO) == found
    assert len(list(cached.rglob("*.wav"))) == 6


@pytest.mark.slow
def test_multitracks(tmp_path: Path, memory: Any) -> None:
    moises(tmp_path / "provider" / "a/b/c/d/e/uuid")  # as deep as is searched, and recordings a level below
    memory.put(str(tmp_path / "provider"), "/provider", recursive=True)
    (here,) = find_tracks(tmp_path / "provider", ("drums", "other"))
    (there,) = find_tracks("memory://provider", ("drums", "other"))
    assert (there.name, there.seconds, there.info) == (here.name, here.seconds, here.info)
    for stem, expected in here.read(0, 2000, RATE).items():
        assert torch.equal(there.read(0, 2000, RATE)[stem], expected)


def test_what_is_wrong_is_told_of_the_url(away: str, memory: Any) -> None:
    memory.pipe("/lib/one/bass.wav", b"no music")
    with pytest.raises(AudioFileError, match=r"^memory://lib/one/bass\.wav cannot be read as audio"):
        find_tracks(away, TWO)
    memory.rm("/lib/one/bass.wav")
    with pytest.raises(AudioFileError, match=r"^memory://lib/one has no file for bass"):
        find_tracks(away, TWO)
    with pytest.warns(UserWarning, match="1 tracks are left out"):
        assert len(find_tracks(away, TWO, problems="skip")) == 2
    memory.pipe("/empty/x.txt", b"")
    with pytest.raises(
        AudioFileError, match=r"memory://empty has no track in it or below \(it holds: x\.txt\)"
    ):
        find_tracks("memory://empty", TWO)
    with pytest.raises(AudioFileError, match="memory://nowhere"):
        find_tracks("memory://nowhere", TWO)
    memory.pipe("/lib/one/bass.wav", memory.cat("/lib/one/drums.wav"))
    track = find_tracks(away, TWO)[1]
    memory.pipe("/lib/one/bass.wav", b"another")
    assert track.read(0, 10, RATE)["bass"].shape == (2, 10)  # what was found is read on


@pytest.mark.slow
def test_a_corpus(library: Path, away: str, tmp_path: Path) -> None:
    make_corpus(tmp_path / "here", tracks=library, count=3, **SMALL)
    make_corpus(tmp_path / "there", tracks=away, count=2, **SMALL)
    with pytest.raises(CorpusError, match=r"give it again: --tracks memory://lib"):
        make_corpus(tmp_path / "there", count=3, workers=1)
    with pytest.raises(CorpusError, match="or other ones"):
        make_corpus(tmp_path / "there", tracks=library, count=3, workers=1)
    assert make_corpus(tmp_path / "there", tracks=away, count=3, workers=1).kept == 2
    assert items(tmp_path / "there") == items(tmp_path / "here")
    assert check_corpus(tmp_path / "there") == (3, {})
    assert Corpus(tmp_path / "there")[2]["mix"].shape == (2, RATE // 4)


@pytest.mark.slow
def test_a_corpus_of_references(library: Path, away: str, tmp_path: Path) -> None:
    """A URL that stands in a file is not opened: whoever wrote the file might have chosen it."""
    make_corpus(tmp_path / "here", tracks=library, count=2, stems="reference", **SMALL)
    make_corpus(tmp_path / "there", tracks=away, count=2, stems="reference", **SMALL)
    with pytest.raises(CorpusError, match="URLs are opened that the user gives"):
        Corpus(tmp_path / "there")[0]
    for one, two in zip(Corpus(tmp_path / "here"), Corpus(tmp_path / "there", tracks=away)):
        for stem in TWO:
            assert torch.equal(one["inputs"]["left"][stem], two["inputs"]["left"][stem])
    assert check_corpus(tmp_path / "there") == (2, {})


def test_other_processes_do_not_see_memory(away: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="use one worker"):
        make_corpus(tmp_path / "corpus", tracks=away, count=4, **{**SMALL, "workers": 2})


def test_no_key_is_written(library: Path, tmp_path: Path, away: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and passwords of a URL stay out of what is stored."""
    secret = "memory://me:secret@lib"
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(str(library), "/me:secret@lib", recursive=True)
    make_corpus(tmp_path / "corpus", tracks=secret, count=1, **SMALL)
    rows = json.loads((tmp_path / "corpus" / "corpus.json").read_text())["tracks"]
    assert {row["at"] for row in rows} == {"memory://…@lib"}
    assert make_corpus(tmp_path / "corpus", tracks=secret, count=2, workers=1).made == 1
    told = [content for name, content in tree(tmp_path / "cache").items() if name.endswith(".json")]
    stored = [*told, *tree(tmp_path / "corpus").values()]
    assert not any(b"secret" in content for content in stored)


@pytest.mark.slow
def test_processes_fetch_what_they_need(library: Path, cached: Path, tmp_path: Path) -> None:
    """Of an archive, which every process opens for itself."""
    pytest.importorskip("fsspec")
    with zipfile.ZipFile(tmp_path / "lib.zip", "w") as archive:
        for name, content in tree(library).items():
            archive.writestr(f"lib/{name}", content)
    url = f"zip://lib::file://{tmp_path / 'lib.zip'}"
    make_corpus(tmp_path / "here", tracks=library, count=4, **SMALL)
    make_corpus(tmp_path / "there", tracks=url, count=4, **{**SMALL, "workers": 2})
    assert items(tmp_path / "there") == items(tmp_path / "here")


def test_tracks_that_lie_astray(tmp_path: Path) -> None:
    """A corpus.json by hand: its URL is told, and nothing is asked of it."""
    for i in range(2):
        write_track(tmp_path / "lib" / str(i), seconds=0.5, seed=i)
    make_corpus(tmp_path / "corpus", tracks=tmp_path / "lib", count=1, stems="reference", **SMALL)
    file = tmp_path / "corpus" / "corpus.json"
    data = json.loads(file.read_text())
    for row in data["tracks"]:
        row |= {"at": "http://127.0.0.1:9/x", "folder": "../.."}
    file.write_text(json.dumps(data))
    with pytest.raises(CorpusError, match="URLs are opened that the user gives"):
        Corpus(tmp_path / "corpus")[0]
