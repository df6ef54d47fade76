"""Signal processing as functions of tensors; the kernels that are public, for authors of effects, are named here."""

from djgraph.dsp.delay_loop import delay_loop
from djgraph.dsp.delays import delay_history, read_delay, read_tap
from djgraph.dsp.first_order import first_order
from djgraph.dsp.follower import follow
from djgraph.dsp.frames import Frames
from djgraph.dsp.linkwitz_riley import linkwitz_riley
from djgraph.dsp.phase import phase
from djgraph.dsp.state_variable import svf

__all__ = [
    "Frames",
    "delay_history",
    "delay_loop",
    "first_order",
    "follow",
    "linkwitz_riley",
    "phase",
    "read_delay",
    "read_tap",
    "svf",
]
