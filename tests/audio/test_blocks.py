"""Files in blocks are what the whole file is, however they are cut, in every format and at every rate."""

from __future__ import annotations

import signal
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from effort import examples, few
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from djgraph.audio import FORMATS, open_blocks, read, resample
from djgraph.audio.blocks import BlockReader
from djgraph.audio.resampling import Resampler
from djgraph.errors import AudioFileError

SUFFIXES = {
    **{suffix: FORMATS[suffix][0] for suffix in FORMATS},
    ".rf64": "RF64",
    ".w64": "W64",
    ".caf": "CAF",
}


def put(path: Path, samples: int, rate: int = 44100, channels: int = 2) -> Path:
    sound = 0.2 * np.random.default_rng(0).standard_normal((samples, channels))
    soundfile.write(path, sound, rate, format=SUFFIXES[path.suffix])
    return path


def joined(reader: BlockReader, sizes: list[int]) -> Tensor:
    """All of a file, in blocks of the given sizes, over and over."""
    blocks, number = [], 0
    while (block := reader.read(sizes[number % len(sizes)])).shape[1]:
        assert block.shape[1] <= sizes[number % len(sizes)]
        blocks.append(block)
        number += 1
    short = [block.shape[1] for block, size in zip(blocks, sizes * len(blocks)) if block.shape[1] < size]
    assert len(short) <= 1
    return torch.cat(blocks, dim=1) if blocks else torch.zeros(reader.channels, 0)


def close(got: Tensor, expected: Tensor) -> None:
    assert got.dtype == torch.float32
    assert got.is_contiguous()
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("rate", few([44100, 48000], 1))
def test_blocks_joined_are_the_whole_file(tmp_path: Path, suffix: str, rate: int) -> None:
    path = put(tmp_path / f"x{suffix}", 150_001, rate)
    whole, _ = read(path)
    for target in (rate, 44100, 16000):
        expected = resample(whole, rate, target)
        with open_blocks(path, target) as reader:
            assert (reader.samples, reader.sample_rate, reader.channels) == (expected.shape[1], target, 2)
            got = joined(reader, [4096, 1, 70_001])
        if target == rate:
            assert torch.equal(got, expected)
        close(got, expected)


@settings(max_examples=examples(60))
@given(
    total=st.integers(1, 3000),
    rates=st.sampled_from(
        [(44100, 48000), (48000, 44100), (8000, 44100), (44100, 8000), (1000, 3000), (2000, 2000)]
    ),
    sizes=st.lists(st.sampled_from([1, 2, 7, 64, 1000, 5000]), min_size=1, max_size=4),
    cut=st.lists(st.integers(1, 700), min_size=1, max_size=4),
)
def test_the_resampler_does_not_hear_the_cuts(
    total: int, rates: tuple[int, int], sizes: list[int], cut: list[int]
) -> None:
    signal = torch.randn(2, total, generator=torch.Generator().manual_seed(total))
    resampler, at, number, got = Resampler(2, *rates), 0, 0, []
    while at < total:
        size = cut[number % len(cut)]
        got.append(resampler.push(signal[:, at : at + size]))
        at, number = at + size, number + 1
    got.append(resampler.finish())
    close(torch.cat(got, dim=1), resample(signal, *rates))


@pytest.mark.parametrize(
    "rates", [(44100, 47952), (96000, 44100), (768_000, 8000), (8000, 768_000), (1009, 1013)], ids=str
)
def test_ratios_of_all_kinds(rates: tuple[int, int]) -> None:
    whole = torch.randn(1, 20_000, generator=torch.Generator().manual_seed(0))
    resampler = Resampler(1, *rates)
    got = [*(resampler.push(block) for block in whole.split(777, dim=1)), resampler.finish()]
    close(torch.cat(got, dim=1), resample(whole, *rates))


