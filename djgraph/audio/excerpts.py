"""Parts of audio files: read from a moment on, at any sample rate, without the rest of the file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from djgraph.arguments import whole
from djgraph.audio.formats import MAX_SECONDS, SAMPLE_RATES, whole_number
from djgraph.audio.opening import opened, path_of, reason
from djgraph.audio.resampling import Cycle, resample
from djgraph.audio.width import as_wide, check_channels, check_serves, from_file
from djgraph.errors import AudioFileError

_FAR = 1 << 53
"""Samples from the file's beginning that an excerpt may start at: beyond, other programs' numbers are not exact."""

_VORBIS = 1 << 14
"""Samples that an Ogg file is read from before they count: libsndfile (1.2.2, its issue 885) at times decodes the
first block after a seek wrongly, and a Vorbis block has up to 8192 samples."""


@dataclass(frozen=True)
class Header:
    """What an audio file says of itself: samples in each channel, Hz, channels."""

    samples: int
    sample_rate: int
    channels: int

    def samples_at(self, sample_rate: int) -> int:
        """How many samples the whole file has at another rate."""
        return -(-self.samples * sample_rate // self.sample_rate)


def read_header(path: str | os.PathLike[str]) -> Header:
    """A file's header, without its audio. Raises AudioFileError as :func:`djgraph.audio.read` does: for a file that is
    cut short, too, in any format."""
    path = path_of(path)
    with opened(path) as file:
        header = Header(int(file.frames), int(file.samplerate), int(file.channels))
        if not header.samples:
            raise AudioFileError(f"{path} holds no samples")
        if (
            file.format == "FLAC"
        ):  # which does not say how many bytes it has: the last sample is there, or is not
            _part(file, path, header.samples - 1, 1, None)
    return header


def read_excerpt(
    path: str | os.PathLike[str], start: int, samples: int, sample_rate: int, channels: int | None = None
) -> Tensor:
    """``[channels, samples]`` float32 of a file from sample ``start`` on, both counted at ``sample_rate``.

    It is what the whole file, read and resampled, would hold there, to rounding; before the file's beginning
    and after its end there is silence. Only that part is read from the disk, and a little around it where it
    has to be resampled. channels: 1 (of a stereo file the mean), any number (a mono file is put on all), or None, as
    the file is. Raises AudioFileError for what cannot be read, for NaN and infinity, for a file of another number of
    channels or for other speakers (where ``channels`` is not None), for a start, a number of samples (up to 4 hours)
    or of channels that is none, and for a sample rate that is none.
    """
    path = path_of(path)
    sample_rate = target_rate(path, sample_rate)
    start = whole(start, f"{path}: start", -_FAR, _FAR, AudioFileError)
    longest = int(MAX_SECONDS * sample_rate)
    samples = whole(samples, f"{path}: samples", 0, longest, AudioFileError)
    check_channels(path, channels)
    with opened(path) as file:
        rate = int(file.samplerate)
        check_serves(path, file, channels)
        if rate == sample_rate:
            audio = _part(file, path, start, samples, channels)
        else:
            total = Header(int(file.frames), rate, 1).samples_at(sample_rate)
            cycle = Cycle(rate, sample_rate)
            down, up, margin = cycle.down, cycle.up, cycle.margin
            first, last = start // up - margin, -(-(start + samples) // up) + margin
            source = _part(file, path, first * down, (last - first) * down, channels)
            at = start - first * up
            audio = resample(source, rate, sample_rate)[:, at : at + samples].contiguous()
            audio[:, max(0, total - start) :] = 0  # the filter's ringing after the last sample
            audio[:, : max(0, -start)] = 0
    return as_wide(audio, channels)


def target_rate(path: Path, sample_rate: object) -> int:
    """The rate in Hz that a file is to be read at. AudioFileError for what is no rate."""
    rate = whole_number(sample_rate, f"{path}: the sample rate")
    return whole(rate, f"{path}: the sample rate", 1, SAMPLE_RATES[1], AudioFileError)


def seek(file: Any, path: Path, first: int) -> None:
    """Go to a sample of an open file. AudioFileError where it is not there."""
    import soundfile

    early = min(first, _VORBIS) if file.format == "OGG" else 0
    try:
        file.seek(first - early)
    except soundfile.SoundFileError as problem:
        raise AudioFileError(
            f"{path} is cut short or damaged: it promises {file.frames} samples, and sample {first} is not found"
            f" ({reason(problem)})"
        ) from problem
    if early:
        file.read(early, dtype="float32")


def _part(file: Any, path: Path, start: int, samples: int, channels: int | None) -> Tensor:
    """Samples at the file's own rate, silence beyond its ends; stereo turned mono where that is asked for."""
    total = int(file.frames)
    first, last = min(max(start, 0), total), min(max(start + samples, 0), total)
    seek(file, path, first)
    block = from_file(file, file.read(last - first, dtype="float32", always_2d=True))
    if len(block) < last - first and file.format != "MP3":  # whose frames have been counted
        raise AudioFileError(
            f"{path} is cut short: it promises {total} samples, from {first} on it holds {len(block)}"
        )
    if not np.isfinite(block).all():
        bad = first + int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
        raise AudioFileError(
            f"{path} holds NaN or infinity between samples {first} and {last}, first at sample {bad}"
        )
    audio = torch.zeros(block.shape[1], max(samples, 0), dtype=torch.float32, device="cpu")
    audio[:, first - start : first - start + len(block)] = torch.from_numpy(block.T) if len(block) else 0
    return as_wide(audio, 1) if channels == 1 else audio
