"""Where tracks lie in a recording of a mix: start, rate, cuts, loops and jumps of each."""

from djgraph.alignment.found import Found, Passage
from djgraph.alignment.run import find_tracks

__all__ = ["Found", "Passage", "find_tracks"]
