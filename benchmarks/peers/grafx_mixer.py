"""Like work for GRAFX: a static EQ and gain per stem, and a reverb for each of the two tracks.

GRAFX has no controls that change over time and no feedback delay, so this is less than what the DJ mixer does.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.peers import load
from benchmarks.plain import STEMS, TRACKS
from benchmarks.work import SAMPLE_RATE, Inputs, tensors

RESPONSE_SECONDS = 1.52


class GrafxMixer(nn.Module):
    """Its nodes' parameters are random and learnable. Raises Unavailable where GRAFX is not installed."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        data, render = load("grafx.data"), load("grafx.render")
        processors, utils = load("grafx.processors"), load("grafx.utils")
        self._render = render.render_grafx
        graph = data.GRAFX(config=data.NodeConfigs(["eq", "gain", "reverb"]))
        out = graph.add("out")
        for _ in TRACKS:
            bus, reverb = graph.add("mix"), graph.add("reverb")
            graph.connect(bus, reverb)
            graph.connect(reverb, out)
            for _ in STEMS:
                chain = [graph.add(node) for node in ("in", "eq", "gain")]
                for source, target in zip(chain, [*chain[1:], bus]):
                    graph.connect(source, target)
        self.processors = nn.ModuleDict(
            {
                "eq": processors.ZeroPhaseFIREqualizer(),
                "gain": processors.StereoGain(),
                "reverb": processors.STFTMaskedNoiseReverb(
                    ir_len=round(RESPONSE_SECONDS * SAMPLE_RATE), flashfftconv=False
                ),
            }
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.controls = utils.create_empty_parameters(self.processors, graph)
        ordered = render.reorder_for_fast_render(data.convert_to_tensor(graph))
        self._plan = render.prepare_render(ordered)

    def forward(self, inputs: Inputs) -> Tensor:
        """The mix, ``[1, 2, samples]``."""
        sources = torch.cat(tensors(inputs))
        mix: Tensor = self._render(self.processors, sources, self.controls, self._plan)[0]
        return mix
