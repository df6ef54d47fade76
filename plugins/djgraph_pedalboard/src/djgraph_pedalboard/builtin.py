"""Pedalboard's own effects.

Controls have its names, its units and its defaults; ranges are those that it checks, and where it checks none, those
that are of use.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from djgraph.effects import Control
from djgraph_pedalboard.instance import Setter
from djgraph_pedalboard.wrapped import MixControls, PluginSettings, WrappedPlugin


def parameter(low: float, high: float, default: float, unit: str, **more: Any) -> Control:
    """A control of a plugin's parameter: with ``mix`` at 0 any value of it leaves the signal as it is."""
    return Control(low, high, neutral=default, unit=unit, gradient="none", **more)


def attribute(plugin: Any, value: float, *, name: str) -> None:
    """Sets a parameter that is an attribute."""
    setattr(plugin, name, value)


class BuiltIn(WrappedPlugin):
    """A class of Pedalboard's, whose parameters are its attributes."""

    type: ClassVar[str]
    plugin: ClassVar[str]
    """Its name in ``pedalboard``."""
    fixed: ClassVar[dict[str, Any]] = {}
    """Attributes that are no controls: the plugin's own mix, in place of which there is ``mix``."""

    def arguments(self) -> dict[str, Any]:
        """What the plugin is made with beside its controls."""
        return dict(self.fixed)

    def make(self) -> Any:
        import pedalboard

        return getattr(pedalboard, self.plugin)(**self.arguments())

    def setters(self) -> Sequence[Setter]:
        return [partial(attribute, name=control.id) for control in self.controls if control.id != "mix"]


class Bitcrush(BuiltIn):
    """Fewer bits."""

    type = "pedalboard_bitcrush"
    family = "colour"
    description = "Rounds to a number of bits"
    plugin = "Bitcrush"

    class Controls(MixControls):
        bit_depth: Annotated[float, parameter(0, 32, 8, "bits")] = 8.0


class BrickwallLimiter(BuiltIn):
    """A limiter that looks ahead."""

    type = "pedalboard_brickwall_limiter"
    family = "dynamics"
    description = "Look-ahead limiter"
    plugin = "BrickwallLimiter"
    whole_blocks = True

    class Settings(PluginSettings):
        lookahead_ms: float = Field(5.0, gt=0, le=100, description="How far it looks ahead, in ms")
        true_peak: bool = Field(False, description="Whether it measures what lies between samples")

    class Controls(MixControls):
        ceiling_db: Annotated[float, parameter(-60, 0, -1, "dB")] = -1.0
        release_ms: Annotated[float, parameter(1, 5000, 100, "ms", scale="log")] = 100.0

    def arguments(self) -> dict[str, Any]:
        return {"lookahead_ms": self.settings.lookahead_ms, "true_peak": self.settings.true_peak}


class Chorus(BuiltIn):
    """A voice that swings."""

    type = "pedalboard_chorus"
    family = "modulation"
    description = "Chorus; flanger and vibrato, too"
    plugin = "Chorus"
    fixed: ClassVar[dict[str, Any]] = {"mix": 1.0}

    class Controls(MixControls):
        rate_hz: Annotated[float, parameter(0, 100, 1, "Hz")] = 1.0
        depth: Annotated[float, parameter(0, 1, 0.25, "ratio")] = 0.25
        centre_delay_ms: Annotated[float, parameter(1, 100, 7, "ms")] = 7.0
        feedback: Annotated[float, parameter(-1, 1, 0, "ratio")] = 0.0


class Clipping(BuiltIn):
    """A hard clipper."""

    type = "pedalboard_clipping"
    family = "colour"
    description = "Clips at a level"
    plugin = "Clipping"

    class Controls(MixControls):
        threshold_db: Annotated[float, parameter(-60, 24, -6, "dB")] = -6.0


class Compressor(BuiltIn):
    """Turns down what is loud."""

    type = "pedalboard_compressor"
    family = "dynamics"
    description = "Compressor"
    plugin = "Compressor"

    class Controls(MixControls):
        threshold_db: Annotated[float, parameter(-60, 0, 0, "dB")] = 0.0
        ratio: Annotated[float, parameter(1, 20, 1, "ratio")] = 1.0
        attack_ms: Annotated[float, parameter(0.1, 500, 1, "ms", scale="log")] = 1.0
        release_ms: Annotated[float, parameter(1, 5000, 100, "ms", scale="log")] = 100.0


