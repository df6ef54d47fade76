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
from djgraph.runtime.stacks import Stacks, stack_rows
from djgraph.runtime.tilework import product_of, spectra_for_gains

Parts = dict[int, list[tuple[int, Tensor]]]
"""Gradients of ranges of a mask group's rows: group → (first row, gradient)."""


def adjoint(
    schedule: RegionSchedule, spectra: Tensor, seeds: Tensor, gains: Sequence[Tensor], need_audio: bool
) -> tuple[Tensor | None, list[Tensor | None]]:
    """Gradients of the strips' spectra (as spectra) and of the gains, from the results' gradient spectra."""
    need_gains = any(gain.requires_grad for gain in gains)
    values = spectra_for_gains(schedule.steps, schedule.sources, spectra, gains) if need_gains else Stacks()
    back: dict[str, Tensor] = {}
    for name, seed in zip(schedule.results, seeds.unbind(0)):
        _add(back, name, seed)
    parts: Parts = defaultdict(list)
    for step in reversed(schedule.steps):
        if isinstance(step, Sum):
            for name in step.ins:
                _add(back, name, back[step.out])
            continue
        if need_gains:
            _gain_parts(step, values.gather(step.ins), back, gains, parts, schedule.transform.size)
        if need_audio or not step.first:
            product = product_of(step, gains).unsqueeze(2)
            onward = seeds.new_empty(len(step.ins), *seeds.shape[1:])
            for low, high, upstream in _runs(step.outs, back):
                torch.mul(upstream, product[low:high], out=onward[low:high])
            for name, row in zip(step.ins, onward.unbind(0)):
                _add(back, name, row)
    gain_gradients = [
        torch.cat([part for _, part in sorted(parts[group], key=lambda item: item[0])])
        if gain.requires_grad
        else None
        for group, gain in enumerate(gains)
    ]
    if not need_audio:
        return None, gain_gradients
    return stack_rows([back[name] for name in schedule.sources]), gain_gradients


def _runs(names: Sequence[str], values: dict[str, Tensor]) -> Iterator[tuple[int, int, Tensor]]:
    """Rows in a row that share one gradient: what a sum spread to its inputs."""
    low = 0
    for high in range(1, len(names) + 1):
        if high == len(names) or values[names[high]] is not values[names[low]]:
            yield low, high, values[names[low]]
            low = high


def _gain_parts(
    step: Scale, spectra: Tensor, back: dict[str, Tensor], gains: Sequence[Tensor], parts: Parts, size: int
) -> None:
    shape = (*spectra.shape[:2], *spectra.shape[3:])
    product = gains[0].new_empty(shape)
    for low, high, upstream in _runs(step.outs, back):
        # Real and imaginary parts side by side: contiguous products, then one strided addition of the pairs.
        mine = torch.view_as_real(spectra[low:high]).flatten(-2)
        theirs = torch.view_as_real(upstream).flatten(-2)
        pairs = mine[:, :, 0] * theirs[:, 0]
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


def _add(totals: dict[str, Tensor], name: str, value: Tensor) -> None:
    totals[name] = totals[name] + value if name in totals else value
