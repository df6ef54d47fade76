"""Where tracks lie in a recording of a mix: start, rate, cuts, loops and jumps of each."""

from djgraph.alignment.found import Found, Passage

__all__ = ["Found", "Passage"]
