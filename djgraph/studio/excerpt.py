"""A part of a clip, laid aside for another process: every signal of every input as a file of float32 samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

PIECE = 1 << 17
"""Samples that are read at a time."""
Read = Callable[[int, int], Mapping[str, Any]]


@dataclass(frozen=True)
class Signal:
    """One of them, ``[channels, samples]``, in a file of a folder."""

    input: str
    stem: str | None
    channels: int
    file: str


def lay_aside(read: Read, begin: int, end: int, folder: Path, going: Callable[[], bool]) -> list[Signal]:
    """Write the samples from ``begin`` to ``end``. read: as of a feed. going: False where nobody wants it any more."""
    signals: dict[tuple[str, str | None], Signal] = {}
    at = begin
    while at < end and going():
        samples = min(PIECE, end - at)
        for name, value in read(at, samples).items():
            for stem, audio in (value if isinstance(value, Mapping) else {None: value}).items():
                one = signals.setdefault(
                    (name, stem), Signal(name, stem, audio.shape[0], f"signal-{len(signals)}")
                )
                with (folder / one.file).open("ab") as file:
                    file.write(np.ascontiguousarray(audio.numpy().T, "<f4").tobytes())
        at += samples
    return list(signals.values())


def taken_up(signals: list[Signal], folder: Path) -> dict[str, Any]:
    """What was laid aside, ``[channels, samples]`` by input, or by input and stem."""
    out: dict[str, Any] = {}
    for one in signals:
        audio = read_signal(folder / one.file, one.channels)
        if one.stem is None:
            out[one.input] = audio
        else:
            out.setdefault(one.input, {})[one.stem] = audio
    return out


def write_signal(audio: Tensor, path: Path) -> None:
    """``[channels, samples]``."""
    np.ascontiguousarray(audio.numpy().T, "<f4").tofile(path)


def read_signal(path: Path, channels: int) -> Tensor:
    """``[channels, samples]``."""
    samples = np.fromfile(path, "<f4").astype(np.float32, copy=False)
    return torch.from_numpy(np.ascontiguousarray(samples.reshape(-1, channels).T))
