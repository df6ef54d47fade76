"""Gradients of what cannot be differentiated, by simultaneous perturbation.

J. C. Spall, "Multivariate stochastic approximation using a simultaneous perturbation gradient approximation", IEEE
Transactions on Automatic Control 37 (1992): all parameters move at once, each up or down by chance. The difference of
the outputs over the distance of one parameter is, on average over chance, the derivative in that parameter: what the
others contribute has mean zero. So two runs estimate a gradient of any number of parameters, with noise that grows with
that number.

Here parameters are the values of controls, one for each of the blocks in which they may step. Since a plugin does not
know the future, the estimate of a value reads the output from its block on, which leaves its mean as it is and takes
noise away.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Estimate(torch.autograd.Function):
    """What a plugin made, with estimated gradients.

    sound: ``[batch, channels, samples]``. positions: of controls, ``[batch, controls, steps]``. wet: the output, as the
    sound. differences: of outputs that were made with perturbed positions, ``[directions, batch, channels, samples]``.
    distances: of those positions, ``[directions, batch, controls, steps]``. starts: the first sample of the output that
    each step reaches, ``[steps]``. lag: by how many samples the output lags, where the sound has the gradient of a wire
    with this lag; None where it has no gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,
        sound: Tensor,
        positions: Tensor,
        wet: Tensor,
        differences: Tensor,
        distances: Tensor,
        starts: Tensor,
        lag: int | None,
    ) -> Tensor:
        ctx.save_for_backward(differences, distances, starts)
        ctx.lag = lag
        return wet.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        differences, distances, starts = ctx.saved_tensors
        of_sound = of_positions = None
        if ctx.needs_input_grad[0] and ctx.lag is not None:
            lag = min(ctx.lag, gradient.shape[-1])
            of_sound = torch.nn.functional.pad(gradient[..., lag:], (0, lag))
        if ctx.needs_input_grad[1] and len(differences):
            moved = (gradient * differences).sum(2).double()  # [directions, batch, samples]
            since = torch.nn.functional.pad(moved.flip(-1).cumsum(-1).flip(-1), (0, 1))
            reached = since[..., starts.clamp(max=gradient.shape[-1])]  # [directions, batch, steps]
            of_positions = (reached[:, :, None] / distances).mean(0).to(distances.dtype)
        return of_sound, of_positions, None, None, None, None, None


def perturbed(positions: Tensor, signs: Tensor, step: float) -> tuple[Tensor, Tensor]:
    """Positions moved up and down by ``step`` in the direction of the signs, and kept within 0…1."""
    return (positions + step * signs).clamp(0, 1), (positions - step * signs).clamp(0, 1)
