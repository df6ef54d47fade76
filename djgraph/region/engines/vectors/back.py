"""From gradients of what effects made to those of what they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Weights:
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
    """What effects made under autograd, the gradients of that, and what it was made from."""

    def __init__(self) -> None:
        self._made: list[Tensor] = []
        self._gradients: list[Tensor] = []
        self._leaves: list[Tensor] = []
        self._places: list[Tensor] = []

    def read(self, leaf: Tensor, place: Tensor) -> None:
        """Something that was read; its gradient is added to ``place``."""
        self._leaves.append(leaf)
        self._places.append(place)

    def made(self, tensor: Tensor, gradient: Tensor) -> None:
        """Something that was made; ``gradient`` is filled in before :meth:`give_back`."""
        self._made.append(tensor)
        self._gradients.append(gradient)

    def give_back(self, weights: Weights) -> None:
        """Adds gradients to their places, and to the totals of the weights."""
        leaves = [*self._leaves, *weights.tensors]
        if not self._made or not leaves:
            return
        found = torch.autograd.grad(self._made, leaves, self._gradients, allow_unused=True)
        for place, part in zip((*self._places, *weights.totals), found):
            if part is not None:
                place += part.view(place.shape)