class Delay(BuiltIn):
    """An echo."""

    type = "pedalboard_delay"
    family = "time"
    description = "Delay with feedback"
    plugin = "Delay"
    fixed: ClassVar[dict[str, Any]] = {"mix": 1.0}

    class Controls(MixControls):
        delay_seconds: Annotated[float, parameter(0, 30, 0.5, "s")] = 0.5
        feedback: Annotated[float, parameter(0, 1, 0, "ratio")] = 0.0


class Distortion(BuiltIn):
    """tanh."""

    type = "pedalboard_distortion"
    family = "colour"
    description = "Distortion by tanh"
    plugin = "Distortion"

    class Controls(MixControls):
        drive_db: Annotated[float, parameter(0, 60, 25, "dB")] = 25.0


class Gain(BuiltIn):
    """A gain; it glides to a new value."""

    type = "pedalboard_gain"
    family = "level"
    description = "Gain in decibels"
    plugin = "Gain"

    class Controls(MixControls):
        gain_db: Annotated[float, parameter(-60, 40, 1, "dB")] = 1.0


BELOW = 0.49
"""Of the sample rate: beyond half of it these filters run away."""
CUTOFF = parameter(20, 20000, 440, "Hz", scale="log", below_rate=BELOW)
FIRST_ORDER = parameter(20, 20000, 50, "Hz", scale="log", below_rate=BELOW)


class HighpassFilter(BuiltIn):
    """First order."""

    type = "pedalboard_highpass_filter"
    family = "filters"
    description = "Highpass of first order"
    plugin = "HighpassFilter"

    class Controls(MixControls):
        cutoff_frequency_hz: Annotated[float, FIRST_ORDER] = 50.0


class LowpassFilter(BuiltIn):
    """First order."""

    type = "pedalboard_lowpass_filter"
    family = "filters"
    description = "Lowpass of first order"
    plugin = "LowpassFilter"

    class Controls(MixControls):
        cutoff_frequency_hz: Annotated[float, FIRST_ORDER] = 50.0


BUTTERWORTH = 0.7071067690849304
"""Pedalboard's default Q: 1/√2 in single precision."""


class ShelfControls(MixControls):
    """Of shelves and bells."""

    cutoff_frequency_hz: Annotated[float, CUTOFF] = 440.0
    gain_db: Annotated[float, parameter(-36, 36, 0, "dB")] = 0.0
    q: Annotated[float, parameter(0.1, 20, BUTTERWORTH, "ratio", scale="log")] = BUTTERWORTH


class HighShelfFilter(BuiltIn):
    """A shelf."""

    type = "pedalboard_high_shelf_filter"
    family = "filters"
    description = "Shelf for high frequencies"
    plugin = "HighShelfFilter"
    Controls = ShelfControls


class LowShelfFilter(BuiltIn):
    """A shelf."""

    type = "pedalboard_low_shelf_filter"
    family = "filters"
    description = "Shelf for low frequencies"
    plugin = "LowShelfFilter"
    Controls = ShelfControls


class PeakFilter(BuiltIn):
    """A bell."""

    type = "pedalboard_peak_filter"
    family = "filters"
    description = "Bell about a frequency"
    plugin = "PeakFilter"
    Controls = ShelfControls


class Invert(BuiltIn):
    """Minus."""

    type = "pedalboard_invert"
    family = "tools"
    description = "Turns the polarity"
    plugin = "Invert"


MODES = ("lpf12", "hpf12", "bpf12", "lpf24", "hpf24", "bpf24")


def mode(plugin: Any, value: float) -> None:
    """Sets a ladder's mode by its number among :data:`MODES`."""
    import pedalboard

    plugin.mode = getattr(pedalboard.LadderFilter.Mode, MODES[round(value)].upper())


class LadderFilter(BuiltIn):
    """After Moog's."""

    type = "pedalboard_ladder_filter"
    family = "filters"
    description = "Ladder filter, low, high or band"
    plugin = "LadderFilter"

    class Controls(MixControls):
        mode: Annotated[float, parameter(0, 5, 0, "mode", step=1, names=MODES)] = 0.0
        cutoff_hz: Annotated[float, parameter(20, 20000, 200, "Hz", scale="log")] = 200.0
        resonance: Annotated[float, parameter(0, 1, 0, "ratio")] = 0.0
        drive: Annotated[float, parameter(1, 20, 1, "ratio")] = 1.0

    def setters(self) -> Sequence[Setter]:
        return [mode, *super().setters()[1:]]


