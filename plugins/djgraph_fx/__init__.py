"""The effects that ship with djgraph, registered through the same hook as anybody's."""

from __future__ import annotations

from collections.abc import Iterator

from djgraph.effects import Effect
from djgraph.plugins import hookimpl
from djgraph_fx.allpass import Allpass
from djgraph_fx.compressor import Compressor
from djgraph_fx.convolve import Convolve
from djgraph_fx.crossover import Crossover2, Crossover3, Crossover4
from djgraph_fx.crush import Crush
from djgraph_fx.deck import Deck
from djgraph_fx.deesser import DeEsser
from djgraph_fx.delay import Delay
from djgraph_fx.delay_beats import DelayBeats
from djgraph_fx.delay_samples import DelaySamples
from djgraph_fx.dub_echo import DubEcho
from djgraph_fx.ducker import Ducker
from djgraph_fx.echo import Echo
from djgraph_fx.eq3 import Eq3
from djgraph_fx.expander import Expander
from djgraph_fx.exporters import djgraph_exporters
from djgraph_fx.fdn import Fdn
from djgraph_fx.filter import Filter, FilterKnob
from djgraph_fx.filters import Highpass, Lowpass
from djgraph_fx.gain import Gain
from djgraph_fx.gate import Gate
from djgraph_fx.graphs import djgraph_graphs, djgraph_recipes
from djgraph_fx.isolator import Isolator, Isolator4
from djgraph_fx.ladder import Ladder
from djgraph_fx.leveler import Leveler
from djgraph_fx.limiter import Limiter
from djgraph_fx.looper import Looper
from djgraph_fx.meter import Meter
from djgraph_fx.midside import MsJoin, MsSplit
from djgraph_fx.modulation import Chorus, Flanger, Vibrato
from djgraph_fx.multitap import Multitap
from djgraph_fx.noise import Noise
from djgraph_fx.oscillator import Oscillator
from djgraph_fx.peq import Peq
from djgraph_fx.phaser import Phaser
from djgraph_fx.platter import Brake, Spinback
from djgraph_fx.polarity import Polarity
from djgraph_fx.pump import Pump
from djgraph_fx.reverb import Reverb
from djgraph_fx.reverse import Reverse
from djgraph_fx.ringmod import RingMod
from djgraph_fx.roll import Roll, SlipRoll, Stutter
from djgraph_fx.sampler import Sampler
from djgraph_fx.saturate import Saturate
from djgraph_fx.shimmer import Shimmer
from djgraph_fx.spiral import Spiral
from djgraph_fx.stereo import Balance, Mono, Pan, Width
from djgraph_fx.surround import Downmix, QuadPan, SurroundPan
from djgraph_fx.tilt import Tilt
from djgraph_fx.trans import Trans
from djgraph_fx.transient import Transient
from djgraph_fx.tremolo import Tremolo
from djgraph_fx.trim import Trim

__all__ = [
    "Allpass",
    "Balance",
    "Brake",
    "Chorus",
    "Compressor",
    "Convolve",
    "Crossover2",
    "Crossover3",
    "Crossover4",
    "Crush",
    "DeEsser",
    "Deck",
    "Delay",
    "DelayBeats",
    "DelaySamples",
    "Downmix",
    "DubEcho",
    "Ducker",
    "Echo",
    "Eq3",
    "Expander",
    "Fdn",
    "Filter",
    "FilterKnob",
    "Flanger",
    "Gain",
    "Gate",
    "Highpass",
    "Isolator",
    "Isolator4",
    "Ladder",
    "Leveler",
    "Limiter",
    "Looper",
    "Lowpass",
    "Meter",
    "Mono",
    "MsJoin",
    "MsSplit",
    "Multitap",
    "Noise",
    "Oscillator",
    "Pan",
    "Peq",
    "Phaser",
    "Polarity",
    "Pump",
    "QuadPan",
    "Reverb",
    "Reverse",
    "RingMod",
    "Roll",
    "Sampler",
    "Saturate",
    "Shimmer",
    "SlipRoll",
    "Spinback",
    "Spiral",
    "Stutter",
    "SurroundPan",
    "Tilt",
    "Trans",
    "Transient",
    "Tremolo",
    "Trim",
    "Vibrato",
    "Width",
    "djgraph_exporters",
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
    yield Peq
    yield Tilt
    yield Allpass
    yield Ladder
    yield Crossover2
    yield Crossover3
    yield Crossover4
    yield Isolator
    yield Isolator4
    yield Crush
    yield Deck
    yield Sampler
    yield Oscillator
    yield Looper
    yield Noise
    yield Limiter
    yield Gate
    yield Expander
    yield Ducker
    yield DeEsser
    yield Transient
    yield Leveler
    yield Pump
    yield Vibrato
    yield Chorus
    yield Flanger
    yield Phaser
    yield RingMod
    yield DelaySamples
    yield DelayBeats
    yield Echo
    yield Multitap
    yield Roll
    yield SlipRoll
    yield Stutter
    yield Fdn
    yield Reverse
    yield Brake
    yield Spinback
    yield Convolve
    yield Meter
    yield MsSplit
    yield MsJoin
    yield DubEcho
    yield Spiral
    yield Shimmer
    yield QuadPan
    yield SurroundPan
    yield Downmix
