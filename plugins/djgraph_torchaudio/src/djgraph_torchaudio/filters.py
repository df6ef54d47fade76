"""What torchaudio's filters have in common as effects: a history, coefficients per frame, a share of the dry signal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from djgraph.effects import (
    Block,
    Control,
    ControlModel,
    Environment,
    State,
    TimeEffect,
)
from djgraph.effects.use import Conflict, Use, beyond_half_the_rate
from djgraph_torchaudio.recursion import filtered, initial_history

HIGHEST = 0.49
"""The highest frequency of a filter in cycles per sample; torchaudio's filters are unstable from 0.5 on."""

MIX = Control(0, 1, neutral=0, smoothing=5.0, description="0 is the signal, 1 torchaudio's output only")
Q = Control(0.1, 20, neutral=0.707, scale="log", rate="frame", description="torchaudio's Q")


def frequency(default: float, description: str) -> Control:
    """A control of a filter's frequency, read once a hop."""
    return Control(20, 20000, neutral=default, unit="Hz", scale="log", rate="frame", description=description)


class MixControls(ControlModel):
    """Of a filter without a neutral value of its own: its share of the output."""

    mix: Annotated[float, MIX] = 0.0


class Filter(TimeEffect):
    """A linear filter by ``torchaudio.functional.lfilter``; subclasses say its coefficients."""

    type: ClassVar[str]
    family = "filters"
    order: int = 2
    frequencies_of: ClassVar[tuple[str, ...]] = ()
    """Controls that are frequencies, so that a graph that puts them where no signal has any is told so."""

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        yield from beyond_half_the_rate(use, cls.frequencies_of, environment.sample_rate)

    def coefficients(self, controls: Mapping[str, Tensor], like: Tensor) -> tuple[Tensor, Tensor]:
        """``(b, a)``, ``[batch or 1, frames or 1, order + 1]``, float64; controls: by id, ``[batch, frames]``."""
        raise NotImplementedError

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``history``: the last inputs and outputs, see :func:`initial_history`."""
        return {"history": initial_history(batch, channels, self.order, like)}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        sound = audio["in"]
        framed = {name: self._held(name, values[:, 0]) for name, values in controls.items() if name != "mix"}
        b, a = self.coefficients(framed, state["history"])
        wet, history = filtered(sound, b, a, state["history"], self.environment.transform.hop)
        wet = wet.to(sound.dtype)
        out = torch.lerp(sound, wet, controls["mix"]) if "mix" in controls else wet
        return {"out": out}, {"history": history}

    def frequency_response(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        like = next(iter(controls.values()), torch.empty(0, dtype=torch.float64, device="cpu"))
        framed = {
            name: self._held(name, values[..., 0]) for name, values in controls.items() if name != "mix"
        }
        b, a = self.coefficients(framed, like)
        turns = self.environment.frequencies().to(like.device) / self.environment.sample_rate
        powers = torch.arange(b.shape[-1], dtype=torch.float64, device=like.device)
        delays = torch.exp(-2j * math.pi * powers[:, None] * turns)
        response = (b.to(delays.dtype) @ delays) / (a.to(delays.dtype) @ delays)
        return (
            torch.lerp(torch.ones_like(response), response, controls["mix"] + 0j)
            if "mix" in controls
            else response
        )

    def _held(self, name: str, values: Tensor) -> Tensor:
        values = values.double()
        if name in self.frequencies_of:
            values = values.clamp(max=HIGHEST * self.environment.sample_rate)
        return values
