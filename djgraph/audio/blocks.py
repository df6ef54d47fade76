"""Audio files read block by block, at any sample rate, in memory that does not depend on their length."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from djgraph.arguments import whole
from djgraph.audio.excerpts import Header, seek, target_rate
from djgraph.audio.opening import Sound, check_duration, open_sound, path_of
from djgraph.audio.resampling import Cycle, Resampler
from djgraph.audio.width import as_wide, check_channels, check_serves, from_file
from djgraph.errors import AudioFileError

_BLOCK = 1 << 16  # samples of the file that are read at a time


def open_blocks(
    path: str | os.PathLike[str],
    sample_rate: int | None = None,
    channels: int | None = None,
    start: int = 0,
    stop: int | None = None,
) -> BlockReader:
    """A file opened for reading in blocks of ``[channels, samples]`` float32, full scale ±1.

    All blocks joined are what :func:`djgraph.audio.read` gives, resampled as a whole, to rounding: the resampler keeps
    its history from block to block. sample_rate: in Hz; the file's own where left out. channels: 1 (of a stereo file
    the mean), any number (a mono file is put on all), or None, as the file is. start, stop: the part to read, in
    samples at ``sample_rate``; ``stop`` is not included, and the file's end where left out or beyond it.

    Raises AudioFileError as :func:`djgraph.audio.read` does: here for what the header or the container tells, in
    :meth:`BlockReader.read` for what only the audio does (NaN, infinity, a FLAC that is cut short); also for a file
    of another number of channels, or for other speakers, where ``channels`` is given, and for numbers that are none.
    """
    path = path_of(path)
    start = whole(start, f"{path}: start", 0, error=AudioFileError)
    stop = None if stop is None else whole(stop, f"{path}: stop", 0, error=AudioFileError)
    check_channels(path, channels)
    rate = None if sample_rate is None else target_rate(path, sample_rate)
    sound = open_sound(path)
    try:
        return BlockReader(sound, rate, channels, start, stop)
    except BaseException:
        sound.close()
        raise


class BlockReader:
    """One audio file, read from its beginning to its end. Made by :func:`open_blocks`; a context manager that closes
    it.

    sample_rate: Hz. channels: of what :meth:`read` returns. samples: how many of them there are in all, by the file's
    header; an MP3 with damaged frames may end earlier.
    """

    sample_rate: int
    channels: int
    samples: int

    def __init__(
        self, sound: Sound, sample_rate: int | None, channels: int | None, start: int, stop: int | None
    ) -> None:
        file, path = sound.file, sound.path
        header = Header(int(file.frames), int(file.samplerate), int(file.channels))
        if not header.samples:
            raise AudioFileError(f"{path} holds no samples")
        check_serves(path, file, channels)
        self.path = path
        self.sample_rate = header.sample_rate if sample_rate is None else sample_rate
        self.channels = header.channels if channels is None else channels
        total = header.samples_at(self.sample_rate)
        first = min(start, total)
        last = total if stop is None else min(max(stop, first), total)
        self.samples = last - first
        self._sound = sound
        self._promised = header.samples
        self._as_mono = channels == 1 and header.channels == 2
        read_as = 1 if self._as_mono else header.channels
        self._resampler = Resampler(read_as, header.sample_rate, self.sample_rate)
        # Resampled, a block of the cycle needs those before it that the kernel reaches; of these the output is dropped.
        cycle = Cycle(header.sample_rate, self.sample_rate)
        margin = 0 if header.sample_rate == self.sample_rate else cycle.margin
        block = max(0, first // cycle.up - margin)
        self._at = block * cycle.down  # in the file, of the next sample that is read
        self._early = first - block * cycle.up  # samples of the output that come before the first
        self._left = self.samples
        self._ready = torch.zeros(read_as, 0, dtype=torch.float32, device="cpu")
        self._ended = False
        if self._at:
            with sound.using():
                seek(file, path, self._at)

    def read(self, samples: int) -> Tensor:
        """The next ``[channels, samples]`` float32; fewer at the end, and then none.

        Raises AudioFileError for audio that is cut short, and for NaN and infinity; the file is closed then.
        """
        wanted = min(whole(samples, f"{self.path}: samples", 0, error=AudioFileError), self._left)
        try:
            blocks, there = [self._ready], self._ready.shape[1]
            while there < wanted and not self._ended:
                blocks.append(self._next())
                there += blocks[-1].shape[1]
        except BaseException:
            self.close()
            raise
        audio = torch.cat(blocks, dim=1) if len(blocks) > 1 else self._ready
        audio, rest = audio[:, :wanted], audio[:, wanted:]
        self._left -= audio.shape[1]
        self._ready = rest.clone() if wanted > _BLOCK else rest  # a view keeps all of its tensor in memory
        return audio.expand(self.channels, -1).contiguous()

    def _next(self) -> Tensor:
        """What another block of the file adds to the output."""
        block = self._block()
        if block.shape[1]:
            fresh = self._resampler.push(block)
        else:
            self._ended = True
            fresh = self._resampler.finish()
        early = min(self._early, fresh.shape[1])
        self._early -= early
        return fresh[:, early:]

    def _block(self) -> Tensor:
        """Samples of the file at its own rate, with the channels that are resampled; none at the end."""
        with self._sound.using() as file:
            if file.closed:
                raise AudioFileError(f"{self.path} has been closed; open it again to read on")
            block = from_file(file, file.read(_BLOCK, dtype="float32", always_2d=True))
            self._check(file, block)
        self._at += len(block)
        audio = torch.from_numpy(np.ascontiguousarray(block.T))
        return as_wide(audio, 1) if self._as_mono else audio

    def _check(self, file: Any, block: np.ndarray) -> None:
        end = self._at + len(block)
        check_duration(self.path, end, int(file.samplerate))
        if not len(block) and end < self._promised and file.format != "MP3":  # whose frames have been counted
            raise AudioFileError(
                f"{self.path} is cut short: it promises {self._promised} samples and holds {end}"
            )
        if not np.isfinite(block).all():
            bad = self._at + int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
            raise AudioFileError(f"{self.path} holds NaN or infinity, first at sample {bad}")

    def close(self) -> None:
        """Close the file; again does nothing."""
        self._sound.close()

    def __enter__(self) -> BlockReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
