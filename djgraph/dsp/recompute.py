"""Second derivatives for autograd Functions whose own backward pass is not differentiable."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def differentiable_gradients(
    function: Callable[..., tuple[Tensor, ...]],
    inputs: Sequence[Tensor],
    needed: Sequence[bool],
    grad_outputs: Sequence[Tensor],
) -> tuple[Tensor | None, ...]:
    """What a backward pass returns, computed so that autograd can differentiate it again.

    For use where ``torch.is_grad_enabled()`` in a backward pass, which is so with ``create_graph=True`` only.
    function: the forward pass written in differentiable operations; it is run on ``inputs`` once more.
    """
    with torch.enable_grad():
        # Aliases, since one input may have been computed from another, and each wants its own part only.
        aliases = [tensor.view_as(tensor) for tensor in inputs]
        wanted = [alias for alias, need in zip(aliases, needed) if need]
        found = torch.autograd.grad(
            function(*aliases), wanted, grad_outputs, create_graph=True, materialize_grads=True
        )
    gradients = iter(found)
    return tuple(next(gradients) if need else None for need in needed)