@settings(max_examples=examples(40))
@given(
    rate=st.sampled_from([44100, 48000, 11025]),
    start=st.integers(0, 260_000),
    length=st.integers(0, 260_000),
    sizes=st.lists(st.sampled_from([1000, 4097, 100_000]), min_size=1, max_size=3),
)
@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3"])
def test_a_part_of_a_file(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    rate: int,
    start: int,
    length: int,
    sizes: list[int],
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / f"part{suffix}"
    if not path.exists():
        put(path, 200_003)
    whole, own = read(path)
    with open_blocks(path, rate, start=start, stop=start + length) as reader:
        got = joined(reader, sizes)
        assert reader.samples == got.shape[1]
    close(got, resample(whole, own, rate)[:, start : start + length].contiguous())


@pytest.mark.parametrize("target", [44100, 22050])
def test_channels(tmp_path: Path, target: int) -> None:
    stereo, mono = put(tmp_path / "s.wav", 5000), put(tmp_path / "m.wav", 5000, channels=1)
    six = put(tmp_path / "six.wav", 5000, channels=6)
    left, right, single = *read(stereo)[0], read(mono)[0]
    for path, channels, expected in (
        (stereo, 1, ((left + right) / 2)[None]),
        (stereo, 2, torch.stack([left, right])),
        (mono, 2, single.expand(2, -1)),
        (mono, 1, single),
        (mono, None, single),
        (six, None, read(six)[0]),
    ):
        with open_blocks(path, target, channels) as reader:
            assert reader.channels == len(expected)
            got = joined(reader, [999])
            close(got, resample(expected, 44100, target))
            got[0] += 1  # memory of its own
    for channels in (1, 2):
        with pytest.raises(
            AudioFileError, match=r"6 channels \(5\.1\) cannot be read as (mono|stereo): .* `channels: 5\.1`"
        ):
            open_blocks(six, target, channels)


def test_without_a_rate_the_file_is_as_it_is(tmp_path: Path) -> None:
    with open_blocks(put(tmp_path / "x.wav", 100, rate=22050)) as reader:
        assert (reader.sample_rate, reader.samples) == (22050, 100)
        assert reader.read(0).shape == (2, 0)
        assert reader.read(10**9).shape == (2, 100)
        assert reader.read(10**9).shape == (2, 0)


def test_what_is_read_stays_as_it_is(tmp_path: Path) -> None:
    path = put(tmp_path / "x.wav", 1000)
    with open_blocks(path) as reader:
        blocks = []
        while (block := reader.read(100)).shape[1]:
            blocks.append(block.clone())
            block.zero_()
    assert torch.equal(torch.cat(blocks, dim=1), read(path)[0])


# -- what is refused ---------------------------------------------------------------------------------


def nan(path: Path) -> Path:
    audio = np.zeros((200_000, 1), dtype=np.float32)
    audio[150_000] = np.nan
    soundfile.write(path, audio, 44100, subtype="FLOAT")
    return path


def cut_flac(path: Path) -> Path:
    put(path, 200_000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [(nan, "x.wav", "NaN or infinity, first at sample 150000"), (cut_flac, "x.flac", "x.flac")],
)
@pytest.mark.parametrize("target", [44100, 48000])
def test_what_only_the_audio_tells_is_refused_while_reading(
    tmp_path: Path, make: Callable[[Path], Path], name: str, words: str, target: int
) -> None:
    path = make(tmp_path / name)
    reader = open_blocks(path, target)
    with pytest.raises(AudioFileError, match=words) as caught:
        joined(reader, [10_000])
    assert str(path) in str(caught.value)
    with pytest.raises(AudioFileError, match="has been closed"):  # nothing is read past what is wrong
        reader.read(10**6)


def test_what_the_header_tells_is_refused_at_once(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "zero.wav", np.zeros((0, 2)), 44100)
    (tmp_path / "text.wav").write_text("no audio at all" * 100)
    (tmp_path / "empty.flac").touch()
    content = put(tmp_path / "x.wav", 1000).read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[:2000])
    (tmp_path / "many.wav").write_bytes(content[:22] + struct.pack("<H", 200) + content[24:])
    ogg = put(tmp_path / "x.ogg", 50_000).read_bytes()
    (tmp_path / "cut.ogg").write_bytes(ogg[: len(ogg) // 2])
    flac = put(tmp_path / "x.flac", 1000).read_bytes()
    (tmp_path / "two.flac").write_bytes(flac * 2)
    for name, words in {
        "none.wav": "does not exist",
        ".": "is a folder",
        "zero.wav": "no samples",
        "text.wav": "cannot be read as audio",
        "empty.flac": "cannot be read as audio",
        "cut.wav": "cut short",
        "cut.ogg": "cut short",
        "many.wav": "200 channels",
        "two.flac": "joined end to end",
    }.items():
        with pytest.raises(AudioFileError, match=words):
            open_blocks(tmp_path / name, 48000)


def test_numbers_that_are_none(tmp_path: Path) -> None:
    path = put(tmp_path / "x.wav", 100)
    for bad in (-1, 1.5, float("nan"), "1", True):
        for given_ in ({"start": bad}, {"stop": bad}, {"channels": bad}, {"sample_rate": bad}):
            with pytest.raises(AudioFileError, match=f"{next(iter(given_)).replace('_', ' ')} is "):
                open_blocks(path, **given_)  # type: ignore[arg-type]
    with open_blocks(path) as reader, pytest.raises(AudioFileError, match="samples is -1"):
        reader.read(-1)
    with pytest.raises(AudioFileError, match="takes too much memory"):
        open_blocks(path, 44101)
    with pytest.raises(AudioFileError, match="named by a str or a path"):
        open_blocks(3)  # type: ignore[arg-type]


def test_signals_are_taken_between_blocks(tmp_path: Path) -> None:
    """A file that libsndfile reads through Python holds signals while a block is read, not until it is closed."""
    path = put(tmp_path / "x.mp3", 50_000)
    path.write_bytes(bytes(3000) + path.read_bytes())  # behind padding: read through a Spliced
    before = signal.getsignal(signal.SIGINT)
    with open_blocks(path) as one, open_blocks(path) as other:
        one.read(100)
        other.read(100)
        assert signal.getsignal(signal.SIGINT) is before
        one.close()
        assert other.read(10**6).shape[1] > 40_000
    assert signal.getsignal(signal.SIGINT) is before
