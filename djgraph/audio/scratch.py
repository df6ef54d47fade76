"""Audio kept on disk for a second pass, in a file that has no name."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from djgraph.errors import AudioFileError


class Scratch:
    """Blocks of ``[channels, n]`` float32, written once and read once, in the order they came.

    It lies in the folder of the file that is to come of it, where there has to be room for that, too; 8 bytes for each
    stereo sample. The file has no name (or loses it at once, as the system allows), so that not even a kill leaves
    it behind.
    """

    def __init__(self, path: Path, channels: int) -> None:
        """path: the file that is to come, whose folder is taken and whose name messages tell."""
        self._path, self._channels = path, channels
        self.samples = 0
        self._file: Any = self._try(tempfile.TemporaryFile, dir=path.parent, prefix=".", suffix=".part")

    def write(self, block: Tensor) -> None:
        """Add a block. AudioFileError for what the system reports, a full disk say."""
        self._try(self._file.write, np.ascontiguousarray(block.numpy().T, dtype="<f4").data)
        self.samples += block.shape[1]

    def blocks(self, samples: int) -> Iterator[Tensor]:
        """All that was written, in blocks of ``samples``, the last one shorter."""
        self._try(self._file.seek, 0)
        size = 4 * self._channels * samples
        while content := self._try(self._file.read, size):
            values = np.frombuffer(content, "<f4").reshape(-1, self._channels)
            yield torch.from_numpy(np.array(values.T, dtype=np.float32, order="C"))

    def close(self) -> None:
        """Give its space back to the disk."""
        self._file.close()

    def _try(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except OSError as problem:
            raise AudioFileError(
                f"{self._path}: cannot be written: {problem.strerror or problem} (audio kept beside it to be scaled)"
            ) from problem
