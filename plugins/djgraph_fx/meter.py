"""A meter: levels as signals beside the audio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from torch import Tensor

from djgraph.dsp import k_weighting, safe_sqrt, sliding_max, sliding_mean
from djgraph.dsp.loudness import OFFSET
from djgraph.effects import Block, Port, SettingModel, State, TimeEffect, Unit
from djgraph_fx.level import loudest, loudness_power

MOMENTARY = 400.0
"""ms of the momentary loudness of ITU-R BS.1771."""


class Meter(TimeEffect):
    """The audio as it is, and its levels at every sample, as amplitudes: 20·log₁₀ of each is in dBFS, or LUFS.

    ``peak``: the largest magnitude of any channel within the last ``window``. ``rms``: the root of the mean square of
    all channels, in the same. ``loudness``: the K-weighted one of the last 400 ms.
    """

    type = "meter"
    family = "tools"
    description = "Peak, RMS and loudness as outputs beside the audio"
    outputs = (Port("out"), Port("peak", 1), Port("rms", 1), Port("loudness", 1))

    class Settings(SettingModel):
        window: Annotated[float, Unit("ms")] = Field(
            300.0, ge=1, le=3000, description="Length in ms of what peak and RMS look back on"
        )

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``peak``, ``rms``, ``loudness``: the last samples of what is looked back on, ``[batch, 1, samples − 1]``.
        ``filter``: of the K-weighting."""
        window, momentary = (self._samples(length) for length in (self.settings.window, MOMENTARY))
        return {
            "peak": like.new_zeros(batch, 1, window - 1),
            "rms": like.new_zeros(batch, 1, window - 1),
            "filter": like.new_zeros(batch, channels, 4),
            "loudness": like.new_zeros(batch, 1, momentary - 1),
        }

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, after = audio["in"], {}
        window, momentary = (self._samples(length) for length in (self.settings.window, MOMENTARY))
        peak, after["peak"] = sliding_max(loudest(signal), window, state["peak"])
        square, after["rms"] = sliding_mean(signal.square().mean(1, keepdim=True), window, state["rms"])
        weighted, after["filter"] = k_weighting(signal, state["filter"], sample_rate=block.sample_rate)
        power, after["loudness"] = sliding_mean(loudness_power(weighted), momentary, state["loudness"])
        return {
            "out": signal.clone(),
            "peak": peak,
            "rms": safe_sqrt(square),
            "loudness": safe_sqrt(power * 10 ** (OFFSET / 10)),
        }, after

    def _samples(self, milliseconds: float) -> int:
        return max(1, round(milliseconds * self.environment.sample_rate / 1000))