class Limiter(BuiltIn):
    """JUCE's, which brings what it limits up to full scale."""

    type = "pedalboard_limiter"
    family = "dynamics"
    description = "Limiter that makes up for what it takes away"
    plugin = "Limiter"

    class Controls(MixControls):
        threshold_db: Annotated[float, parameter(-60, 0, -10, "dB")] = -10.0
        release_ms: Annotated[float, parameter(1, 5000, 100, "ms", scale="log")] = 100.0


class NoiseGate(BuiltIn):
    """Turns down what is quiet."""

    type = "pedalboard_noise_gate"
    family = "dynamics"
    description = "Noise gate"
    plugin = "NoiseGate"

    class Controls(MixControls):
        threshold_db: Annotated[float, parameter(-100, 0, -100, "dB")] = -100.0
        ratio: Annotated[float, parameter(1, 100, 10, "ratio", scale="log")] = 10.0
        attack_ms: Annotated[float, parameter(0.1, 500, 1, "ms", scale="log")] = 1.0
        release_ms: Annotated[float, parameter(1, 5000, 100, "ms", scale="log")] = 100.0


class Phaser(BuiltIn):
    """All-passes that swing."""

    type = "pedalboard_phaser"
    family = "modulation"
    description = "Phaser"
    plugin = "Phaser"
    fixed: ClassVar[dict[str, Any]] = {"mix": 1.0}

    class Controls(MixControls):
        rate_hz: Annotated[float, parameter(0, 20, 1, "Hz")] = 1.0
        depth: Annotated[float, parameter(0, 1, 0.5, "ratio")] = 0.5
        centre_frequency_hz: Annotated[float, parameter(20, 20000, 1300, "Hz", scale="log")] = 1300.0
        feedback: Annotated[float, parameter(-1, 1, 0, "ratio")] = 0.0


QUALITIES = ("ZeroOrderHold", "Linear", "CatmullRom", "Lagrange", "WindowedSinc", "WindowedSinc256",
             "WindowedSinc128", "WindowedSinc64", "WindowedSinc32", "WindowedSinc16", "WindowedSinc8")  # fmt: skip
Quality = Literal[QUALITIES]  # type: ignore[valid-type]


class Resample(BuiltIn):
    """To a lower sample rate and back."""

    type = "pedalboard_resample"
    family = "colour"
    description = "The sound of another sample rate"
    plugin = "Resample"
    whole_blocks = True

    class Settings(PluginSettings):
        target_sample_rate: float = Field(8000.0, ge=100, le=384000, description="In Hz")
        quality: Quality = Field("WindowedSinc32", description="How it interpolates")

    def arguments(self) -> dict[str, Any]:
        import pedalboard

        return {
            "target_sample_rate": self.settings.target_sample_rate,
            "quality": getattr(pedalboard.Resample.Quality, self.settings.quality),
        }


class Reverb(BuiltIn):
    """Freeverb."""

    type = "pedalboard_reverb"
    family = "rooms"
    description = "Freeverb"
    plugin = "Reverb"

    class Controls(MixControls):
        room_size: Annotated[float, parameter(0, 1, 0.5, "ratio")] = 0.5
        damping: Annotated[float, parameter(0, 1, 0.5, "ratio")] = 0.5
        wet_level: Annotated[float, parameter(0, 1, 0.33, "ratio")] = 0.33
        dry_level: Annotated[float, parameter(0, 1, 0.4, "ratio")] = 0.4
        width: Annotated[float, parameter(0, 1, 1, "ratio")] = 1.0
        freeze_mode: Annotated[float, parameter(0, 1, 0, "ratio")] = 0.0


BUILT_IN: tuple[type[BuiltIn], ...] = (
    Bitcrush, BrickwallLimiter, Chorus, Clipping, Compressor, Delay, Distortion, Gain, HighShelfFilter,
    HighpassFilter, Invert, LadderFilter, Limiter, LowShelfFilter, LowpassFilter, NoiseGate, PeakFilter, Phaser,
    Resample, Reverb,
)  # fmt: skip
"""In the order of the README; what of Pedalboard is not here, and why, stands there."""
