"""Runs plans: the mixer module, the tiled spectral region, and the reference interpreter."""

from djgraph.runtime.module import Mixer, compile_graph
from djgraph.runtime.reference import Reference

__all__ = ["Mixer", "Reference", "compile_graph"]
