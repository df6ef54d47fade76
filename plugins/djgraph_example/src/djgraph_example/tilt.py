"""Tilt equaliser: one knob that turns the spectrum about a pivot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from torch import Tensor

from djgraph.dsp import svf
from djgraph.effects import Block, CausalTwin, Control, ControlModel, SettingModel, SpectralEffect, State


class Tilt(SpectralEffect):
    """Gain in dB ``tilt · (f² − p²)/(f² + p²)``: −tilt far below the pivot p, 0 at it, +tilt far above.

    A spectral effect: it gives one gain per STFT frame and frequency, and djgraph does the transforms.
    """

    type = "example_tilt"
    description = "Tilt equaliser: darker to the left, brighter to the right"

    class Settings(SettingModel):
        pivot: float = Field(800.0, gt=0, description="Frequency in Hz that keeps its level")

    class Controls(ControlModel):
        tilt: Annotated[
            float,
            Control(
                -12, 12, neutral=0, unit="dB", rate="frame", description="Gain of the highest frequencies"
            ),
        ] = 0.0

    def constants(self) -> dict[str, Tensor]:
        """``slope``: ln(10)/20 · (f² − p²)/(f² + p²), ``[bins]``."""
        square = (self.environment.frequencies() / self.settings.pivot) ** 2
        return {"slope": math.log(10) / 20 * (square - 1) / (square + 1)}

    def mask(self, controls: Mapping[str, Tensor]) -> Tensor:
        """``[batch, frames, bins]`` from ``tilt`` ``[batch, frames, 1]``."""
        tilt = controls["tilt"]
        return (tilt * self.constant("slope", tilt)).exp()


class TiltTwin(CausalTwin, of=Tilt):
    """The same gain by two equal filters of second order, for ``lowering="causal"``.

    With w the frequency over the pivot and x = tilt·ln(10)/20 the gain is exp(x·(w² − 1)/(w² + 1)). Padé's
    approximation, exp(y) ≈ (1 + y/2 + y²/12)/(1 − y/2 + y²/12), makes it a ratio of polynomials of w², each of second
    degree (0.06 dB off at 12 dB). ω² in turn is a ratio of polynomials of tan²(ω/2) to 2 % up to 16 kHz at 44.1 kHz.
    So numerator and denominator are the magnitudes of two polynomials of the filter's variable, s.
    """

    at_neutral = "identity"
    LEVEL, BEND = 1.0199856, 0.55830343
    """(ω/2)² ≈ t²/(LEVEL·(1 + BEND·t²)) with t = tan(ω/2)."""

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``filters``: of the two, one behind the other."""
        return {name: like.new_zeros(batch, channels, 2) for name in ("first", "second")}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        x = controls["tilt"] * (math.log(10) / 20)
        low, band, high = self._analogue(x, block.sample_rate)
        below, along, above = self._analogue(-x, block.sample_rate)
        # s² + s·(along/above) + below/above: g is the root of the last, and q·g the last over the middle one.
        g = (below / above).sqrt()
        cutoff = g.atan() * (block.sample_rate / math.pi)
        q = (below * above).sqrt() / along
        weights = (low / below, band / along, high / above)
        tilted, first = svf(audio["in"], cutoff, q, *weights, state["first"], sample_rate=block.sample_rate)
        tilted, second = svf(tilted, cutoff, q, *weights, state["second"], sample_rate=block.sample_rate)
        return {"out": tilted}, {"first": first, "second": second}

    def _analogue(self, x: Tensor, sample_rate: float) -> tuple[Tensor, Tensor, Tensor]:
        """c, b, a of c + b·s + a·s², whose squared magnitude is 1 + y/2 + y²/12 times a factor that both sides have."""
        pivot = self.LEVEL * (math.pi * self.settings.pivot / sample_rate) ** 2
        first, second = x / 2, x * x / 12
        at_zero, along, at_top = 1 - first + second, 2 - 2 * second, 1 + first + second  # by powers of w²
        c = at_zero * pivot**2
        a = c * self.BEND**2 + along * (pivot * self.BEND) + at_top
        middle = c * (2 * self.BEND) + along * pivot
        return c.sqrt(), (middle + 2 * (a * c).sqrt()).sqrt(), a.sqrt()
