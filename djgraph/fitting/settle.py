"""Settings of compressors and limiters on the graph's own output, constant over the clip, and faders before them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from djgraph.fitting.losses import MixLoss
from djgraph.fitting.master import QUIET, Settings
from djgraph.fitting.newton import gauss_newton
from djgraph.fitting.own import Own
from djgraph.fitting.prepare import fold
from djgraph.fitting.problem import POOL, FitProblem, Listened
from djgraph.fitting.progress import Log, Standing
from djgraph.fitting.sketch import Sketch
from djgraph.fitting.through import measured

ROUNDS = 3
"""How often settings and faders are found in turns."""
EXCERPT = 12.0
"""Seconds, the loudest, of which settings are found."""
STEPS = 30
"""Steps of the search for settings, at most."""
FEW = 8
"""The same of each of the two best starts, before one is chosen."""
BELIEVED = 0.9
"""Settings are taken if they leave less than this share of what the ones at rest do."""
ANOTHER = 0.7
"""It was not the graph's own that turned the recording down if a gain over time leaves less than this share."""
PLAINER = 1.1
"""It is, if no more than so many times as much is left."""
NEARLY = 1.25
"""Ratio to 1 within which a level is tried whether it is 1."""
LEAST_DB = 0.1
"""Gains that turn down less are none."""
TIES = 1e-6
"""Price of a setting that goes its whole range away from where it was begun."""


def settle(
    problem: FitProblem, listened: Listened, standing: Standing, log: Log
) -> tuple[Listened, Standing]:
    """Both with what the graph's own compressors and limiters do; as they are where it has none.

    Settings and faders are found in turns: what goes into the compressor is known for given faders, and a few numbers
    are all that is looked for there, by exact gradients through it, from the threshold, ratio and times that
    :func:`djgraph.fitting.master.find_master` told, and from plain ones. Then the sources are turned down by the gain
    that it makes, and the faders found anew.
    """
    own = problem.own
    if own is None:
        return listened, standing
    material = listened.material
    told, begun = listened.heard.master, standing
    for number in range(ROUNDS):
        values = problem.layout.from_unit(standing.positions)
        dry = own.before(material.inputs, values, problem.tempo)
        search = _Search(problem, listened, standing, dry)
        if standing.steps == 0 and own.columns:
            standing = search.best(None if told is None or number else told.settings)
            values = problem.layout.from_unit(standing.positions)
        if number == 0 and told is not None:
            other = search.loss(begun.positions[0], begun.level, told.gain)
            if other < ANOTHER * search.loss(standing.positions[0], standing.level):
                return listened, begun
        gain = own.gain(dry, values)
        if number == 0 and told is None and float(gain.log10().abs().max()) < LEAST_DB / 20:
            return replace(listened, heard=replace(listened.heard, own=True)), standing
        heard = listened.heard.turned_by(gain, material, problem.bands, POOL, problem.per_second)
        sketch = Sketch.make(problem.response, heard.sources, heard.weights, material.samples)
        sketch = sketch.at_level(standing.level)
        listened = replace(listened, heard=heard, sketch=sketch)
        standing = replace(standing, sketch=sketch)
        if standing.steps:
            break
        u = gauss_newton(sketch, standing.positions, problem.rest, problem.priors.scaled(0.3))
        standing = replace(standing, positions=u)
        log.tell("curves", number + 1, ROUNDS, sketch.loss(u), standing)
    if standing.steps == 0 and listened.free_level and 1 / NEARLY < standing.level < NEARLY:
        standing = _at_plain_level(problem, listened, standing)
    return listened, replace(standing, measured=measured(problem, listened, standing))


def _at_plain_level(problem: FitProblem, listened: Listened, standing: Standing) -> Standing:
    """The standing with faders and settings for a recording that is as loud as the mix, if they do as well.

    What a master's gain was misjudged by before its settings were known is in the level, and goes from it but slowly.
    """
    own = problem.own
    assert own is not None

    def search(one: Standing) -> _Search:
        values = problem.layout.from_unit(one.positions)
        dry = own.before(listened.material.inputs, values, problem.tempo)
        return _Search(problem, replace(listened, free_level=False), one, dry)

    sketch = standing.sketch.at_level(1.0)
    plain = replace(standing, level=1.0, sketch=sketch)
    for _ in range(2):
        u = gauss_newton(sketch, plain.positions, problem.rest, problem.priors.scaled(0.3))
        plain = replace(plain, positions=u)
        if own.columns:
            plain = search(plain).best(None)
    losses = [search(one).loss(one.positions[0], one.level) for one in (standing, plain)]
    return plain if losses[1] < PLAINER * losses[0] else standing


