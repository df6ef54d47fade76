"""The built-in effects and graphs, registered through the same hooks as anybody else's."""

from djgraph_fx.graphs import djgraph_graphs

__all__ = ["djgraph_graphs"]
