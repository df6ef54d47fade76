"""What is known of tracks: tempo, beats, bars, key, loudness, levels of stems, phrases. Needs the extra ``analyse``."""

from djgraph.analysis.grid import Grid
from djgraph.analysis.key import Key, distance, transposed
from djgraph.analysis.run import Result, analyse
from djgraph.analysis.store import Known, read_analysis
from djgraph.analysis.track import Analysis

__all__ = ["Analysis", "Grid", "Key", "Known", "Result", "analyse", "distance", "read_analysis", "transposed"]
