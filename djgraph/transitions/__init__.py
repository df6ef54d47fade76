"""Models that play transitions: what they hear and are told (``senses``), the network (``model``), a trained one read
from its checkpoint (``player``). examples/train_transition.py trains them."""

from djgraph.transitions.model import TransitionModel
from djgraph.transitions.player import TransitionPlayer, load_player
from djgraph.transitions.senses import SEES, Plan, Senses

__all__ = ["SEES", "Plan", "Senses", "TransitionModel", "TransitionPlayer", "load_player"]
