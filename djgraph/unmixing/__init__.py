"""Un-mixing of tracks that were sped up, cut and slipped: where they lie, and then what the controls did."""

from djgraph.unmixing.job import AbsentError, Unmixed, unmix
from djgraph.unmixing.refine import refine

__all__ = ["AbsentError", "Unmixed", "refine", "unmix"]
