"""What a fit found, and how far it is to be trusted."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from torch import Tensor

from djgraph import metrics
from djgraph.fitting.accuracy import control_errors, heard_error
from djgraph.fitting.behind import Found, track_of
from djgraph.fitting.distorted import Distorted
from djgraph.fitting.identify import identify
from djgraph.fitting.intervals import CONFIDENCE, intervals, widened
from djgraph.fitting.listen import remarks
from djgraph.fitting.prepare import fold
from djgraph.fitting.problem import FitProblem, Listened
from djgraph.fitting.progress import Log, Standing
from djgraph.fitting.result import FitResult
from djgraph.fitting.warnings import warnings


def result_of(
    problem: FitProblem,
    listened: Listened,
    standing: Standing,
    log: Log,
    interrupted: bool,
    truth: Tensor | None,
) -> FitResult:
    """truth: known params ``[frames, controls]``, for the errors."""
    layout, material, heard = problem.layout, listened.material, listened.heard
    params = layout.from_unit(standing.positions, snap=True)
    for index, column in enumerate(layout.columns):
        if column.control.rate == "clip":
            params[:, index] = params[0, index]
    mix = problem.mix(material.inputs, params)
    rate = problem.graph.sample_rate
    known = heard.valid > 0
    # What is clipped is at the recording's level; SI-SDR does not mind.
    estimate = heard.through(fold(mix, material.channels), standing.level)[:, known]
    wanted = heard.target[:, known]
    sketch = standing.measured or standing.sketch
    identified = identify(sketch, standing.positions)
    around = intervals(problem, listened, standing, identified, mix)
    if heard.behind is not None:
        around = widened(around, standing.positions, gain_slopes(problem, heard.behind))
    width = around.high - around.low
    controls: dict[str, Any] = {}
    for index, name in enumerate(layout.names):
        travel = (standing.positions[:, index] - problem.rest.position[index]).abs().max()
        like, share = identified.like[index], float(identified.share[index])
        controls[name] = {
            "moves": float(travel) > 0.01,
            "audible": round(share, 4),
            "why_not": _why_inaudible(problem, listened, index) if share == 0 else None,
            "sounds_like": layout.names[like[0]] if like else None,
            "interval": round(float(width[:, index].median()), 4),
            "cannot_be_told": round(1 - float(around.told[:, index].double().mean()), 4),
        }
    report: dict[str, Any] = {
        "graph": problem.graph.name,
        "output": problem.output,
        "frames": len(params),
        "seconds": material.samples / rate,
        "delay_ms": 1000 * heard.delay / rate,
        "delay_samples": heard.delay,
        "correlation": heard.peak,
        "inverted": heard.inverted,
        "swapped": heard.swapped,
        "level_db": 20 * math.log10(standing.level),
        "explained_by_gains": heard.explained,
        "master": heard.described(),
        "behind": None if heard.behind is None else heard.behind.described(),
        "si_sdr_db": float(metrics.si_sdr(estimate, wanted)),
        "sdr_db": float(metrics.sdr(estimate, wanted)),
        "fit_seconds": round(time.perf_counter() - log.began, 2),
        "mixer_steps": standing.steps,
        "interrupted": interrupted,
        "notes": remarks(heard, material, rate),
        "warnings": [],
        "controls": controls,
        "confidence": CONFIDENCE,
        "not_identified": [name for name, entry in controls.items() if entry["audible"] == 0],
        "loss_curve": log.curve,
    }
    report["warnings"] = warnings(problem, report)
    if truth is not None:
        # What could be heard of the known controls, not of those that were found.
        audible = identify(sketch, layout.to_unit(truth.double()))
        report["control_error"] = control_errors(sketch, standing.positions, truth, audible)
        report["heard_error"] = heard_error(standing.sketch, standing.positions, truth)
    low, high = (layout.from_unit(one).float() for one in (around.low, around.high))
    # A control with steps is drawn to the next of them, and must not leave its interval there.
    bands = (torch.minimum(low, params.float()), torch.maximum(high, params.float()))
    seconds = material.samples / rate
    return FitResult(params.float(), mix, report, layout, seconds, identified.audible, *bands, around.told)


def gain_slopes(problem: FitProblem, behind: Found | Distorted) -> Tensor:
    """By how much of its dB a move of each control is heard less for what follows the faders, ``[controls]``."""
    slopes = torch.zeros(len(problem.layout), dtype=torch.float64, device="cpu")
    names = problem.response.names
    for column, reached in enumerate(problem.response.reach):
        tracks = {track_of(names[i % len(names)]) for i in reached} & set(behind.slopes)
        if tracks:
            slopes[column] = max(behind.slopes[track] for track in tracks)
    return slopes


def _why_inaudible(problem: FitProblem, listened: Listened, column: int) -> str:
    sources = listened.material.sources
    reached = [i for i in problem.response.reach[column] if i < len(sources)]
    if reached and all(float(sources[i].abs().max()) < 1e-5 for i in reached):
        return "silent: " + ", ".join(problem.response.names[i] for i in reached)
    return "no audible effect anywhere in this mix"
