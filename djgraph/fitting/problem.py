"""What a fit is about: the mixer, the recording as it was heard, and what stays the same from stage to stage."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from djgraph.fitting import level as levels
from djgraph.fitting.bands import Bands, bands_of
from djgraph.fitting.behind import Found, find_behind
from djgraph.fitting.distorted import Distorted
from djgraph.fitting.listen import Heard, hear
from djgraph.fitting.own import Own, own_of
from djgraph.fitting.prepare import SILENT, Prepared
from djgraph.fitting.priors import Priors, Rest
from djgraph.fitting.response import Response
from djgraph.fitting.result import FitState
from djgraph.fitting.sketch import Sketch
from djgraph.graph.ir import EffectNode, Graph
from djgraph.layout import ParameterLayout
from djgraph.mixer import Mixer

POOL = 4
"""STFT frames in one block of the small problem."""
BLOCK_SECONDS = 0.75
"""Length of a block of the first guess."""

SETTLED = 1e-2
"""Cost of moves of the settings of the graph's own compressor or limiter."""
STILL = 1e-2
"""Weight of their mean squared slope: they stay where they are over the clip, unless much is gained."""

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class FitProblem:
    """The mixer and all that follows from it.

    loss: the caller's own, or None. rest: where controls rest. start: the default positions, ``[controls]``.
    fixed: True for controls without a gradient, ``[controls]``. own: compressors and limiters on the graph's output.
    """

    mixer: Mixer
    output: str
    loss: Loss | None
    priors: Priors
    tempo: float | None
    bands: Bands
    response: Response
    rest: Rest
    start: Tensor
    fixed: Tensor
    own: Own | None = None

    @classmethod
    def of(
        cls, mixer: Mixer, output: str, loss: Loss | None, priors: Priors, tempo: float | None
    ) -> FitProblem:
        layout = mixer.layout
        bands = bands_of(mixer.graph.sample_rate, mixer.graph.transform)
        response = Response(mixer.compiled.graph, mixer.outputs[output], bands)
        own = None if response.turning or mixer.graph.sources else own_of(mixer, output)
        return cls(
            mixer=mixer,
            output=output,
            loss=loss,
            priors=priors,
            tempo=tempo,
            bands=bands,
            response=response,
            # Whatever a control without a neutral value rests at is its default.
            rest=_rest(layout, response, own),
            start=layout.to_unit(layout.default.double()),
            fixed=torch.tensor([c.control.gradient == "none" for c in layout.columns], device="cpu"),
            own=own,
        )

    @property
    def layout(self) -> ParameterLayout:
        return self.mixer.layout

    @property
    def graph(self) -> Graph:
        return self.mixer.graph

    @property
    def per_second(self) -> int:
        """Blocks of the small problem in one block of the first guess."""
        hop = self.graph.transform.hop
        return max(1, round(BLOCK_SECONDS * self.graph.sample_rate / hop / POOL))

    def mix(self, inputs: Mapping[str, Any], values: Tensor) -> Tensor:
        """The output for params in plain units, ``[channels, samples]``, differentiable."""
        mixed = self.mixer(inputs, values.float(), tempo=self.tempo)
        signal: Tensor = mixed[self.output] if isinstance(mixed, Mapping) else mixed
        return signal[0]


@dataclass(frozen=True, eq=False)
class Listened:
    """The recording, aligned. level: its gain (ratio), which stages may improve where ``free_level``.

    sketch: the small problem at that level. resumed: where an earlier fit stood, if one goes on. given: the caller told
    the level.
    """

    material: Prepared
    heard: Heard
    level: float
    free_level: bool
    sketch: Sketch
    resumed: FitState | None
    given: bool = False


def listen(
    problem: FitProblem,
    material: Prepared,
    delay: float | None,
    level: float | None,
    resume: str | os.PathLike[str] | None,
) -> Listened:
    """Aligns the target and gathers the statistics. Raises InputError for what is no mix of the stems."""
    rate = problem.graph.sample_rate
    resumed = None
    if resume is not None:
        resumed = FitState.load(resume, problem.layout, material.sounds())
        delay = resumed.delay / rate if delay is None else delay
    reference, turns = _at_rest(problem, material) if problem.response.turning else (None, None)

    def looked_for(target: Tensor, valid: Tensor) -> Found | Distorted | None:
        return find_behind(material, problem.response.names, target, valid, rate, level)

    heard = hear(
        material,
        problem.bands,
        POOL,
        problem.per_second,
        rate,
        delay,
        reference,
        turns,
        mastered=problem.own is not None or _without(problem, "dynamics"),
        bent=_without(problem, "colour") and (problem.own is not None or _without(problem, "dynamics")),
        behind=looked_for if _without(problem, "dynamics", "colour") else None,
    )
    material = heard.followed(material)
    if level is not None:
        mix_level = level
    elif resumed is not None:
        mix_level = resumed.level
    elif heard.behind is not None:
        mix_level = heard.behind.level
    else:
        # Nearly unwhitened: a codec's errors in quiet bands make their gains, and so the level, look smaller.
        mix_level = levels.find_level(heard.statistics, heard.weights.sqrt())
    sketch = Sketch.make(problem.response, heard.sources, heard.weights, material.samples)
    free = level is None and heard.behind is None and abs(mix_level - 1) > 1e-9
    return Listened(material, heard, mix_level, free, sketch.at_level(mix_level), resumed, level is not None)


def _rest(layout: ParameterLayout, response: Response, own: Own | None) -> Rest:
    """Where controls rest; settings of the master stay as they are found, over all of the clip."""
    costs, still = response.costs(), torch.zeros(len(layout), dtype=torch.float64, device="cpu")
    for column in () if own is None else own.columns.values():
        costs[column], still[column] = SETTLED, STILL
    return Rest(layout.to_unit(layout.neutral.double()), costs, still)


def _without(problem: FitProblem, *families: str) -> bool:
    """Whether the graph has no effect of these families: what such a one does to the recording is then another's."""
    nodes = problem.graph.nodes
    return not any(isinstance(node, EffectNode) and node.effect.family in families for node in nodes)


def _at_rest(problem: FitProblem, material: Prepared) -> tuple[Tensor | None, Tensor]:
    """What a mixer that turns phases does to them at rest: its mix ``[samples]``, None where that is silent, and how it
    turns each source, ``[2·sources, bands]`` of magnitude 1."""
    resting = problem.layout.from_unit(problem.rest.position)[None]
    gains = problem.response(resting.float())[0]
    size = torch.hypot(*gains.chunk(2)).repeat(2, 1)
    plain = torch.cat([torch.full_like(gains[: len(gains) // 2], one) for one in (1.0, 0.0)])
    mix = problem.mix(material.inputs, resting).mean(0)
    heard = float(mix.square().mean()) > SILENT**2
    return mix if heard else None, torch.where(size > 1e-6, gains / size.clamp(min=1e-6), plain)
