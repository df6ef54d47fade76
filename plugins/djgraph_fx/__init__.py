"""The effects that ship with djgraph, registered through the same hook as anybody's."""

from __future__ import annotations

from collections.abc import Iterator

from djgraph.effects import Effect
from djgraph.plugins import hookimpl
from djgraph_fx.delay import Delay
from djgraph_fx.eq3 import Eq3
from djgraph_fx.filters import Highpass, Lowpass
from djgraph_fx.gain import Gain
from djgraph_fx.graphs import djgraph_graphs, djgraph_recipes
from djgraph_fx.reverb import Reverb
from djgraph_fx.saturate import Saturate
from djgraph_fx.trans import Trans
from djgraph_fx.tremolo import Tremolo

__all__ = [
    "Delay",
    "Eq3",
    "Gain",
    "Highpass",
    "Lowpass",
    "Reverb",
    "Saturate",
    "Trans",
    "Tremolo",
    "djgraph_graphs",
    "djgraph_recipes",
]


@hookimpl
def djgraph_effects() -> Iterator[type[Effect]]:
    yield Gain
    yield Eq3
    yield Lowpass
    yield Highpass
    yield Reverb
    yield Delay
    yield Tremolo
    yield Trans
    yield Saturate
