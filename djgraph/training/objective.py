"""What a training learns from: losses of the mix and of the controls, each times its weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from djgraph import losses
from djgraph.layout import ParameterLayout
from djgraph.training.config import LossModel


class Objective(nn.Module):
    """The losses of a configuration.

    ``spectral``, of mix and target ``[batch, channels, samples]``, gives ``[batch, channels]``: what verdicts compare
    by.
    """

    def __init__(self, weights: LossModel, layout: ParameterLayout, sample_rate: int) -> None:
        super().__init__()
        self.weights, self.layout = weights, layout
        self.spectral = losses.SumAndDifference(losses.MultiResolutionSTFT(reduction="none"))
        self.mel = losses.SumAndDifference(losses.MelSTFT(sample_rate)) if weights.mel else None
        self.loudness = losses.Loudness(sample_rate) if weights.loudness else None
        for pattern in weights.controls:
            layout.select(pattern)  # says at once what matches nothing

    def forward(self, mixed: Tensor, params: Tensor, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """``loss`` and the terms that it is the weighted sum of, scalars.

        mixed: ``[batch, channels, samples]``, made from ``params`` ``[batch, frames, controls]`` in plain units. batch:
        what was wanted, ``mix`` and ``params``.
        """
        weights, target = self.weights, batch["mix"]
        found: dict[str, Tensor] = {}
        share: dict[str, float] = {}

        def add(name: str, weight: float, value: Tensor) -> None:
            found[name], share[name] = value, weight

        if weights.spectral:
            add("spectral", weights.spectral, self.spectral(mixed, target).mean())
        if self.mel is not None:
            add("mel", weights.mel, self.mel(mixed, target))
        if self.loudness is not None:
            add("loudness", weights.loudness, self.loudness(mixed, target))
        if weights.neutral:
            add("neutral", weights.neutral, losses.neutral_sparsity(params, self.layout))
        if weights.variation:
            add("variation", weights.variation, losses.total_variation(params, self.layout))
        if weights.controls:
            distances = losses.per_group(
                losses.control_distance,
                params,
                batch["params"],
                self.layout,
                groups={pattern: pattern for pattern in weights.controls},
            )
            for pattern, value in distances.items():
                add(f"controls {pattern}", weights.controls[pattern], value)
        total = sum(share[name] * value for name, value in found.items())
        return {"loss": total, **found}  # type: ignore[dict-item]
