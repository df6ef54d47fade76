"""Clips for players: noise for every input of a graph, and what its mixer makes of the whole of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from runtime.mixes import make_inputs

import djgraph
from djgraph.graph import Graph
from djgraph.playing.feed import mapped


def tracks(graph: Graph, samples: int, seed: int = 1, level: float = 0.1) -> dict[str, Any]:
    """``[channels, samples]`` by input, or by input and stem: never zero, so that silence is told from it."""
    noise = make_inputs(graph, 1, samples, torch.float32, seed)  # at a level of 0.2
    return mapped(noise, lambda signal: level / 0.2 * signal[0])


def mixed(
    mixer: djgraph.Mixer, inputs: Mapping[str, Any], params: torch.Tensor, positions: Any = None
) -> np.ndarray:
    """The main output, ``[channels, samples]``. params: ``[frames, controls]``, positions as the mixer takes them."""
    batched = mapped(inputs, lambda signal: signal[None])
    with torch.inference_mode():
        out = mixer(batched, params[None], positions=positions)
    return (next(iter(out.values())) if isinstance(out, Mapping) else out)[0].numpy()
