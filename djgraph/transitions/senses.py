"""What a model of transitions gets for each step of a clip: what it hears, and what it is told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.errors import InputError, did_you_mean
from djgraph.features import BeatFeatures, BeatGrid

SEES = ("plan", "mix")
AT_ONCE = 1e-3
"""Seconds that a transition without a length takes."""


@dataclass(frozen=True)
class Plan:
    """What a model may be told: which transition, from which second on, for how many seconds (0: at once)."""

    recipe: str
    start: float
    length: float


@dataclass(frozen=True)
class Senses:
    """What a model gets for each step of a clip; kept in its checkpoint.

    sees: ``plan``: the stems, which recipe is played, and where in it the step lies; or ``mix``: the stems and the
    finished mix. recipes: those that a plan may name. per_beat: steps in a beat.
    """

    sees: str
    signals: tuple[str, ...]
    sample_rate: int
    recipes: tuple[str, ...]
    bands: int = 8
    per_beat: int = 4

    def __post_init__(self) -> None:
        if self.sees not in SEES:
            raise InputError(
                f"sees is {self.sees!r}; allowed: {', '.join(SEES)}{did_you_mean(self.sees, SEES)}"
            )

    @property
    def features(self) -> BeatFeatures:
        """What is heard."""
        return BeatFeatures(self.signals, self.sample_rate, self.bands, mix=self.sees == "mix")

    @property
    def size(self) -> int:
        """Numbers for each step."""
        return len(self.features.names) + (3 + len(self.recipes) if self.sees == "plan" else 0)

    def __call__(
        self,
        audio: Mapping[str, Tensor],
        grid: BeatGrid,
        *,
        mix: Tensor | None = None,
        plan: Plan | None = None,
    ) -> Tensor:
        """``[steps, size]``. audio: signal → ``[channels, samples]``; a mix or a plan beside it."""
        heard = self.features(audio, grid, mix if self.sees == "mix" else None)
        if self.sees == "mix":
            return heard
        if plan is None:
            raise InputError("this model has to be told a plan: which recipe, when, and how long")
        if plan.recipe not in self.recipes:
            raise InputError(
                f"this model has not learned {plan.recipe!r}{did_you_mean(plan.recipe, self.recipes)}; "
                f"it knows {', '.join(self.recipes)}"
            )
        if not (plan.length >= 0 and math.isfinite(plan.start) and math.isfinite(plan.length)):
            raise InputError(f"there is no transition of {plan.length} s from {plan.start} s on")
        place = ((grid.centres - plan.start) / max(plan.length, AT_ONCE)).float()
        told = torch.zeros(len(grid), 3 + len(self.recipes), dtype=torch.float32, device="cpu")
        told[:, 0], told[:, 1], told[:, 2] = place.clamp(0, 1), place < 0, place > 1
        told[:, 3 + self.recipes.index(plan.recipe)] = 1
        return torch.cat([heard, told], 1)
