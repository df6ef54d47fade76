"""The four-pole ladder filter, linear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import steady, svf
from djgraph.effects import Block, Control, ControlModel, SettingModel, State, TimeEffect
from djgraph_fx.peq import warped


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
                description="Cutoff of the four filters; without resonance 12 dB down",
            ),
        ] = 1000.0  # fmt: skip
        resonance: Annotated[
            float, Control(0, 1, neutral=0, smoothing=5.0, description="0 has no peak, 1 all but rings alone")
        ] = 0.0
        mix: Annotated[
            float, Control(0, 1, neutral=0, smoothing=5.0, description="0 is the signal, 1 the filter only")
        ] = 0.0

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``integrators``: of :func:`djgraph.dsp.svf`, of the two filters."""
        return {"integrators": like.new_zeros(batch, channels, 2, 2)}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, rate, r = audio["in"], block.sample_rate, self.MOST * steady(controls["resonance"])
        lowpass = self.settings.kind == "lowpass"
        mix = (1.0, 0.0, 0.0) if lowpass else (0.0, 0.0, 1.0)
        filtered, after = signal, []
        for place, damping in enumerate((1 + r, 1 - r)):
            square = damping.square() + r.square()
            root = square.sqrt()
            cutoff = warped(steady(controls["cutoff"]), root if lowpass else 1 / root, rate)
            q = root / (2 * damping)
            filtered, last = svf(
                filtered, cutoff, q, *mix, state["integrators"][:, :, place], sample_rate=rate
            )
            if not self.settings.level:
                filtered = filtered / square
            after.append(last)
        out = signal + controls["mix"] * (filtered - signal)
        return {"out": out}, {"integrators": torch.stack(after, dim=2)}
