"""The effects that ship with djgraph, registered through the same hook as anybody's."""

from __future__ import annotations

from collections.abc import Iterator

from djgraph.effects import Effect
from djgraph.plugins import hookimpl
from djgraph_fx.compressor import Compressor
from djgraph_fx.delay import Delay
from djgraph_fx.delay_samples import DelaySamples
from djgraph_fx.echo import Echo
from djgraph_fx.eq3 import Eq3
from djgraph_fx.filter import Filter, FilterKnob
from djgraph_fx.filters import Highpass, Lowpass
from djgraph_fx.gain import Gain
from djgraph_fx.graphs import djgraph_graphs, djgraph_recipes
from djgraph_fx.modulation import Chorus, Flanger, Vibrato
from djgraph_fx.multitap import Multitap
from djgraph_fx.phaser import Phaser
from djgraph_fx.polarity import Polarity
from djgraph_fx.reverb import Reverb
from djgraph_fx.ringmod import RingMod
from djgraph_fx.saturate import Saturate
from djgraph_fx.stereo import Balance, Mono, Pan, Width
from djgraph_fx.trans import Trans
from djgraph_fx.tremolo import Tremolo
from djgraph_fx.trim import Trim

__all__ = [
    "Balance",
    "Chorus",
    "Compressor",
    "Delay",
    "DelaySamples",
    "Echo",
    "Eq3",
    "Filter",
    "FilterKnob",
    "Flanger",
    "Gain",
    "Highpass",
    "Lowpass",
    "Mono",
    "Multitap",
    "Pan",
    "Phaser",
    "Polarity",
    "Reverb",
    "RingMod",
    "Saturate",
    "Trans",
    "Tremolo",
    "Trim",
    "Vibrato",
    "Width",
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
    yield Filter
    yield FilterKnob
    yield Compressor
    yield Trim
    yield Polarity
    yield Balance
    yield Pan
    yield Width
    yield Mono
    yield Tremolo
    yield Trans
    yield Saturate
    yield Vibrato
    yield Chorus
    yield Flanger
    yield Phaser
    yield RingMod
    yield DelaySamples
    yield Echo
    yield Multitap
