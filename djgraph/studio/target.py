"""A mix to compare with: its sound, and what a fit found in it, with error bars."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.audio import load_signal
from djgraph.automation import Automation, load
from djgraph.errors import InputError, did_you_mean
from djgraph.layout import ParameterLayout
from djgraph.reading import MIB, read_text
from djgraph.tables import delimiter_of, with_points

HEADER = ("seconds", "control", "value", "low", "high", "told")
LARGEST = 256 * MIB
"""Bytes of a file of intervals."""
DRAWN = 1500
"""Moments of a control's band that a page is told of."""


@dataclass(frozen=True)
class Band:
    """Between which values a control was played, moment by moment, in plain units. told: False where that is so wide
    that it cannot be told what was played."""

    seconds: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    told: NDArray[np.bool_]

    def fewer(self, most: int = DRAWN) -> Band:
        """At most so many moments: neighbours as one, which holds what each of them does."""
        if len(self.seconds) <= most:
            return self
        starts = np.unique(np.linspace(0, len(self.seconds), most, endpoint=False).astype(np.int64))
        return Band(
            self.seconds[starts],
            np.minimum.reduceat(self.low, starts),
            np.maximum.reduceat(self.high, starts),
            np.logical_and.reduceat(self.told, starts),
        )


@dataclass(frozen=True)
class Target:
    """audio: ``[channels, samples]`` at the graph's rate, from the clip's start on. found: the controls of a fit."""

    name: str
    audio: Tensor
    found: Automation | None = None
    bands: Mapping[str, Band] = field(default_factory=dict)


def load_target(
    path: str | os.PathLike[str],
    layout: ParameterLayout,
    sample_rate: int,
    automation: str | os.PathLike[str] | None = None,
    intervals: str | os.PathLike[str] | None = None,
) -> Target:
    """A mix from an audio file, the automation that ``djgraph fit`` wrote of it, and its ``--intervals``.

    Raises AudioFileError, AutomationError and InputError for files that are missing, broken, or of another graph.
    """
    audio = load_signal(path, sample_rate)
    found = None if automation is None else load(Path(automation))
    if found is not None:
        found.check(layout, audio.shape[-1] / sample_rate)
    bands = {} if intervals is None else read_bands(intervals, layout)
    return Target(Path(path).name, audio, found, bands)


def read_bands(path: str | os.PathLike[str], layout: ParameterLayout) -> dict[str, Band]:
    """What ``djgraph fit --intervals`` wrote, a row for each control and frame. InputError with file and line."""
    text = read_text(path, InputError, LARGEST)
    delimiter = delimiter_of(text.partition("\n")[0])
    rows = csv.reader(text.splitlines(), delimiter=delimiter)
    if tuple(next(rows, ())) != HEADER:
        raise InputError(f"{path}:1: expected the columns {', '.join(HEADER)}")
    known = set(layout.names)
    values: dict[str, list[tuple[float, float, float, bool]]] = {}
    for number, row in enumerate(rows, 2):
        place = f"{path}:{number}"
        if len(row) != len(HEADER):
            raise InputError(f"{place}: {len(row)} fields; expected {len(HEADER)}")
        if row[1] not in known:
            raise InputError(f"{place}: there is no control {row[1]!r}{did_you_mean(row[1], known)}")
        try:
            seconds, low, high = (float(with_points(row[i], delimiter)) for i in (0, 3, 4))
        except ValueError:
            raise InputError(f"{place}: expected numbers") from None
        if not (math.isfinite(seconds) and math.isfinite(low) and math.isfinite(high) and low <= high):
            raise InputError(f"{place}: expected finite numbers, low no larger than high")
        course = values.setdefault(row[1], [])
        if course and seconds < course[-1][0]:
            raise InputError(f"{place}: time runs backwards")
        course.append((seconds, low, high, row[5].strip() == "1"))
    return {name: _band(course, layout, name) for name, course in values.items()}


def _band(course: list[tuple[float, float, float, bool]], layout: ParameterLayout, name: str) -> Band:
    control = layout[name].control
    table = np.array([row[:3] for row in course], np.float64)
    low, high = (np.clip(table[:, i], control.min, control.max) for i in (1, 2))
    return Band(table[:, 0], low, high, np.array([row[3] for row in course], bool))


def wide(audio: Tensor, channels: int) -> Tensor:
    """On so many channels: a single one on all of them, of more the first, silence on what is missing."""
    if audio.shape[0] == 1:
        return audio.expand(channels, -1)
    missing = max(0, channels - audio.shape[0])
    return torch.nn.functional.pad(audio, (0, 0, 0, missing))[:channels]
