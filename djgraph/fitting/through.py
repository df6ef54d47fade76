"""The last stage of a fit: a descent through the mixer itself, with exact gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from djgraph.errors import InputError
from djgraph.fitting.descent import Descent
from djgraph.fitting.losses import MixLoss
from djgraph.fitting.prepare import fold
from djgraph.fitting.priors import Priors
from djgraph.fitting.problem import POOL, FitProblem, Listened
from djgraph.fitting.progress import Log, Standing
from djgraph.fitting.sketch import Sketch, unit_slopes
from djgraph.fitting.statistics import gather

MOST_MEASURED = 24
"""Columns whose effect is measured through the mixer, at most; others have only exact gradients."""


def descend(
    problem: FitProblem, listened: Listened, standing: Standing, steps: int, tolerance: float, log: Log
) -> Standing:
    """The best positions after at most ``steps`` steps in all, of which ``standing`` has made some."""
    audio_loss = _loss_of(problem, listened)
    priors = problem.priors.scaled(0.1)
    # What is measured through the mixer changes with the other controls: it is measured again on the way.
    rounds = [(steps + i) // 3 for i in range(3)] if problem.response.unknown else [steps]
    for count in rounds:
        if count < 1 or standing.steps >= steps:
            continue
        known = measured(problem, listened, standing)
        standing = replace(standing, measured=known or standing.measured)
        curvature: Any = (known or standing.sketch).linearize(standing.positions)[2]
        level = standing.level

        def evaluate(u: Tensor, level: float = level) -> tuple[float, Tensor]:
            return _evaluate(problem, listened, audio_loss, priors, level, u)

        matrix = curvature + priors.curvature(standing.positions, problem.rest)
        descent = Descent(evaluate, standing.positions, matrix)
        before = descent.loss
        for _ in range(count):
            if standing.steps >= steps or not descent.step():
                break
            standing = replace(standing, positions=descent.u, steps=standing.steps + 1)
            log.tell("mixer", standing.steps, steps, descent.loss, standing)
            if before - descent.loss < tolerance * descent.loss:
                break
            before = descent.loss
    return standing


def _loss_of(problem: FitProblem, listened: Listened) -> Callable[[Tensor], Tensor]:
    heard, own = listened.heard, problem.loss
    if own is None:
        return MixLoss(heard.target, heard.valid, problem.bands, heard.weights, POOL)
    wanted = (heard.target * heard.valid)[None]
    return lambda mix: own((mix * heard.valid)[None], wanted)


def _evaluate(
    problem: FitProblem,
    listened: Listened,
    audio_loss: Callable[[Tensor], Tensor],
    priors: Priors,
    level: float,
    u: Tensor,
) -> tuple[float, Tensor]:
    material = listened.material
    with torch.enable_grad():
        leaf = u.detach().requires_grad_()
        mix = problem.mix(material.inputs, problem.layout.from_unit(leaf))
        mix = listened.heard.through(fold(mix, material.channels), level)
        loss = audio_loss(mix).double() + priors.value(leaf, problem.rest)
        (gradient,) = torch.autograd.grad(loss, leaf)
    if not bool(torch.isfinite(loss)):
        raise InputError("the loss is not finite; a loss for fitting has to be finite on silence")
    return float(loss), torch.where(problem.fixed, 0.0, gradient)


def measured(problem: FitProblem, listened: Listened, standing: Standing) -> Sketch | None:
    """The sketch with the columns that the response does not know measured; None where there are none, or too many."""
    response, layout, material = problem.response, problem.layout, listened.material
    columns = tuple(c for c in response.unknown if not response.reach[c])
    if not columns or len(columns) > MOST_MEASURED:
        return None
    values, _ = unit_slopes(layout, standing.positions)
    base = problem.mix(material.inputs, values)
    span = layout.maximum - layout.minimum
    signals = []
    for column in columns:
        step = 0.01 * float(span[column])
        moved = values.clone()
        sign = 1 if float(values[:, column].mean() + step) < float(layout.maximum[column]) else -1
        moved[:, column] += sign * step
        change = (problem.mix(material.inputs, moved) - base) / (sign * step)
        signals.append(fold(change, material.channels))
    heard = listened.heard
    sources = [heard.turned(signal) for signal in (*material.sources, *signals)]
    turning = len(material.sources) if response.turning else 0
    statistics = gather(sources, heard.linear, heard.valid, problem.bands, POOL, turning)
    sketch = Sketch.make(response, statistics, heard.weights, material.samples, columns)
    return sketch.at_level(standing.level)
