"""Stems in lock-step are the stems that are read whole, in every layout, and refuse what those do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from effort import few
from torch import Tensor

from djgraph.audio import (
    FORMATS,
    STEMS,
    SignalReader,
    SignalsReader,
    load_signal,
    load_stems,
    open_signal,
    open_signals,
    open_stems,
)
from djgraph.audio.blocks import BlockReader
from djgraph.errors import AudioFileError


def put(path: Path, samples: int = 30_000, channels: int = 2, rate: int = 44100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = 0.1 * np.random.default_rng(sum(path.name.encode())).standard_normal((samples, channels))
    soundfile.write(path, sound, rate, format=FORMATS[path.suffix.lower()][0])
    return path


def joined(reader: SignalsReader, size: int) -> dict[str, Tensor]:
    blocks = []
    while next(iter((block := reader.read(size)).values())).shape[1]:
        assert len({audio.shape[1] for audio in block.values()}) == 1
        blocks.append(block)
    return {name: torch.cat([block[name] for block in blocks], dim=1) for name in blocks[0]}


def same(folder: Path, size: int = 4096, **options: Any) -> None:
    expected = load_stems(folder, **options)
    with open_stems(folder, **options) as reader:
        got = joined(reader, size)
        assert list(got) == list(expected) == list(reader.channels)
        for name, audio in expected.items():
            assert reader.channels[name] == len(audio)
            assert reader.samples == audio.shape[1]
            torch.testing.assert_close(got[name], audio, atol=1e-6, rtol=0)


@pytest.mark.parametrize("below", ["", "separated/htdemucs/Song"])
@pytest.mark.parametrize("rate", few([44100, 48000], 1))
@pytest.mark.parametrize("channels", [1, 2, None])
def test_stems(tmp_path: Path, below: str, rate: int, channels: int | None) -> None:
    for number, (stem, suffix) in enumerate(zip(STEMS, (".wav", ".flac", ".ogg", ".mp3"))):
        put(tmp_path / below / f"{stem}{suffix}", channels=1 + number % 2)
    for size in (1000, 30_001):
        same(tmp_path, size, sample_rate=rate, channels=channels)


def test_shorter_stems_are_padded_with_silence(tmp_path: Path) -> None:
    for number, stem in enumerate(STEMS):
        put(tmp_path / f"{stem}.wav", 10_000 + 7001 * number)
    for rate in (44100, 16000):
        same(tmp_path, 3000, sample_rate=rate, pad=True)
    with pytest.raises(AudioFileError) as whole:
        load_stems(tmp_path)
    with pytest.raises(AudioFileError, match="the lengths differ, at 44100 Hz") as blocks:
        open_stems(tmp_path)
    assert str(blocks.value) == str(whole.value)


def test_optional_and_missing_stems(tmp_path: Path) -> None:
    for stem in STEMS[:3]:
        put(tmp_path / f"{stem}.wav")
    same(tmp_path, optional=["other"])
    with pytest.raises(AudioFileError, match="no file for other"):
        open_stems(tmp_path)


@pytest.mark.parametrize("what", ["a file", "the mixture", "the sum of stems"])
@pytest.mark.parametrize("channels", [1, 2, None])
def test_one_signal(tmp_path: Path, what: str, channels: int | None) -> None:
    path = tmp_path
    if what == "a file":
        path = put(tmp_path / "song.mp3", rate=48000)
    elif what == "the mixture":
        put(tmp_path / "mixture.wav", channels=1)
        put(tmp_path / "drums.wav")
    else:
        for number, stem in enumerate(STEMS):
            put(tmp_path / f"{stem}.wav", channels=1 + number % 2)
    expected = load_signal(path, channels=channels)
    with open_signal(path, channels=channels) as reader:
        assert (reader.channels, reader.samples, reader.sample_rate) == (*expected.shape, 44100)
        got = torch.cat([reader.read(9000) for _ in range(5)], dim=1)
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)


def test_more_than_two_channels(tmp_path: Path) -> None:
    six = put(tmp_path / "six.wav", channels=6)
    two = put(tmp_path / "two.wav")
    with pytest.raises(AudioFileError, match=r"6 channels \(5\.1\) cannot be read as stereo"):
        open_signal(six)
    with pytest.raises(AudioFileError, match=r"6 channels \(5\.1\) cannot be read as stereo"):
        open_signals({"a": [two], "b": [six]}, 44100, {"a": 2, "b": 2})
    with pytest.raises(
        AudioFileError, match=r"stereo cannot be read as 5\.1: only mono is put on any number"
    ):
        open_signals({"a": [two], "b": [six]}, 44100, {"a": 6, "b": 6})
    for channels in (6, None):
        with open_signal(six, channels=channels) as reader:
            assert (reader.channels, reader.read(10).shape) == (6, (6, 10))
    with (
        open_signals({"a": [two, six]}, 44100, {"a": None}) as both,
        pytest.raises(AudioFileError, match=r"cannot be added up: two\.wav \(stereo\), six\.wav \(5\.1\)"),
    ):
        both.read(10)


def test_a_file_that_ends_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An MP3 whose damaged frames are skipped has fewer samples than frames: told where lengths have to agree."""
    paths = {name: [put(tmp_path / f"{name}.wav")] for name in "ab"}
    original = BlockReader._block

    def early(self: BlockReader) -> Tensor:
        block = original(self)
        return block[:, :-100] if self.path.name == "a.wav" else block

    monkeypatch.setattr(BlockReader, "_block", early)
    channels = dict.fromkeys(paths, 2)
    with (
        open_signals(paths, 44100, channels) as reader,
        pytest.raises(AudioFileError, match=r"a: .* \(29900 samples"),
    ):
        joined(reader, 10_000)
    with open_signals(paths, 44100, channels, pad=True) as reader:
        got = joined(reader, 10_000)
    assert got["a"].shape == got["b"].shape == (2, 30_000)
    assert not got["a"][:, 29_900:].any()
    with open_signals({"a": paths["a"]}, 44100, channels) as reader:
        assert joined(reader, 7000)["a"].shape == (2, 29_900)


def test_all_files_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[BlockReader] = []
    original = SignalReader.__init__

    def noting(self: SignalReader, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        opened.extend(self._parts.readers.values())  # type: ignore[arg-type]

    monkeypatch.setattr(SignalReader, "__init__", noting)
    for stem in STEMS:
        put(tmp_path / f"{stem}.wav", 100 + len(stem))
    with pytest.raises(AudioFileError, match="lengths differ"):
        open_stems(tmp_path)
    with open_stems(tmp_path, pad=True) as reader:
        reader.read(1)
    reader.close()
    assert len(opened) == 8
    assert all(part._sound.file.closed for part in opened)
    with pytest.raises(AudioFileError, match="samples is -1"):
        open_stems(tmp_path, pad=True).read(-1)
