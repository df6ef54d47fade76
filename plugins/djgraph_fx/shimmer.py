"""A room into which the sound rises, an interval higher each time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from djgraph.dsp import delay_history, delay_loop
from djgraph.effects import Block, Conflict, Control, Environment, State, Unit, Use
from djgraph.effects.use import beyond_half_the_rate
from djgraph_fx.fdn import Fdn


class Shimmer(Fdn):
    """The room of :class:`Fdn`, which ``v = x + shimmer·z`` enters, ``z = HP(LP(shift(v)))``.

    shift: two heads that move along a delay line at the speed that changes the pitch by the interval, half a window
    apart, each faded out where it jumps back. So what came round k times is k intervals away.
    """

    type = "shimmer"
    family = "rooms"
    description = "Reverb into which the sound rises by an interval each time round"
    at_rest = Fdn.at_rest  # all that it remembers is sound, as the room's
    SHORTEST = 10.0
    """ms before the window of the heads, the least delay of the loop."""

    class Settings(Fdn.Settings):
        interval: Literal[-12, 7, 12] = Field(
            12, description="Semitones that the sound moves by, each time round"
        )
        window: Annotated[float, Unit("ms")] = Field(
            120.0, ge=40, le=500, description="Way of a head in ms until it jumps back"
        )

    class Controls(Fdn.Controls):
        shimmer: Annotated[
            float,
            Control(
                0, 0.9, neutral=0.5, smoothing=20.0, description="How much comes back another interval away"
            ),
        ] = 0.5
        tone: Annotated[
            float,
            Control(
                500, 20000, neutral=5000, unit="Hz", scale="log", smoothing=20.0,
                description="What comes back is duller above it each time",
            ),
        ] = 5000.0  # fmt: skip

    LOWEST = 80.0
    """Hz below which nothing comes back: a direct current would not be shifted."""

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterator[Conflict]:
        yield from super().conflicts(use, environment)
        yield from beyond_half_the_rate(use, ("tone",), environment.sample_rate)

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        rate = environment.sample_rate
        speed = 2 ** (settings.interval / 12) - 1
        self.shortest = max(1, round(self.SHORTEST * rate / 1000))
        self.period = max(2, round(settings.window * rate / 1000 / abs(speed)))
        """Samples after which a head jumps back."""
        self.way = -speed * self.period
        """By how many samples its delay grows until then."""

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """That of the room; ``rising``, ``filters``: of :func:`djgraph.dsp.delay_loop`."""
        past = delay_history(self.shortest + abs(self.way))
        return {
            "rising": like.new_zeros(batch, channels, past),
            "filters": like.new_zeros(batch, channels, 2, dtype=torch.float64),
            **super().initial_state(batch, channels, like),
        }

    def reverberated(
        self, signal: Tensor, controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[Tensor, State]:
        amount = controls["shimmer"]
        risen, past, filters = delay_loop(
            signal,
            self.heads(block, signal.device),
            amount,
            state["rising"],
            state["filters"],
            shortest=self.shortest,
            lowpass=controls["tone"],
            highpass=self.LOWEST,
            sample_rate=block.sample_rate,
        )
        wet, after = super().reverberated(signal + amount * risen, controls, state, block)
        return wet, {"rising": past, "filters": filters, **after}

    def heads(self, block: Block, device: torch.device) -> list[tuple[Tensor, Tensor]]:
        """Delay in samples and gain of each head, ``[samples]``, float64; the gains add up to 1."""
        place = torch.arange(block.length, device=device) + block.start % self.period
        heads = []
        for offset in (0.0, 0.5):
            cycle = torch.remainder(place.double() / self.period + offset, 1.0)
            passed = cycle if self.way > 0 else 1 - cycle
            delay = self.shortest + abs(self.way) * passed
            heads.append((delay, torch.sin(math.pi * cycle).square()))
        return heads
