"""Folders of stems in every layout, and what is wrong with some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from djgraph.audio import FORMATS, STEMS, find_stems, load_signal, load_stems, match_lengths
from djgraph.errors import AudioFileError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "stems"


def put(path: Path, samples: int = 1000, channels: int = 2, rate: int = 44100, value: float = 0.25) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    container = FORMATS[path.suffix.lower()][0]
    soundfile.write(path, np.full((samples, channels), value), rate, format=container)


def fill(folder: Path, suffix: str = ".wav", names: tuple[str, ...] = STEMS, **kwargs: int) -> None:
    for index, name in enumerate(names):
        put(folder / f"{name}{suffix}", value=0.125 * (index + 1), **kwargs)


def refused(folder: Path, **kwargs: object) -> str:
    with pytest.raises(AudioFileError) as caught:
        load_stems(folder, **kwargs)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff", ".WAV"])
def test_a_plain_folder(tmp_path: Path, suffix: str) -> None:
    fill(tmp_path, suffix)
    stems = load_stems(tmp_path)
    assert list(stems) == list(STEMS)
    for index, audio in enumerate(stems.values()):
        assert audio.shape == (2, 1000)
        assert audio.dtype == torch.float32
        assert torch.all(audio == 0.125 * (index + 1))


def test_suffixes_and_case_may_differ_from_stem_to_stem(tmp_path: Path) -> None:
    put(tmp_path / "Drums.FLAC")
    put(tmp_path / "BASS.wav")
    put(tmp_path / "vocals.aif")
    put(tmp_path / "other.wav")
    assert {path.name for path in find_stems(tmp_path).values()} == {
        "Drums.FLAC",
        "BASS.wav",
        "vocals.aif",
        "other.wav",
    }


@pytest.mark.parametrize("below", ["", "Artist - Song", "htdemucs/Artist - Song", "separated/htdemucs/Song"])
def test_demucs(tmp_path: Path, below: str) -> None:
    fill(tmp_path / below)
    put(tmp_path / below / "no_vocals.wav", samples=7)
    assert [audio.shape for audio in load_stems(tmp_path).values()] == [(2, 1000)] * 4


def test_demucs_with_two_tracks_names_both(tmp_path: Path) -> None:
    fill(tmp_path / "htdemucs" / "one")
    fill(tmp_path / "htdemucs" / "two")
    message = refused(tmp_path)
    assert str(Path("htdemucs") / "one") in message
    assert str(Path("htdemucs") / "two") in message


def test_musdb(tmp_path: Path) -> None:
    fill(tmp_path)
    put(tmp_path / "mixture.wav", samples=3)
    assert list(load_stems(tmp_path)) == list(STEMS)


def test_six_stems_are_not_silently_four(tmp_path: Path) -> None:
    fill(tmp_path, names=(*STEMS, "guitar", "piano"))
    message = refused(tmp_path)
    assert "guitar.wav, piano.wav" in message
    assert len(load_stems(tmp_path, stems=(*STEMS, "guitar", "piano"))) == 6
    assert list(load_stems(tmp_path, stems=("drums",))) == ["drums"]


def test_two_files_for_a_stem(tmp_path: Path) -> None:
    fill(tmp_path)
    put(tmp_path / "Drums.flac")
    message = refused(tmp_path)
    assert "drums.wav" in message
    assert "Drums.flac" in message


def test_missing_stems(tmp_path: Path) -> None:
    fill(tmp_path, names=("drums", "bass", "vocal"))
    message = refused(tmp_path)
    assert "no file for vocals, other" in message
    assert "drums.wav, vocal.wav" in message
    assert "did you mean 'vocal'" in message
    (tmp_path / "empty").mkdir()
    assert "no file for drums, bass, vocals, other (it holds no audio files)" in refused(tmp_path / "empty")


def test_optional_stems_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, names=("drums", "bass", "vocals"))
    assert list(load_stems(tmp_path, optional=["other"])) == ["drums", "bass", "vocals"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioFileError, match="holds no audio files"):
        load_stems(tmp_path / "empty", optional=STEMS)


def test_folder_that_is_none(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "nowhere")
    put(tmp_path / "mix.wav")
    assert "is a file" in refused(tmp_path / "mix.wav")


def test_too_many_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("djgraph.audio.stems._MAX_FOLDERS", 5)
    for index in range(6):
        (tmp_path / str(index)).mkdir()
    assert "more than 5 folders" in refused(tmp_path)


def test_unequal_lengths(tmp_path: Path) -> None:
    fill(tmp_path)
    put(tmp_path / "vocals.wav", samples=22050)
    message = refused(tmp_path)
    assert "vocals: 0.500 s (22050 samples)" in message
    assert "drums: 0.023 s (1000 samples)" in message
    stems = load_stems(tmp_path, pad=True)
    assert {audio.shape for audio in stems.values()} == {(2, 22050)}
    assert torch.all(stems["drums"][:, :1000] == 0.125)
    assert torch.all(stems["drums"][:, 1000:] == 0)


@pytest.mark.parametrize(("channels", "expected"), [(1, 1), (2, 2), (None, 1)])
def test_mono_files(tmp_path: Path, channels: int | None, expected: int) -> None:
    fill(tmp_path, channels=1)
    for audio in load_stems(tmp_path, channels=channels).values():
        assert audio.shape == (expected, 1000)
        assert torch.all(audio == audio[:1])


def test_stereo_to_mono_is_the_mean(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "mic.wav", np.array([[0.5, 0.25]] * 10), 44100)
    assert torch.all(load_signal(tmp_path / "mic.wav", channels=1) == 0.375)


def test_more_than_two_channels(tmp_path: Path) -> None:
    fill(tmp_path, channels=3)
    assert "3 channels" in refused(tmp_path)


def test_other_rates_are_resampled(tmp_path: Path) -> None:
    fill(tmp_path, samples=4800, rate=48000)
    put(tmp_path / "bass.wav", samples=2205, rate=22050)
    for audio in load_stems(tmp_path).values():
        assert audio.shape == (2, 4410)


def test_a_signal_from_a_folder_is_its_mixture_or_its_sum(tmp_path: Path) -> None:
    fill(tmp_path / "song")
    assert torch.all(load_signal(tmp_path) == 0.125 * (1 + 2 + 3 + 4))
    (tmp_path / "song" / "bass.wav").unlink()
    with pytest.raises(AudioFileError, match="no file for bass"):
        load_signal(tmp_path)
    put(tmp_path / "song" / "mixture.wav", samples=5)
    assert load_signal(tmp_path).shape == (2, 5)
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioFileError, match="no file for mixture"):
        load_signal(tmp_path / "empty")
    with pytest.raises(AudioFileError, match=r"nowhere\.wav does not exist"):
        load_signal(tmp_path / "nowhere.wav")


def test_a_sum_of_mono_and_stereo_stems_keeps_both_sides(tmp_path: Path) -> None:
    fill(tmp_path)
    soundfile.write(tmp_path / "drums.wav", np.full((1000, 1), 0.5), 44100)
    soundfile.write(tmp_path / "bass.wav", np.array([[0.25, 0.0]] * 1000), 44100)
    signal = load_signal(tmp_path, channels=None)
    assert signal[:, 0].tolist() == [0.5 + 0.25 + 0.375 + 0.5, 0.5 + 0.375 + 0.5]


def test_lengths_across_tracks() -> None:
    signals = {"track_a.drums": torch.ones(2, 5), "mic": torch.ones(1, 3)}
    with pytest.raises(AudioFileError, match=r"track_a.drums: .* \(5 samples\)\n  mic: .* \(3 samples\)"):
        match_lengths(signals, 44100)
    padded = match_lengths(signals, 44100, pad=True)
    assert padded["mic"].tolist() == [[1, 1, 1, 0, 0]]
    assert padded["track_a.drums"].tolist() == signals["track_a.drums"].tolist()
    assert match_lengths({}, 44100, pad=True) == {}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared stems are not at hand")
@pytest.mark.parametrize("track", ["track_a", "track_b"])
def test_real_stems(track: str) -> None:
    stems = load_stems(SHARED / track)
    assert {audio.shape for audio in stems.values()} == {(2, 40 * 44100)}
    peak = sum(stems.values()).abs().max()
    assert 20 * torch.log10(peak) == pytest.approx(-1.0, abs=0.1)
