"""Reading, resampling and writing of single files, hostile ones included."""

from __future__ import annotations

import errno
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from djgraph.audio import encoding, opening, read, resample, write
from djgraph.errors import AudioFileError


def sine(samples: int = 4410, channels: int = 2, rate: int = 44100) -> np.ndarray:
    t = np.arange(samples) / rate
    return np.stack([0.5 * np.sin(2 * np.pi * (440 + 110 * c) * t + c) for c in range(channels)])


def leftovers(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".aiff", ".aif", ".mp3", ".WAV", ".Flac"])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_round_trips(tmp_path: Path, suffix: str, channels: int) -> None:
    audio = sine(44100, channels)
    path = tmp_path / f"tone{suffix}"
    assert write(path, torch.from_numpy(audio), 44100) == 0
    got, rate = read(path)
    assert rate == 44100
    assert got.dtype == torch.float32
    assert leftovers(tmp_path) == [path.name]
    if suffix in (".ogg", ".mp3"):  # lossy: the same tone, whatever delay the coder adds
        assert got.shape[0] == channels
        spectrum = np.abs(np.fft.rfft(got[0].numpy() * np.hanning(got.shape[1])))
        assert spectrum.argmax() * rate / got.shape[1] == pytest.approx(440, abs=2)
    else:
        np.testing.assert_allclose(got.numpy(), audio, atol=2**-23)


def test_read_agrees_with_the_standard_library(tmp_path: Path) -> None:
    import wave

    values = np.arange(-300, 300, dtype="<i2") * 100
    with wave.open(str(tmp_path / "ramp.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(32000)
        file.writeframes(values.tobytes())
    got, rate = read(tmp_path / "ramp.wav")
    assert rate == 32000
    np.testing.assert_array_equal(got.numpy(), values.reshape(-1, 2).T / np.float32(32768))


def test_one_sample_round_trips(tmp_path: Path) -> None:
    write(tmp_path / "one.wav", torch.full((1, 1), 0.25), 8000)
    got, rate = read(tmp_path / "one.wav")
    assert (got.tolist(), rate) == ([[0.25]], 8000)


def test_float_files_keep_values_beyond_full_scale(tmp_path: Path) -> None:
    audio = torch.tensor([[0.0, 1.5, -2.0, 1.0]])
    assert write(tmp_path / "a.wav", audio, 44100, subtype="float") == 0
    assert read(tmp_path / "a.wav")[0].tolist() == audio.tolist()


def test_clipping_is_counted_and_does_not_wrap_around(tmp_path: Path) -> None:
    audio = torch.tensor([[0.0, 1.5, -2.0, 1.0, -1.0, 0.5], [1.001, 0.0, 0.0, 0.0, 0.0, 0.0]])
    assert write(tmp_path / "a.flac", audio, 44100) == 3
    got, _ = read(tmp_path / "a.flac")
    np.testing.assert_allclose(got.numpy(), audio.clamp(-1, 1).numpy(), atol=2**-22)


def test_write_leaves_the_tensor_alone_and_takes_any_float(tmp_path: Path) -> None:
    audio = torch.from_numpy(sine()).requires_grad_()
    before = audio.detach().clone()
    write(tmp_path / "a.wav", audio, 44100)
    assert torch.equal(audio, before)
    write(tmp_path / "b.wav", before.T.contiguous().T.half(), 44100)


def test_progress_adds_up(tmp_path: Path) -> None:
    seen: list[int] = []
    write(tmp_path / "a.wav", torch.zeros(1, 200_000), 44100, progress=seen.append)
    assert len(seen) > 1
    assert sum(seen) == 200_000


# -- what reading refuses ----------------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(AudioFileError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_missing_folder_and_non_audio(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "no.wav")
    assert "folder" in refused(tmp_path)
    (tmp_path / "text.wav").write_text("this is no audio at all" * 50)
    assert "cannot be read as audio" in refused(tmp_path / "text.wav")
    (tmp_path / "empty.flac").touch()
    assert "cannot be read as audio" in refused(tmp_path / "empty.flac")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert "no ordinary file" in refused(tmp_path / "pipe.wav")


def test_zero_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "zero.wav", np.zeros((0, 2)), 44100)
    assert "no samples" in refused(tmp_path / "zero.wav")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(tmp_path: Path, bad: float) -> None:
    audio = sine().T.astype(np.float32)
    audio[17, 1] = audio[90, 0] = bad
    soundfile.write(tmp_path / "nan.wav", audio, 44100, subtype="FLOAT")
    message = refused(tmp_path / "nan.wav")
    assert "NaN or infinity" in message
    assert "2 samples, first at sample 17" in message


def wav_header(channels: int, rate: int, data_size: int, data: bytes) -> bytes:
    fmt = struct.pack(
        "<HHIIHH", 1, channels, rate, rate * channels * 2 & 0xFFFFFFFF, channels * 2 & 0xFFFF, 16
    )
    body = b"fmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", data_size) + data
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def test_absurd_channels_and_rates(tmp_path: Path) -> None:
    (tmp_path / "c.wav").write_bytes(wav_header(200, 44100, 4000, bytes(4000)))
    assert "200 channels; at most 32" in refused(tmp_path / "c.wav")
    for rate in (1, 2_000_000_000):
        (tmp_path / "r.wav").write_bytes(wav_header(2, rate, 4000, bytes(4000)))
        assert f"sample rate of {rate} Hz" in refused(tmp_path / "r.wav")


