"""What is taken to be written, exactly, and what each format refuses before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from djgraph.audio import check_format, normalize, peak_dbfs, peak_gain, read, rms_dbfs, write
from djgraph.errors import AudioFileError, InputError

RATE = 44100


def pcm(dtype: torch.dtype) -> torch.Tensor:
    low, high = torch.iinfo(dtype).min, torch.iinfo(dtype).max
    return torch.tensor([[0, 1, -1, high, low, high // 3]], dtype=dtype)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff"])
def test_int16_is_written_as_it_is(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    for subtype in ("PCM_16", "PCM_24"):
        assert write(path, pcm(torch.int16), RATE, subtype=subtype) == 0
        assert soundfile.read(path, dtype="int16")[0].tolist() == pcm(torch.int16)[0].tolist()


def test_integers_in_floating_formats_have_their_own_full_scale(tmp_path: Path) -> None:
    for dtype, scale in ((torch.int16, 2**15), (torch.int32, 2**31)):
        write(tmp_path / "x.wav", pcm(dtype), RATE, subtype="FLOAT")
        torch.testing.assert_close(
            read(tmp_path / "x.wav")[0], (pcm(dtype).double() / scale).float(), rtol=0, atol=0
        )
    tone = (20_000 * torch.sin(torch.arange(20_000) / 10)).short()[None]
    for name in ("x.ogg", "x.mp3"):
        write(tmp_path / name, tone, RATE)
        assert float(read(tmp_path / name)[0].std()) == pytest.approx(
            float(tone.double().std()) / 2**15, rel=0.03
        )


@pytest.mark.parametrize("kind", ["f4", "f8", ">f4", "<i2", ">i2"])
def test_numpy_audio(tmp_path: Path, kind: str) -> None:
    values = np.array([[0.5, -0.25, 0.125], [0.0, 0.25, -0.5]])
    audio = (values * 2**15).astype(kind) if "i" in kind else values.astype(kind)
    audio.flags.writeable = False
    write(tmp_path / "x.wav", audio, np.int64(RATE))  # type: ignore[arg-type]
    np.testing.assert_allclose(read(tmp_path / "x.wav")[0].numpy(), values, atol=2**-22)


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (torch.zeros(4410, 2), r"looks like \[samples, channels\]: give audio.T"),
        (np.zeros((4410, 2)), r"looks like \[samples, channels\]: give audio.T"),
        (torch.zeros(2, 10, dtype=torch.uint8), "int16 or int32 .*, not uint8"),
        (torch.zeros(2, 10, dtype=torch.bool), "not bool"),
        (torch.zeros(2, 10, dtype=torch.complex64), "not complex64"),
        (np.zeros((2, 10), dtype=complex), "not an array of complex128"),
        ([[0.0, 0.1]], "not list"),
        (None, "not NoneType"),
        (torch.tensor([[0.0, 0.0], [0.0, torch.nan]]), "1 samples, first at sample 1"),
    ],
)
def test_audio_that_is_refused_says_why(tmp_path: Path, audio: object, message: str) -> None:
    with pytest.raises(AudioFileError, match=message):
        write(tmp_path / "x.wav", audio, RATE)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_sample_rates(tmp_path: Path) -> None:
    for rate in (44100.0, np.float32(44100), np.int32(44100)):
        write(tmp_path / "x.wav", torch.zeros(1, 10), rate)  # type: ignore[arg-type]
        assert read(tmp_path / "x.wav")[1] == 44100
    for bad in (44100.5, "44100", None, True, float("nan"), float("inf"), 0, -44100, 999, 10**9):
        with pytest.raises(AudioFileError, match=r"x\.wav: "):
            write(tmp_path / "x.wav", torch.zeros(1, 10), bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("x.ogg", 200_000, 2, None),
        ("x.ogg", 48_000, 2, "opus"),
        ("x.mp3", 48_000, 2, None),
        ("x.mp3", 8_000, 1, None),
        ("x.flac", 655_350, 8, None),
        ("x.wav", 768_000, 32, "double"),
        ("x.wav", 44_100, 2, "ima_adpcm"),
        ("x.wav", 44_100, 1, "gsm610"),
        ("x.aiff", 1_000, 1, "ulaw"),
    ],
)
def test_what_is_allowed_can_be_written(
    tmp_path: Path, name: str, rate: int, channels: int, subtype: str | None
) -> None:
    check_format(name, rate, channels, 5000, subtype)
    write(tmp_path / name, torch.zeros(channels, 5000), rate, subtype=subtype)
    assert soundfile.info(tmp_path / name).samplerate == rate


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype", "message"),
    [
        ("x.ogg", 200_001, 2, None, r"1000 to 200000 Hz, not at 200001 Hz; x\.wav can be"),
        ("x.ogg", 250_000, None, None, "not at 250000 Hz"),
        ("x.ogg", 44_100, 2, "opus", "OPUS is written at 8000, .* 48000 Hz"),
        ("x.mp3", 96_000, 2, None, "MP3 is written at 8000, .*, not at 96000 Hz"),
        ("x.mp3", 44_100, 3, None, "1 to 2 channels, not with 3"),
        ("x.mp3", 44_100, 2, "mpeg_layer_ii", "it has: MPEG_LAYER_III$"),
        ("x.flac", 700_000, 2, None, "FLAC is written at 1000 to 655350 Hz"),
        ("x.flac", 100_001, 2, None, "multiples of 10 Hz"),
        ("x.flac", 44_100, 9, None, "1 to 8 channels"),
        ("x.wav", 44_100, 33, None, "1 to 32 channels"),
        ("x.wav", 44_100, 2, "gsm610", "GSM610 is not written with 2 channels"),
        ("x.wav", 44_100, 2, "mpeg_layer_iii", "name the file .mp3"),
        ("x.wav", 44_100, 0, None, "not with 0"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    name: str, rate: int, channels: int | None, subtype: str | None, message: str
) -> None:
    with pytest.raises(AudioFileError, match=message):
        check_format(name, rate, channels, subtype=subtype)


def test_levels_of_nan() -> None:
    bad = torch.tensor([[0.5, float("nan")]])
    assert np.isnan(peak_dbfs(bad))
    assert np.isnan(rms_dbfs(bad))
    for audio in (bad, torch.tensor([[float("inf")]])):
        with pytest.raises(InputError, match="NaN or infinity"):
            normalize(audio)


def test_one_factor_for_several_signals() -> None:
    quiet, loud = torch.full((2, 5), 0.25), torch.full((1, 7), -4.0)
    gain = peak_gain([quiet, loud], -6.0)
    assert gain * 4.0 == pytest.approx(0.5011872)
    assert peak_gain([torch.zeros(2, 5), torch.zeros(1, 0)]) == 1
