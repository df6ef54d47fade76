"""A delay by beats of the clock, in whole samples: what a loop of a graph with a delay in beats is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from djgraph.effects import Block, Environment, SettingModel, State, TimeEffect, Unit, Use, is_silent
from djgraph_fx.times import faded

SLOWEST, FASTEST = 20.0, 1000.0
"""Tempos in BPM: slower and faster ones delay as these do. They say how much the line has to hold."""
LONGEST = 60.0
"""s"""
FADE = 50.0
"""ms"""


class DelayBeats(TimeEffect):
    """``out[n] = x[n − D]``, D the setting ``beats`` at the clock's tempo, rounded to samples.

    While the tempo rests these are the very samples, later: nothing gets duller however often it comes round. Where it
    moves, one delay cross-fades into the next within 50 ms, as in an ``echo``.
    """

    type = "delay_beats"
    family = "tools"
    description = "Delay by beats of the clock in whole samples"
    uses_clock = True

    class Settings(SettingModel):
        beats: Annotated[float, Unit("beats")] = Field(0.0, ge=0, le=64, description="By how many beats")

    @classmethod
    def held_back(cls, use: Use, environment: Environment) -> int:
        return _shortest(use.settings.beats, environment.sample_rate)

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self._room = _longest(settings.beats, environment.sample_rate)
        self._shortest = _shortest(settings.beats, environment.sample_rate)

    def tail(self) -> int:
        return self._room

    def held_back_now(self, controls: Mapping[str, Tensor], state: State, block: Block) -> Tensor:
        before, current, _, _ = self._delays(state, block)
        return torch.minimum(before, current).amin((0, 1))

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``line``: the last samples of the input, sample n at n modulo their number, ``[batch, channels, samples]``.
        ``delay``: of :func:`faded`, ``[batch, 1, 2]``, float64."""
        return {
            "line": like.new_zeros(batch, channels, self._room),
            "delay": like.new_zeros(batch, 1, 2, dtype=torch.float64),
        }

    def at_rest(self, state: State, quiet: float) -> bool:
        return is_silent(state["line"], below=quiet)

    def asleep(self, controls: Mapping[str, Tensor], state: State, block: Block) -> State:
        """The delay goes on moving to where it is wanted."""
        return {**state, "delay": self._delays(state, block)[3]} if self._room else state

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, line, room = audio["in"], state["line"], self._room
        if not room:
            return {"out": signal}, state
        before, current, share, delay = self._delays(state, block)
        out = _read(signal, line, before, block.start)
        # The difference of equal delays is nothing: samples stay what they are.
        out = out + share.to(signal.dtype) * (_read(signal, line, current, block.start) - out)
        # What is new, at most as much as the line holds, goes where the oldest is.
        new = signal[..., max(block.length - room, 0) :].to(line.dtype)
        end = block.start + block.length
        place = torch.arange(end - new.shape[-1], end, device=signal.device) % room
        line = line.index_copy_(-1, place, new) if block.owned else line.index_copy(-1, place, new)
        return {"out": out}, {"line": line, "delay": delay}

    def _delays(self, state: State, block: Block) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As :func:`faded` gives them, ``[batch, 1, samples]`` each but the share."""
        assert block.clock is not None
        batch = state["delay"].shape[0]
        tempo = block.clock.tempo.detach().clamp(SLOWEST, FASTEST)
        delay = (self.settings.beats * 60 * block.sample_rate / tempo).round()
        delay = delay.clamp(self._shortest, self._room).expand(batch, 1, block.length)
        return faded(delay, state["delay"], block, max(1, round(FADE * block.sample_rate / 1000)))


def _read(signal: Tensor, line: Tensor, delay: Tensor, start: int) -> Tensor:
    """The samples so long ago: of the block itself, or of the line. delay: ``[batch, 1, samples]``, 1 … the line's."""
    place = torch.arange(signal.shape[-1], device=signal.device) - delay.long()
    inside = place >= 0
    wide = signal.shape
    own = signal.gather(-1, place.clamp(min=0).expand(wide))
    past = line.gather(-1, ((place + start) % line.shape[-1]).expand(wide))
    return torch.where(inside, own, past.to(signal.dtype))


def _shortest(beats: float, sample_rate: int) -> int:
    return max(1, int(beats * 60 * sample_rate / FASTEST)) if beats else 0


def _longest(beats: float, sample_rate: int) -> int:
    return max(_shortest(beats, sample_rate), int(min(beats * 60 / SLOWEST, LONGEST) * sample_rate))
