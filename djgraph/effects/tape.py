"""Tracks that are read where they are needed: what a deck plays in a mix of its own, and a source effect in a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Tape(Protocol):
    """The signals of a track, as on disk: :class:`djgraph.decks.FileMaterial`. It may also have a ``grid`` and
    ``markers``."""

    @property
    def samples(self) -> int:
        """How many each has, at the mix's sample rate."""

    @property
    def widths(self) -> Mapping[str, int]:
        """How many channels each has: the stems that it has, or one signal of any name."""

    def read(self, first: int, samples: int) -> Tensor:
        """``[channels of all signals, samples]`` from sample ``first`` on; silence beyond both ends."""


@dataclass(frozen=True)
class Parted:
    """Material of which each item of a batch hears other signals, all of them at the positions of the first item.

    track: a :class:`Tape`, or tensors of one clip, as a mixer takes them. heard: for each item the stems that it
    hears; ``(None,)`` for all of an input without stems.
    """

    track: Tape | Mapping[str, Tensor] | Tensor
    heard: Sequence[Sequence[str | None]]
