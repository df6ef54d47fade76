"""Audio files written block by block, several at once: all of them appear, complete, or none does."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import torch
from torch import Tensor

from djgraph.arguments import real, whole
from djgraph.atomic import atomic_writers
from djgraph.audio.encoding import BLOCK, Encoder, check_finite
from djgraph.audio.formats import check_format, whole_number
from djgraph.audio.loudness import gain_to
from djgraph.audio.meter import LOUDNESS_CHANNELS, Meter
from djgraph.audio.opening import path_of
from djgraph.audio.scratch import Scratch
from djgraph.errors import AudioFileError, InputError, did_you_mean

Normalize = Literal["together", "each"]
"""Scaled to a peak: all outputs by one factor, which keeps their balance, or each by its own."""


@dataclass(frozen=True)
class Levels:
    """One file that was written: its samples in each channel, values that clipped, the factor it was scaled by, and
    levels of what was given to its encoder. lufs: None for less than 0.4 s, and for more than eight channels;
    true_peak_dbtp: None where it was not asked for."""

    path: Path
    sample_rate: int
    channels: int
    samples: int
    clipped: int
    gain: float
    peak_dbfs: float
    true_peak_dbtp: float | None
    lufs: float | None


@contextlib.contextmanager
def open_outputs(
    paths: Mapping[str, str | os.PathLike[str]],
    sample_rate: int,
    channels: Mapping[str, int],
    *,
    samples: int | None = None,
    subtype: str | None = None,
    normalize: Normalize | None = None,
    peak: float = -1.0,
    true_peak: bool = False,
) -> Iterator[Outputs]:
    """Files that are written together, in blocks; their suffixes name the formats.

    paths, channels: by output. sample_rate: Hz. subtype: as :func:`djgraph.audio.write` takes it. samples: how many
    there will be in each channel, where that is known; a WAV beyond 4 GiB becomes RF64 only then, and is an error
    otherwise. A file holds what ``write`` would have written of all its blocks joined, byte for byte (OGG but for its
    random serial number).

    normalize: scale to a largest sample of ``peak`` dBFS, ``together`` by one factor or ``each`` by its own; silence
    stays silence. That takes a second pass: the audio is kept as float32 in files without a name beside those to come,
    so that nothing clips or is rounded before it is scaled. true_peak: measure that, too; it takes about as long
    as the loudness.

    At the normal end of the ``with`` block :meth:`Outputs.finish` is called where it has not been, all files are
    flushed to the disk and take their names together (:func:`djgraph.atomic.atomic_writers`). On any failure, an
    interrupt included, files that were there before stay as they were, and nothing else is left.

    Raises AudioFileError for what the formats do not take, before anything is written, for what the system
    reports, for audio that is empty or not finite; InputError for outputs without a number of channels.
    """
    targets = {name: path_of(path) for name, path in paths.items()}
    if not targets:
        raise InputError("there are no files to write")
    if normalize not in (None, "together", "each"):
        raise InputError(f"normalize is {normalize!r}; expected 'together', 'each' or None")
    peak = real(peak, "peak")
    if samples is not None:
        samples = whole(samples, "samples", 0)
    tracks = []
    for name, path in targets.items():
        if name not in channels:
            raise InputError(f"the number of channels of the output {name!r} is missing")
        rate = whole_number(sample_rate, f"{path}: the sample rate")
        container, kind = check_format(path, rate, channels[name], samples, subtype)
        tracks.append(_OutputFile(name, path, rate, channels[name], container, kind, true_peak))
    with atomic_writers(list(targets.values()), AudioFileError) as files, contextlib.ExitStack() as stack:
        for track, file in zip(tracks, files):
            track.open(file, stack, keep=normalize is not None)
        outputs = Outputs(tracks, normalize, peak)
        yield outputs
        outputs.finish()


class Outputs:
    """What :func:`open_outputs` gives. ``levels``, by output, is there after :meth:`finish`."""

    levels: Mapping[str, Levels]

    def __init__(self, tracks: list[_OutputFile], normalize: Normalize | None, peak: float) -> None:
        self._tracks = {track.name: track for track in tracks}
        self._normalize, self._peak = normalize, peak
        self._finished = False

    def write(self, blocks: Mapping[str, Tensor]) -> None:
        """Add a block ``[channels, n]`` of floats, full scale ±1, to every output; ``n`` may differ between them.

        Raises InputError for other outputs than those opened, for another shape or dtype, and after :meth:`finish`;
        AudioFileError for NaN and infinity and what the system reports.
        """
        if self._finished:
            raise InputError("the files are finished; nothing more is written to them")
        for name in blocks:
            if name not in self._tracks:
                raise InputError(f"no file is open for the output {name!r}{did_you_mean(name, self._tracks)}")
        for name, track in self._tracks.items():
            if name not in blocks:
                raise InputError(
                    f"the output {name!r} is missing; a block has all outputs: {', '.join(self._tracks)}"
                )
            track.add(blocks[name])

    def finish(self, progress: Callable[[int], object] | None = None) -> Mapping[str, Levels]:
        """Complete the files: no more blocks come. Where they are normalized, they are scaled and encoded here.

        progress: called with the number of samples, of all files together, encoded in here since the last call.
        Returns ``levels``; the files have their names only at the end of the ``with`` block. Again does nothing.
        """
        if not self._finished:
            tracks = self._tracks.values()
            for track in tracks:
                track.flush()
            level = max(track.peak for track in tracks)
            for track in tracks:
                if self._normalize is not None:
                    track.gain = gain_to(track.peak if self._normalize == "each" else level, self._peak)
                track.complete(progress)
            self._finished = True
            self.levels = {name: track.levels() for name, track in self._tracks.items()}
        return self.levels


class _OutputFile:
    """One output on its way into its file: joined to blocks of :data:`BLOCK` samples, as ``audio.write`` has them, then
    encoded and measured, or kept for the second pass."""

    def __init__(
        self, name: str, path: Path, rate: int, channels: int, container: str, subtype: str, true_peak: bool
    ) -> None:
        self.name, self.gain, self.peak = name, 1.0, 0.0
        self._path, self._rate, self._channels = path, rate, channels
        self._container, self._subtype = container, subtype
        self._true_peak, self._loudness = true_peak, channels <= LOUDNESS_CHANNELS
        self._meter = Meter(channels, rate, loudness=self._loudness, true_peak=true_peak)
        self._waiting: list[Tensor] = []
        self._count = 0  # samples that wait
        self._taken = 0  # samples that have come in all
        self._scratch: Scratch | None = None

    def open(self, file: BinaryIO, stack: contextlib.ExitStack, keep: bool) -> None:
        self._encoder = Encoder(self._path, file, self._container, self._subtype, self._rate, self._channels)
        stack.push(self._abandon)
        if keep:
            self._scratch = Scratch(Path(os.path.realpath(self._path)), self._channels)
            stack.callback(self._scratch.close)

    def _abandon(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._encoder.abandon()

    def add(self, block: Tensor) -> None:
        if not isinstance(block, Tensor) or not block.is_floating_point():
            kind = (
                str(block.dtype).removeprefix("torch.") if isinstance(block, Tensor) else type(block).__name__
            )
            raise InputError(f"the output {self.name!r}: a block is a tensor of floats, not {kind}")
        if block.ndim != 2 or len(block) != self._channels:
            raise InputError(
                f"the output {self.name!r}: a block is [{self._channels}, samples], not {list(block.shape)}"
            )
        block = block.detach().to("cpu", torch.float32)
        check_finite(self._path, block, self._taken)
        self._taken += block.shape[1]
        grown = check_format(self._path, self._rate, self._channels, self._taken, self._subtype)[0]
        if grown != self._container and self._container != "RF64":
            raise AudioFileError(
                f"{self._path} grows beyond 4 GiB, what a WAV holds that was begun without knowing its length; write"
                " FLAC, or tell the number of samples beforehand"
            )
        # What the caller does to the block afterwards changes nothing.
        self._waiting.append(block.clone())
        self._count += block.shape[1]
        if self._count >= BLOCK:
            pieces = torch.cat(self._waiting, dim=1).split(BLOCK, dim=1)
            rest = [] if pieces[-1].shape[1] == BLOCK else [pieces[-1].clone()]
            for piece in pieces[: len(pieces) - len(rest)]:
                self._take(piece)
            self._waiting, self._count = rest, sum(piece.shape[1] for piece in rest)

    def flush(self) -> None:
        """No more blocks come."""
        if not self._taken:
            raise AudioFileError(f"{self._path}: there is no audio to write")
        if self._count:
            self._take(torch.cat(self._waiting, dim=1))
            self._waiting, self._count = [], 0

    def _take(self, block: Tensor) -> None:
        if self._scratch is None:
            self._encode(block)
        else:
            self.peak = max(self.peak, float(block.abs().max()))
            self._scratch.write(block)

    def _encode(self, block: Tensor) -> None:
        self._encoder.write(block)
        self._meter.add(block)

    def complete(self, progress: Callable[[int], object] | None) -> None:
        if self._scratch is not None:
            for block in self._scratch.blocks(BLOCK):
                self._encode(block if self.gain == 1 else block * self.gain)
                if progress is not None:
                    progress(block.shape[1])
            self._scratch.close()
        self._encoder.close()

    def levels(self) -> Levels:
        return Levels(
            path=self._path,
            sample_rate=self._rate,
            channels=self._channels,
            samples=self._taken,
            clipped=self._encoder.clipped,
            gain=self.gain,
            peak_dbfs=self._meter.peak_dbfs,
            true_peak_dbtp=self._meter.true_peak_dbtp if self._true_peak else None,
            lufs=self._meter.lufs if self._loudness else None,
        )
