"""Models that play transitions: what they hear and are told (``senses``), the networks (``model``, ``attention``,
``flow``), a trained one read from its checkpoint (``player``). djgraph.training trains them."""

from djgraph.transitions.attention import TransformerModel
from djgraph.transitions.flow import FlowModel
from djgraph.transitions.model import TransitionModel
from djgraph.transitions.models import MODELS, build_model
from djgraph.transitions.player import TransitionPlayer, load_player
from djgraph.transitions.senses import SEES, Plan, Senses

__all__ = [
    "MODELS",
    "SEES",
    "FlowModel",
    "Plan",
    "Senses",
    "TransformerModel",
    "TransitionModel",
    "TransitionPlayer",
    "build_model",
    "load_player",
]
