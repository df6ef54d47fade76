"""What each node of a graph does to time in a stream."""

from __future__ import annotations

import math
from collections.abc import Mapping

from djgraph.compiler.plan import Lag
from djgraph.controls.reader import smoothing_samples
from djgraph.effects import Effect
from djgraph.graph.ir import EffectNode, Graph
from djgraph.host.calls import EffectCall


def lags(graph: Graph, modules: Mapping[str, Effect]) -> dict[str, Lag]:
    """The lag of each effect node, by node id. modules: by node id.

    Raises EffectError where an effect's ``latency()`` fails.
    """
    return {
        node.id: _lag(node, modules[node.id], graph) for node in graph.nodes if isinstance(node, EffectNode)
    }


def _lag(node: EffectNode, module: Effect, graph: Graph) -> Lag:
    lookahead, latency = 0, EffectCall(module, (node,)).latency()
    for control in node.effect.controls:
        if control.rate == "sample" and not control.held:
            # Half of the box that rounds the corners of the curve lies ahead.
            lookahead = max(lookahead, math.ceil(smoothing_samples(control, graph.sample_rate) / 2))
    if node.domain == "time" and any(control.rate == "frame" for control in node.effect.controls):
        # It gets blocks of whole hops; the value at the end of a block is part of it.
        lookahead, latency = max(lookahead, 1), latency + graph.transform.hop - 1
    return Lag(lookahead, latency)
