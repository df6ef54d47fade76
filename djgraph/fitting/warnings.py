"""What a person should be warned of: a mix that stays far from its target, and what may be the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from djgraph.effects import SpectralEffect
from djgraph.errors import shorten
from djgraph.fitting.problem import FitProblem
from djgraph.graph.ir import EffectNode

HARDLY_DB = 15.0
"""SI-SDR of a mix below which its controls are not to be trusted. Of what a lossy codec made, 20 dB are reached."""

SHOWN = 8
"""Names in a list."""


def warnings(problem: FitProblem, report: Mapping[str, Any]) -> list[str]:
    """In words, the fact first; empty where the mix comes near its target. report: of the fit, but for these."""
    if report["si_sdr_db"] >= HARDLY_DB:
        return []
    fact = (
        f"the mix that these controls make is far from the target (SI-SDR {report['si_sdr_db']:.1f} dB, below "
        f"{HARDLY_DB:g}): do not trust them"
    )
    return [fact, *_reasons(problem, report)]


def _reasons(problem: FitProblem, report: Mapping[str, Any]) -> Iterator[str]:
    layout, graph, controls = problem.layout, problem.mixer.graph, report["controls"]
    if report["mixer_steps"] == 0:
        yield "no step was made through the mixer, which would have brought the mix nearer (steps)"
    left_out = [layout.names[column] for column in problem.response.unknown]
    if left_out:
        yield (
            "the first guess leaves out what has no gain over frequency, and what comes round in a loop; only the "
            "descent through the mixer moves "
            f"{shorten(left_out, SHOWN)}"
        )
    trading = {
        tuple(sorted((name, entry["sounds_like"])))
        for name, entry in controls.items()
        if entry["moves"] and entry["sounds_like"] is not None
    }
    if trading:
        pairs = [f"{one} and {other}" for one, other in sorted(trading)]
        yield f"controls that moved can do each other's work: {shorten(pairs, SHOWN)}"
    fixed = [name for name, none in zip(layout.names, problem.fixed.tolist()) if none]
    if fixed:
        yield f"no gradient leads to {shorten(fixed, SHOWN)}"
    spectral = any(isinstance(n, EffectNode) and issubclass(n.effect, SpectralEffect) for n in graph.nodes)
    if spectral and problem.mixer.lowering == "studio":
        yield "what a live mixer played is un-mixed by it alone: lowering causal"
    yield (
        "the graph may not be the mixer that was played, or the tracks were not played at this tempo, pitch and place"
    )
