"""A parametric equaliser: two cuts, two shelves and four bells in series."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import steady, svf, svf_response
from djgraph.dsp.state_variable import HIGHEST
from djgraph.effects import (
    Block,
    Conflict,
    Control,
    ControlModel,
    Environment,
    SettingModel,
    State,
    TimeEffect,
    Use,
)
from djgraph.effects.use import beyond_half_the_rate, idle_settings, out_of_order

BUTTERWORTH = 0.5**0.5
CUT_QS: dict[int, tuple[float, ...]] = {
    12: (BUTTERWORTH,),
    24: (0.5 / math.cos(math.pi / 8), 0.5 / math.cos(3 * math.pi / 8)),
}
"""The q of each section of a Butterworth filter, by its slope in dB per octave."""
BELLS = ("bell1", "bell2", "bell3", "bell4")

Mix = tuple[Tensor | float, Tensor | float, Tensor | float]
"""What a band adds to the signal: shares of its lowpass, bandpass and highpass."""


def _frequency(hertz: float, what: str) -> Control:
    return Control(
        20, 20000, neutral=hertz, unit="Hz", scale="log", smoothing=5.0, description=f"{what}, its frequency"
    )


def _gain(what: str) -> Control:
    return Control(-24, 24, neutral=0, unit="dB", smoothing=5.0, description=f"{what}, its gain")


def _q(highest: float, neutral: float, what: str) -> Control:
    return Control(
        0.3, highest, neutral=neutral, unit="Q", scale="log", smoothing=5.0, description=f"{what}, its Q"
    )


def warped(cutoff: Tensor, ratio: Tensor, sample_rate: float) -> Tensor:
    """The cutoff in Hz whose analogue frequency, behind the bilinear transform, is ``ratio`` times that of ``cutoff``.

    So the shelves' shift of their cutoff is that of the analogue shelf, at any frequency.
    """
    analogue = torch.tan(math.pi * (cutoff / sample_rate).clamp(max=HIGHEST))
    return torch.atan(analogue * ratio) * (sample_rate / math.pi)


class Peq(TimeEffect):
    """Low cut, low shelf, four bells, high shelf, high cut, each one state-variable filter (the cuts one or two).

    Bells and shelves are those of R. Bristow-Johnson's "Cookbook formulae for audio EQ biquad filter coefficients",
    as mixes of lowpass, bandpass and highpass (A. Simper, "Solving the continuous SVF equations", 2013). With
    A = 10^(gain/40):

    - bell: x + (A² − 1)·BP with q = A·Q
    - low shelf: x + (A − 1)·BP + (A² − 1)·LP with the cutoff divided by √A
    - high shelf: x + (A − 1)·BP + (A² − 1)·HP with the cutoff times √A

    So a gain of 0 dB adds nothing, bit for bit, and controls may move at every sample.
    """

    type = "peq"
    family = "filters"
    blockwise = True
    description = "Parametric equaliser: low cut, low shelf, four bells, high shelf, high cut"
    LOW_CUT_OFF: ClassVar[float] = 10.0
    HIGH_CUT_OFF: ClassVar[float] = 20000.0

    class Settings(SettingModel):
        low: Literal["shelf", "bell"] = Field("shelf", description="What the low band is")
        high: Literal["shelf", "bell"] = Field("shelf", description="What the high band is")
        slope: Literal[12, 24] = Field(12, description="dB per octave of the low cut and the high cut")

    class Controls(ControlModel):
        low_cut: Annotated[
            float,
            Control(
                10, 2000, neutral=10, unit="Hz", scale="log", smoothing=5.0,
                description="Cutoff of the low cut, which is off at 10 Hz",
            ),
        ] = 10.0  # fmt: skip
        low_frequency: Annotated[float, _frequency(100, "Low band")] = 100.0
        low_gain: Annotated[float, _gain("Low band")] = 0.0
        low_q: Annotated[float, _q(4, BUTTERWORTH, "Low band")] = BUTTERWORTH
        bell1_frequency: Annotated[float, _frequency(200, "First bell")] = 200.0
        bell1_gain: Annotated[float, _gain("First bell")] = 0.0
        bell1_q: Annotated[float, _q(20, 1, "First bell")] = 1.0
        bell2_frequency: Annotated[float, _frequency(600, "Second bell")] = 600.0
        bell2_gain: Annotated[float, _gain("Second bell")] = 0.0
        bell2_q: Annotated[float, _q(20, 1, "Second bell")] = 1.0
        bell3_frequency: Annotated[float, _frequency(2000, "Third bell")] = 2000.0
        bell3_gain: Annotated[float, _gain("Third bell")] = 0.0
        bell3_q: Annotated[float, _q(20, 1, "Third bell")] = 1.0
        bell4_frequency: Annotated[float, _frequency(5000, "Fourth bell")] = 5000.0
        bell4_gain: Annotated[float, _gain("Fourth bell")] = 0.0
        bell4_q: Annotated[float, _q(20, 1, "Fourth bell")] = 1.0
        high_frequency: Annotated[float, _frequency(10000, "High band")] = 10000.0
        high_gain: Annotated[float, _gain("High band")] = 0.0
        high_q: Annotated[float, _q(4, BUTTERWORTH, "High band")] = BUTTERWORTH
        high_cut: Annotated[
            float,
            Control(
                1000, 20000, neutral=20000, unit="Hz", scale="log", smoothing=5.0,
                description="Cutoff of the high cut, which is off at 20 kHz",
            ),
        ] = 20000.0  # fmt: skip

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        low, high = use.controls["low_cut"], use.controls["high_cut"]
        yield from out_of_order(use, ("low_cut", "high_cut"), "Hz")
        if low.high == cls.LOW_CUT_OFF and high.low == cls.HIGH_CUT_OFF:
            yield from idle_settings(use, ("slope",), "both cuts are fixed where they are off")
        frequencies = [f"{band}_frequency" for band in ("low", *BELLS, "high")]
        yield from beyond_half_the_rate(use, frequencies, environment.sample_rate)

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self._cuts = CUT_QS[settings.slope]

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``bands``: of the shelves and bells, low to high, ``[batch, channels, 6, 2]``. ``low_cut``, ``high_cut``: of
        the cuts' sections, ``[batch, channels, sections, 2]``."""
        sections = len(self._cuts)
        return {
            "low_cut": like.new_zeros(batch, channels, sections, 2),
            "bands": like.new_zeros(batch, channels, 2 + len(BELLS), 2),
            "high_cut": like.new_zeros(batch, channels, sections, 2),
        }

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        rate, after = block.sample_rate, []
        # Of 20 controls most rest: their curves are then one number, and so is all that is computed of them.
        controls = {name: steady(control) for name, control in controls.items()}
        low_fade, high_fade = self._fades(controls)
        signal, low_state = self._cut(
            audio["in"], controls["low_cut"], low_fade, (0, 0, 1), state["low_cut"], rate
        )
        for place, (cutoff, q, mix) in enumerate(self._bands(controls, rate)):
            added, last = svf(signal, cutoff, q, *mix, state["bands"][:, :, place], sample_rate=rate)
            signal = signal + added
            after.append(last)
        signal, high_state = self._cut(
            signal, controls["high_cut"], high_fade, (1, 0, 0), state["high_cut"], rate
        )
        return {"out": signal}, {
            "low_cut": low_state,
            "bands": torch.stack(after, dim=2),
            "high_cut": high_state,
        }

    def _cut(
        self, signal: Tensor, cutoff: Tensor, fade: Tensor, mix: Mix, state: Tensor, rate: int
    ) -> tuple[Tensor, Tensor]:
        """A Butterworth filter, faded in."""
        filtered, after = signal, []
        for place, q in enumerate(self._cuts):
            filtered, last = svf(filtered, cutoff, q, *mix, state[:, :, place], sample_rate=rate)
            after.append(last)
        return signal - fade * (signal - filtered), torch.stack(after, dim=2)

    def frequency_response(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        rate = self.environment.sample_rate
        at = self.environment.frequencies().to(controls["low_cut"])
        response = torch.ones_like(at).to(torch.promote_types(at.dtype, torch.complex64))
        cuts = (controls["low_cut"], (0.0, 0.0, 1.0)), (controls["high_cut"], (1.0, 0.0, 0.0))
        for fade, (cutoff, mix) in zip(self._fades(controls), cuts):
            filtered = torch.stack([svf_response(at, cutoff, q, *mix, sample_rate=rate) for q in self._cuts])
            response = response * (1 - fade * (1 - filtered.prod(0)))
        for cutoff, q, added in self._bands(controls, rate):
            response = response * (1 + svf_response(at, cutoff, q, *added, sample_rate=rate))
        return response

    def _fades(self, controls: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """How much of the low cut and of the high cut there is: as in ``filter_knob``, none at the end of their range,
        all of it an octave (high cut: half an octave) away from there."""
        low_cut = (controls["low_cut"] / self.LOW_CUT_OFF).log2()
        high_cut = (self.HIGH_CUT_OFF / controls["high_cut"]).log2() * 2
        # Never below 0, where a clamp would have no gradient.
        low, high = low_cut.clamp(max=1), high_cut.clamp(max=1)
        return low * (2 - low), high * (2 - high)

    def _bands(self, controls: Mapping[str, Tensor], rate: int) -> Iterator[tuple[Tensor, Tensor, Mix]]:
        """Cutoff, q and what is added, of each shelf and bell from low to high."""
        for name in ("low", *BELLS, "high"):
            frequency, q = controls[f"{name}_frequency"], controls[f"{name}_q"]
            a = 10 ** (controls[f"{name}_gain"] / 40)
            once, twice = a - 1, (a - 1) * (a + 1)
            if name == "low" and self.settings.low == "shelf":
                yield warped(frequency, a.rsqrt(), rate), q, (twice, once, 0.0)
            elif name == "high" and self.settings.high == "shelf":
                yield warped(frequency, a.sqrt(), rate), q, (0.0, once, twice)
            else:
                yield frequency, a * q, (0.0, twice, 0.0)
