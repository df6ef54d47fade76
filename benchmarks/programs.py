"""Wraps mixers as programs to time: inference, and training with gradients for controls, or for stems too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.timing import Program
from benchmarks.work import Inputs, tensors

Mixer = Callable[[Any, Tensor], Tensor]


def inference(mixer: Mixer, inputs: Any, params: Tensor) -> Program:
    """Forward, with no gradients recorded."""

    def run() -> None:
        with torch.no_grad():
            mixer(inputs, params)

    return Program(run)


def training(mixer: Mixer, inputs: Inputs, params: Tensor, *, stems: bool = False) -> Program:
    """Forward and backward from the mean square of the mix, to params and, if asked, to every stem."""
    leaf = params.detach().requires_grad_()
    sources = {
        track: {name: audio.detach().requires_grad_(stems) for name, audio in row.items()}
        for track, row in inputs.items()
    }

    def forget() -> None:
        for tensor in (leaf, *tensors(sources)):
            tensor.grad = None

    def run() -> None:
        mixer(sources, leaf).square().mean().backward()

    return Program(run, before=forget)
