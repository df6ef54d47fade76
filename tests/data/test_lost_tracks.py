"""No track is left out without a word: links, folders that may not be read, formats that are not read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from djgraph.audio import find_stems, load_stems
from djgraph.data import check_corpus, find_tracks, make_corpus
from djgraph.errors import AudioFileError, InputError

from .conftest import write_track

TWO = ("drums", "bass")


def lock(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """As chmod 000 does, also for root, which tests may run as."""
    original = os.scandir

    def scandir(path: Any = ".") -> Any:
        if Path(path) in folders:
            raise PermissionError(13, "Permission denied", str(path))
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_links_are_followed_and_every_folder_is_taken_once(tmp_path: Path) -> None:
    library, elsewhere = tmp_path / "library", tmp_path / "elsewhere"
    write_track(library / "one", stems=TWO)
    write_track(elsewhere / "deep" / "two", stems=TWO)
    write_track(tmp_path / "three", stems=TWO)
    (library / "a link to one").symlink_to(library / "one")
    (library / "linked").symlink_to(elsewhere)
    (library / "three").symlink_to(tmp_path / "three")
    (elsewhere / "back").symlink_to(library)
    (library / "up").symlink_to("..")  # what holds the library is not in it
    (library / "itself").symlink_to(".")
    assert [track.name for track in find_tracks(library, TWO)] == ["linked/deep/two", "one", "three"]


def test_links_that_lead_nowhere_are_told_to_whoever_asks(tmp_path: Path) -> None:
    write_track(tmp_path / "library" / "one", stems=TWO)
    (tmp_path / "library" / "two").symlink_to(tmp_path / "gone")
    with pytest.warns(UserWarning, match=r"lead nowhere are left out: .*two") as told:
        assert [track.name for track in find_tracks(tmp_path / "library", TWO)] == ["one"]
    assert [warning.filename for warning in told] == [__file__]


def test_a_linked_root_and_linked_files(tmp_path: Path) -> None:
    write_track(tmp_path / "real" / "one", stems=TWO)
    (tmp_path / "library").mkdir()
    for stem in TWO:
        (tmp_path / "library" / f"{stem}.wav").symlink_to(tmp_path / "real" / "one" / f"{stem}.wav")
    (tmp_path / "root").symlink_to("real")
    assert [track.name for track in find_tracks(tmp_path / "root", TWO)] == ["one"]
    assert list(find_stems(tmp_path / "library", TWO)) == list(TWO)
    (tmp_path / "separated").mkdir()
    (tmp_path / "separated" / "song").symlink_to(tmp_path / "real")
    (tmp_path / "separated" / "song" / "again").symlink_to(tmp_path / "separated")
    assert find_stems(tmp_path / "separated", TWO)["bass"].is_file()


def test_folders_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_track(tmp_path / "one", stems=TWO)
    for name in ("locked", "lost+found", ".hidden"):
        (tmp_path / name).mkdir()
    lock(monkeypatch, tmp_path / "locked", tmp_path / "lost+found", tmp_path / ".hidden")
    with pytest.raises(AudioFileError, match=r"locked cannot be read: Permission denied$"):
        find_tracks(tmp_path, TWO)
    with pytest.warns(UserWarning, match=r"0 tracks and 1 folders are left out:\n.*locked cannot be read"):
        assert [track.name for track in find_tracks(tmp_path, TWO, problems="skip")] == ["one"]
    for function in (find_tracks, load_stems):
        with pytest.raises(AudioFileError, match="locked cannot be read"):
            function(tmp_path, ("vocals",))


def test_links_that_lead_nowhere_are_told_of(tmp_path: Path) -> None:
    write_track(tmp_path / "one", stems=TWO)
    (tmp_path / "two").symlink_to(tmp_path / "a disk that is not there")
    (tmp_path / "round").symlink_to("round")
    with pytest.warns(UserWarning, match="lead nowhere are left out: .*round, .*two"):
        assert len(find_tracks(tmp_path, TWO)) == 1
    (tmp_path / "one" / "vocals.wav").symlink_to("gone.wav")
    with pytest.raises(AudioFileError, match=r"lead nowhere: vocals\.wav"):
        find_stems(tmp_path / "one", (*TWO, "vocals"), optional=["vocals"])


def test_stems_in_a_format_that_is_not_read(tmp_path: Path) -> None:
    write_track(tmp_path / "one", stems=TWO)
    (tmp_path / "two").mkdir()
    for stem in TWO:
        (tmp_path / "two" / f"{stem}.m4a").write_bytes(bytes(10))
    way_out = r"not m4a; convert: ffmpeg -i bass\.m4a bass\.flac"
    with pytest.raises(AudioFileError, match=way_out):
        find_tracks(tmp_path, TWO)
    with pytest.warns(UserWarning, match=way_out):
        assert [track.name for track in find_tracks(tmp_path, TWO, problems="skip")] == ["one"]
    with pytest.raises(AudioFileError, match=way_out):
        load_stems(tmp_path / "two", TWO)
    assert list(find_stems(tmp_path, TWO)) == list(TWO)  # the one folder that can be read


def test_a_corpus_of_references_to_a_track_that_was_cut_short_is_not_whole(tmp_path: Path) -> None:
    tracks, corpus = tmp_path / "tracks", tmp_path / "corpus"
    for name in ("one", "two"):
        write_track(tracks / name, stems=("drums", "bass", "vocals", "other"))
    how: dict[str, Any] = {"graph": "dj_mixer", "args": {"sample_rate": 16000}, "count": 2, "seconds": 0.5}
    make_corpus(corpus, tracks=tracks, stems="reference", curves=1.0, workers=1, **how)
    assert check_corpus(corpus) == (2, {})
    os.truncate(tracks / "two" / "bass.wav", 1000)
    _, wrong = check_corpus(corpus)
    assert list(wrong) == [0, 1]
    assert all("bass.wav is cut short" in text for text in wrong.values())
    (tracks / "two" / "bass.wav").unlink()
    assert all("does not exist" in text for text in check_corpus(corpus)[1].values())


@pytest.mark.parametrize("roots", [3, None, [3], [None]])
def test_what_is_no_folder_is_told(roots: object) -> None:
    with pytest.raises(InputError, match="folder"):
        find_tracks(roots)  # type: ignore[arg-type]
