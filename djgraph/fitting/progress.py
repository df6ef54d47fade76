"""How far a fit has come: what callbacks hear, what a checkpoint holds, and what an interrupted fit returns."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from djgraph.fitting.problem import FitProblem, Listened
from djgraph.fitting.result import FitState
from djgraph.fitting.sketch import Sketch

StageName = Literal["guess", "curves", "mixer"]


@dataclass(frozen=True)
class Progress:
    """What a callback hears: the stage (``guess``, ``curves``, ``mixer``), the step in all steps, loss, seconds left
    (None where unknown)."""

    stage: StageName
    step: int
    steps: int
    loss: float
    seconds_left: float | None


Callback = Callable[[Progress], object]


class Stopped(Exception):
    """The callback asked to stop."""


@dataclass(frozen=True, eq=False)
class Standing:
    """The best so far.

    positions: ``[frames, controls]`` in 0…1. rungs: rounds of curves that are done, None once all are. steps: how many
    through the mixer. measured: the sketch with the columns that were measured through the mixer, where any were.
    """

    positions: Tensor
    level: float
    sketch: Sketch
    rungs: int | None
    steps: int
    measured: Sketch | None = None


class Log:
    """Hears of every step. ``best`` is where the fit stands, ``curve`` the losses so far."""

    def __init__(
        self,
        problem: FitProblem,
        listened: Listened,
        steps: int,
        callback: Callback | None,
        checkpoint: str | os.PathLike[str] | None,
        began: float,
    ) -> None:
        """began: when the fit did, by time.perf_counter."""
        self.began = began
        self.curve: list[dict[str, Any]] = []
        self.best: Standing | None = None
        self._problem, self._listened, self._steps = problem, listened, steps
        self._callback, self._checkpoint = callback, checkpoint

    def tell(self, stage: StageName, step: int, steps: int, loss: float, standing: Standing) -> None:
        """A step is done. Raises Stopped where the callback says so."""
        self.best = standing
        spent = time.perf_counter() - self.began
        self.curve.append({"stage": stage, "step": step, "seconds": round(spent, 2), "loss": loss})
        if self._checkpoint is not None:
            state = FitState(
                standing.positions,
                self._listened.heard.delay,
                standing.level,
                standing.rungs,
                standing.steps,
                self._listened.material.sounds(),
            )
            state.save(self._checkpoint, self._problem.layout)
        if self._callback is not None:
            mixed = [entry["seconds"] for entry in self.curve if entry["stage"] == "mixer"]
            left = None
            if len(mixed) > 1:
                left = (mixed[-1] - mixed[0]) / (len(mixed) - 1) * (self._steps - standing.steps)
            if self._callback(Progress(stage, step, steps, loss, left)) is True:
                raise Stopped
