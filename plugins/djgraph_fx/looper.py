"""A looper: what is recorded comes round again, in beats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from djgraph.effects import (
    Block,
    Clock,
    Control,
    ControlModel,
    Environment,
    SettingModel,
    State,
    TimeEffect,
    Unit,
    is_silent,
)
from djgraph_fx.times import faded

SLOWEST, FASTEST = 40.0, 300.0
"""Tempos in BPM: slower and faster ones loop as these do. They say how much the loop has to hold."""
FADE = 50.0
"""ms"""


class Looper(TimeEffect):
    """``out = x + play·w(n − D)``, ``w = record·x + keep·w(n − D)``, D the setting ``beats`` at the clock's tempo.

    ``record`` held for as long as the loop is makes a loop; held again while it plays, it is an overdub. With ``keep``
    1 what is in the loop stays, sample for sample; below, each round is quieter, and 0 takes it away. D is rounded to
    samples. Where the tempo moves, one length cross-fades into the next within 50 ms.
    """

    type = "looper"
    family = "time"
    description = "Loop in beats: record, play, overdub, let go"
    uses_clock = True

    class Settings(SettingModel):
        beats: Annotated[float, Unit("beats")] = Field(
            4.0, ge=0.25, le=32, description="How long the loop is, in beats"
        )

    class Controls(ControlModel):
        record: Annotated[
            float,
            Control(0, 1, neutral=0, smoothing=5.0, description="How much of the signal goes into the loop"),
        ] = 0.0
        play: Annotated[
            float, Control(0, 1, neutral=1, smoothing=5.0, description="How loud the loop is heard")
        ] = 1.0
        keep: Annotated[
            float,
            Control(
                0, 1, neutral=1, smoothing=5.0, description="How much of the loop stays for the next round"
            ),
        ] = 1.0

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        rate = settings.beats * 60 * environment.sample_rate
        self._shortest, self._room = max(1, int(rate / FASTEST)), max(1, round(rate / SLOWEST))
        self._period = max(1, round(FADE * environment.sample_rate / 1000))

    def tail(self) -> None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``line``: the last samples of w, sample n at n modulo their number, ``[batch, channels, samples]``.
        ``delay``: of :func:`faded`, ``[batch, 1, 2]``, float64."""
        return {
            "line": like.new_zeros(batch, channels, self._room),
            "delay": like.new_zeros(batch, 1, 2, dtype=torch.float64),
        }

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(state["line"], below=quiet)

    def asleep(self, controls: Mapping[str, Tensor], state: State, block: Block) -> State:
        """The length goes on moving to where it is wanted."""
        return {**state, "delay": self._delays(state["delay"], block)[3]}

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, line, delay, parts = audio["in"], state["line"], state["delay"], []
        # What comes round within a stretch as short as the shortest loop was there before it.
        for begin in range(0, block.length, self._shortest):
            span = slice(begin, min(begin + self._shortest, block.length))
            x = signal[..., span]
            record, play, keep = (controls[name][..., span] for name in ("record", "play", "keep"))
            before, current, share, delay = self._delays(delay, _part(block, span))
            place = torch.arange(block.start + span.start, block.start + span.stop, device=x.device)
            round_ = _read(line, place, before, x.shape)
            # The difference of equal lengths is nothing: samples stay what they are.
            round_ = round_ + share.to(x.dtype) * (_read(line, place, current, x.shape) - round_)
            parts.append(x + play * round_)
            new = (record * x + keep * round_).to(line.dtype)
            at = place % self._room
            line = line.index_copy_(-1, at, new) if block.owned else line.index_copy(-1, at, new)
        return {"out": torch.cat(parts, -1) if parts else signal}, {"line": line, "delay": delay}

    def _delays(self, held: Tensor, block: Block) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As :func:`faded` gives them, ``[batch, 1, samples]`` each but the share."""
        assert block.clock is not None
        tempo = block.clock.tempo.detach().clamp(SLOWEST, FASTEST)
        delay = (self.settings.beats * 60 * block.sample_rate / tempo).round()
        delay = delay.clamp(self._shortest, self._room).expand(held.shape[0], 1, block.length)
        return faded(delay, held, block, self._period)


def _part(block: Block, span: slice) -> Block:
    clock = block.clock
    assert clock is not None
    whole = clock.tempo.shape[-1] == 1
    ticks = clock if whole else Clock(clock.tempo[..., span], clock.beats[..., span])
    return Block(block.start + span.start, span.stop - span.start, block.sample_rate, ticks, block.owned)


def _read(line: Tensor, place: Tensor, delay: Tensor, shape: torch.Size) -> Tensor:
    """The samples so long ago. delay: ``[batch, 1, samples]``, 1 … the line's length."""
    return line.gather(-1, ((place - delay.long()) % line.shape[-1]).expand(shape))
