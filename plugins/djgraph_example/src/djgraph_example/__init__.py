"""An example plugin for djgraph: the effects ``example_tilt`` and ``example_tremolo``, and the graph ``wobble``."""

from __future__ import annotations

from importlib.resources import files

from djgraph.effects import Effect
from djgraph.plugins import GraphFile, hookimpl
from djgraph_example.tilt import Tilt
from djgraph_example.tremolo import Tremolo

__all__ = ["Tilt", "Tremolo", "djgraph_effects", "djgraph_graphs"]


@hookimpl
def djgraph_effects() -> list[type[Effect]]:
    """The effects; graph files call them by their ``type``."""
    return [Tilt, Tremolo]


@hookimpl
def djgraph_graphs() -> list[GraphFile]:
    """The graphs, for ``djgraph.load("wobble")``."""
    return [GraphFile("wobble", str(files("djgraph_example.graphs") / "wobble.yaml"))]
