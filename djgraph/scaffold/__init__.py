"""What ``djgraph new`` writes: a plugin's distribution, or a graph, to grow from."""

from __future__ import annotations

from djgraph.scaffold.graph import new_graph
from djgraph.scaffold.kinds import KINDS, Kind
from djgraph.scaffold.plugin import new_plugin

__all__ = ["KINDS", "Kind", "new_graph", "new_plugin"]
