"""What is known of tracks: tempo, beats, bars, key, loudness, levels of stems, phrases. Needs the extra ``analyse``."""

from djgraph.analysis.grid import Grid
from djgraph.analysis.key import Key, distance
from djgraph.analysis.run import Result, analyse
from djgraph.analysis.store import grid_of, read_analysis
from djgraph.analysis.track import Analysis

__all__ = ["Analysis", "Grid", "Key", "Result", "analyse", "distance", "grid_of", "read_analysis"]