def test_a_header_that_promises_gigabytes_costs_no_memory(tmp_path: Path) -> None:
    # What ffmpeg writes into a pipe: the size is unknown, so the header says the largest there is.
    (tmp_path / "s.wav").write_bytes(wav_header(2, 44100, 0xFFFFFFFF, bytes(4000)))
    got, _ = read(tmp_path / "s.wav")
    assert got.shape == (2, 1000)


def flac_with_length(path: Path, claimed: int) -> None:
    """A FLAC of 1000 samples whose STREAMINFO says another length (36 bits at byte 21)."""
    soundfile.write(path, sine(1000, 1).T, 44100, format="FLAC")
    data = bytearray(path.read_bytes())
    data[21] = (data[21] & 0xF0) | claimed >> 32
    data[22:26] = struct.pack(">I", claimed & 0xFFFFFFFF)
    path.write_bytes(data)


def test_flac_whose_length_lies(tmp_path: Path) -> None:
    flac_with_length(tmp_path / "long.flac", 2**36 - 1)
    assert "longer than the limit of 4 hours" in refused(tmp_path / "long.flac")
    flac_with_length(tmp_path / "cut.flac", 1_000_000)
    assert "cut.flac" in refused(tmp_path / "cut.flac")


def test_a_streamed_flac_without_a_length(tmp_path: Path) -> None:
    flac_with_length(tmp_path / "streamed.flac", 0)
    assert "does not say how long it is" in refused(tmp_path / "streamed.flac")


def test_a_flac_cut_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "half.flac"
    soundfile.write(path, np.random.RandomState(0).randn(50_000, 2) * 0.1, 44100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path)


def test_longer_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "MAX_SECONDS", 0.05)
    soundfile.write(tmp_path / "long.wav", sine(4410).T, 44100)
    assert "longer than the limit" in refused(tmp_path / "long.wav")


# -- what writing refuses, and what it leaves ----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mix.xyz", "'.xyz' names no format that audio is written in; allowed: .wav, .flac"),
        ("mix", "no suffix"),
        ("no/such/mix.wav", "the folder .* does not exist"),
        ("folder.wav", "is a folder"),
        ("file/mix.wav", "is not a folder"),
    ],
)
def test_bad_output_names(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "file").touch()
    before = leftovers(tmp_path)
    with pytest.raises(AudioFileError, match=message):
        write(tmp_path / name, torch.zeros(2, 10), 44100)
    assert leftovers(tmp_path) == before


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(AudioFileError, match="not an ordinary file"):
        write(tmp_path / "pipe.wav", torch.zeros(2, 10), 44100)
    assert (tmp_path / "pipe.wav").is_fifo()


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (torch.zeros(10), r"\[channels, samples\], not \[10\]"),
        (torch.zeros(1, 2, 10), r"not \[1, 2, 10\]"),
        (torch.zeros(2, 0), "no audio"),
        (torch.tensor([[0.0, float("nan")]]), "NaN"),
    ],
)
def test_bad_audio_to_write(tmp_path: Path, audio: torch.Tensor, message: str) -> None:
    with pytest.raises(AudioFileError, match=message):
        write(tmp_path / "a.wav", audio, 44100)
    assert leftovers(tmp_path) == []


