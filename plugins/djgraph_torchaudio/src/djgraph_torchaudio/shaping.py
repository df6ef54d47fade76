"""torchaudio's effects that bend a signal: gain, contrast, overdrive, a shift, µ-law.

torchaudio's functions take one number for a whole clip. Here a control has a value at each sample, so formulas stand
here where torchaudio's code does not take tensors; the tests hold them against the functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torchaudio.functional import DB_to_amplitude, dcshift, mu_law_decoding, mu_law_encoding

from djgraph.effects import (
    AmplitudeEffect,
    Block,
    Control,
    ControlModel,
    Port,
    SettingModel,
    State,
    TimeEffect,
)
from djgraph_torchaudio.filters import MixControls
from djgraph_torchaudio.recursion import filtered, initial_history


class Gain(AmplitudeEffect):
    """``torchaudio.functional.gain`` with a gain at each sample."""

    type = "torchaudio_gain"
    family = "level"
    description = "Gain in decibels"

    class Controls(ControlModel):
        gain_db: Annotated[
            float, Control(-80, 40, neutral=0, unit="dB", smoothing=5.0, description="0 is the signal")
        ] = 0.0

    def amplitude(self, controls: Mapping[str, Tensor]) -> Tensor:
        return DB_to_amplitude(controls["gain_db"], ref=1.0, power=0.5)


class Contrast(TimeEffect):
    """``torchaudio.functional.contrast``: sin(πx/2 + amount/750·sin(2πx)), SoX's effect."""

    type = "torchaudio_contrast"
    family = "colour"
    description = "Louder by a curve, as SoX's contrast"
    memoryless = True

    class Controls(MixControls):
        enhancement_amount: Annotated[
            float,
            Control(0, 100, neutral=75, smoothing=5.0, description="How much; the curve is bent at 0, too"),
        ] = 75.0

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        sound = audio["in"]
        angle = sound * (math.pi / 2)
        wet = torch.sin(angle + controls["enhancement_amount"] / 750 * torch.sin(angle * 4))
        return {"out": torch.lerp(sound, wet, controls["mix"])}, state


class DCShift(TimeEffect):
    """``torchaudio.functional.dcshift`` without its limiter, which writes into its own input."""

    type = "torchaudio_dcshift"
    family = "tools"
    description = "Shifts the signal up or down, and clips it at full scale"
    memoryless = True

    class Controls(MixControls):
        shift: Annotated[
            float, Control(-1, 1, neutral=0, smoothing=5.0, description="In parts of full scale")
        ] = 0.0

    def tail(self) -> int | None:
        return None  # silence is shifted, too

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        sound = audio["in"]
        return {"out": torch.lerp(sound, dcshift(sound, controls["shift"]), controls["mix"])}, state


class MuLaw(TimeEffect):
    """There and back through ``mu_law_encoding`` and ``mu_law_decoding``: the sound of few levels.

    Rounding has a gradient of 0 almost everywhere; here it is that of the signal before, as the port declares.
    """

    type = "torchaudio_mu_law"
    family = "colour"
    description = "µ-law with few levels, as in telephones"
    memoryless = True
    inputs = (Port("in", gradient="surrogate"),)
    Controls = MixControls

    class Settings(SettingModel):
        quantization_channels: int = Field(256, ge=2, le=65536, description="How many levels")

    def tail(self) -> int | None:
        return None  # of an even number of levels none is 0

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        sound, levels = audio["in"], self.settings.quantization_channels
        with torch.no_grad():
            decoded = mu_law_decoding(mu_law_encoding(sound, levels), levels).to(sound.dtype)
        wet = sound + (decoded - sound).detach()
        return {"out": torch.lerp(sound, wet, controls["mix"])}, state


class Overdrive(TimeEffect):
    """``torchaudio.functional.overdrive``, SoX's effect: a cubic clipper, then a filter against what is constant.

    t = gain·x + colour/200, clipped to t − t³/3 (±2/3 beyond ±1); d[n] = t[n] − t[n−1] + 0.995·d[n−1]; the output is
    x/2 + 3/4·d, clipped at full scale. torchaudio runs the recursion in a loop that autograd cannot see, so that its
    gradient is lost; here it is an ``lfilter``.
    """

    type = "torchaudio_overdrive"
    family = "colour"
    description = "Overdrive, as SoX's"
    POLE = 0.995

    class Controls(MixControls):
        gain: Annotated[
            float, Control(0, 100, neutral=20, unit="dB", smoothing=5.0, description="How loud it is driven")
        ] = 20.0
        colour: Annotated[float, Control(0, 100, neutral=20, smoothing=5.0, description="Even harmonics")] = (
            20.0
        )

    def tail(self) -> int | None:
        return None

    def constants(self) -> dict[str, Tensor]:
        """``b`` and ``a`` of the filter, ``[1, 1, 2]``."""
        b, a = ([1.0, -1.0], [1.0, -self.POLE])
        return {
            name: torch.tensor([[one]], dtype=torch.float64, device="cpu")
            for name, one in (("b", b), ("a", a))
        }

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``history``: of the filter."""
        return {"history": initial_history(batch, channels, 1, like)}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        sound, history = audio["in"], state["history"]
        driven = sound * (controls["gain"] * (math.log(10) / 20)).exp() + controls["colour"] / 200
        inside = driven.clamp(-1, 1)
        bent = inside - inside**3 / 3
        moving, history = filtered(bent, self.constant("b", history), self.constant("a", history), history, 0)
        wet = (sound / 2 + moving.to(sound.dtype) * 0.75).clamp(-1, 1)
        return {"out": torch.lerp(sound, wet, controls["mix"])}, {"history": history}


SHAPERS: tuple[type[TimeEffect], ...] = (Contrast, DCShift, Gain, MuLaw, Overdrive)
