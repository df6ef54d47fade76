"""Blocks of audio encoded into an open file by libsndfile, whose callbacks must not lose an error or a signal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from djgraph.audio.opening import reason
from djgraph.audio.width import to_file
from djgraph.errors import AudioFileError
from djgraph.signals import held
from djgraph.speakers import speakers

BLOCK = 1 << 16
"""Samples that are handed to libsndfile at a time."""
_EXTENSIBLE = b"\xfe\xff"
"""The format tag of a WAVE file that has a channel mask."""
FULL_SCALE = {torch.int16: 1 << 15, torch.int32: 1 << 31}
"""Integers that audio may consist of."""


class Encoder:
    """Writes one file's audio, block after block; a context manager, whose normal end completes the file.

    clipped: values so far that lie beyond ±1 where the subtype is not a floating-point one. samples: so far, in each
    channel.
    """

    def __init__(
        self, path: Path, file: BinaryIO, container: str, subtype: str, sample_rate: int, channels: int
    ) -> None:
        """path: for messages; container, subtype: as :func:`djgraph.audio.check_format` gives them. Raises
        AudioFileError for what libsndfile refuses."""
        import soundfile

        self.clipped, self.samples = 0, 0
        self._path, self._container, self._subtype = path, container, subtype
        self._channels = channels
        self._sink = Sink(file)
        self._file = self._call(
            soundfile.SoundFile, self._sink, "w", sample_rate, channels, subtype=subtype, format=container
        )

    def write(self, block: Tensor) -> None:
        """Add ``[channels, n]``: floats, full scale ±1, or int16 or int32. AudioFileError for NaN and infinity, a full
        disk, and what else the system reports."""
        if block.dtype in FULL_SCALE and not self._subtype.startswith("PCM"):
            block = block.double() / FULL_SCALE[block.dtype]
        if block.is_floating_point():
            block = block.to(torch.float32)
            check_finite(self._path, block, self.samples)
            if self._subtype not in ("FLOAT", "DOUBLE"):
                self.clipped += int((block.abs() > 1).sum())
        self._call(self._file.write, np.ascontiguousarray(to_file(self._container, block).numpy().T))
        self.samples += block.shape[1]

    def close(self) -> None:
        """Write what the encoder still holds, and the header."""
        self._call(self._file.close)
        layout = speakers(self._channels)
        if self._container in ("WAVEX", "RF64") and layout is not None:
            # libsndfile knows the masks of some numbers of channels only.
            self._sink.put_mask(layout.mask)
            self._sink.check(self._path)

    def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call libsndfile with signals held, since it calls back; raise what went wrong in the callbacks."""
        import soundfile

        with held():
            try:
                result = function(*args, **kwargs)
            except (soundfile.SoundFileError, AssertionError) as problem:
                self._sink.check(self._path)
                raise AudioFileError(
                    f"{self._path} cannot be written as {self._container}: {reason(problem)}"
                ) from problem
            self._sink.check(self._path)
            return result

    def __enter__(self) -> Encoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def abandon(self) -> None:
        """Close libsndfile's side of a file that will not be kept, whatever is wrong with it."""
        import soundfile

        self._sink.mute()
        with held(), contextlib.suppress(soundfile.SoundFileError):
            self._file.close()


def check_finite(path: Path, audio: Tensor, start: int = 0) -> None:
    """AudioFileError where ``[channels, n]`` to be written from sample ``start`` on holds NaN or infinity."""
    if audio.is_floating_point() and not torch.isfinite(audio).all():
        bad = (~torch.isfinite(audio)).any(0).nonzero()[:, 0]
        raise AudioFileError(
            f"{path}: the audio to write holds NaN or infinity, {len(bad)} samples, first at sample"
            f" {start + int(bad[0])}"
        )


class Sink:
    """A file for libsndfile to write to that remembers what went wrong.

    libsndfile calls back from C, where an exception is printed and lost; a full disk would then pass for success.
    (Signals are held meanwhile: their exception might come anywhere in a callback, also outside of this class.)
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._problem: BaseException | None = None
        self._muted = False

    def check(self, path: Path) -> None:
        """Raise the first problem there was; AudioFileError, with the path, for what the system reports."""
        if isinstance(self._problem, OSError):
            raise AudioFileError(
                f"{path}: cannot be written: {self._problem.strerror or self._problem}"
            ) from self._problem
        if self._problem is not None:
            raise self._problem

    def mute(self) -> None:
        """Write nothing any more: what comes is thrown away."""
        self._muted = True

    def _do(self, method: Callable[..., Any], *args: Any) -> Any:
        try:
            return method(*args)
        except BaseException as problem:
            self._problem = self._problem or problem
            return 0

    def put_mask(self, mask: int) -> None:
        """Write the channel mask of a WAVE file that is complete but for it."""
        end = self.tell()
        self.seek(0)
        head = self.read(256)
        at = 12
        while at + 48 <= len(head) and head[at : at + 4] != b"fmt ":
            at += 8 + int.from_bytes(head[at + 4 : at + 8], "little")
        if head[at : at + 4] == b"fmt " and head[at + 8 : at + 10] == _EXTENSIBLE:
            self.seek(at + 28)
            self.write(mask.to_bytes(4, "little"))
        self.seek(end)

    def write(self, data: bytes) -> int:
        return len(data) if self._muted else int(self._do(self._file.write, data))

    def read(self, size: int = -1) -> bytes:
        return self._do(self._file.read, size) or b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._do(self._file.seek, offset, whence))

    def tell(self) -> int:
        return int(self._do(self._file.tell))
