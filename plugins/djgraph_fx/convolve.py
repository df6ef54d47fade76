"""Convolution with a response from a sound file: rooms, plates, loudspeakers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from djgraph.audio import SoundFile, resample
from djgraph.dsp.convolution import Response
from djgraph.dsp.history import latest
from djgraph.effects import (
    Block,
    Conflict,
    Control,
    ControlModel,
    Environment,
    SettingModel,
    State,
    TimeEffect,
    Unit,
    Use,
    is_silent,
)
from djgraph.effects.use import idle_settings


class Convolve(TimeEffect):
    """``out = (1 − mix)·x + mix·(x ∗ h)``, h from a file: a fixed response, which gets no gradient.

    A mono file serves all channels. Of a stereo file channels 1, 3, … take the left, 2, 4, … the right side.
    """

    type = "convolve"
    family = "rooms"
    description = "Convolution with a response from a sound file"

    class Settings(SettingModel):
        file: SoundFile | None = Field(
            None,
            description="The response, a sound file beside the graph file; none is a click, which changes nothing",
        )
        level: Literal["energy", "file"] = Field(
            "energy", description="energy: white noise keeps its level; file: as the file has it"
        )
        pre_delay: Annotated[float, Unit("ms")] = Field(
            0.0, ge=0, le=1000, description="Silence before the response in ms"
        )

        @field_validator("file")
        @classmethod
        def _sounds(cls, file: SoundFile | None) -> SoundFile | None:
            if file is not None and not file.audio.any():
                raise ValueError(f"{file.name} is silent")
            return file

    class Controls(ControlModel):
        mix: Annotated[
            float,
            Control(0, 1, neutral=0, smoothing=5.0, description="0 is dry, 1 is the convolved signal only"),
        ] = 0.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        if use.settings.file is None:
            yield from idle_settings(use, ("level",), "without a file there is no response")

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        rate = environment.sample_rate
        self.silent = round(settings.pre_delay * rate / 1000)
        self._sides = _at_rate(settings.file, rate, settings.level)
        self._response = Response(
            self.tail() + 1, self.response, f"convolve at {rate} Hz, {settings.model_dump_json()}"
        )

    def tail(self) -> int:
        return self.silent + self._sides.shape[-1] - 1

    def response(self, channels: int) -> Tensor:
        """Impulse response, ``[channels, samples]``, float64 on the CPU."""
        sides = self._sides[torch.arange(channels, device="cpu") % len(self._sides)]
        return torch.nn.functional.pad(sides, (self.silent, 0))

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``past``: the last samples of the input, one fewer than the response has. After short blocks what
        :mod:`djgraph.dsp.partitioned` keeps takes its place."""
        return {"past": like.new_zeros(batch, channels, self.tail())}

    def at_rest(self, state: State, quiet: float) -> bool:
        return rung_out(state, quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        return convolved(self._response, audio["in"], controls["mix"], state, block)


def convolved(
    response: Response, signal: Tensor, mix: Tensor, state: State, block: Block
) -> tuple[dict[str, Tensor], State]:
    """What an effect that convolves returns from ``process``."""
    # The FFT wants at least single precision.
    dtype = torch.promote_types(signal.dtype, torch.float32)
    if signal.dtype != dtype:  # partitions keep no state in half precision
        out = response.convolve(signal.to(dtype), state["past"].to(dtype), mix.to(dtype))
        return {"out": out.to(signal.dtype)}, {"past": latest(state["past"], signal)}
    out, after = response.stream(signal, state, mix.to(dtype), block.start, block.owned)
    return {"out": out}, after


def rung_out(state: State, quiet: float) -> bool:
    """Whether an effect that convolves is at rest. What is added up already tells soonest that it is not."""
    return is_silent(*reversed(state.values()), below=quiet)


def _at_rate(file: SoundFile | None, rate: int, level: str) -> Tensor:
    """The response at a sample rate, ``[1 or 2, samples]``, float64.

    At r times the rate there are r times the samples to add up: each is divided by r.
    """
    if file is None:
        return torch.ones(1, 1, dtype=torch.float64, device="cpu")
    sides = resample(file.audio.double(), file.sample_rate, rate)
    if level == "file":
        return sides * (file.sample_rate / rate)
    return sides / sides.square().sum(-1).mean().sqrt()
