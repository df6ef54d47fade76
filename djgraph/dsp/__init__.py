"""Signal processing as functions of tensors; the kernels that are public, for authors of effects, are named here."""

from djgraph.dsp.first_order import first_order
from djgraph.dsp.follower import follow
from djgraph.dsp.frames import Frames
from djgraph.dsp.hysteresis import hysteresis
from djgraph.dsp.linkwitz_riley import linkwitz_riley
from djgraph.dsp.loudness import k_weighting
from djgraph.dsp.sliding import sliding_max, sliding_mean
from djgraph.dsp.state_variable import svf
from djgraph.dsp.true_peak import true_peak

__all__ = [
    "Frames",
    "first_order",
    "follow",
    "hysteresis",
    "k_weighting",
    "linkwitz_riley",
    "sliding_max",
    "sliding_mean",
    "svf",
    "true_peak",
]
