"""What comes in at a card, on its way to a mixer's inputs, beside what is read from files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from djgraph.playing import Feed

Array = NDArray[np.float32]
Key = tuple[str, str | None]
ENDLESS = 4 * 3600
"""Seconds for which there is something to play where a card has no end."""
BLOCKS = 16
"""Blocks of a ring."""


class Capture:
    """A ring of what came in: the card's thread puts, the one that plays takes, neither waits.

    behind: samples that may lie in it; what is older is left out, so that latency does not grow. missing: samples that
    were asked for before they had come in.
    """

    def __init__(self, channels: int, block: int, ahead: int = 2) -> None:
        self._ring = np.zeros((BLOCKS * block, channels), np.float32)
        self._block, self._put, self._took = block, 0, 0
        self.behind = (ahead + 1) * block
        self.missing = self.left_out = 0

    def put(self, incoming: Array) -> None:
        """A block ``[samples, channels]``, which divides the ring."""
        begin = self._put % len(self._ring)
        self._ring[begin : begin + len(incoming)] = incoming
        self._put += len(incoming)

    def take(self, samples: int) -> Array:
        """The next ``[channels, samples]``; silence at its end where they have not come in yet."""
        there = self._put - self._took
        if there > self.behind + samples:
            self.left_out += there - self.behind
            self._took, there = self._put - self.behind, self.behind
        count = min(samples, there)
        out = np.zeros((self._ring.shape[1], samples), np.float32)
        places = (self._took + np.arange(count)) % len(self._ring)
        out[:, :count] = self._ring[places].T
        self._took += count
        self.missing += samples - count
        return out


class CardFeed:
    """A feed of which some inputs come from a card.

    places: input, and its stem or None → the card's channels, counted from 0, of each of its own.
    """

    def __init__(self, feed: Feed, capture: Capture, places: Mapping[Key, Sequence[int]]) -> None:
        self._feed, self._capture = feed, capture
        self._places = {key: list(channels) for key, channels in places.items()}

    @property
    def samples(self) -> int:
        return self._feed.samples

    @property
    def material(self) -> Mapping[str, Any]:
        return self._feed.material

    def read(self, first: int, samples: int) -> dict[str, Any]:
        """What lies in files there."""
        return self._feed.read(first, samples)

    def now(self, samples: int) -> dict[str, Any]:
        """What comes in next."""
        came = torch.from_numpy(self._capture.take(samples))
        inputs: dict[str, Any] = {}
        for (name, stem), channels in self._places.items():
            if stem is None:
                inputs[name] = came[channels]
            else:
                inputs.setdefault(name, {})[stem] = came[channels]
        return inputs
