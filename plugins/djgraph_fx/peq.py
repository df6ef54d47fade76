"""A parametric equaliser: two cuts, two shelves and four bells in series."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import Section, steady, svf_series
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
    is_silent,
)
from djgraph.effects.use import beyond_half_the_rate, idle_settings, out_of_order

BUTTERWORTH = 0.5**0.5
CUT_QS: dict[int, tuple[float, ...]] = {
    12: (BUTTERWORTH,),
    24: (0.5 / math.cos(math.pi / 8), 0.5 / math.cos(3 * math.pi / 8)),
}
"""The q of each section of a Butterworth filter, by its slope in dB per octave."""
BELLS = ("bell1", "bell2", "bell3", "bell4")


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

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        # Of 20 controls most rest: their curves are then one number, and so is all that is computed of them.
        controls = {name: steady(control) for name, control in controls.items()}
        names = ("low_cut", "bands", "high_cut")
        parts = self._parts(controls)
        if len(self._cuts) == 1:  # all in one pass: the fade of a single section is in its weights
            states = torch.cat([state[name] for name in names], dim=2)
            sections = [section for part, _ in parts for section in part]
            out, last = svf_series(audio["in"], sections, states, sample_rate=block.sample_rate)
            after = last.split([len(part) for part, _ in parts], dim=2)
            return {"out": out}, dict(zip(names, after))
        out, last_of = audio["in"], dict[str, Tensor]()
        for name, (sections, fade) in zip(names, parts):
            out, last_of[name] = svf_series(
                out, sections, state[name], mix=fade, sample_rate=block.sample_rate
            )
        return {"out": out}, last_of

    def frequency_response(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        rate = self.environment.sample_rate
        at = self.environment.frequencies().to(controls["low_cut"])
        response = torch.ones_like(at).to(torch.promote_types(at.dtype, torch.complex64))
        for sections, fade in self._parts(controls):
            filtered = response
            for section in sections:
                filtered = filtered * section.response(at, sample_rate=rate)
            response = filtered if fade is None else response - fade * (response - filtered)
        return response

    def _parts(self, controls: Mapping[str, Tensor]) -> list[tuple[list[Section], Tensor | None]]:
        """Low cut, shelves and bells, high cut: the sections of each, and how much of them there is, where the sections
        do not say that themselves."""
        low_fade, high_fade = self._fades(controls)
        low, high = controls["low_cut"], controls["high_cut"]
        bands = list(self._bands(controls))
        if len(self._cuts) == 1:
            (q,) = self._cuts
            low_left, high_left = 1 - low_fade, 1 - high_fade
            return [
                ([Section(low, q, low_left, low_left, 1.0)], None),
                (bands, None),
                ([Section(high, q, 1.0, high_left, high_left)], None),
            ]
        return [
            ([Section(low, q, 0.0, 0.0, 1.0) for q in self._cuts], low_fade),
            (bands, None),
            ([Section(high, q, 1.0, 0.0, 0.0) for q in self._cuts], high_fade),
        ]

    def _fades(self, controls: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """How much of the low cut and of the high cut there is: as in ``filter_knob``, none at the end of their range,
        all of it an octave (high cut: half an octave) away from there."""
        low_cut = (controls["low_cut"] / self.LOW_CUT_OFF).log2()
        high_cut = (self.HIGH_CUT_OFF / controls["high_cut"]).log2() * 2
        # Never below 0, where a clamp would have no gradient.
        low, high = low_cut.clamp(max=1), high_cut.clamp(max=1)
        return low * (2 - low), high * (2 - high)

    def _bands(self, controls: Mapping[str, Tensor]) -> Iterator[Section]:
        """Each shelf and bell from low to high."""
        for name in ("low", *BELLS, "high"):
            frequency, q = controls[f"{name}_frequency"], controls[f"{name}_q"]
            turns = getattr(self.settings, name, "bell").replace("shelf", f"{name}_shelf")
            yield Section(frequency, q, 1.0, 1.0, 1.0, gain=controls[f"{name}_gain"], turns=turns)
