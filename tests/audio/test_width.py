"""Files of more than two channels: their order, their masks, and what they serve."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from djgraph.audio import formats, load_signal, open_outputs, read, read_excerpt, write
from djgraph.audio.blocks import open_blocks
from djgraph.errors import AudioFileError

RATE = 44100
MASKS = {3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F, 9: 0, 32: 0}
"""SPEAKER_FRONT_LEFT and so on, added up by hand."""


def tones(channels: int, samples: int = 8000) -> Tensor:
    """A tone of its own in each channel, all below what an LFE's encoder cuts off."""
    t = torch.arange(samples) / RATE
    return torch.stack([0.1 * torch.sin(2 * torch.pi * (60 + 5 * n) * t + n) for n in range(channels)])


def chunk(path: Path, name: bytes) -> bytes:
    """The contents of a chunk of a WAVE file."""
    data, at = path.read_bytes(), 12
    while data[at : at + 4] != name:
        at += 8 + struct.unpack("<I", data[at + 4 : at + 8])[0]
    return data[at + 8 : at + 8 + struct.unpack("<I", data[at + 4 : at + 8])[0]]


@pytest.mark.parametrize("channels", MASKS)
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_a_wave_file_says_for_which_speakers_it_is(tmp_path: Path, channels: int, subtype: str) -> None:
    path, audio = tmp_path / "x.wav", tones(channels)
    assert write(path, audio, RATE, subtype=subtype) == 0
    header = chunk(path, b"fmt ")
    tag, count, rate, _, align, bits = struct.unpack("<HHIIHH", header[:16])
    assert (tag, count, rate, bits) == (
        0xFFFE,
        channels,
        RATE,
        {"PCM_16": 16, "PCM_24": 24, "FLOAT": 32}[subtype],
    )
    assert align == channels * bits // 8
    assert struct.unpack("<I", header[20:24])[0] == MASKS[channels]
    torch.testing.assert_close(read(path)[0], audio, rtol=0, atol=4e-5)
    assert soundfile.read(path)[0].shape == (8000, channels)


@pytest.mark.parametrize("channels", [1, 2])
def test_mono_and_stereo_stay_plain(tmp_path: Path, channels: int) -> None:
    write(tmp_path / "x.wav", tones(channels), RATE)
    assert struct.unpack("<H", chunk(tmp_path / "x.wav", b"fmt ")[:2]) == (1,)