def test_unknown_subtype(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match=r"FLAC has no subtype 'FLOAT'; it has: .*PCM_24"):
        write(tmp_path / "a.flac", torch.zeros(1, 10), 44100, subtype="float")


@pytest.mark.parametrize("problem", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_failure_half_way_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: BaseException, suffix: str
) -> None:
    path = tmp_path / f"mix{suffix}"
    write(path, torch.zeros(2, 1000), 44100)
    before = path.read_bytes()
    noise = torch.rand(2, 300_000) - 0.5
    calls = 0
    original = encoding.Sink._do

    def failing(self: encoding.Sink, method, *args):  # type: ignore[no-untyped-def]
        nonlocal calls
        if method == self._file.write:
            calls += 1
            if calls > 3:

                def method(*args: object) -> None:
                    raise problem

        return original(self, method, *args)

    monkeypatch.setattr(encoding.Sink, "_do", failing)
    with pytest.raises(type(problem) if isinstance(problem, KeyboardInterrupt) else AudioFileError) as caught:
        write(path, noise, 44100)
    assert "No space left" in str(caught.value) or isinstance(problem, KeyboardInterrupt)
    assert leftovers(tmp_path) == [path.name]
    assert path.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_full_disk(tmp_path: Path, suffix: str) -> None:
    # A limit on the file size is what a test can have of a full disk: write() fails half way with an errno.
    code = (
        "import resource, signal, sys, torch\n"
        "from djgraph.audio import write\n"
        "from djgraph.errors import AudioFileError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    write(sys.argv[1], torch.rand(2, 100_000) - 0.5, 44100)\n"
        "except AudioFileError as problem:\n"
        "    print(problem)\n"
    )
    path = tmp_path / f"mix{suffix}"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "cannot be written: File too large" in done.stdout
    assert leftovers(tmp_path) == []


def test_a_new_file_gets_ordinary_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    old = os.umask(0o022)
    try:
        write(path, torch.zeros(1, 10), 44100)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o640)
    write(path, torch.zeros(1, 20), 44100)
    assert path.stat().st_mode & 0o777 == 0o640
    assert read(path)[0].shape == (1, 20)


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.wav").symlink_to(tmp_path / "real" / "a.wav")
    write(tmp_path / "link.wav", torch.zeros(1, 10), 44100)
    assert (tmp_path / "link.wav").is_symlink()
    assert (tmp_path / "real" / "a.wav").is_file()


# -- resampling ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "target"), [(48000, 44100), (22050, 44100), (96000, 44100), (44100, 47952)])
def test_resampling_keeps_the_tone_where_it_is(rate: int, target: int) -> None:
    seconds, frequency = 0.5, 1000.0
    audio = torch.sin(2 * np.pi * frequency * torch.arange(int(rate * seconds), dtype=torch.float64) / rate)
    got = resample(audio[None], rate, target)[0]
    assert got.dtype == torch.float64
    assert len(got) == -(-len(audio) * target // rate)
    expected = torch.sin(2 * np.pi * frequency * torch.arange(len(got), dtype=torch.float64) / target)
    middle = slice(1000, -1000)
    assert (got - expected)[middle].abs().max() < 0.02


def test_resampling_to_the_same_rate_is_the_same_tensor() -> None:
    audio = torch.rand(2, 10)
    assert resample(audio, 44100, 44100) is audio


@pytest.mark.parametrize(("rate", "target"), [(767_999, 44100), (44_101, 44_100), (44_101, 767_999)])
def test_ratios_that_would_eat_the_memory_are_refused(rate: int, target: int) -> None:
    with pytest.raises(AudioFileError, match=f"{rate} Hz to {target} Hz"):
        resample(torch.rand(1, 101), rate, target)


def test_torchaudio_that_does_not_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    monkeypatch.setitem(sys.modules, "torchaudio.functional", None)
    with pytest.raises(AudioFileError, match=re.escape('pip install "torch>=2.11,<2.15" torchaudio')):
        resample(torch.rand(1, 100), 48000, 44100)
