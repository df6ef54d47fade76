"""The first stages of a fit: controls by least squares, without audio, through ever more knots."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from djgraph.errors import InputError
from djgraph.fitting.newton import gauss_newton, refine
from djgraph.fitting.prepare import MOST_FRAMES
from djgraph.fitting.priors import Priors, Rest
from djgraph.fitting.problem import FitProblem, Listened
from djgraph.fitting.progress import Log, Standing
from djgraph.fitting.sketch import Sketch
from djgraph.fitting.start import cost, search, simplify

FRAMES_PER_SECOND = 20
"""Control frames of a result where none are asked for."""
LEVEL_STEPS = (1.19, 1.06, 1.015)
"""Ratios of the levels that a first guess is tried at, where the level is not plain."""


def guess(problem: FitProblem, listened: Listened, frames: int | None, log: Log) -> Standing:
    """Where the descent through the mixer begins. Raises InputError for more frames than the sound has."""
    seconds = listened.material.samples / problem.graph.sample_rate
    frames = frames or max(2, round(seconds * FRAMES_PER_SECOND) + 1)
    if frames > max(2, seconds * MOST_FRAMES):
        raise InputError(f"frames is {frames} for {seconds:.2f} s; expected at most {MOST_FRAMES} a second")
    sketch, level, free_level = listened.sketch, listened.level, listened.free_level
    coarse = sketch.merge(problem.per_second)
    blocks = len(coarse.statistics.positions)
    ladder = [max(2, blocks // 2), blocks, 2 * blocks, 6 * blocks]
    ladder = [count for count in ladder if count < frames] + [frames]
    total = len(ladder) + 1
    if listened.resumed is not None:
        resumed = listened.resumed
        standing = Standing(refine(resumed.positions, frames), level, sketch, resumed.rungs, resumed.steps)
        if standing.rungs is None:
            return standing
    else:
        u, level = _first_guess(problem, listened, coarse)
        free_level = free_level and level != 1.0
        sketch = sketch.at_level(level)
        standing = Standing(refine(u, frames), level, sketch, 0, 0)
        error = coarse.error(problem.response(problem.layout.from_unit(u).float()))
        log.tell("guess", 1, total, float(error.sum()), standing)
    first = min(standing.rungs or 0, len(ladder) - 1)
    searched = any(count >= blocks for count in ladder[:first])
    u = standing.positions
    for number, count in list(enumerate(ladder))[first:]:
        # Strong priors first: few controls move, and those that do not matter stay where they are.
        priors = problem.priors.scaled(max(1.0, 10.0 / 3**number) if count < frames else 0.3)
        u = gauss_newton(sketch, refine(u, count), problem.rest, priors)
        if not searched and (count >= blocks or count == frames):
            u, searched = _search_again(problem, sketch, coarse.at_level(level), u), True
        if count == frames:
            u = _simplify(problem, sketch, u, priors, listened.material.samples)
        if free_level:
            # Towards the level of this solution; faders at their ends keep it from drifting.
            better = sketch.best_level(u)
            level = better if 0.9 < better / level < 1.1 else level
            sketch = sketch.at_level(level)
        rungs = number + 1 if count < frames else None
        standing = replace(standing, positions=refine(u, frames), level=level, sketch=sketch, rungs=rungs)
        log.tell("curves", number + 2, total, sketch.loss(u), standing)
    return standing


def _first_guess(problem: FitProblem, listened: Listened, coarse: Sketch) -> tuple[Tensor, float]:
    """The search's positions, at the level at which the fewest and shortest moves explain the most; and that level.

    A gain that stands out may be an EQ band's or an echo's as well as the level: then faders never at their end, or
    filters at work everywhere, have to make up for the wrong level, and that costs. The cost has one minimum, which
    is looked for from what stands out and from 1, in ever smaller steps.
    """
    tried: dict[float, tuple[float, Tensor]] = {}

    def price(level: float) -> float:
        if level not in tried:
            sketch = coarse.at_level(level)
            u = search(sketch, problem.start, problem.rest)
            tried[level] = cost(sketch, u, problem.rest), u
        return tried[level][0]

    def walk(level: float, ratio: float) -> float:
        while price(near := min((level / ratio, level * ratio), key=price)) < price(level):
            level = near
        return level

    best = listened.level
    if listened.free_level:
        # What stands out is exact where it is the level, so that much has to be gained to leave it.
        least = price(best) - max(0.1 * price(best), 2e-3)
        best = min((1.0, listened.level), key=price)
        other = walk(best, LEVEL_STEPS[0])
        if price(other) < least:
            best = other
            for ratio in LEVEL_STEPS[1:]:
                best = walk(best, ratio)
        if abs(best - 1) < 0.02 and price(1.0) <= 1.05 * price(best):
            best = 1.0
    price(best)
    return tried[best][1], best


def _search_again(problem: FitProblem, sketch: Sketch, coarse: Sketch, u: Tensor) -> Tensor:
    """Other combinations of controls for what is left now that most is explained, where they are better."""
    tried = search(coarse, coarse.grid(len(u)).read(u), problem.rest, worth=3e-4)
    tried = gauss_newton(sketch, refine(tried, len(u)), problem.rest, problem.priors)
    return _better(sketch, u, tried, problem.priors, problem.rest)


def _simplify(problem: FitProblem, sketch: Sketch, u: Tensor, priors: Priors, samples: int) -> Tensor:
    """Shorter moves that sound the same, block by block: a stem filtered to nothing is faded out instead."""
    before = sketch.grid(len(u)).read(u)
    after = simplify(sketch, before, problem.rest, worth=1e-4)
    positions = torch.linspace(0, samples - 1, len(u), dtype=torch.float64, device="cpu")
    nearest = (positions[:, None] - sketch.statistics.positions).abs().argmin(1)
    changed = (after != before)[nearest]
    tried = torch.where(changed, after[nearest], u)
    tried = gauss_newton(sketch, tried, problem.rest, priors, steps=6)
    return _better(sketch, u, tried, priors, problem.rest)


def _better(sketch: Sketch, u: Tensor, tried: Tensor, priors: Priors, rest: Rest) -> Tensor:
    def total(x: Tensor) -> float:
        return sketch.loss(x) + float(priors.value(x, rest))

    return tried if total(tried) < total(u) else u
