"""The four-pole ladder filter, linear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

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
from djgraph.effects.use import beyond_half_the_rate, idle_settings


class Ladder(TimeEffect):
    """``1/((1 + s)⁴ + k)``: four equal lowpasses of first order with feedback k around them, 24 dB per octave.

    The ladder of R. A. Moog (US patent 3,475,623) without its saturation, with the zero-delay feedback of V. Zavalishin
    ("The Art of VA Filter Design", ch. 5). Its poles are −1 ± R ± jR with R = (k/4)^¼, so it is the product of two
    lowpasses of second order, both state-variable filters: cutoffs √((1 ∓ R)² + R²) times the ladder's and
    q = that/(2·(1 ∓ R)). With controls at rest that is the ladder; moving ones it follows in its own way, and stays
    bounded.

    ``resonance`` is R/0.98: it moves the poles evenly, while k = 4·R⁴. At R = 1 the ladder would ring for ever.
    The highpass has 1/s in place of s.
    """

    type = "ladder"
    family = "filters"
    description = "Four-pole ladder filter with resonance: lowpass or highpass, 24 dB per octave"
    MOST: ClassVar[float] = 0.98

    class Settings(SettingModel):
        kind: Literal["lowpass", "highpass"] = Field("lowpass", description="Which part of the signal stays")
        level: bool = Field(
            False,
            description="Whether the pass band keeps its level; a ladder's falls to a fifth with resonance",
        )

    class Controls(ControlModel):
        cutoff: Annotated[
            float,
            Control(
                20, 20000, neutral=1000, unit="Hz", scale="log", smoothing=5.0,
                description="Cutoff of the four filters; without resonance 12 dB down", role="cutoff",
            ),
        ] = 1000.0  # fmt: skip
        resonance: Annotated[
            float, Control(0, 1, neutral=0, smoothing=5.0, description="0 has no peak, 1 all but rings alone")
        ] = 0.0
        mix: Annotated[
            float, Control(0, 1, neutral=0, smoothing=5.0, description="0 is the signal, 1 the filter only")
        ] = 0.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        if use.controls["resonance"].high == 0:
            yield from idle_settings(
                use, ("level",), "resonance is fixed at 0, where the pass band keeps its level"
            )
        yield from beyond_half_the_rate(use, ("cutoff",), environment.sample_rate)

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``integrators``: of :func:`djgraph.dsp.svf`, of the two filters."""
        return {"integrators": like.new_zeros(batch, channels, 2, 2)}

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        out, last = svf_series(
            audio["in"],
            list(self._filters(controls)),
            state["integrators"],
            mix=controls["mix"],
            sample_rate=block.sample_rate,
        )
        return {"out": out}, {"integrators": last}

    def frequency_response(self, controls: Mapping[str, Tensor]) -> Tensor | None:
        at, rate = self.environment.frequencies().to(controls["cutoff"]), self.environment.sample_rate
        first, second = (one.response(at, sample_rate=rate) for one in self._filters(controls))
        return 1 - controls["mix"] * (1 - first * second)

    def _filters(self, controls: Mapping[str, Tensor]) -> Iterator[Section]:
        """The two filters of second order."""
        # A control that rests is one number, and so is all that is computed of it.
        frequency, r = steady(controls["cutoff"]), self.MOST * steady(controls["resonance"])
        for damping in (1 + r, 1 - r):
            square = damping.square() + r.square()
            root = square.sqrt()
            q, level = root / (2 * damping), 1.0 if self.settings.level else 1 / square
            if self.settings.kind == "lowpass":
                yield Section(frequency, q, level, 0.0, 0.0, root)
            else:
                yield Section(frequency, q, 0.0, 0.0, level, 1 / root)