class _Search:
    """How far the graph's output is from the recording for settings, given what goes into them."""

    def __init__(self, problem: FitProblem, listened: Listened, standing: Standing, dry: Tensor) -> None:
        assert problem.own is not None
        self.own: Own = problem.own
        self.layout, self.listened, self.standing, self.dry = problem.layout, listened, standing, dry
        heard = listened.heard
        hop = problem.graph.transform.hop * POOL
        length = round(EXCERPT * problem.graph.sample_rate)
        samples = dry.shape[-1]
        first = 0
        if samples > length:
            power = torch.nn.functional.pad(heard.target.double().square().sum(0).cumsum(0), (1, 0))
            first = int((power[length:] - power[:-length]).argmax()) // hop * hop
        self.span = slice(first, min(first + length, samples))
        counts = heard.weights[first // hop :]
        self.mixed = MixLoss(heard.target[:, self.span], heard.valid[self.span], problem.bands, counts, POOL)
        self.channels = listened.material.channels
        positions = standing.positions
        start = first / max(1, samples - 1) * (len(positions) - 1)
        stop = (self.span.stop - 1) / max(1, samples - 1) * (len(positions) - 1)
        self.rows = positions[math.floor(start) : math.ceil(stop) + 1]
        self.free = [c for c in dict.fromkeys(self.own.columns.values()) if not bool(problem.fixed[c])]

    def loss(self, settings: Tensor, level: float | Tensor, gain: Tensor | None = None) -> float:
        """settings: positions ``[controls]``, of which those of the own effects count."""
        with torch.no_grad():
            return float(self._loss(settings[self.free], level, gain))

    def _loss(self, chosen: Tensor, level: float | Tensor, gain: Tensor | None = None) -> Tensor:
        rows = self.rows.clone()
        rows[:, self.free] = chosen.expand(len(rows), -1)
        out = self.own.through(self.dry[:, self.span], self.layout.from_unit(rows), resting=gain is not None)
        out = fold(out, self.channels)
        out = out * level if gain is None else out * gain[..., self.span] * level
        heard = self.listened.heard
        return self.mixed(out if heard.clipping is None else heard.clipping(out)).double()

    def best(self, told: Settings | None) -> Standing:
        """The standing with the settings, and the level, with which the least is left."""
        standing = self.standing
        now = standing.positions[0]
        tried = [(self.loss(now, standing.level), now, standing.level)]
        before = tried[0][0]
        if self.listened.heard.own:  # a round later
            tried.append(self._descended(now, standing.level, STEPS // 2))
        else:
            begun = []
            for trial, level in self._starts(told):
                u = now.clone()
                for column, value in trial.items():
                    low, high = float(self.layout.minimum[column]), float(self.layout.maximum[column])
                    one = self.layout.default.double().clone()
                    one[column] = min(max(value, low), high)
                    u[column] = self.layout.to_unit(one)[column]
                begun.append((self.loss(u, level), u, level))
            begun.sort(key=lambda one: one[0])
            few = [self._descended(u, level, FEW) for _, u, level in begun[:2]]
            _, u, level = min(few, key=lambda one: one[0])
            tried.append(self._descended(u, level, STEPS))
        least, u, level = min(tried, key=lambda one: one[0])
        if not self.listened.heard.own and least > BELIEVED * before:
            return standing
        positions = standing.positions.clone()
        positions[:, self.free] = u[self.free]
        return replace(standing, positions=positions, level=level)

    def _starts(self, told: Settings | None) -> Iterator[tuple[dict[int, float], float]]:
        """Settings in plain units by column, and the level to go with them."""
        level, target = self.standing.level, self.listened.heard.target[:, self.span]
        inside = self.own.through(self.dry[:, self.span], self.layout.from_unit(self.rows), resting=True)
        top = 20 * math.log10(max(float(inside.abs().max()), 1e-4))
        db = 20 * math.log10(level)
        guesses = (
            [] if told is None else [Settings(told.threshold - db, told.ratio, told.attack, told.release)]
        )
        guesses += [
            Settings(top - under, ratio, 10.0, 100.0)
            for under in (4.0, 10.0, 16.0, 24.0)
            for ratio in (2.5, 8.0)
        ]
        kinds = {node.effect.type for node in self.own.nodes}
        peak = 20 * math.log10(max(float(target.abs().max()), 10 ** (QUIET / 20)))
        for one in guesses:
            for used in sorted({frozenset({kind}) for kind in kinds} | {frozenset(kinds)}, key=sorted):
                trial, made, louder = {}, level, 0.0
                for (node, control), column in self.own.columns.items():
                    kind = next(n.effect.type for n in self.own.nodes if n.id == node)
                    if kind in used and control == "makeup" and not self.listened.given:
                        louder, made = db, 1.0
                        trial[column] = louder
                for (node, control), column in self.own.columns.items():
                    kind = next(n.effect.type for n in self.own.nodes if n.id == node)
                    if kind in used:
                        value = {
                            "threshold": one.threshold,
                            "ratio": one.ratio,
                            "attack": one.attack,
                            "release": one.release,
                            "ceiling": peak - 20 * math.log10(made),
                            "mix": 1.0,
                        }.get(control)
                        if value is not None:
                            trial[column] = value
                yield trial, made

    def _descended(self, u: Tensor, level: float, steps: int) -> tuple[float, Tensor, float]:
        """Downhill from positions ``[controls]`` and a level."""
        from scipy.optimize import minimize

        start = u[self.free].double().numpy()
        makeup = any(control == "makeup" for _, control in self.own.columns)
        moves = self.listened.free_level and not makeup  # a plain level is trusted

        def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
            with torch.enable_grad():
                leaf = torch.from_numpy(x.copy()).requires_grad_()
                loss = self._loss(leaf[:-1], level * torch.exp(leaf[-1]))
                loss = loss + TIES * (leaf[:-1] - torch.from_numpy(start)).square().sum()
                (gradient,) = torch.autograd.grad(loss, leaf)
            return float(loss), gradient.numpy()

        bounds = [(0.0, 1.0)] * len(start) + [(-0.7, 0.7) if moves else (0.0, 0.0)]
        # Losses are shares of the target's energy: of the order of a thousandth.
        scale = max(evaluate(np.append(start, 0.0))[0], 1e-12)
        found = minimize(
            lambda x: tuple(part / scale for part in evaluate(x)),
            np.append(start, 0.0),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": steps, "maxfun": 2 * steps},
        )
        after = u.clone()
        after[self.free] = torch.from_numpy(found.x[:-1])
        return float(found.fun * scale), after, level * math.exp(found.x[-1])
