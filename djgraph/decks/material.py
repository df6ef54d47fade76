"""Tracks in memory and on disk, of which a deck reads any part at any time (:class:`djgraph.effects.Tape`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from djgraph.analysis.grid import Grid
from djgraph.audio import read_excerpt, read_header
from djgraph.audio.stems import check_lengths
from djgraph.effects import Markers


class MemoryMaterial:
    """Signals in memory, each ``[channels, samples]``. grid: where their beats are, if that is known.
    markers: which of their samples each sample of a mix is, if a deck is to follow that."""

    def __init__(
        self, signals: Mapping[str, Tensor], grid: Grid | None = None, markers: Markers | None = None
    ) -> None:
        self.grid, self.markers = grid, markers
        self._audio = torch.cat(list(signals.values()))
        self.samples = self._audio.shape[1]
        self.widths = {name: len(audio) for name, audio in signals.items()}

    def read(self, first: int, samples: int) -> Tensor:
        begin, end = (min(max(at, first), first + samples) for at in (0, self.samples))
        return torch.nn.functional.pad(self._audio[:, begin:end], (begin - first, first + samples - end))


class FileMaterial:
    """Signals on disk, each the sum of one file or more, read where they are needed and resampled to ``sample_rate``.

    channels: by signal, None for as many as its widest file has. pad: shorter files get silence at their end. grid,
    markers: as of :class:`MemoryMaterial`. Raises AudioFileError for files that cannot be read, here or in
    :meth:`read`, and for unequal lengths without ``pad``.
    """

    def __init__(
        self,
        files: Mapping[str, Sequence[Path]],
        sample_rate: int,
        channels: Mapping[str, int | None],
        pad: bool = False,
        grid: Grid | None = None,
        markers: Markers | None = None,
    ) -> None:
        self.grid, self.markers = grid, markers
        self._files, self._rate = files, sample_rate
        headers = {name: [read_header(path) for path in paths] for name, paths in files.items()}
        lengths = {
            str(path): header.samples_at(sample_rate)
            for name, paths in files.items()
            for path, header in zip(paths, headers[name])
        }
        if not pad:
            check_lengths(lengths, sample_rate)
        self.samples = max(lengths.values())
        self.widths = {
            name: channels[name] or max(header.channels for header in several)
            for name, several in headers.items()
        }

    def read(self, first: int, samples: int) -> Tensor:
        rows = []
        for name, paths in self._files.items():
            parts = [read_excerpt(path, first, samples, self._rate, self.widths[name]) for path in paths]
            rows.append(parts[0] if len(parts) == 1 else torch.stack(parts).sum(0))
        return torch.cat(rows)
