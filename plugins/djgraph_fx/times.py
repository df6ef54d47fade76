"""Delay times that change: cross-fades from one to the next, and glides."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from djgraph.dsp import first_order
from djgraph.effects import Block

FASTEST = 300.0
"""A tempo in BPM that no music is meant to exceed: what does not fit a delay line then never does."""


def faded(delay: Tensor, held: Tensor, block: Block, period: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A delay as two that rest, and the share of the second one, which goes from 0 to 1 within ``period`` samples.

    Time is cut into stretches of ``period`` samples, counted from the clip's start. Within one, the first delay is what
    held at the start of the stretch before, the second one what holds at its own start: each change is heard as one
    cross-fade, a stretch late at most, and a delay that does not change is read as it is.

    delay: ``[batch, 1, samples]``, float64, above 0. held: ``[batch, 1, 2]``, of the block before; 0 where there is
    none. Returns both delays and the share, ``[…, samples]``, and what the next block takes as ``held``.
    """
    current = torch.where(held[..., 1:] > 0, held[..., 1:], delay[..., :1])
    before = torch.where(held[..., :1] > 0, held[..., :1], current)
    first = -block.start % period
    marks = torch.arange(min(first, block.length), block.length, period, device=delay.device)
    rests = torch.cat((before, current, delay.index_select(-1, marks)), dim=-1)
    place = torch.arange(block.length, device=delay.device)
    passed = torch.div(place - first, period, rounding_mode="floor") + 1
    share = ((place + block.start % period) % period).double() / period
    return rests.index_select(-1, passed), rests.index_select(-1, passed + 1), share, rests[..., -2:].clone()


def glided(delay: Tensor, last: Tensor, block: Block, milliseconds: float) -> tuple[Tensor, Tensor]:
    """A delay that follows its changes with a time constant, as the head of a tape does.

    delay: ``[batch, 1, samples]``, float64, above 0. last: ``[batch, 1, 2]``, of the block before; 0 where there is
    none, which is at rest. Returns the delay, and what the next block takes as ``last``.
    """
    pole = math.exp(-1000 / (milliseconds * block.sample_rate))
    return first_order(delay, 1 - pole, 0.0, -pole, torch.where(last > 0, last, delay[..., :1]))
