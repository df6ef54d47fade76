"""Switches that are held down: when they were pressed, and what has passed since.

Places count the samples of a block from 1; place 0 is the sample before the block, whose values the state holds. All
of it is whole-tensor arithmetic in int64 and float64. Places in the clip do not occur: nothing is less exact late.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from djgraph.dsp import first_order
from djgraph.effects import Control

FADE = 2.0
"""Length of a cross-fade in ms."""
LENGTHS = tuple(2.0**k for k in range(-5, 3))
"""In beats, from 1/32 to 4."""
On = Annotated[
    float,
    Control(
        0,
        1,
        neutral=0,
        choices=(0.0, 1.0),
        gradient="none",
        description="Held down at 1; 0 is the signal as it is",
    ),
]
Mix = Annotated[
    float,
    Control(0, 1, neutral=1, smoothing=5.0, description="How much of it is heard while it is on; 0 is dry"),
]
Length = Annotated[
    float,
    Control(
        1 / 32, 4, neutral=0.5, unit="beats", scale="log", choices=LENGTHS, gradient="none",
        description="Length of a pass",
    ),
]  # fmt: skip


def pressed(on: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Whether it is down at each sample, is pressed there, is released there: bool, as ``on``.

    on: ``[…, samples]``, 0 or 1. before: ``[…, 1]``, of the sample before.
    """
    down = on.detach() > 0.5
    was = torch.cat((before > 0.5, down[..., :-1]), dim=-1)
    return down, down & ~was, was & ~down


def last_place(event: Tensor) -> Tensor:
    """The last place at or before each one where something happened, 0 where nothing has in this block.

    event: bool, ``[…, samples]``. Returns ``[…, samples + 1]``, int64.
    """
    place = torch.arange(1, event.shape[-1] + 1, device=event.device)
    last = torch.where(event, place, 0).cummax(dim=-1).values
    return torch.nn.functional.pad(last, (1, 0))


def samples_since(last: Tensor, before: Tensor) -> Tensor:
    """Samples from the last event to each place, 0 at the event itself: ``[…, samples + 1]``, int64.

    last: of :func:`last_place`. before: ``[…, 1]``, at the sample before the block.
    """
    place = torch.arange(last.shape[-1], device=last.device)
    return place - last + torch.where(last > 0, 0, before.to(torch.int64))


def held_since(values: Tensor, last: Tensor, before: Tensor) -> Tensor:
    """What ``values``, ``[…, samples]``, were at the last event, or ``before``, ``[…, 1]``: ``[…, samples + 1]``."""
    before = before.to(values.dtype)
    return torch.cat((before, values.expand(*before.shape[:-1], -1)), dim=-1).gather(-1, last)


def sum_since(steps: Tensor, event: Tensor, before: Tensor) -> Tensor:
    """The sum of all steps after the last event, 0 at the event itself: ``[…, samples]``, float64.

    As a recursion: a difference of running sums would be less exact the longer a clip is.

    steps: ``[…, samples]``, float64. event: bool, alike. before: ``[…, 1]``, the sum at the sample before the block.
    """
    goes_on = (~event).to(steps.dtype)
    return first_order(steps, goes_on, 0.0, -goes_on, torch.cat((torch.zeros_like(before), before), dim=-1))[
        0
    ]


def fitting(beats: Tensor, tempo: Tensor, longest: float) -> Tensor:
    """A length in beats, halved until it lasts ``longest`` seconds at most, so that it stays on the grid of beats."""
    excess = beats * (60 / longest) / tempo
    # A length that fits exactly is not halved because of rounding.
    return beats / torch.exp2((excess.log2() - 1e-9).ceil().clamp(min=0))


def crosses(since: Tensor, before: Tensor, length: Tensor) -> Tensor:
    """Where a position in beats has come to a multiple of ``length`` since the sample before: bool.

    A multiple counts from 10⁻⁹ beats ahead on, so that rounding does not decide where beats lie on samples.
    """
    return ((since + 1e-9) / length).floor() > ((before + 1e-9) / length).floor()
