"""From gradients of what effects made to those of what they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class WeightTotals:
    """The effects' learnable tensors that want a gradient, and where it is summed up."""

    tensors: Sequence[Tensor] = ()
    totals: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.totals = [torch.zeros_like(tensor) for tensor in self.tensors]

    def of(self, module: torch.nn.Module) -> bool:
        """Whether any of a module's weights are among them."""
        known = {id(tensor) for tensor in self.tensors}
        return any(id(weight) in known for weight in module.parameters())


class Recorded:
    """What effects made under autograd, the gradients of that, and what it was made from.

    ``leaves`` are what was read: autograd leaves, cut out of tensors whose gradients are wanted.
    """

    def __init__(self) -> None:
        self.leaves: list[Tensor] = []
        self._made: list[Tensor] = []
        self._gradients: list[Tensor] = []
        self._places: list[Tensor] = []

    def read(self, leaf: Tensor, place: Tensor) -> None:
        """Something that was read; its gradient is added to ``place``."""
        self.leaves.append(leaf)
        self._places.append(place)

    def made(self, tensor: Tensor, gradient: Tensor) -> None:
        """Something that was made; ``gradient`` is filled in before :meth:`give_back`."""
        self._made.append(tensor)
        self._gradients.append(gradient)

    def give_back(self, weights: WeightTotals) -> None:
        """Adds gradients to their places, and to the totals of the weights."""
        leaves = [*self.leaves, *weights.tensors]
        if not self._made or not leaves:
            return
        gradients = torch.autograd.grad(self._made, leaves, self._gradients, allow_unused=True)
        for place, gradient in zip((*self._places, *weights.totals), gradients):
            if gradient is not None:
                place += gradient.view(place.shape)
