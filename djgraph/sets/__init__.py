"""Sets: tracks one after another on the decks of a graph, in one time, with a transition between each two."""

from djgraph.sets.build import plan_set
from djgraph.sets.plan import PlayedTrack, Run, SetPlan, Transition

__all__ = ["PlayedTrack", "Run", "SetPlan", "Transition", "plan_set"]
