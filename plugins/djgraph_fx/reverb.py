"""A reverberation: convolution with decaying noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

from djgraph.dsp.convolution import Response
from djgraph.effects import (
    Block,
    Control,
    ControlModel,
    Environment,
    SettingModel,
    State,
    TimeEffect,
    Unit,
)
from djgraph_fx.convolve import convolved, rung_out
from djgraph_fx.room import noise_response


class Reverb(TimeEffect):
    """``out = (1 − mix)·x + mix·(x ∗ h)``, each channel with a fixed response h of its own.

    :mod:`djgraph_fx.room` makes the response from the settings.
    """

    type = "reverb"
    family = "rooms"
    description = "Convolution reverb with a synthetic room"

    class Settings(SettingModel):
        decay_time: Annotated[float, Unit("s")] = Field(
            1.5, ge=0.001, le=30, description="Seconds in which low frequencies die away by 60 dB (RT60)"
        )
        damping: float = Field(
            0.5, ge=0, le=1, description="How much sooner high frequencies die; 0 is not at all"
        )
        pre_delay: Annotated[float, Unit("ms")] = Field(
            20.0, ge=0, le=1000, description="Silence before the reverberation in ms"
        )
        seed: int = Field(0, ge=0, lt=2**63, description="Which noise; another seed is another room")

    class Controls(ControlModel):
        mix: Annotated[
            float,
            Control(
                0,
                1,
                neutral=0,
                rate="sample",
                smoothing=5.0,
                description="0 is dry, 1 is reverberation only",
                role="reverb_send",
            ),
        ] = 0.0

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        rate = environment.sample_rate
        self.silent = round(settings.pre_delay * rate / 1000)
        self.sounding = max(1, round(settings.decay_time * rate))
        self._response = Response(
            self.tail() + 1, self.response, f"reverb at {rate} Hz, {settings.model_dump_json()}"
        )

    def tail(self) -> int:
        return self.silent + self.sounding - 1

    def response(self, channels: int) -> Tensor:
        """Impulse response, ``[channels, samples]``, float64 on the CPU, not to be written to.

        Channel c is the same however many there are.
        """
        settings = self.settings
        return noise_response(
            self.environment.sample_rate,
            self.silent,
            self.sounding,
            settings.damping,
            settings.seed,
            channels,
        )

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
