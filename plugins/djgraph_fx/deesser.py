"""A de-esser: turns sharp highs down, and leaves the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field
from torch import Tensor

from djgraph.dsp import Section, amplitude, decibels, follow, svf, svf_series
from djgraph.effects import (
    Block,
    Conflict,
    Control,
    ControlModel,
    Environment,
    SettingModel,
    State,
    TimeEffect,
    Unit,
    Use,
    is_silent,
)
from djgraph.effects.use import beyond_half_the_rate
from djgraph_fx.level import loudest, ramp, time_constant

BUTTERWORTH = 0.5**0.5


class DeEsser(TimeEffect):
    """A high shelf whose gain follows the level of the highs; at gain 1 the signal itself.

    The highs are measured behind a state-variable highpass of second order. The shelf is that of :class:`Peq` with
    q = √½, which is monotonic: highs that are turned down are never louder anywhere, as they would be where a share of
    the highpass, which is a quarter of a cycle ahead at its cutoff, was taken off the signal.
    """

    type = "deesser"
    family = "dynamics"
    description = "Turns the highs down where they are loud"

    class Settings(SettingModel):
        window: Annotated[float, Unit("ms")] = Field(
            5.0, ge=0.1, le=1000, description="Time constant in ms in which the level of the highs falls"
        )

    class Controls(ControlModel):
        frequency: Annotated[
            float,
            Control(
                2000, 16000, neutral=6000, unit="Hz", scale="log", smoothing=5.0,
                description="Where the highs begin",
            ),
        ] = 6000.0  # fmt: skip
        threshold: Annotated[
            float,
            Control(
                -60, 0, neutral=-30, unit="dB", smoothing=5.0,
                description="Level of the highs from which on they are turned down",
            ),
        ] = -30.0  # fmt: skip
        knee: Annotated[
            float,
            Control(
                1, 24, neutral=6, unit="dB", smoothing=5.0,
                description="So far above the threshold they are turned down by all of the depth",
            ),
        ] = 6.0  # fmt: skip
        depth: Annotated[
            float,
            Control(0, 24, neutral=0, unit="dB", smoothing=5.0, description="The most they are turned down"),
        ] = 0.0
        attack: Annotated[float, time_constant(0.05, 50, 1, "they are turned down")] = 1.0
        release: Annotated[float, time_constant(1, 500, 60, "they come up again")] = 60.0

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``filter``: of the highpass. ``shelf``: of the shelf. ``level``: of the highs. ``share``: of the depth."""
        one = (batch, 1, 1)
        return {
            "filter": like.new_zeros(batch, channels, 2),
            "shelf": like.new_zeros(batch, channels, 2),
            "level": like.new_zeros(one),
            "share": like.new_zeros(one),
        }

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        yield from beyond_half_the_rate(use, ("frequency",), environment.sample_rate)

    def tail(self) -> None:
        """The shelf rings on, ever more quietly."""

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(*state.values(), below=quiet)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        after: State = {}
        rate = block.sample_rate
        highs, after["filter"] = svf(
            audio["in"], controls["frequency"], BUTTERWORTH, 0.0, 0.0, 1.0, state["filter"], sample_rate=rate
        )
        level, after["level"] = follow(
            loudest(highs), 0.0, self.settings.window, state["level"], sample_rate=rate
        )
        share, after["share"] = follow(
            ramp(decibels(level.square()) - controls["threshold"], controls["knee"]),
            controls["attack"],
            controls["release"],
            state["share"],
            sample_rate=rate,
        )
        square = amplitude(-controls["depth"] * share)
        a = square.sqrt()
        shelf = Section(controls["frequency"], BUTTERWORTH, 1.0, a, square, a.sqrt())
        out, last = svf_series(audio["in"], [shelf], state["shelf"].unsqueeze(-2), sample_rate=rate)
        return {"out": out}, after | {"shelf": last.squeeze(-2)}
