"""Files that are cut short, joined or written to a pipe: all of the audio, or an error; never a part of it."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from djgraph.audio import formats, read, read_excerpt, read_header, write
from djgraph.audio.mp3 import find_frames
from djgraph.audio.whole import is_joined_flac
from djgraph.errors import AudioFileError

RATE = 44100
KINDS = {
    "wav": {},
    "wavex.wav": {"format": "WAVEX"},
    "float.wav": {"subtype": "FLOAT"},
    "rf64.wav": {"format": "RF64"},
    "w64": {},
    "aiff": {},
    "aifc": {"format": "AIFF", "subtype": "ULAW"},
    "au": {},
    "caf": {},
    "flac": {},
    "ogg": {},
    "opus": {"format": "OGG", "subtype": "OPUS", "samplerate": 48000},
    "mp3": {},
}


def noise(samples: int, channels: int = 2) -> np.ndarray:
    return 0.1 * np.random.default_rng(1).standard_normal((samples, channels))


def put(path: Path, audio: np.ndarray, **how: object) -> bytes:
    soundfile.write(path, audio, how.pop("samplerate", RATE), **how)  # type: ignore[arg-type]
    return path.read_bytes()


def refusals(path: Path) -> list[str]:
    found = []
    for function in (read, read_header, lambda file: read_excerpt(file, 0, 88200, RATE)):
        with pytest.raises(AudioFileError) as caught:
            function(path)
        found.append(str(caught.value))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_cut_short_is_an_error_wherever_it_is_cut(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    data = put(path, noise(60_000), **KINDS[kind])
    assert read(path)[0].shape[1] == read_header(path).samples
    for size in (len(data) - 700, len(data) * 3 // 4, len(data) // 2, len(data) // 4):
        path.write_bytes(data[:size])
        for message in refusals(path):
            assert str(path) in message


@pytest.mark.parametrize("kind", ["wav", "rf64.wav", "aiff", "ogg"])
def test_one_byte_less_is_an_error_and_more_is_none(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    data = put(path, noise(1001, 1), **KINDS[kind])
    path.write_bytes(data[:-1])
    assert any(text in refusals(path)[0] for text in ("cut short: it promises", "pages break off"))
    path.write_bytes(data + b"TAG" + bytes(200))  # what taggers put at the end
    assert read(path)[0].shape == (1, 1001)


def test_chunks_before_the_audio_are_stepped_over(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    data = put(path, noise(100, 1))
    odd = b"LIST" + struct.pack("<I", 5) + b"12345\0"  # an odd size: a byte of padding
    at = data.index(b"data")
    path.write_bytes(data[:at] + odd + data[at:])
    assert read(path)[0].shape == (1, 100)
    path.write_bytes((data[:at] + odd + data[at:])[:-2])
    assert "promises 200 bytes of audio and holds 198" in refusals(path)[0]


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0x7FFFF000, 0x7F000000, 0xFFFFFFFF, 0xFFFFFFDB])
def test_a_wav_out_of_a_pipe_is_read_to_its_end(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.wav"
    data = bytearray(put(path, noise(1000)))
    at = data.index(b"data") + 4
    data[4:8] = data[at : at + 4] = struct.pack("<I", size)
    path.write_bytes(data)
    assert read(path)[0].shape == (2, 1000)
    assert read_header(path).samples == 1000


def test_a_wav_whose_size_began_at_0_again_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    data = put(path, noise(1000))
    with path.open("wb") as file:  # sparse: it takes no room on the disk
        file.write(data)
        file.truncate((1 << 32) + len(data))
    for message in refusals(path):
        assert "beyond 4 GiB its sizes begin at 0 again" in message


def test_joined_ogg_files_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.ogg"
    data = put(path, noise(30_000))
    path.write_bytes(data * 2)
    for message in refusals(path):
        assert "several OGG streams" in message


# -- MP3 -----------------------------------------------------------------------------------------------


def mp3(path: Path, seconds: float = 4.0, mode: str = "VARIABLE", channels: int = 1) -> bytes:
    t = np.arange(round(seconds * RATE)) / RATE
    tone = 0.5 * np.sin(2 * np.pi * 440 * t) + np.where(t < 0.5, 0.2, 0.0005) * noise(len(t), 1)[:, 0]
    with soundfile.SoundFile(
        path, "w", RATE, channels, format="MP3", bitrate_mode=mode, compression_level=0.2
    ) as file:
        file.write(np.stack([tone] * channels, 1))
    return path.read_bytes()


def frames_of(data: bytes) -> list[int]:
    """Where the frames begin, told by a table of this test's own (MPEG 1, 44.1 kHz)."""
    kbits = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
    found, at = [], 0
    while at + 4 <= len(data) and data[at] == 0xFF:
        found.append(at)
        at += 144_000 * kbits[data[at + 2] >> 4] // RATE + (data[at + 2] >> 1 & 1)
    return found


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
def test_mp3_without_a_header_is_read_to_its_end(tmp_path: Path, mode: str, channels: int) -> None:
    path = tmp_path / "x.mp3"
    data = mp3(path, mode=mode, channels=channels)
    whole, _ = read(path)
    assert whole.shape == (channels, 4 * RATE)
    starts = frames_of(data)
    path.write_bytes(data[starts[1] :])  # the first frame holds the header and no audio
    got, rate = read(path)
    assert rate == RATE
    assert got.shape[1] == read_header(path).samples
    assert 0 <= got.shape[1] - (len(starts) - 1) * 1152 + 529 <= 1  # without the decoder's own delay
    late = got.shape[1] - 40_000
    part = read_excerpt(path, late, 30_000, RATE)
    torch.testing.assert_close(part, got[:, late : late + 30_000], atol=1e-6, rtol=0)
    # The same sound, later by the encoder's delay, which only the header told of.
    delay = 576 + 529 - 529 if len(got) else 0
    overlap = min(whole.shape[1], got.shape[1] - delay) - 2000
    assert (got[:, delay : delay + overlap] - whole[:, :overlap])[:, 2000:].abs().max() < 1e-3


