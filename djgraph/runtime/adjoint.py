"""The backward pass of a tile's masks and sums.

For spectra Y = M·X with a real gain M and a gradient G of Y (both as spectra of windowed frames):
∂X = M·G, and ∂M = w/n · Σ_channels Re(conj(X)·G), with w = 1 for the first bin and, for even sizes n, the last,
else 2: the inverse real transform counts the bins between twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from djgraph.runtime.schedule import RegionSchedule, Scale, Sum
from djgraph.runtime.stacks import Stacks
from djgraph.runtime.tiles import Workspace
from djgraph.runtime.tilework import product_of, spectra_for_gains

Parts = dict[int, list[tuple[int, Tensor]]]
"""Gradients of ranges of a mask group's rows: group → (first row, gradient)."""


def adjoint(
    schedule: RegionSchedule,
    spectra: Tensor,
    seeds: Tensor,
    gains: Sequence[Tensor],
    need_audio: bool,
    workspace: Workspace,
) -> tuple[Tensor | None, list[Tensor | None]]:
    """Gradients of the strips' spectra (as spectra) and of the gains, from the results' gradient spectra."""
    need_gains = any(gain.requires_grad for gain in gains)
    values = Stacks()
    if need_gains:
        values = spectra_for_gains(schedule.steps, schedule.sources, spectra, gains, workspace)
    back = Stacks()
    _add(back, schedule.results, seeds)
    parts: Parts = defaultdict(list)
    for number, step in reversed(list(enumerate(schedule.steps))):
        if isinstance(step, Sum):
            for name in step.ins:
                if name in back:
                    back.add(name, back.get(step.out))
                else:
                    back.alias(name, step.out)
            continue
        if need_gains:
            _gain_parts(step, values.gather(step.ins), back, gains, parts, schedule.transform.size, workspace)
        if need_audio or not step.first:
            product = product_of(step, gains, workspace).unsqueeze(2)
            shape = (len(step.ins), *seeds.shape[1:])
            onward = workspace.take(f"onward {number}", shape, seeds.dtype, seeds.device)
            for low, high in _runs(step.outs, back):
                torch.mul(back.get(step.outs[low]), product[low:high], out=onward[low:high])
            _add(back, step.ins, onward)
    gain_gradients = [
        _whole(parts[group]) if gain.requires_grad else None for group, gain in enumerate(gains)
    ]
    return back.gather(schedule.sources) if need_audio else None, gain_gradients


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


def _whole(parts: list[tuple[int, Tensor]]) -> Tensor:
    """A group's gradient from its ranges, which cover it without overlap."""
    if len(parts) == 1:
        return parts[0][1]
    return torch.cat([part for _, part in sorted(parts, key=lambda item: item[0])])


def _gain_parts(
    step: Scale,
    spectra: Tensor,
    back: Stacks,
    gains: Sequence[Tensor],
    parts: Parts,
    size: int,
    workspace: Workspace,
) -> None:
    shape = (*spectra.shape[:2], *spectra.shape[3:])
    product = gains[0].new_empty(shape)
    for low, high in _runs(step.outs, back):
        # Real and imaginary parts side by side: contiguous products, then one strided addition of the pairs.
        mine = torch.view_as_real(spectra[low:high]).flatten(-2)
        theirs = torch.view_as_real(back.get(step.outs[low])).flatten(-2)
        first = mine[:, :, 0]
        pairs = torch.mul(first, theirs[:, 0], out=workspace.like("pairs", first))
        for channel in range(1, theirs.shape[1]):
            pairs.addcmul_(mine[:, :, channel], theirs[:, channel])
        torch.add(pairs[..., 0::2], pairs[..., 1::2], out=product[low:high])
    product *= _bin_weights(size, product)
    factors = [gains[group][low:high] for group, low, high in step.factors]
    # before[i]: the product and all factors before i; the factors behind i are multiplied on the way back.
    before = [product]
    for factor in factors[:-1]:
        before.append(before[-1] * factor)
    behind: Tensor | None = None
    for place in reversed(range(len(factors))):
        group, low, _ = step.factors[place]
        parts[group].append((low, before[place] if behind is None else before[place] * behind))
        behind = factors[place] if behind is None else behind * factors[place]


def _bin_weights(size: int, like: Tensor) -> Tensor:
    weights = like.new_full((size // 2 + 1,), 2 / size)
    weights[0] = 1 / size
    if size % 2 == 0:
        weights[-1] = 1 / size
    return weights
