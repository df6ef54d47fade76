"""Levels that are followed with one pole each way, for many pairs of times at once."""

from __future__ import annotations

from typing import Any

from djgraph.simd.jit import kept


@kept
def follow(values: Any, fader: Any, up: Any, down: Any, start: float, out: Any) -> None:
    """``values [hops, parts]`` times ``fader [hops]`` are followed into ``out [hops, pairs]``, from ``start`` on.

    up, down: ``[pairs]``, how far the level goes in a hop towards what is above and what is below it.
    """
    hops, parts = values.shape
    for pair in range(len(up)):
        level = start
        for hop in range(hops):
            above = 0.0
            below = 0.0
            for part in range(parts):
                away = values[hop, part] * fader[hop] - level
                if away > 0.0:
                    above += away
                else:
                    below += away
            level += (up[pair] * above + down[pair] * below) / parts
            out[hop, pair] = level
