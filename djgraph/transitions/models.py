"""The networks by the names that configurations call them."""

from __future__ import annotations

from torch import nn

from djgraph.errors import InputError, did_you_mean
from djgraph.layout import ParameterLayout
from djgraph.transitions.attention import TransformerModel
from djgraph.transitions.flow import FlowModel
from djgraph.transitions.model import TransitionModel

MODELS = ("lstm", "transformer", "flow")


def build_model(kind: str, size: int, layout: ParameterLayout, hidden: int, layers: int = 1) -> nn.Module:
    """An untrained network. InputError for a kind that there is not."""
    if kind == "lstm":
        return TransitionModel(size, layout, hidden, layers)
    if kind == "transformer":
        return TransformerModel(size, layout, hidden, layers)
    if kind == "flow":
        return FlowModel(size, layout, hidden, layers)
    raise InputError(f"there is no model {kind!r}{did_you_mean(kind, MODELS)}; there are {', '.join(MODELS)}")