def test_mp3_cut_out_of_a_stream_is_read_from_its_first_frame_on(tmp_path: Path) -> None:
    path = tmp_path / "x.mp3"
    data = mp3(path)
    starts = frames_of(data)
    path.write_bytes(data[starts[50] - 100 : starts[100] + 20])
    found = find_frames(path)
    assert found is not None
    assert found.count == 50
    assert read(path)[0].shape[1] == read_header(path).samples == pytest.approx(50 * 1152, abs=530)


@pytest.mark.parametrize(
    "between", [b"", b"TAG" + bytes(125), b"ID3\x03\0\0\0\0\x20\0" + b"\xff\xfb\x90\0" * 1024]
)
def test_joined_mp3_files_are_read_to_the_end(tmp_path: Path, between: bytes) -> None:
    path = tmp_path / "x.mp3"
    data = mp3(path)
    path.write_bytes(data + between + data)
    got, _ = read(path)
    assert got.shape[1] == read_header(path).samples == pytest.approx(8 * RATE, abs=2 * 2200)
    assert got[0, 5 * RATE :].std() == pytest.approx(0.5 / np.sqrt(2), rel=0.02)
    part = read_excerpt(path, 6 * RATE, 1000, RATE)
    torch.testing.assert_close(part, got[:, 6 * RATE : 6 * RATE + 1000], atol=1e-5, rtol=0)
    path.write_bytes(data + between + data[: len(data) // 2])
    for message in refusals(path):
        assert "cut short" in message


@pytest.mark.parametrize(
    "before", [bytes(70_000), b"\xff" * 5000, b"ID3\x04\0\0\0\0\x02\0" + b"\xff" * 256 + bytes(9000)]
)
def test_mp3_behind_padding_is_the_same(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "x.mp3"
    data = mp3(path, 1.0)
    whole, _ = read(path)
    path.write_bytes(before + data)
    assert torch.equal(read(path)[0], whole)
    torch.testing.assert_close(read_excerpt(path, 20_000, 500, RATE), whole[:, 20_000:20_500])
    assert read_header(path).samples == whole.shape[1]


def test_mp3_of_two_kinds_is_an_error(tmp_path: Path) -> None:
    first, second = mp3(tmp_path / "a.mp3", 1.0), mp3(tmp_path / "b.mp3", 1.0, channels=2)
    (tmp_path / "x.mp3").write_bytes(first + second)
    for message in refusals(tmp_path / "x.mp3"):
        assert "changes from 44100 Hz mono to 44100 Hz stereo" in message


def test_mp3_that_is_none(tmp_path: Path) -> None:
    for content in (b"", b"\xff", bytes(5000), b"\xff\xfb" * 4000, b"ID3\x03\0\0\x7f\x7f\x7f\x7f"):
        (tmp_path / "x.mp3").write_bytes(content)
        refusals(tmp_path / "x.mp3")


def test_a_file_that_changes_is_looked_at_again(tmp_path: Path) -> None:
    path = tmp_path / "x.mp3"
    data = mp3(path, 1.0)
    assert read_header(path).samples == RATE
    os.truncate(path, len(data) // 2)
    refusals(path)


# -- names, formats, other processes' settings ---------------------------------------------------------


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    for suffix in (".wav", ".mp3", ".ogg"):
        path = folder / os.fsdecode(b"\xe9" + suffix.encode())
        write(path, torch.zeros(1, 2000) + 0.1, RATE)
        assert read(path)[0].shape == (1, 2000)
        assert read_excerpt(path, 0, 5, RATE).shape == (1, 5)
        assert read_header(path).samples == 2000


def test_m4a_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "my song.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    with pytest.raises(AudioFileError, match=r"ffmpeg -i 'my song.m4a' 'my song.flac'"):
        read(tmp_path / "my song.m4a")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_the_process_default_dtype_changes_nothing(tmp_path: Path, dtype: torch.dtype) -> None:
    put(tmp_path / "x.wav", noise(5000))
    expected = [
        read(tmp_path / "x.wav")[0],
        *(read_excerpt(tmp_path / "x.wav", 10, 999, r) for r in (RATE, 16000)),
    ]
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device("meta"):
            got = [
                read(tmp_path / "x.wav")[0],
                *(read_excerpt(tmp_path / "x.wav", 10, 999, r) for r in (RATE, 16000)),
            ]
    finally:
        torch.set_default_dtype(before)
    for one, other in zip(got, expected):
        assert torch.equal(one, other)


def test_a_wav_beyond_4_gib_is_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert formats.check_format("x.wav", RATE, 2, 1 << 29) == ("WAV", "PCM_24")
    assert formats.check_format("x.wav", RATE, 2, 1 << 30) == ("RF64", "PCM_24")
    assert formats.check_format("x.wav", RATE, 1, 540_000_000, "double") == ("RF64", "DOUBLE")
    with pytest.raises(AudioFileError, match="more than AIFF holds"):
        formats.check_format("x.aiff", RATE, 2, 1 << 30)
    assert formats.check_format("x.flac", RATE, 2, 1 << 30)[0] == "FLAC"
    monkeypatch.setattr(formats, "MAX_BYTES", 10_000)
    audio = torch.from_numpy(noise(5000).T.copy()).float()
    write(tmp_path / "x.wav", audio, RATE)
    assert (tmp_path / "x.wav").read_bytes()[:4] == b"RF64"
    torch.testing.assert_close(read(tmp_path / "x.wav")[0], audio, atol=2**-22, rtol=0)
    assert read_header(tmp_path / "x.wav").samples == 5000
    shutil.copy(tmp_path / "x.wav", tmp_path / "cut.wav")
    os.truncate(tmp_path / "cut.wav", 20_000)
    refusals(tmp_path / "cut.wav")


def test_flacs_joined_end_to_end_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "one.flac", 0.1 * torch.randn(2, 5000), 44100)
    one = (tmp_path / "one.flac").read_bytes()
    (tmp_path / "two.flac").write_bytes(one + one)
    assert read(tmp_path / "one.flac")[0].shape == (2, 5000)
    for function in (read, read_header, lambda path: read_excerpt(path, 0, 10, 44100)):
        with pytest.raises(AudioFileError, match="joined end to end"):
            function(tmp_path / "two.flac")


def test_a_second_flac_is_found_wherever_the_search_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "one.flac", 0.1 * torch.randn(1, 100), 44100)
    one = (tmp_path / "one.flac").read_bytes()
    for block in range(1, 30):
        monkeypatch.setattr("djgraph.audio.whole._SEARCHED", block)
        (tmp_path / f"{block}.flac").write_bytes(one + one)
        assert is_joined_flac(tmp_path / f"{block}.flac")
        (tmp_path / f"{block}.once.flac").write_bytes(one)
        assert not is_joined_flac(tmp_path / f"{block}.once.flac")
