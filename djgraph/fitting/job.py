"""Un-mixing: the controls that make a graph's mix of given stems sound like a given recording."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from djgraph import metrics
from djgraph.errors import InputError
from djgraph.fitting import level as levels
from djgraph.fitting.accuracy import control_errors, heard_error
from djgraph.fitting.bands import bands_of
from djgraph.fitting.descent import Descent
from djgraph.fitting.identify import identify
from djgraph.fitting.listen import hear, remarks
from djgraph.fitting.losses import MixLoss
from djgraph.fitting.newton import gauss_newton, refine
from djgraph.fitting.prepare import MOST_FRAMES, Material, check_options, fold, prepare
from djgraph.fitting.priors import Priors, Rest
from djgraph.fitting.response import Response
from djgraph.fitting.result import Checkpoint, FitResult
from djgraph.fitting.sketch import Sketch, unit_slopes
from djgraph.fitting.start import cost, search, simplify
from djgraph.fitting.statistics import Statistics, gather
from djgraph.graph.ir import Graph
from djgraph.mixer import Mixer

FRAMES_PER_SECOND = 20
"""Control frames of a result where none are asked for."""
LEVEL_STEPS = (1.19, 1.06, 1.015)
"""Ratios of the levels that a first guess is tried at, where the level is not plain."""
POOL = 4
"""STFT frames in one block of the small problem."""
BLOCK_SECONDS = 0.75
"""Length of a block of the first guess."""
MOST_MEASURED = 24
"""Columns whose effect is measured through the mixer, at most; others have only exact gradients."""

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Progress:
    """What a callback hears: the stage (``guess``, ``curves``, ``mixer``), the step in all steps, loss, seconds left
    (None where unknown)."""

    stage: Literal["guess", "curves", "mixer"]
    step: int
    steps: int
    loss: float
    seconds_left: float | None


Callback = Callable[[Progress], object]


@torch.inference_mode(False)  # it descends along gradients, wherever it is called
def fit(
    graph: Mixer | Graph | str | Mapping[str, Any],
    inputs: Mapping[str, Any],
    target: Tensor,
    *,
    target_rate: int | None = None,
    output: str | None = None,
    frames: int | None = None,
    loss: Loss | None = None,
    steps: int = 20,
    tolerance: float = 5e-3,
    priors: Priors | None = None,
    delay: float | None = None,
    level: float | None = None,
    tempo: float | None = None,
    callback: Callback | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    truth: Tensor | None = None,
) -> FitResult:
    """Recovers a mixer's controls over time from the stems that went in and a recording of what came out.

    graph: a compiled mixer, a graph, or what :func:`djgraph.load` takes. inputs: as for the mixer, one clip, each
    ``[channels, samples]``. target: ``[channels, samples]`` of any length.
    target_rate: its sample rate in Hz (default: the graph's). output: which output it is (default: the main one).
    frames: control frames over the clip (default: 20 a second).
    loss: how far a mix ``[1, channels, samples]`` is from the target of the same shape, differentiable; the default
    is :class:`djgraph.fitting.MixLoss`. The first guess is by least squares either way.
    steps: at most so many steps through the mixer; 0 leaves the guess. tolerance: a step that gains less than this
    share of the loss is the last. priors: what is preferred where the sound does not decide.
    delay: seconds by which the target lags the stems; level: its gain (ratio). Both are found where left out.
    tempo: BPM, for graphs with effects that follow a clock.
    callback: called with a :class:`Progress` after each step; if it returns True the fit stops there. Ctrl-C does the
    same: what was best so far is returned, with ``report["interrupted"]``. Before the first step there is nothing to
    return, and Ctrl-C is a KeyboardInterrupt as elsewhere.
    checkpoint: a file that says after each step where the fit stands. resume: such a file, of a fit of the same sounds,
    to go on from.
    truth: known params ``[frames, controls]``, for the report's errors.

    A target of inverted polarity, or with left and right exchanged, is turned round first; the report says so.

    Raises InputError where the graph has no controls, the target is silent, far shorter than the stems or no mix of
    them, where ``resume`` belongs to another layout or to other sounds, and for numbers out of range.
    """
    mixer = graph if isinstance(graph, Mixer) else _compile(graph)
    chosen = output or next(iter(mixer.outputs))
    if chosen not in mixer.outputs:
        from djgraph.errors import did_you_mean

        raise InputError(f"the mixer has no output {chosen!r}{did_you_mean(chosen, mixer.outputs)}")
    check_options(frames, steps, tolerance, delay, level)
    if not len(mixer.layout):
        raise InputError(
            f"the graph {mixer.graph.name!r} has no controls, so there is nothing to fit; give its effects "
            "controls that are free, or play it with djgraph render"
        )
    if truth is not None:
        truth = truth.clone() if truth.is_inference() else truth
        if truth.ndim != 2 or truth.shape[-1] != len(mixer.layout):
            expected = f"params [frames, {len(mixer.layout)}]"
            raise InputError(f"truth: expected {expected}, got shape {list(truth.shape)}")
        mixer.layout.check(truth)
    job = _Job(mixer, chosen, loss, priors or Priors(), tempo, callback, checkpoint, steps, tolerance)
    with torch.no_grad():
        job.listen(
            prepare(mixer.graph, inputs, target, target_rate, _channels(mixer, chosen)), delay, level, resume
        )
        try:
            job.guess(frames)
            job.descend()
        except (KeyboardInterrupt, _Stopped):
            if not job.curve:  # nothing was found that a result could hold
                raise
            job.interrupted = True
        return job.result(truth)


class _Stopped(Exception):
    """The callback asked to stop."""


class _Job:
    """One fit, stage by stage."""

    def __init__(
        self,
        mixer: Mixer,
        output: str,
        loss: Loss | None,
        priors: Priors,
        tempo: float | None,
        callback: Callback | None,
        checkpoint: str | os.PathLike[str] | None,
        steps: int,
        tolerance: float,
    ) -> None:
        self.mixer, self.output, self.own_loss, self.priors = mixer, output, loss, priors
        self.tempo, self.callback, self.checkpoint = tempo, callback, checkpoint
        self.steps, self.tolerance = steps, tolerance
        self.layout = mixer.layout
        self.bands = bands_of(mixer.graph.sample_rate, mixer.graph.transform)
        self.response = Response(mixer.graph, mixer.outputs[output], self.bands)
        # Whatever a control without a neutral value rests at is its default.
        self.rest = Rest(self.layout.to_unit(self.layout.neutral.double()), self.response.costs())
        self.start = self.layout.to_unit(self.layout.default.double())
        self.fixed = torch.tensor([c.control.gradient == "none" for c in self.layout.columns], device="cpu")
        self.began = time.perf_counter()
        self.curve: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.interrupted = False
        self.resumed: Checkpoint | None = None
        self.rungs: int | None = 0
        self.done = 0

    # ── Listening ───────────────────────────────────────────────────────────────────────────────────────────

    def listen(
        self,
        material: Material,
        delay: float | None,
        level: float | None,
        resume: str | os.PathLike[str] | None,
    ) -> None:
        """Aligns the target and gathers the statistics; refuses what is no mix of the stems."""
        self.material = material
        rate, samples = self.mixer.graph.sample_rate, material.samples
        if resume is not None:
            self.resumed = Checkpoint.load(resume, self.layout, material.sounds())
        if self.resumed is not None and delay is None:
            delay = self.resumed.delay / rate
        self.heard = hear(material, self.bands, POOL, self._per_second(), rate, delay)
        self.notes += remarks(self.heard, material, rate)
        self.delay, self.target, self.valid = self.heard.delay, self.heard.target, self.heard.valid
        self.statistics, self.weights = self.heard.statistics, self.heard.weights
        if level is not None:
            self.level = level
        elif self.resumed is not None:
            self.level = self.resumed.level
        else:
            # Nearly unwhitened: a codec's errors in quiet bands make their gains, and so the level, look smaller.
            self.level = levels.find_level(self.statistics, self.weights.sqrt())
        self.free_level = level is None and abs(self.level - 1) > 1e-9
        sketch = Sketch.make(self.response, self.statistics, self.weights, samples)
        self.sketch = sketch.at_level(self.level)

    # ── Stages ──────────────────────────────────────────────────────────────────────────────────────────────

    def guess(self, frames: int | None) -> None:
        """Controls by least squares without audio: coarse blocks first, then curves through ever more knots."""
        seconds = self.material.samples / self.mixer.graph.sample_rate
        frames = frames or max(2, round(seconds * FRAMES_PER_SECOND) + 1)
        if frames > max(2, seconds * MOST_FRAMES):
            raise InputError(
                f"frames is {frames} for {seconds:.2f} s; expected at most {MOST_FRAMES} a second"
            )
        if self.resumed is not None:
            self.u = refine(self.resumed.positions, frames)
            self.rungs, self.done = self.resumed.rungs, self.resumed.steps
            if self.rungs is None:
                return
        coarse = self.sketch.merge(self._per_second())
        blocks = len(coarse.statistics.positions)
        ladder = [max(2, blocks // 2), blocks, 2 * blocks, 6 * blocks]
        ladder = [count for count in ladder if count < frames] + [frames]
        total = len(ladder) + 1
        if self.resumed is None:
            u = self._first_guess(coarse)
            self.u = refine(u, frames)
            error = coarse.error(self.response(self.layout.from_unit(u).float()))
            self._tell("guess", 1, total, float(error.sum()))
        first, u = min(self.rungs or 0, len(ladder) - 1), self.u
        searched = any(count >= blocks for count in ladder[:first])
        for number, count in list(enumerate(ladder))[first:]:
            # Strong priors first: few controls move, and those that do not matter stay where they are.
            priors = self.priors.scaled(max(1.0, 10.0 / 3**number) if count < frames else 0.3)
            u = gauss_newton(self.sketch, refine(u, count), self.rest, priors)
            if not searched and (count >= blocks or count == frames):
                u, searched = self._search_again(coarse, u), True
            if count == frames:
                u = self._simplify(u, priors)
            if self.free_level:
                # Towards the level of this solution; faders at their ends keep it from drifting.
                better = self.sketch.best_level(u)
                self.level = better if 0.9 < better / self.level < 1.1 else self.level
                self.sketch = self.sketch.at_level(self.level)
            self.u, self.rungs = refine(u, frames), number + 1 if count < frames else None
            self._tell("curves", number + 2, total, self.sketch.loss(u))

    def _first_guess(self, coarse: Sketch) -> Tensor:
        """The search's positions, at the level at which the fewest and shortest moves explain the most.

        A gain that stands out may be an EQ band's or an echo's as well as the level: then faders never at their end, or
        filters at work everywhere, have to make up for the wrong level, and that costs. The cost has one minimum, which
        is looked for from what stands out and from 1, in ever smaller steps.
        """
        tried: dict[float, tuple[float, Tensor]] = {}

        def price(level: float) -> float:
            if level not in tried:
                sketch = coarse.at_level(level)
                u = search(sketch, self.start, self.rest)
                tried[level] = cost(sketch, u, self.rest), u
            return tried[level][0]

        def walk(level: float, ratio: float) -> float:
            while price(near := min((level / ratio, level * ratio), key=price)) < price(level):
                level = near
            return level

        best = self.level
        if self.free_level:
            # What stands out is exact where it is the level, so that much has to be gained to leave it.
            least = price(self.level) - max(0.1 * price(self.level), 2e-3)
            best = min((1.0, self.level), key=price)
            other = walk(best, LEVEL_STEPS[0])
            if price(other) < least:
                best = other
                for ratio in LEVEL_STEPS[1:]:
                    best = walk(best, ratio)
            if abs(best - 1) < 0.02 and price(1.0) <= 1.05 * price(best):
                best = 1.0
            self.free_level = best != 1.0
            self.level, self.sketch = best, self.sketch.at_level(best)
        price(best)
        return tried[best][1]

    def _search_again(self, coarse: Sketch, u: Tensor) -> Tensor:
        """Other combinations of controls for what is left now that most is explained, where they are better."""
        tried = search(coarse.at_level(self.level), coarse.grid(len(u)).read(u), self.rest, worth=3e-4)
        tried = gauss_newton(self.sketch, refine(tried, len(u)), self.rest, self.priors)

        return self._better(u, tried, self.priors)

    def _simplify(self, u: Tensor, priors: Priors) -> Tensor:
        """Shorter moves that sound the same, block by block: a stem filtered to nothing is faded out instead."""
        before = self.sketch.grid(len(u)).read(u)
        after = simplify(self.sketch, before, self.rest, worth=1e-4)
        positions = torch.linspace(0, self.material.samples - 1, len(u), dtype=torch.float64, device="cpu")
        nearest = (positions[:, None] - self.sketch.statistics.positions).abs().argmin(1)
        changed = (after != before)[nearest]
        tried = torch.where(changed, after[nearest], u)
        tried = gauss_newton(self.sketch, tried, self.rest, priors, steps=6)
        return self._better(u, tried, priors)

    def _better(self, u: Tensor, tried: Tensor, priors: Priors) -> Tensor:
        def total(x: Tensor) -> float:
            return self.sketch.loss(x) + float(priors.value(x, self.rest))

        return tried if total(tried) < total(u) else u

    def descend(self) -> None:
        """Through the mixer, with exact gradients."""
        self.audio_loss = self._loss()
        priors = self.priors.scaled(0.1)
        # What is measured through the mixer changes with the other controls: it is measured again on the way.
        thirds = [(self.steps + i) // 3 for i in range(3)]
        rounds = thirds if self.response.unknown else [self.steps]
        for count in rounds:
            if count < 1 or self.done >= self.steps:
                continue
            matrix = self._curvature() + priors.curvature(self.u, self.rest)
            descent = Descent(lambda u: self._evaluate(u, priors), self.u, matrix)
            before = descent.loss
            for _ in range(count):
                if self.done >= self.steps or not descent.step():
                    break
                self.u = descent.u
                self.done += 1
                self._tell("mixer", self.done, self.steps, descent.loss)
                if before - descent.loss < self.tolerance * descent.loss:
                    break
                before = descent.loss

    def _per_second(self) -> int:
        """Blocks of the small problem in one block of the first guess."""
        graph = self.mixer.graph
        return max(1, round(BLOCK_SECONDS * graph.sample_rate / graph.transform.hop / POOL))

    # ── Parts ───────────────────────────────────────────────────────────────────────────────────────────────

    def _loss(self) -> Callable[[Tensor], Tensor]:
        if self.own_loss is None:
            return MixLoss(self.target, self.valid, self.bands, self.weights, POOL)
        wanted = (self.target * self.valid)[None]
        own = self.own_loss
        return lambda mix: own((mix * self.valid)[None], wanted)

    def _mix(self, u: Tensor) -> Tensor:
        """The output for positions, ``[channels, samples]``, differentiable."""
        return self._output(self.layout.from_unit(u))

    def _output(self, values: Tensor) -> Tensor:
        made = self.mixer(self.material.inputs, values.float(), tempo=self.tempo)
        mix: Tensor = made[self.output] if isinstance(made, Mapping) else made
        return mix[0]

    def _evaluate(self, u: Tensor, priors: Priors) -> tuple[float, Tensor]:
        with torch.enable_grad():
            leaf = u.detach().requires_grad_()
            mix = fold(self._mix(leaf), self.material.channels) * self.level
            loss = self.audio_loss(mix).double() + priors.value(leaf, self.rest)
            (gradient,) = torch.autograd.grad(loss, leaf)
        if not bool(torch.isfinite(loss)):
            raise InputError("the loss is not finite; a loss for fitting has to be finite on silence")
        return float(loss), torch.where(self.fixed, 0.0, gradient)

    def _curvature(self) -> Any:
        """The Gauss-Newton matrix here, with the columns that the response does not know measured."""
        columns = tuple(c for c in self.response.unknown if not self.response.reach[c])
        if not columns or len(columns) > MOST_MEASURED:
            return self.sketch.linearize(self.u)[2]
        values, _ = unit_slopes(self.layout, self.u)
        base = self._output(values)
        span = self.layout.maximum - self.layout.minimum
        signals = []
        for column in columns:
            step = 0.01 * float(span[column])
            up = values.clone()
            sign = 1 if float(values[:, column].mean() + step) < float(self.layout.maximum[column]) else -1
            up[:, column] += sign * step
            change = (self._output(up) - base) / (sign * step)
            signals.append(fold(change, self.material.channels))
        statistics: Statistics = gather(
            [*self.material.sources, *signals], self.target, self.valid, self.bands, POOL
        )
        sketch = Sketch.make(self.response, statistics, self.weights, self.material.samples, columns)
        self.extended = sketch.at_level(self.level)
        return self.extended.linearize(self.u)[2]

    def _tell(self, stage: Literal["guess", "curves", "mixer"], step: int, steps: int, loss: float) -> None:
        spent = time.perf_counter() - self.began
        self.curve.append({"stage": stage, "step": step, "seconds": round(spent, 2), "loss": loss})
        if self.checkpoint is not None:
            state = Checkpoint(self.u, self.delay, self.level, self.rungs, self.done, self.material.sounds())
            state.save(self.checkpoint, self.layout)
        if self.callback is not None:
            mixed = [entry["seconds"] for entry in self.curve if entry["stage"] == "mixer"]
            left = None
            if len(mixed) > 1:
                left = (mixed[-1] - mixed[0]) / (len(mixed) - 1) * (self.steps - self.done)
            if self.callback(Progress(stage, step, steps, loss, left)) is True:
                raise _Stopped

    # ── The result ──────────────────────────────────────────────────────────────────────────────────────────

    def result(self, truth: Tensor | None) -> FitResult:
        params = self.layout.from_unit(self.u, snap=True)
        for index, column in enumerate(self.layout.columns):
            if column.control.rate == "clip":
                params[:, index] = params[0, index]
        mix = self._output(params)
        rate = self.mixer.graph.sample_rate
        known = self.valid > 0
        made = fold(mix, self.material.channels)[:, known]
        wanted = self.target[:, known]
        sketch = getattr(self, "extended", self.sketch)
        identified = identify(sketch, self.u)
        share = identified.share
        controls: dict[str, Any] = {}
        for index, name in enumerate(self.layout.names):
            moved = float((self.u[:, index] - self.rest.position[index]).abs().max()) > 0.01
            like = identified.like[index]
            controls[name] = {
                "moves": moved,
                "audible": round(float(share[index]), 4),
                "why_not": self._why(index) if float(share[index]) == 0 else None,
                "sounds_like": self.layout.names[like[0]] if like else None,
            }
        report: dict[str, Any] = {
            "graph": self.mixer.graph.name,
            "output": self.output,
            "frames": len(params),
            "seconds": self.material.samples / rate,
            "delay_ms": 1000 * self.delay / rate,
            "delay_samples": self.delay,
            "correlation": self.heard.peak,
            "inverted": self.heard.inverted,
            "swapped": self.heard.swapped,
            "level_db": 20 * math.log10(self.level),
            "explained_by_gains": self.heard.explained,
            "si_sdr_db": float(metrics.si_sdr(made, wanted)),
            "sdr_db": float(metrics.sdr(self.level * made, wanted)),
            "fit_seconds": round(time.perf_counter() - self.began, 2),
            "mixer_steps": self.done,
            "interrupted": self.interrupted,
            "notes": self.notes,
            "controls": controls,
            "not_identified": [name for name, entry in controls.items() if entry["audible"] == 0],
            "loss_curve": self.curve,
        }
        if truth is not None:
            # What could be heard of the known controls, not of those that were found.
            known_audible = identify(sketch, self.layout.to_unit(truth.double()))
            report["control_error"] = control_errors(sketch, self.u, truth, known_audible)
            report["heard_error"] = heard_error(self.sketch, self.u, truth)
        return FitResult(
            params.float(), mix, report, self.layout, self.material.samples / rate, identified.audible
        )

    def _why(self, column: int) -> str:
        reached = self.response.reach[column]
        if reached and all(float(self.material.sources[i].abs().max()) < 1e-5 for i in reached):
            return "silent: " + ", ".join(self.response.names[i] for i in reached)
        return "no audible effect anywhere in this mix"


def _compile(graph: Any) -> Mixer:
    from djgraph.mixer import compile_graph

    return compile_graph(graph)


def _channels(mixer: Mixer, output: str) -> int:
    return mixer.graph.channels(mixer.outputs[output])
