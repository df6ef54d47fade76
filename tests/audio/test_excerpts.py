"""Parts of files are what the whole file holds there, at any rate and in any format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from effort import few
from torch import Tensor

from djgraph.audio import (
    FORMATS,
    find_stems,
    load_signal,
    read,
    read_excerpt,
    read_header,
    resample,
)
from djgraph.errors import AudioFileError

PLACES = ((0, 1000), (12345, 5000), (40000, 3000), (-100, 300), (-500, 200), (7, 1), (3, 0), (10**6, 50))


def write(path: Path, seconds: float, rate: int, channels: int = 2) -> None:
    generator = np.random.default_rng(0)
    sound = 0.1 * generator.standard_normal((round(seconds * rate) + 17, channels))
    soundfile.write(path, sound, rate, format=FORMATS[path.suffix][0])


def cut(whole: Tensor, start: int, samples: int) -> Tensor:
    padded = torch.nn.functional.pad(whole, (1000, samples + max(0, start - whole.shape[1])))
    return padded[:, start + 1000 : start + 1000 + samples]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff", ".ogg", ".mp3"])
@pytest.mark.parametrize("rate", few([44100, 48000], 1))
def test_an_excerpt_is_a_cut(tmp_path: Path, suffix: str, rate: int) -> None:
    path = tmp_path / f"x{suffix}"
    write(path, 2.7, rate)
    whole, _ = read(path)
    header = read_header(path)
    assert (header.samples, header.sample_rate, header.channels) == (whole.shape[1], rate, 2)
    for target in (rate, 44100, 16000, 22050):
        expected = resample(whole, rate, target)
        assert header.samples_at(target) == expected.shape[1]
        # The last ones are where a seek in Vorbis goes wrong.
        for start, samples in (*PLACES, *((expected.shape[1] - n, 700) for n in (500, 1300, 1900, 3800))):
            got = read_excerpt(path, start, samples, target)
            assert got.shape == (2, samples)
            torch.testing.assert_close(got, cut(expected, start, samples), atol=1e-6, rtol=0)


def test_channels(tmp_path: Path) -> None:
    write(tmp_path / "stereo.wav", 0.1, 44100)
    write(tmp_path / "mono.wav", 0.1, 44100, channels=1)
    write(tmp_path / "six.wav", 0.1, 44100, channels=6)
    stereo, mono = read(tmp_path / "stereo.wav")[0], read(tmp_path / "mono.wav")[0]
    for rate in (44100, 22050):
        got = read_excerpt(tmp_path / "stereo.wav", 10, 100, rate, channels=1)
        expected = resample(stereo.mean(0, keepdim=True), 44100, rate)[:, 10:110]
        torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)
        both = read_excerpt(tmp_path / "mono.wav", 10, 100, rate, channels=2)
        torch.testing.assert_close(
            both, resample(mono, 44100, rate)[:, 10:110].expand(2, -1), atol=1e-6, rtol=0
        )
        both[0] += 1  # memory of its own
    assert read_excerpt(tmp_path / "mono.wav", 10, 100, 44100).shape == (1, 100)
    assert read_excerpt(tmp_path / "six.wav", 10, 100, 44100).shape == (6, 100)
    with pytest.raises(AudioFileError, match="6 channels"):
        read_excerpt(tmp_path / "six.wav", 10, 100, 44100, channels=2)


def test_one_sample(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.full((1, 2), 0.5), 44100)
    assert read_excerpt(tmp_path / "x.wav", -1, 3, 44100)[0].tolist() == [0, 0.5, 0]


def test_refusals(tmp_path: Path) -> None:
    write(tmp_path / "x.wav", 0.1, 44100)
    (tmp_path / "cut.flac").write_bytes(b"fLaC nonsense")
    soundfile.write(tmp_path / "nan.wav", np.array([[0.0], [np.nan], [0.0]]), 44100, subtype="FLOAT")
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 1)), 44100)
    for name, words in (
        ("no.wav", "does not exist"),
        ("cut.flac", "cannot be read"),
        (".", "is a folder, not an audio file"),
    ):
        for function in (read_header, lambda path: read_excerpt(path, 0, 10, 44100)):
            with pytest.raises(AudioFileError, match=words):
                function(tmp_path / name)
    with pytest.raises(AudioFileError, match="no samples"):
        read_header(tmp_path / "none.wav")
    with pytest.raises(AudioFileError, match="NaN or infinity between samples 0 and 3, first at sample 1"):
        read_excerpt(tmp_path / "nan.wav", 0, 10, 44100)
    assert torch.equal(read_excerpt(tmp_path / "nan.wav", 2, 2, 44100), torch.zeros(1, 2))
    with pytest.raises(AudioFileError, match="samples is -1"):
        read_excerpt(tmp_path / "x.wav", 0, -1, 44100)


BAD_PLACES = [float("nan"), float("inf"), 1e300, 10**30, -(10**30), 1.5, True, None, "0", [0]]


@pytest.mark.parametrize("bad", BAD_PLACES, ids=repr)
def test_places_that_are_none_say_so(tmp_path: Path, bad: object) -> None:
    write(tmp_path / "x.wav", 0.1, 44100)
    path = tmp_path / "x.wav"
    for rate in (44100, 48000):
        with pytest.raises(AudioFileError, match=r"x\.wav: start is "):
            read_excerpt(path, bad, 10, rate)  # type: ignore[arg-type]
        with pytest.raises(AudioFileError, match=r"x\.wav: samples is "):
            read_excerpt(path, 0, bad, rate)  # type: ignore[arg-type]
    with pytest.raises(AudioFileError, match="sample rate is "):
        read_excerpt(path, 0, 10, bad)  # type: ignore[arg-type]
    if bad is not None:
        with pytest.raises(AudioFileError, match="channels is "):
            read_excerpt(path, 0, 10, 44100, bad)  # type: ignore[arg-type]


def test_an_excerpt_of_more_than_is_read_costs_no_memory(tmp_path: Path) -> None:
    write(tmp_path / "x.wav", 0.1, 44100)
    for samples in (10**12, 4 * 3600 * 44100 + 1):
        with pytest.raises(AudioFileError, match="expected a whole number from 0 to 635040000"):
            read_excerpt(tmp_path / "x.wav", 0, samples, 44100)
    for rate in (0, -1, 10**9):
        with pytest.raises(AudioFileError, match="expected a whole number from 1 to 768000"):
            read_excerpt(tmp_path / "x.wav", 0, 1, rate)
    assert not read_excerpt(tmp_path / "x.wav", 2**53, 5, 44100).any()


@pytest.mark.parametrize("bad", [3, None, b"x.wav", 1.5, [Path("x.wav")]], ids=repr)
def test_names_that_are_none_say_so(bad: object) -> None:
    for function in (
        read,
        read_header,
        lambda path: read_excerpt(path, 0, 1, 44100),
        load_signal,
        find_stems,
    ):
        with pytest.raises(AudioFileError, match="named by a str or a path, not by"):
            function(bad)  # type: ignore[arg-type]
