"""The backward pass of a tile's masks and sums.

For spectra Y = M·X with a real gain M and a gradient G of Y (both as spectra of windowed frames):
∂X = M·G, and ∂M = w/n · Σ_channels Re(conj(X)·G), with w = 1 for the first bin and, for even sizes n, the last,
else 2: the inverse real transform counts the bins between twice. The windows hold the factor 2/n, so that it costs
nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from djgraph.region.schedule import RegionSchedule, ScaleStep, SumStep
from djgraph.region.stacks import Stacks
from djgraph.region.tilework import product_of, spectra_for_gains
from djgraph.region.workspace import Workspace


def adjoint(
    schedule: RegionSchedule,
    spectra: Tensor | None,
    seeds: Tensor,
    gains: Sequence[Tensor],
    gain_gradients: Sequence[Tensor | None],
    need_audio: bool,
    workspace: Workspace,
) -> Tensor | None:
    """The gradient of the strips' spectra (as spectra), from the spectra of the results' gradient.

    Gradients of the gains are written to ``gain_gradients``, where they are wanted; without ``spectra`` none is.
    """
    need_gains = spectra is not None
    values = Stacks()
    if spectra is not None:
        values = spectra_for_gains(schedule.steps, schedule.sources, spectra, gains, workspace)
    back = Stacks()
    _add(back, schedule.results, seeds)
    for number, step in reversed(list(enumerate(schedule.steps))):
        if isinstance(step, SumStep):
            for name in step.ins:
                if name in back:
                    back.add(name, back.get(step.out))
                else:
                    back.alias(name, step.out)
            continue
        onwards = need_audio or not step.first
        if need_gains:
            gradient = _product_gradient(
                step, values.gather(step.ins), back, schedule.transform.size, workspace
            )
            product = _spread(step, gradient, gains, gain_gradients, onwards, workspace)
        elif onwards:
            product = product_of(step, gains, workspace)
        if onwards:
            shape = (len(step.ins), *seeds.shape[1:])
            onward = workspace.take(f"onward {number}", shape, seeds.dtype, seeds.device)
            for low, high in _runs(step.outs, back):
                torch.mul(back.get(step.outs[low]), product[low:high].unsqueeze(2), out=onward[low:high])
            _add(back, step.ins, onward)
    return back.gather(schedule.sources) if need_audio else None


def _add(totals: Stacks, names: Sequence[str], stack: Tensor) -> None:
    if len(set(names)) == len(names) and not any(name in totals for name in names):
        totals.put(names, stack)
        return
    for name, row in zip(names, stack.unbind(0)):
        totals.add(name, row)


def _runs(names: Sequence[str], values: Stacks) -> Iterator[tuple[int, int]]:
    """Ranges of names that share one gradient: what a sum spread to its inputs."""
    low = 0
    for high in range(1, len(names) + 1):
        if high == len(names) or not values.same(names[high], names[low]):
            yield low, high
            low = high


def _product_gradient(
    step: ScaleStep, spectra: Tensor, back: Stacks, size: int, workspace: Workspace
) -> Tensor:
    """The gradient of the product of a chain's gains, ``[rows, items, frames, bins]``."""
    shape = (*spectra.shape[:2], *spectra.shape[3:])
    gradient = workspace.take("product gradient", shape, spectra.dtype.to_real(), spectra.device)
    for low, high in _runs(step.outs, back):
        # Real and imaginary parts side by side: contiguous products, then one strided addition of the pairs.
        mine = torch.view_as_real(spectra[low:high]).flatten(-2)
        theirs = torch.view_as_real(back.get(step.outs[low])).flatten(-2)
        first = mine[:, :, 0]
        pairs = torch.mul(first, theirs[:, 0], out=workspace.like("pairs", first))
        for channel in range(1, theirs.shape[1]):
            pairs.addcmul_(mine[:, :, channel], theirs[:, channel])
        torch.add(pairs[..., 0::2], pairs[..., 1::2], out=gradient[low:high])
    gradient[..., 0] *= 0.5
    if size % 2 == 0:
        gradient[..., -1] *= 0.5
    return gradient


def _spread(
    step: ScaleStep,
    gradient: Tensor,
    gains: Sequence[Tensor],
    gain_gradients: Sequence[Tensor | None],
    product_wanted: bool,
    workspace: Workspace,
) -> Tensor:
    """From the gradient of a product to those of its factors: times all others, without dividing.

    Returns the product, where it is wanted. ``gradient`` is overwritten.
    """
    factors = [gains[group][low:high] for group, low, high in step.factors]
    # behind[i]: the product of factor i and of all after it.
    behind = [factors[-1]]
    for place in reversed(range(0 if product_wanted else 1, len(factors) - 1)):
        room = workspace.like(f"behind {place}", gradient)
        behind.insert(0, torch.mul(factors[place], behind[0], out=room))
    after = behind[1:] if product_wanted else behind
    targets = [
        None if gain_gradients[group] is None else gain_gradients[group][low:high]  # type: ignore[index]
        for group, low, high in step.factors
    ]
    for place, (target, behind_it) in enumerate(zip(targets[:-1], after)):
        if target is not None:
            torch.mul(gradient, behind_it, out=target)
        onward = targets[-1] if place == len(factors) - 2 and targets[-1] is not None else gradient
        gradient = torch.mul(gradient, factors[place], out=onward)
    if len(factors) == 1 and targets[0] is not None:
        targets[0].copy_(gradient)
    return behind[0]
