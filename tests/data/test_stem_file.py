"""Stem files: written by stempeg and ffmpeg, with the names put in by hand, taken apart again."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from djgraph.audio import read
from djgraph.cli import app
from djgraph.data import find_tracks, unpack
from djgraph.errors import AudioFileError

RATE = 44100
TONES = (110.0, 220.0, 440.0, 880.0)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mix and four tones, as AAC."""
    stempeg = pytest.importorskip("stempeg")
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("no ffmpeg: stem files are not read")
    times = np.arange(RATE) / RATE
    stems = np.stack([0.1 * np.sin(2 * np.pi * tone * times) for tone in TONES])
    stems = stems[:, :, None].repeat(2, 2) * np.array([1.0, 0.5])
    path = tmp_path_factory.mktemp("stems") / "Song.stem.mp4"
    writer = stempeg.StreamsWriter(codec="aac", bitrate=256_000)
    stempeg.write_stems(str(path), np.concatenate((stems.sum(0)[None], stems)), RATE, writer=writer)
    return path


def named(plain: Path, target: Path, names: Any) -> Path:
    """The same file with a box ``stem``, as Native Instruments' own programs put it there."""
    data = plain.read_bytes()
    text = (
        names
        if isinstance(names, bytes)
        else json.dumps({"stems": [{"name": one} for one in names]}).encode()
    )
    box = struct.pack(">I4s", 8 + len(text), b"stem") + text
    at = data.index(b"moov") - 4
    (size,) = struct.unpack(">I", data[at : at + 4])
    assert at + size == len(data)  # the last box: nothing moves that others point at
    inside = data[at + 8 :]
    place = inside.rindex(b"udta") - 4
    (length,) = struct.unpack(">I", inside[place : place + 4])
    udta = struct.pack(">I4s", length + len(box), b"udta") + inside[place + 8 : place + length] + box
    inside = inside[:place] + udta + inside[place + length :]
    target.write_bytes(data[:at] + struct.pack(">I4s", 8 + len(inside), b"moov") + inside)
    return target


def tone_of(path: Path) -> float:
    audio, rate = read(path)
    spectrum = np.abs(np.fft.rfft(audio[0].numpy() * np.hanning(audio.shape[1])))
    return float(np.argmax(spectrum) * rate / audio.shape[1])


@pytest.mark.slow
def test_a_stem_file_is_a_folder_of_stems(plain: Path, tmp_path: Path) -> None:
    found = unpack(plain, tmp_path / "Song")
    assert list(found) == ["mixture", "drums", "bass", "other", "vocals"]
    for kind, tone in zip(("drums", "bass", "other", "vocals"), TONES):
        assert tone_of(found[kind]) == pytest.approx(tone, abs=2)
        audio, _ = read(found[kind])
        assert float(audio[0].square().mean().sqrt()) == pytest.approx(0.1 / np.sqrt(2), rel=0.03)
        assert float(audio[1].square().mean().sqrt()) == pytest.approx(0.05 / np.sqrt(2), rel=0.03)
    mixture, _ = read(found["mixture"])
    total = sum(read(found[kind])[0] for kind in ("drums", "bass", "other", "vocals"))
    inner = slice(5000, 35_000)
    assert float((mixture - total)[:, inner].square().mean() / mixture[:, inner].square().mean()) < 1e-3
    (track,) = find_tracks(tmp_path)
    assert track.name == "Song"
    with pytest.raises(AudioFileError, match=r"mixture\.flac is there already"):
        unpack(plain, tmp_path / "Song")
    assert unpack(plain, tmp_path / "Song", force=True) == found


@pytest.mark.slow
def test_stems_are_what_their_names_say(plain: Path, tmp_path: Path) -> None:
    file = named(plain, tmp_path / "Other.Stem.MP4", ["Lead Vox", "Beats", "Pads", "Synths"])
    found = unpack(file)
    assert found["vocals"] == tmp_path / "Other" / "vocals.flac"
    assert sorted(found) == ["drums", "mixture", "other", "vocals"]
    assert tone_of(found["vocals"]) == pytest.approx(TONES[0], abs=2)
    assert tone_of(found["drums"]) == pytest.approx(TONES[1], abs=2)
    both, _ = read(found["other"])  # two tones of 0.1
    assert float(both[0].square().mean().sqrt()) == pytest.approx(0.1, rel=0.05)
    wrong = named(plain, tmp_path / "Wrong.stem.mp4", b'{"stems": 3}')
    with pytest.raises(AudioFileError, match="stems is 3; expected a list"):
        unpack(wrong)
    assert not (tmp_path / "Wrong").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"#EXTM3U\nfile:///etc/passwd\n",
        b"\0\0\0\x08moov",
        b"ffconcat version 1.0\nfile x\n",
        b"\0" * 100,
    ],
)
def test_what_is_no_stem_file_reaches_no_other_program(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("djgraph.data.stem_file._streams", lambda path: pytest.fail("was read"))
    path = tmp_path / "Song.stem.mp4"
    path.write_bytes(content)
    with pytest.raises(AudioFileError, match="is no MP4 file"):
        unpack(path)
    with pytest.raises(AudioFileError, match="No such file"):
        unpack(tmp_path / "gone.stem.mp4")


def test_a_list_that_goes_on_as_an_mp4_file_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first bytes of a playlist are a box's head, too: of some hundred megabytes, which a file of holes has."""
    monkeypatch.setattr("djgraph.data.stem_file._streams", lambda path: pytest.fail("was read"))
    path = tmp_path / "Song.stem.mp4"
    text = b"#EXTM3U\nfile:///etc/passwd\n"
    with open(path, "wb") as file:
        file.write(text)
        file.seek(int.from_bytes(text[:4], "big"))
        file.write(struct.pack(">I4s", 8, b"ftyp"))
    with pytest.raises(AudioFileError, match="is no MP4 file"):
        unpack(path)


@pytest.mark.slow
def test_the_command(plain: Path, tmp_path: Path) -> None:
    other = tmp_path / "two.stem.mp4"
    shutil.copy(plain, other)
    (tmp_path / "three.stem.mp4").write_text("no")
    done = CliRunner().invoke(
        app, ["unpack", str(other), str(tmp_path / "three.stem.mp4"), "-o", str(tmp_path / "out")]
    )
    assert done.exit_code == 1
    assert f"{tmp_path / 'out' / 'two'}: mixture, drums, bass, other, vocals" in done.stdout
    assert "three.stem.mp4 is no MP4 file" in done.stderr
    assert not (tmp_path / "out" / "three").exists()
    done = CliRunner().invoke(app, ["unpack", str(other), str(other), "-o", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "mixture.flac is there already" in done.stderr
