"""Stems and other signals read in lock-step, block by block: what djgraph.audio.stems does with whole files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

import torch
from torch import Tensor

from djgraph.arguments import whole
from djgraph.audio.blocks import BlockReader, open_blocks
from djgraph.audio.stems import STEMS, check_lengths, find_signal, find_stems, sum_of
from djgraph.errors import AudioFileError


def open_stems(
    folder: str | os.PathLike[str],
    stems: Sequence[str] = STEMS,
    sample_rate: int = 44100,
    channels: int | None = 2,
    pad: bool = False,
    optional: Iterable[str] = (),
) -> SignalsReader:
    """A folder of stems opened for reading in blocks: those of all stems, joined, are what
    :func:`djgraph.audio.load_stems` gives, to rounding. Arguments and errors are those of ``load_stems``; what only the
    audio tells is raised while reading (:func:`djgraph.audio.open_blocks`)."""
    files = find_stems(folder, stems, optional)
    single = {stem: [file] for stem, file in files.items()}
    return open_signals(single, sample_rate, dict.fromkeys(files, channels), pad, where=str(folder))


def open_signal(
    path: str | os.PathLike[str], sample_rate: int = 44100, channels: int | None = 2, pad: bool = False
) -> SignalReader:
    """One signal opened for reading in blocks: a file, a folder's ``mixture``, or the sum of its stems, as
    :func:`djgraph.audio.load_signal` reads them whole. Arguments and errors are those of ``load_signal``."""
    return SignalReader(find_signal(path), sample_rate, channels, pad, where=str(path))


def open_signals(
    files: Mapping[str, Sequence[Path]],
    sample_rate: int,
    channels: Mapping[str, int | None],
    pad: bool = False,
    where: str = "",
) -> SignalsReader:
    """Several signals, each the sum of one file or more, opened for reading in lock-step.

    files: by signal. channels: by signal, 1 (of a stereo file the mean), any number (a mono file is put on all), or
    None, as the files are. pad: shorter ones get silence at their end. where: put before the message of unequal
    lengths.

    Raises AudioFileError as :func:`djgraph.audio.open_blocks` does, and for unequal lengths without ``pad``.
    """
    with contextlib.ExitStack() as stack:
        signals = {
            name: stack.enter_context(SignalReader(several, sample_rate, channels[name], pad, where=name))
            for name, several in files.items()
        }
        reader = SignalsReader(signals, sample_rate, pad, where)
        stack.pop_all()
    return reader


class _Reader(Protocol):
    @property
    def samples(self) -> int: ...

    def read(self, samples: int) -> Tensor: ...

    def close(self) -> None: ...


class _LockStep:
    """Readers that are read together; the shorter ones go on with silence where they may."""

    def __init__(self, readers: Mapping[str, _Reader], sample_rate: int, pad: bool, where: str) -> None:
        self.readers = readers
        self._rate, self._pad, self._where = sample_rate, pad, where
        self._at = 0
        self.check({name: reader.samples for name, reader in readers.items()})

    @property
    def samples(self) -> int:
        return max((reader.samples for reader in self.readers.values()), default=0)

    def check(self, lengths: Mapping[str, int]) -> None:
        if not self._pad:
            check_lengths(lengths, self._rate, self._where)

    def read(self, samples: int) -> dict[str, Tensor]:
        samples = whole(samples, "samples", 0, error=AudioFileError)
        blocks = {name: reader.read(samples) for name, reader in self.readers.items()}
        # Without padding, one may still end before the others: an MP3 with damaged frames.
        self.check({name: self._at + block.shape[1] for name, block in blocks.items()})
        longest = max((block.shape[1] for block in blocks.values()), default=0)
        self._at += longest
        return {
            name: torch.nn.functional.pad(block, (0, longest - block.shape[1]))
            for name, block in blocks.items()
        }

    def close(self) -> None:
        for reader in self.readers.values():
            reader.close()


class SignalReader:
    """One signal, the sum of files of the same length. A context manager that closes them.

    sample_rate: Hz. channels: of what :meth:`read` returns. samples: how many of them there are in all, by the files'
    headers.
    """

    def __init__(
        self,
        files: Sequence[Path],
        sample_rate: int,
        channels: int | None = 2,
        pad: bool = False,
        where: str = "",
    ) -> None:
        """Arguments and errors as of :func:`open_signals`."""
        with contextlib.ExitStack() as stack:
            parts: dict[str, BlockReader] = {}
            for file in files:
                parts[file.name] = stack.enter_context(open_blocks(file, sample_rate, channels))
            self._parts = _LockStep(parts, sample_rate, pad, where)
            stack.pop_all()
        self.sample_rate = sample_rate
        self.channels = max(part.channels for part in parts.values())

    @property
    def samples(self) -> int:
        return self._parts.samples

    def read(self, samples: int) -> Tensor:
        """The next ``[channels, samples]`` float32; fewer at the end, and then none. Raises AudioFileError as
        :meth:`djgraph.audio.BlockReader.read` does, and where files turn out not to be of one length."""
        return sum_of(self._parts.read(samples))

    def close(self) -> None:
        """Close all files; again does nothing."""
        self._parts.close()

    def __enter__(self) -> SignalReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SignalsReader:
    """Several signals in lock-step, by name. A context manager that closes their files.

    sample_rate: Hz. channels: by signal. samples: how many each signal has in all, by the files' headers.
    """

    def __init__(
        self, signals: Mapping[str, SignalReader], sample_rate: int, pad: bool = False, where: str = ""
    ) -> None:
        self._signals = _LockStep(signals, sample_rate, pad, where)
        self.sample_rate = sample_rate
        self.channels = {name: signal.channels for name, signal in signals.items()}

    @property
    def samples(self) -> int:
        return self._signals.samples

    def read(self, samples: int) -> dict[str, Tensor]:
        """The next ``[channels, samples]`` float32 of every signal, all equally long; fewer at the end, and then none.
        Raises AudioFileError as :meth:`SignalReader.read` does."""
        return self._signals.read(samples)

    def close(self) -> None:
        """Close all files; again does nothing."""
        self._signals.close()

    def __enter__(self) -> SignalsReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
