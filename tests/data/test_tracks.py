"""Finding tracks, what is known of them, and excerpts of all their stems."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch
from two_decks import RATE

from djgraph.audio import STEMS, load_stems
from djgraph.data import find_tracks
from djgraph.errors import AudioFileError, InputError

from .conftest import write_track

TWO = ("drums", "bass")


def test_library(library: Path) -> None:
    tracks = find_tracks(library, TWO)
    assert [track.name for track in tracks] == ["album/two", "one", "three"]
    known = {track.name: track for track in tracks}
    assert known["one"].tempo == 120
    assert known["one"].beats == tuple(0.25 * i for i in range(9))
    assert (known["album/two"].tempo, known["album/two"].info) == (126.5, {"title": "Two"})
    assert (known["three"].tempo, known["three"].beats, known["three"].info) == (None, (), {})
    assert known["album/two"].samples(RATE) == 20000
    assert known["three"].samples(RATE) == 16000


@pytest.mark.parametrize("below", ["", "Song", "separated/htdemucs/Song", "musdb18hq/train/Artist - Song"])
def test_layouts(tmp_path: Path, below: str) -> None:
    write_track(tmp_path / "in" / below, stems=(*STEMS, "mixture"))
    (track,) = find_tracks(tmp_path / "in")
    assert track.name == (below or "in")
    assert list(track.parts) == list(STEMS)


def test_metadata_beside_the_folder(tmp_path: Path) -> None:
    write_track(tmp_path / "in" / "Song No. 1", stems=STEMS)
    (tmp_path / "in" / "Song No. 1.json").write_text('{"tempo": 93}')
    assert find_tracks(tmp_path / "in")[0].tempo == 93


def test_excerpts_are_cuts_of_the_whole(tmp_path: Path) -> None:
    write_track(tmp_path / "same", stems=STEMS)
    write_track(tmp_path / "other", stems=STEMS, rate=11025, suffix=".flac")
    for track in find_tracks(tmp_path, (*STEMS, "mixture")):
        whole = load_stems(track.folder, STEMS, RATE)
        whole["mixture"] = torch.stack(list(whole.values())).sum(0)  # there is no such file
        parts = track.read(1000, 500, RATE, {"drums": 2, "mixture": 2, "bass": 1})
        assert list(parts) == ["drums", "mixture", "bass"]
        torch.testing.assert_close(parts["drums"], whole["drums"][:, 1000:1500], atol=1e-5, rtol=0)
        torch.testing.assert_close(parts["mixture"], whole["mixture"][:, 1000:1500], atol=1e-5, rtol=0)
        mono = whole["bass"][:, 1000:1500].mean(0, keepdim=True)
        torch.testing.assert_close(parts["bass"], mono, atol=1e-5, rtol=0)
        beyond = track.read(track.samples(RATE) - 10, 30, RATE, {"drums": 2})["drums"]
        assert beyond.shape == (2, 30)
        assert beyond[:, :10].any()
        assert not beyond[:, 12:].any()


def test_whole_tracks(tmp_path: Path) -> None:
    write_track(tmp_path / "stems", stems=STEMS)
    write_track(tmp_path / "file", stems=("mixture",))
    write_track(tmp_path / "both", stems=("mixture", *STEMS))
    parts = {track.name: track.parts["mixture"] for track in find_tracks(tmp_path, ["mixture"])}
    assert {name: len(files) for name, files in parts.items()} == {"both": 1, "file": 1, "stems": 4}


def test_optional_stems_are_silence(tmp_path: Path) -> None:
    write_track(tmp_path / "t")
    with pytest.raises(AudioFileError, match="vocals"):
        find_tracks(tmp_path, (*TWO, "vocals"))
    (track,) = find_tracks(tmp_path, (*TWO, "vocals"), optional=["vocals"])
    assert "vocals" not in track.parts
    read = track.read(0, 50, RATE, {"drums": 2, "vocals": 1})
    assert torch.equal(read["vocals"], torch.zeros(1, 50))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match="it is empty"):
        find_tracks(tmp_path)
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(
        AudioFileError, match=r"it holds: readme\.txt\)\n  expected: folders with files called drums"
    ):
        find_tracks(tmp_path)
    with pytest.raises(AudioFileError, match="does not exist"):
        find_tracks(tmp_path / "no")
    with pytest.raises(AudioFileError, match="is a file"):
        find_tracks(tmp_path / "readme.txt")
    with pytest.raises(AudioFileError, match="no folder of tracks"):
        find_tracks([])
    with pytest.raises(InputError, match="error, skip"):
        find_tracks(tmp_path, problems="ignore")  # type: ignore[arg-type]


def test_all_problems_are_told_and_may_be_skipped(library: Path) -> None:
    (library / "one" / "bass.wav").unlink()
    (library / "three" / "drums.wav").write_bytes(b"RIFF nonsense")
    with pytest.raises(AudioFileError) as caught:
        find_tracks(library, TWO)
    assert "no file for bass" in str(caught.value)
    assert "cannot be read as audio" in str(caught.value)
    with pytest.warns(UserWarning, match="2 tracks are left out"):
        assert [track.name for track in find_tracks(library, TWO, problems="skip")] == ["album/two"]
    (library / "album" / "two" / "bass.wav").unlink()
    with pytest.raises(AudioFileError):  # nothing would be left
        find_tracks(library, TWO, problems="skip")


def test_lengths_and_channels(tmp_path: Path) -> None:
    write_track(tmp_path / "t")
    write_track(tmp_path / "u", seconds=1.95, stems=("bass",))
    (tmp_path / "u" / "bass.wav").replace(tmp_path / "t" / "bass.wav")
    (track,) = find_tracks(tmp_path, TWO)
    assert track.seconds == 2  # 50 ms of silence at the bass's end
    write_track(tmp_path / "t", seconds=1.0, stems=("bass",))
    with pytest.raises(
        AudioFileError, match=r"differ by more than 0\.1 s: drums\.wav 2\.000 s, bass\.wav 1\.000 s"
    ):
        find_tracks(tmp_path, TWO)
    soundfile.write(tmp_path / "t" / "bass.wav", [[0.0, 0.0, 0.0]] * 16000, RATE)
    with pytest.raises(AudioFileError, match="3 channels"):
        find_tracks(tmp_path, TWO)


def test_names_are_unique(tmp_path: Path) -> None:
    for side in ("x", "y"):
        write_track(tmp_path / side / "same")
    with pytest.raises(AudioFileError, match="same name: same"):
        find_tracks([tmp_path / "x", tmp_path / "y"], TWO)
    assert len(find_tracks(tmp_path, TWO)) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[]", "expected a mapping"),
        ('{"tempo": 0}', "tempo is 0"),
        ('{"tempo": "fast"}', "tempo is 'fast'"),
        ('{"tempo": true}', "tempo is True"),
        ('{"beats": [0, 1, 1]}', "run backwards"),
        ('{"beats": ["x"]}', "list of seconds"),
        ('{"beats": [0, NaN]}', "list of seconds"),
        ('{"beats": 3}', "list of seconds"),
    ],
)
def test_bad_metadata(tmp_path: Path, text: str, words: str) -> None:
    write_track(tmp_path / "t")
    (tmp_path / "t" / "track.json").write_text(text)
    with pytest.raises(AudioFileError, match=words):
        find_tracks(tmp_path, TWO)
