"""Runs what stands before a region's transforms: effects without memory, on stacked strips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from djgraph.effects import Block
from djgraph.region.schedule import Prologue, PrologueStep


def run_prologue(
    prologue: Prologue,
    sources: Sequence[Tensor] | Tensor,
    read: Callable[[PrologueStep], Mapping[str, Tensor]],
    block: Block,
) -> Tensor:
    """The strips behind their effects, ``[strips, items, channels, samples]``.

    sources: one for each strip, ``[items, channels, samples]``, the samples of ``block``; also as one tensor. read: a
    step's controls by id, ``[strips·items, 1, samples]``, or one sample for those of rate ``clip``. Differentiable.
    """
    signal = sources.flatten(0, 1) if isinstance(sources, Tensor) else torch.cat(list(sources))
    for step in prologue.steps:
        audio = {step.module.inputs[0].name: signal}
        written, _ = step.call.process(audio, read(step), {}, block, (*signal.shape[:2], block.length))
        signal = written[step.module.outputs[0].name]
    return signal.unflatten(0, (prologue.strips, -1))
