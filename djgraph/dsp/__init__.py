"""Signal processing as functions of tensors; the kernels that are public, for authors of effects, are named here."""

from djgraph.dsp.biquads import biquads
from djgraph.dsp.first_order import first_order
from djgraph.dsp.follower import follow
from djgraph.dsp.frames import Frames, steady
from djgraph.dsp.linkwitz_riley import linkwitz_riley
from djgraph.dsp.oversampling import decimate, oversample
from djgraph.dsp.state_variable import svf

__all__ = [
    "Frames",
    "biquads",
    "decimate",
    "first_order",
    "follow",
    "linkwitz_riley",
    "oversample",
    "steady",
    "svf",
]