@pytest.mark.parametrize("channels", [3, 6, 8])
def test_large_ones_and_those_in_blocks_say_so_too(
    tmp_path: Path, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = tones(channels)
    write(tmp_path / "whole.wav", audio, RATE)
    with open_outputs({"x": tmp_path / "blocks.wav"}, RATE, {"x": channels}) as outputs:
        for block in audio.split(999, dim=1):
            outputs.write({"x": block})
    assert (tmp_path / "whole.wav").read_bytes() == (tmp_path / "blocks.wav").read_bytes()
    monkeypatch.setattr(formats, "MAX_BYTES", 1000)
    write(tmp_path / "large.wav", audio, RATE)
    assert soundfile.info(tmp_path / "large.wav").format == "RF64"
    data = (tmp_path / "large.wav").read_bytes()
    assert struct.unpack("<I", data[data.index(b"fmt ") + 28 :][:4])[0] == MASKS[channels]
    torch.testing.assert_close(read(tmp_path / "large.wav")[0], audio, rtol=0, atol=1e-6)


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff", ".ogg"])
def test_all_ways_of_reading_give_back_what_was_written(tmp_path: Path, suffix: str, channels: int) -> None:
    path, audio = tmp_path / f"x{suffix}", tones(channels)
    write(path, audio, RATE)
    near = {"rtol": 0, "atol": 0.06 if suffix == ".ogg" else 1e-6}
    torch.testing.assert_close(read(path)[0], audio, **near)
    torch.testing.assert_close(load_signal(path, RATE, channels), audio, **near)
    torch.testing.assert_close(read_excerpt(path, 100, 7000, RATE, channels), audio[:, 100:7100], **near)
    with open_blocks(path, RATE, channels) as reader:
        parts = [reader.read(1000) for _ in range(8)]
    torch.testing.assert_close(torch.cat(parts, 1), audio, **near)


@pytest.mark.parametrize(
    ("channels", "vorbis"),
    [
        (3, "L C R"),
        (4, "L R Ls Rs"),
        (5, "L C R Ls Rs"),
        (6, "L C R Ls Rs LFE"),
        (7, "L C R Ls Rs Cs LFE"),
        (8, "L C R Lss Rss Lrs Rrs LFE"),
    ],
)
def test_ogg_has_an_order_of_its_own(tmp_path: Path, channels: int, vorbis: str) -> None:
    """That of Vorbis I, section 4.3.9, as libsndfile hands it out."""
    ours = {
        3: "L R C",
        4: "L R Ls Rs",
        5: "L R C Ls Rs",
        6: "L R C LFE Ls Rs",
        7: "L R C LFE Cs Ls Rs",
        8: "L R C LFE Lrs Rrs Lss Rss",
    }[channels].split()
    audio = tones(channels)
    write(tmp_path / "x.ogg", audio, RATE)
    stored = soundfile.read(tmp_path / "x.ogg", always_2d=True)[0].T
    for place, label in enumerate(vorbis.split()):
        wanted = audio[ours.index(label)].numpy()
        assert np.corrcoef(stored[place], wanted)[0, 1] > 0.98, label


def masked(path: Path, channels: int, mask: int) -> Path:
    write(path, tones(channels), RATE)
    data = bytearray(path.read_bytes())
    at = data.index(b"fmt ") + 28
    data[at : at + 4] = struct.pack("<I", mask)
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize(
    ("channels", "mask"), [(4, 0), (4, 0x603), (5, 0x607), (6, 0x60F), (6, 0x3F), (8, 0)]
)
def test_side_speakers_are_surrounds_and_no_mask_is_taken_on_trust(
    tmp_path: Path, channels: int, mask: int
) -> None:
    path = masked(tmp_path / "x.wav", channels, mask)
    assert load_signal(path, RATE, channels).shape == (channels, 8000)


@pytest.mark.parametrize(("channels", "mask"), [(4, 0x107), (3, 0xB), (7, 0x13F), (8, 0xFF)])
def test_other_speakers_are_refused(tmp_path: Path, channels: int, mask: int) -> None:
    path = masked(tmp_path / "x.wav", channels, mask)
    for reader in (load_signal, open_blocks):
        given: Any = reader
        with pytest.raises(AudioFileError, match=rf"x\.wav: its channel mask {mask:#x} is not that of"):
            given(path, RATE, channels)
    with pytest.raises(AudioFileError, match="its channels are for other speakers"):
        read_excerpt(path, 0, 10, RATE, channels)
    assert read(path)[0].shape == (channels, 8000)  # as it is


def test_mono_goes_anywhere_and_others_do_not(tmp_path: Path) -> None:
    write(tmp_path / "one.wav", tones(1), RATE)
    write(tmp_path / "two.wav", tones(2), RATE)
    made = load_signal(tmp_path / "one.wav", 22050, 6)
    assert made.shape == (6, 4000)
    assert (made == made[:1]).all()
    made[0] += 1  # memory of its own
    for channels in (4, 6):
        with pytest.raises(
            AudioFileError, match=r"two\.wav: stereo cannot be read as (quad|5\.1): only mono"
        ):
            load_signal(tmp_path / "two.wav", RATE, channels)


@pytest.mark.parametrize("channels", [0, -1, 33, 1.5, True, "quad"])
def test_channels_that_are_none(tmp_path: Path, channels: Any) -> None:
    write(tmp_path / "x.wav", tones(2), RATE)
    for reader in (load_signal, open_blocks):
        given: Any = reader
        with pytest.raises(AudioFileError, match="expected 1 to 32, or None"):
            given(tmp_path / "x.wav", RATE, channels)
