"""Frames of control values held until the next one: what switches and choices do between frames."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from djgraph.dsp.curve import Timeline, _segment_sums


def hold(timeline: Timeline, values: Tensor, positions: Tensor, first: int = 0) -> Tensor:
    """At each sample position the value of the last frame at or before it.

    values: ``[…, some frames]``, of which the first is frame ``first``. positions: integers in 0…samples−1,
    ``[points]``, ascending. Returns ``[…, points]``. Frame i of F lies at i·(N−1)/(F−1), so sample n reads frame
    ⌊n·(F−1)/(N−1)⌋, in exact integers. The gradient of a frame is the sum over the samples that read it; it can be
    differentiated again, forwards and by ``torch.func`` too.
    """
    if timeline.constant:
        return values[..., :1].expand(*values.shape[:-1], positions.numel())
    frames = torch.div(positions * (timeline.frames - 1), timeline.samples - 1, rounding_mode="floor")
    return _Hold.apply(values, frames - first)


def hold_samples(timeline: Timeline, values: Tensor, start: int, stop: int, first: int = 0) -> Tensor:
    """:func:`hold` at every sample ``start…stop−1``."""
    return hold(timeline, values, torch.arange(start, stop, device=values.device), first)


class _Hold(torch.autograd.Function):
    """values[index]; ``index`` ascends, so that the gradient is sums of stretches: no scattered additions."""

    generate_vmap_rule = True

    @staticmethod
    def forward(values: Tensor, index: Tensor) -> Tensor:
        return values.index_select(-1, index)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        values, index = inputs
        ctx.save_for_backward(index)
        ctx.save_for_forward(index)
        ctx.frames = values.shape[-1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return _Collect.apply(gradient, index, ctx.frames), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        (index,) = ctx.saved_tensors
        return _Hold.apply(tangent, index)


class _Collect(torch.autograd.Function):
    """The adjoint of :class:`_Hold`, whose own adjoint that is."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gradient: Tensor, index: Tensor, frames: int) -> Tensor:
        bounds = torch.searchsorted(index, torch.arange(frames + 1, device=index.device))
        return _segment_sums(gradient, bounds)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
        _, index, ctx.frames = inputs
        ctx.save_for_backward(index)
        ctx.save_for_forward(index)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (index,) = ctx.saved_tensors
        return _Hold.apply(gradient, index), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        (index,) = ctx.saved_tensors
        return _Collect.apply(tangent, index, ctx.frames)
