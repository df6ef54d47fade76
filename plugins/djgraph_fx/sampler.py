"""A sampler: plays its material from the beginning each time that it is triggered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import positions
from djgraph.effects import (
    Block,
    Control,
    ControlModel,
    Environment,
    Material,
    SettingModel,
    SourceEffect,
    State,
    Unit,
)
from djgraph_fx.deck import LONGEST

NEVER = 1e15
"""Samples: what has not ended, and what ended long ago."""


class Sampler(SourceEffect):
    """Each rise of ``trigger`` from 0 to 1, at sample k, is a shot: ``out[n] = x(start[k]·sample_rate + Σ rate[m])``,
    the sum over k ≤ m < n, read by a windowed sinc.

    ``mode: shot``: it sounds to the end of the material, or until the next rise, when it fades out within ``fade``
    while the next shot begins. ``gate``: it fades out when ``trigger`` falls. Of shots that overlap, the last two
    sound.
    """

    type = "sampler"
    family = "sources"
    description = "Plays a sound each time that it is triggered: shots, stabs, jingles"

    class Settings(SettingModel):
        mode: Literal["shot", "gate"] = Field(
            "shot",
            description="Whether it sounds to its end (shot), or as long as the trigger is held (gate)",
        )
        fade: Annotated[float, Unit("ms")] = Field(
            2.0, ge=0, le=1000, description="How long it takes to fade out where it is cut"
        )

    class Controls(ControlModel):
        trigger: Annotated[
            float,
            Control(0, 1, neutral=0, step=1, gradient="none", description="Each rise to 1 is a shot"),
        ] = 0.0
        rate: Annotated[float, Control(0.25, 4, neutral=1, scale="log", description="How fast it plays")] = (
            1.0
        )
        start: Annotated[
            float, Control(0, LONGEST, neutral=0, unit="s", description="Where in the sound a shot begins")
        ] = 0.0

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.fade = max(1.0, settings.fade * environment.sample_rate / 1000)

    def initial_state(self, batch: int, like: Tensor) -> State:
        """Of the last shot and the one before: ``at``, where in the material they are, and ``ended``, when they began
        to fade out, both in samples from the next one on, ``[batch, 2]``. ``held``: the trigger so far, ``[batch, 1]``.
        All float64."""
        new = like.new_zeros(batch, 2, dtype=torch.float64)
        return {"held": new[:, :1], "at": new, "ended": new - NEVER}

    def process(
        self, material: Material, controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[Tensor, State]:
        rate, start = (controls[name].double().squeeze(1) for name in ("rate", "start"))
        on = controls["trigger"].detach().squeeze(1) > 0.5
        batch, samples = torch.broadcast_shapes(rate.shape, on.shape)
        rate, start, on = (one.expand(batch, samples) for one in (rate, start, on))
        was = torch.cat((state["held"].expand(batch, 1) > 0.5, on[:, :-1]), dim=1)
        place = torch.arange(samples, device=rate.device)
        rise = _latest(place, on & ~was)
        risen, begun = rise >= 0, rise.clamp(min=0)

        # A shot's position is its offset and the sum of the rates. Offsets: of the two shots from before this block,
        # and of one that would begin at each sample of it.
        run, _ = positions(0.0, rate, samples)
        offsets = torch.cat((state["at"].flip(1), start * block.sample_rate - run), dim=1)
        last = torch.where(risen, rise + 2, 1)
        earlier = torch.where(risen, _just_before(last, 1).gather(1, begun), 0)

        ended, long_ago = state["ended"].expand(batch, 2).split(1, dim=1)
        fall = _latest(place, was & ~on)
        if self.settings.mode == "gate":
            ends = torch.where(on, NEVER, torch.where(fall >= 0, fall.double(), ended))
        else:
            ends = torch.where(risen, NEVER, ended)
        cut = torch.minimum(rise.double(), _just_before(ends, ended).gather(1, begun))
        ends_before = torch.where(risen, cut, long_ago)

        sound, at, after = [], [], []
        for which, end in ((last, ends), (earlier, ends_before)):
            position = offsets.gather(1, which) + run
            level = (1 - (place - end) / self.fade).clamp(0, 1)
            # What is not heard is not read: a position that is no number is silence.
            heard = material.read(torch.where(level > 0, position, math.nan), rate)
            sound.append(heard * level.to(controls["rate"].dtype).unsqueeze(1))
            at.append(position[:, -1:] + rate[:, -1:])
            after.append(end[:, -1:] - samples)
        held = on[:, -1:].to(torch.float64)
        return sound[0] + sound[1], {"held": held, "at": torch.cat(at, 1), "ended": torch.cat(after, 1)}


def _latest(place: Tensor, event: Tensor) -> Tensor:
    """At each sample the last one up to it at which there was an event, ``[batch, samples]``; −1 without any."""
    return torch.where(event, place, -1).cummax(1).values


def _just_before(values: Tensor, first: Tensor | int) -> Tensor:
    """Values of the sample before, ``[batch, samples]``; ``first`` of the first one."""
    if not isinstance(first, Tensor):
        first = torch.full_like(values[:, :1], first)
    return torch.cat((first.expand(len(values), 1), values[:, :-1]), dim=1)
