"""What the conformance checks hand to an effect: made-up signals, controls and clocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from djgraph.effects.contract import Clock
from djgraph.effects.control import Control
from djgraph.effects.grid import size

AudioKind = Literal["noise", "silence", "impulse", "faint", "loud"]


@dataclass(frozen=True)
class Case:
    """What one call is given: audio by input port, controls by id, and the size."""

    audio: dict[str, Tensor]
    controls: dict[str, Tensor]
    batch: int
    channels: int
    samples: int
    like: Tensor
    clock: Clock | None = None

    def tensors(self) -> dict[str, Tensor]:
        """Audio and controls under one kind of name: ``input in``, ``control gain``."""
        named = {f"input {port}": tensor for port, tensor in self.audio.items()}
        return named | {f"control {name}": tensor for name, tensor in self.controls.items()}

    def replace_tensors(self, tensors: Mapping[str, Tensor]) -> Case:
        """The same with some of :meth:`tensors` exchanged."""
        return replace(
            self,
            audio={port: tensors.get(f"input {port}", old) for port, old in self.audio.items()},
            controls={name: tensors.get(f"control {name}", old) for name, old in self.controls.items()},
        )

    def leaves(self) -> Case:
        """The same with every tensor a leaf that collects gradients."""
        return self.replace_tensors(
            {name: t.detach().clone().requires_grad_() for name, t in self.tensors().items()}
        )

    def repeat(self, count: int) -> Case:
        """The same so many times, one behind the other along the batch."""
        clock = self.clock and Clock(
            self.clock.tempo.repeat(count, 1, 1), self.clock.beats.repeat(count, 1, 1)
        )
        tensors = {name: tensor.repeat(count, 1, 1) for name, tensor in self.tensors().items()}
        batch, like = count * self.batch, self.like.repeat(count, 1, 1)
        return replace(self.replace_tensors(tensors), batch=batch, like=like, clock=clock)

    def item(self, index: int) -> Case:
        """One item of the batch, as a batch of one."""
        one = slice(index, index + 1)
        clock = self.clock and Clock(self.clock.tempo[one], self.clock.beats[one])
        tensors = {name: tensor[one] for name, tensor in self.tensors().items()}
        return replace(self.replace_tensors(tensors), batch=1, like=self.like[one], clock=clock)


def spread(control: Control, unit: Tensor, low: float | None = None, high: float | None = None) -> Tensor:
    """Positions 0…1 → plain values; on steps or choices where the control has them.

    low, high: a range within the control's own, which it is where left out.
    """
    low, high = control.min if low is None else low, control.max if high is None else high
    if control.choices:
        allowed = [choice for choice in control.choices if low <= choice <= high]
        choices = torch.tensor(allowed, dtype=unit.dtype, device="cpu")
        return choices[(unit * len(choices)).long().clamp(max=len(choices) - 1)]
    if control.scale == "log":
        plain = low * (high / low) ** unit
    else:
        plain = torch.lerp(unit.new_tensor(low), unit.new_tensor(high), unit)  # exact at both ends
    if control.step:
        count = ((plain - control.min) / control.step).round().clamp(max=size(control) - 1)
        plain = (control.min + count * control.step).clamp(max=control.max)
    return plain


def signal(kind: AudioKind, shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Made-up audio of that shape, float64."""
    if kind == "silence":
        return torch.zeros(shape, dtype=torch.float64, device="cpu")
    if kind == "impulse":
        signal = torch.zeros(shape, dtype=torch.float64, device="cpu")
        signal[..., 0] = 1
        return signal
    level = {"noise": 0.3, "faint": 1e-20, "loud": 1e3}[kind]
    return level * torch.randn(shape, generator=random, dtype=torch.float64, device="cpu")


def stand_still(unit: Tensor, random: torch.Generator) -> Tensor:
    """Positions 0…1 that stand still for about an eighth of the time, a third at each end of the range."""
    points = unit.shape[-1]
    begins, drawn = torch.rand(2, points, generator=random, dtype=torch.float64, device="cpu")
    place = (begins < 8 / points).long().cumsum(0)
    return torch.where(drawn < 1 / 3, 0.0, torch.where(drawn > 2 / 3, 1.0, drawn))[place % points].expand_as(
        unit
    )


def hold(tensor: Tensor, more: int) -> Tensor:
    """The same with its last value for so many points more."""
    return torch.cat([tensor, tensor[..., -1:].expand(*tensor.shape[:-1], more)], -1)


def told(values: Mapping[str, float]) -> str:
    """Values of controls in words."""
    return ", ".join(f"{name} {value:.6g}" for name, value in values.items()) or "no controls"
