"""torchaudio's biquads, each with torchaudio's coefficients (``coefficients.py``) and its names of arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from djgraph.effects import Control, ControlModel, Environment, SettingModel
from djgraph.effects.use import Conflict, Use
from djgraph_torchaudio.coefficients import Coefficients, coefficients_of
from djgraph_torchaudio.filters import Filter, MixControls, Q, frequency

BOOST = Control(
    -24, 24, neutral=0, unit="dB", rate="frame", description="How much louder it is there; 0 is the signal"
)


class Biquad(Filter):
    """A biquad whose coefficients come from the function ``compute``; controls are called as its arguments."""

    type: ClassVar[str]
    compute: ClassVar[Coefficients]

    def coefficients(self, controls: Mapping[str, Tensor], like: Tensor) -> tuple[Tensor, Tensor]:
        arguments = {self.argument(name): values for name, values in controls.items()}
        return type(self).compute(
            self.environment.sample_rate, like, **arguments, **self.settings.model_dump()
        )

    @staticmethod
    def argument(control: str) -> str:
        """torchaudio's name of a control: ids are lower-case, Q is not."""
        return "Q" if control == "q" else control


class Lowpass(Biquad):
    """Passes what is below a cutoff, 12 dB per octave."""

    type = "torchaudio_lowpass_biquad"
    description = "Lowpass of second order"
    compute = coefficients_of("lowpass_biquad")
    frequencies_of = ("cutoff_freq",)

    class Controls(MixControls):
        cutoff_freq: Annotated[float, frequency(20000.0, "Where it begins to fall")] = 20000.0
        q: Annotated[float, Q] = 0.707


class Highpass(Biquad):
    """Passes what is above a cutoff, 12 dB per octave."""

    type = "torchaudio_highpass_biquad"
    description = "Highpass of second order"
    compute = coefficients_of("highpass_biquad")
    frequencies_of = ("cutoff_freq",)

    class Controls(MixControls):
        cutoff_freq: Annotated[float, frequency(20.0, "Where it begins to fall")] = 20.0
        q: Annotated[float, Q] = 0.707


class CentralControls(MixControls):
    """Of filters about a frequency."""

    central_freq: Annotated[float, frequency(1000.0, "The frequency that it is about")] = 1000.0
    q: Annotated[float, Q] = 0.707


class Allpass(Biquad):
    """Keeps all levels and turns phases, by 180 degrees at its frequency."""

    type = "torchaudio_allpass_biquad"
    description = "All-pass of second order"
    compute = coefficients_of("allpass_biquad")
    frequencies_of = ("central_freq",)
    Controls = CentralControls


class Bandreject(Biquad):
    """Takes out a frequency."""

    type = "torchaudio_bandreject_biquad"
    description = "Notch of second order"
    compute = coefficients_of("bandreject_biquad")
    frequencies_of = ("central_freq",)
    Controls = CentralControls


class Bandpass(Biquad):
    """Passes what is near a frequency."""

    type = "torchaudio_bandpass_biquad"
    description = "Band-pass of second order"
    compute = coefficients_of("bandpass_biquad")
    frequencies_of = ("central_freq",)
    Controls = CentralControls

    class Settings(SettingModel):
        const_skirt_gain: bool = Field(
            False, description="Peak gain is Q, and the skirts keep their level; else the peak is at 0 dB"
        )


class Band(Biquad):
    """SoX's two-pole resonator."""

    type = "torchaudio_band_biquad"
    description = "Resonator with two poles"
    compute = coefficients_of("band_biquad")
    frequencies_of = ("central_freq",)
    Controls = CentralControls

    class Settings(SettingModel):
        noise: bool = Field(False, description="Gains for noise, as drums, instead of for pitched sound")


class Bass(Biquad):
    """A low shelf."""

    type = "torchaudio_bass_biquad"
    description = "Shelf for low frequencies"
    compute = coefficients_of("bass_biquad")
    frequencies_of = ("central_freq",)

    class Controls(ControlModel):
        gain: Annotated[float, BOOST] = 0.0
        central_freq: Annotated[float, frequency(100.0, "The middle of its slope")] = 100.0
        q: Annotated[float, Q] = 0.707


class Treble(Biquad):
    """A high shelf."""

    type = "torchaudio_treble_biquad"
    description = "Shelf for high frequencies"
    compute = coefficients_of("treble_biquad")
    frequencies_of = ("central_freq",)

    class Controls(ControlModel):
        gain: Annotated[float, BOOST] = 0.0
        central_freq: Annotated[float, frequency(3000.0, "The middle of its slope")] = 3000.0
        q: Annotated[float, Q] = 0.707


class Equalizer(Biquad):
    """A bell."""

    type = "torchaudio_equalizer_biquad"
    description = "Bell about a frequency"
    compute = coefficients_of("equalizer_biquad")
    frequencies_of = ("center_freq",)

    class Controls(ControlModel):
        gain: Annotated[float, BOOST] = 0.0
        center_freq: Annotated[float, frequency(1000.0, "The middle of the bell")] = 1000.0
        q: Annotated[float, Q] = 0.707


class FixedBiquad(Biquad):
    """A curve that a standard fixes, and that torchaudio knows at some sample rates only."""

    type: ClassVar[str]
    rates: ClassVar[tuple[int, ...]]
    Controls = MixControls

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        if environment.sample_rate not in cls.rates:
            yield Conflict(
                f"{cls.type} is not known at {environment.sample_rate} Hz",
                allowed=tuple(f"{rate} Hz" for rate in cls.rates),
            )

    def constants(self) -> dict[str, Tensor]:
        """``b`` and ``a``, ``[1, 1, 3]``."""
        b, a = super().coefficients({}, torch.empty(0, dtype=torch.float64, device="cpu"))
        return {"b": b.view(1, 1, 3), "a": a.view(1, 1, 3)}

    def coefficients(self, controls: Mapping[str, Tensor], like: Tensor) -> tuple[Tensor, Tensor]:
        return self.constant("b", like.double()), self.constant("a", like.double())


class Riaa(FixedBiquad):
    """What a phono preamplifier does to a record's sound."""

    type = "torchaudio_riaa_biquad"
    description = "RIAA playback equalisation of vinyl"
    compute = coefficients_of("riaa_biquad")
    rates = (44100, 48000, 88200, 96000)


class Deemph(FixedBiquad):
    """What undoes the pre-emphasis of some early discs."""

    type = "torchaudio_deemph_biquad"
    description = "De-emphasis of compact discs (ISO 908)"
    compute = coefficients_of("deemph_biquad")
    rates = (44100, 48000)


BIQUADS: tuple[type[Biquad], ...] = (
    Allpass, Band, Bandpass, Bandreject, Bass, Deemph, Equalizer, Highpass, Lowpass, Riaa, Treble,
)  # fmt: skip
