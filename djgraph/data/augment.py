"""Changes at random of what :class:`djgraph.data.StemPairs` gives: gains, silence, sides, polarity.

Each is a callable ``(item, random) → item`` for the argument ``transform``: it takes an item as the class describes it
and a generator that depends on the item's number alone, so that any number of workers gives the same items. The item
and its mappings may be changed in place; tensors may not. Own ones are functions at the top of a module (workers
pickle them), or classes as those here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from djgraph.errors import InputError

Item = dict[str, Any]
Transform = Callable[[Item, np.random.RandomState], Item]


@dataclass(frozen=True, init=False)
class Chain:
    """Several, one after the other."""

    steps: tuple[Transform, ...]

    def __init__(self, *steps: Transform) -> None:
        object.__setattr__(self, "steps", steps)

    def __call__(self, item: Item, random: np.random.RandomState) -> Item:
        for step in self.steps:
            item = step(item, random)
        return item


@dataclass(frozen=True)
class Gains:
    """Each stem louder or softer by a number of dB between ``low`` and ``high``, even in dB."""

    low: float = -6.0
    high: float = 6.0

    def __post_init__(self) -> None:
        if not -120 <= self.low <= self.high <= 40:
            raise InputError(
                f"gains from {self.low} to {self.high} dB; expected ascending ones within -120…40 dB"
            )

    def __call__(self, item: Item, random: np.random.RandomState) -> Item:
        return _each_stem(item, lambda audio: audio * 10 ** (random.uniform(self.low, self.high) / 20))


@dataclass(frozen=True)
class Silence:
    """Each stem silent with probability ``p``, but at least one stem of each deck sounds."""

    p: float = 0.1

    def __post_init__(self) -> None:
        _check(self.p)

    def __call__(self, item: Item, random: np.random.RandomState) -> Item:
        for deck, stems in item["inputs"].items():
            draws = random.random_sample(len(stems))
            kept = int(draws.argmax())  # the last that would fall silent
            item["inputs"][deck] = {
                name: audio if draw >= self.p or i == kept else audio * 0
                for i, ((name, audio), draw) in enumerate(zip(stems.items(), draws))
            }
        return item


@dataclass(frozen=True)
class SwapSides:
    """Left and right of a whole deck exchanged with probability ``p``. Mono stays as it is."""

    p: float = 0.5

    def __post_init__(self) -> None:
        _check(self.p)

    def __call__(self, item: Item, random: np.random.RandomState) -> Item:
        return _each_deck(item, random, self.p, lambda audio: audio.flip(0))


@dataclass(frozen=True)
class FlipPolarity:
    """A whole deck multiplied by −1 with probability ``p``: its stems still add up to the track."""

    p: float = 0.5

    def __post_init__(self) -> None:
        _check(self.p)

    def __call__(self, item: Item, random: np.random.RandomState) -> Item:
        return _each_deck(item, random, self.p, lambda audio: -audio)


def _each_stem(item: Item, change: Callable[[Tensor], Tensor]) -> Item:
    for deck, stems in item["inputs"].items():
        item["inputs"][deck] = {name: change(audio) for name, audio in stems.items()}
    return item


def _each_deck(
    item: Item, random: np.random.RandomState, p: float, change: Callable[[Tensor], Tensor]
) -> Item:
    decks: Mapping[str, Mapping[str, Tensor]] = item["inputs"]
    for deck, stems in decks.items():
        if random.random_sample() < p:
            item["inputs"][deck] = {name: change(audio) for name, audio in stems.items()}
    return item


def _check(p: float) -> None:
    if not 0 <= p <= 1:
        raise InputError(f"p is {p}; expected a probability, 0 to 1")
