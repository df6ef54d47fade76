"""Signal processing as functions of tensors; the kernels that are public, for authors of effects, are named here."""

from djgraph.dsp.bands import two_bands
from djgraph.dsp.first_order import first_order
from djgraph.dsp.follower import follow
from djgraph.dsp.frames import Frames
from djgraph.dsp.linkwitz_riley import linkwitz_riley
from djgraph.dsp.state_variable import svf
from djgraph.dsp.three_bands import three_bands

__all__ = ["Frames", "first_order", "follow", "linkwitz_riley", "svf", "three_bands", "two_bands"]
