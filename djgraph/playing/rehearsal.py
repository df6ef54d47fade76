"""A mixer played unheard, so that it plays nothing for the first time when it is heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from djgraph.graph import InputNode
from djgraph.playing.course import Course
from djgraph.playing.feed import Nested, for_inputs, signals_of
from djgraph.playing.handover import Setup
from djgraph.playing.hands import Hands
from djgraph.playing.line import TICK, Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from djgraph.effects import Control
    from djgraph.layout import ParameterLayout

ROUND = 4
"""Blocks for which controls stay before they move on."""
ENDLESS = 1 << 40
LEVEL = 0.1
"""Of the noise that is played: effects leave out work on silence."""


def rehearse(setup: Setup) -> None:
    """Play noise with every control at its default, and then away from there, those with choices at each of them. What
    a mixer makes when it first plays, such as compiled loops (seconds, the first time on a machine), is there
    afterwards, whatever hands do. Raises what reading the material raises."""
    layout, hands = setup.mixer.layout, Hands(setup.mixer.layout)
    course = Course.steady(layout, tempo=setup.course.bpm(0))
    line = Line(setup.mixer, _Noise(setup), course, hands, 0, setup.taps, {})
    line.block(TICK)
    for row in _rows(layout):
        hands.move(row)
        for _ in range(ROUND):
            line.block(TICK)
    for _ in range(-(-line.latency // TICK)):  # all that was read is heard
        line.block(TICK)


def _rows(layout: ParameterLayout) -> Iterator[dict[str, float | None]]:
    """Values of all controls, from near the lower ends of their scales to near the upper ones; every choice, and every
    position of a switch, is one."""
    stops = {column.name: found for column in layout if (found := _stops(column.control))}
    count = max([2, *map(len, stops.values())])
    for number in range(count):
        place = torch.full((len(layout),), (number + 0.5) / count, dtype=torch.float32, device="cpu")
        row: dict[str, float | None] = dict(zip(layout.names, layout.snap(layout.from_unit(place)).tolist()))
        yield row | {name: found[number % len(found)] for name, found in stops.items()}


def _stops(control: Control) -> Sequence[float]:
    return control.choices or [control.min + number for number in range(len(control.names))]


class _Noise:
    """A feed of noise for every input that another one is read for, in its dtype."""

    samples = ENDLESS

    def __init__(self, setup: Setup) -> None:
        self.material = setup.feed.material
        self._graph = setup.mixer.graph
        self._random = torch.Generator("cpu").manual_seed(0)
        given = [signal.dtype for signal in signals_of(setup.feed.read(0, TICK))]
        self._dtype = given[0] if given else torch.float32

    def read(self, first: int, samples: int) -> Nested:
        def noise(node: InputNode) -> Tensor:
            shape = node.channels, samples
            return LEVEL * torch.randn(shape, generator=self._random, dtype=self._dtype, device="cpu")

        return for_inputs(self._graph, noise)
