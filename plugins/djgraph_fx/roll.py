"""Loop rolls: what is heard when a switch goes on is repeated in beats while it is held."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from djgraph.effects import Block, Control, ControlModel, Environment, SettingModel, State, TimeEffect, Unit
from djgraph_fx.switches import (
    FADE,
    Length,
    Mix,
    On,
    crosses,
    fitting,
    held_since,
    last_place,
    pressed,
    samples_since,
)

MEMORY = ("on", "length", "beats", "began", "age", "since", "live", "fade", "passes", "level", "left_level")
"""What is kept of the sample before a block, in this order. on, length: the controls. beats: the clock's. began: its
beats when the slice began. age, since: samples since the slice began, and since the last event. live: 1 where the
signal itself is heard. fade: length of the last event's cross-fade in samples. passes: repeats so far. level,
left_level: gains of what is heard, and of what the last event left."""


class Repeating(TimeEffect):
    """Base of loop rolls.

    An *event* changes what is heard: the switch goes on (the signal itself, and a slice of it begins), comes to a
    multiple of ``beats`` since then (the slice again from its start), or goes off (the signal itself). What was heard
    before goes on below a cross-fade. It is never longer than what was heard lags, so that it is known at the event.
    """

    type: ClassVar[str]  # again, so that type checkers compare subclasses with this
    family = "time"
    uses_clock = True
    again: ClassVar[bool] = False
    """Whether another length begins another slice."""

    class Settings(SettingModel):
        longest: Annotated[float, Unit("s")] = Field(
            4.0, ge=0.1, le=20, description="Longest pass in s; at tempos where it lasts longer it is halved"
        )

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.room = math.ceil(settings.longest * environment.sample_rate) + 1
        self.fade = max(1, round(FADE * environment.sample_rate / 1000))

    def tail(self) -> int | None:
        return None

    def initial_state(self, batch: int, channels: int, like: Tensor) -> State:
        """``slice``: ``[batch, channels, room + 1]``, of which the last is not used. ``left``: how what the last event
        left goes on, ``[batch, channels, fade]``. ``memory``: ``[batch, 1, …]``, float64, what ``MEMORY`` says."""
        memory = like.new_zeros(batch, 1, len(MEMORY), dtype=torch.float64)
        for name in ("live", "level", "left_level"):
            memory[..., MEMORY.index(name)] = 1
        # Longer ago than any fade lasts.
        memory[..., MEMORY.index("since")] = self.fade
        return {
            "slice": like.new_zeros(batch, channels, self.room + 1),
            "left": like.new_zeros(batch, channels, self.fade),
            "memory": memory,
        }

    def levels(
        self, controls: Mapping[str, Tensor], passes: Tensor, gone: Tensor, length: Tensor, tempo: Tensor
    ) -> Tensor | None:
        """The gain of what is repeated, ``[batch, 1, samples]``, float64; None is 1.

        passes: repeats since the slice began. gone, length: beats since the pass began, and of a pass.
        """
        return None

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, clock = audio["in"], block.clock
        if clock is None:
            raise ValueError(f"{self.type} needs a clock: call the mixer with tempo=…")
        before = dict(zip(MEMORY, state["memory"].split(1, dim=-1)))
        shape = (signal.shape[0], 1, block.length)
        on, wanted = (controls[name].detach().double().expand(shape) for name in ("on", "beats"))
        beats, tempo = (one.expand(shape) for one in (clock.beats, clock.tempo))

        # Events
        down, starts, stops = pressed(on, before["on"])
        if self.again:
            starts = starts | (down & (wanted != _earlier(wanted, before["length"])))
        began_at = last_place(starts)
        began = held_since(beats, began_at, before["began"])
        length = fitting(wanted, tempo, self.settings.longest)
        since, earlier = beats - began[..., 1:], _earlier(beats, before["beats"]) - began[..., 1:]
        seams = down & ~starts & crosses(since, earlier, length)
        event_at = last_place(starts | stops | seams)

        # What is heard at each place: the signal itself, or the slice from ``since`` on.
        age = samples_since(began_at, before["age"])
        heard = samples_since(event_at, before["since"])
        live = held_since((~seams).double(), event_at, before["live"]) > 0.5
        count = torch.nn.functional.pad(seams.double().cumsum(dim=-1), (1, 0))
        passes = count - count.gather(-1, began_at) + torch.where(began_at > 0, 0, before["passes"])
        gain = self.levels(
            controls, passes[..., 1:], since - length * ((since + 1e-9) / length).floor(), length, tempo
        )
        gain = torch.ones_like(since) if gain is None else torch.where(down, gain, 1.0)
        level = torch.cat((before["level"], gain), dim=-1)

        # What the last event left: what was heard at the place before it.
        left_at = (event_at - 1).clamp(min=0)
        in_block = event_at > 0
        left_live, left_age, left_heard = (one.gather(-1, left_at) for one in (live, age, heard))
        lag = torch.where(left_live, self.fade, left_age - left_heard).clamp(max=self.fade)
        # A fade that began in an earlier block: its length; below 0 where what was left is the signal itself.
        told = torch.where(left_live, -1, 1) * lag
        told = torch.where(in_block, told, before["fade"].to(torch.int64))
        left_level = torch.where(in_block, level.gather(-1, left_at), before["left_level"])

        reader = _Reader(signal, state["slice"], self.room)
        place = torch.arange(block.length + 1, device=signal.device).expand(live.shape)
        current = reader.read(torch.where(live, age, heard), place - age)[..., 1:]
        current = torch.where(live[..., 1:], signal, current)
        onward = reader.read(left_heard + 1 + heard, left_at - left_age)[..., 1:]
        kept = state["left"].gather(-1, _spread(heard.clamp(max=self.fade - 1), state["left"]))[..., 1:]
        left = torch.where(in_block[..., 1:], onward, kept)
        left = torch.where(told[..., 1:] < 0, signal, left)
        share = (heard[..., 1:].double() / told[..., 1:].abs().clamp(min=1)).clamp(max=1)
        current = current * level[..., 1:].to(signal.dtype)
        left = left * left_level[..., 1:].to(signal.dtype)
        # Where nothing fades, what was left may lie outside of what is known.
        wet = torch.where(share < 1, left + share.to(signal.dtype) * (current - left), current)

        named = {
            "on": down, "length": wanted, "beats": beats, "began": began, "age": age, "since": heard,
            "live": live, "fade": told, "passes": passes, "level": level, "left_level": left_level,
        }  # fmt: skip
        ahead = left_heard[..., -1:] + 1 + torch.arange(self.fade, device=signal.device)
        onward = reader.read(ahead, (left_at - left_age)[..., -1:])
        # What no fade reads would depend on where blocks end.
        onward = torch.where(ahead - left_heard[..., -1:] <= told[..., -1:], onward, 0)
        after = {
            "slice": reader.recorded(age, began_at[..., -1:] > 0, block.owned),
            "left": torch.where(in_block[..., -1:], onward, state["left"]),
            "memory": torch.cat([named[name][..., -1:].double() for name in MEMORY], dim=-1),
        }
        return {"out": torch.lerp(signal, wet, controls["mix"])}, after


class _Reader:
    """The slice and the signal of a block, read together.

    Sample p of a slice that began at place b is the signal's at place b + p, which is in the block from place 1 on.
    """

    def __init__(self, signal: Tensor, slice_: Tensor, room: int) -> None:
        self.signal, self.slice, self.room = signal, slice_, room

    def read(self, sample: Tensor, began: Tensor) -> Tensor:
        """Samples of slices, ``[batch, 1, samples]``; beyond the room they begin again."""
        sample = sample.remainder(self.room)
        place = sample + began
        inside = self.signal.gather(-1, _spread((place - 1).clamp(0, self.signal.shape[-1] - 1), self.signal))
        return torch.where(place > 0, inside, self.slice.gather(-1, _spread(sample, self.slice)))

    def recorded(self, age: Tensor, new: Tensor, owned: bool) -> Tensor:
        """The slice that began last, as far as it is known after the block, and silence.

        age: ``[batch, 1, samples + 1]``. new: whether it began in this block. owned: whether the one before may be
        written to.
        """
        place = torch.arange(age.shape[-1], device=age.device)
        sample = (place - (place[-1] - age[..., -1:]))[..., 1:]
        own = (sample >= 0) & (sample < self.room)
        index = _spread(torch.where(own, sample, self.room), self.signal)
        values = torch.where(own, self.signal, 0)
        if owned:
            return self.slice.masked_fill_(new, 0).scatter_(-1, index, values)
        return self.slice.masked_fill(new, 0).scatter(-1, index, values)


def _spread(index: Tensor, signal: Tensor) -> Tensor:
    return index.expand(*signal.shape[:-1], index.shape[-1])


def _earlier(values: Tensor, before: Tensor) -> Tensor:
    """The values a sample before."""
    return torch.cat((before, values[..., :-1]), dim=-1)


class Roll(Repeating):
    """While ``on`` is held, the first ``beats`` of what came in since it went on are heard again and again.

    The first pass is the signal itself. Each further one begins where the clock has come to another multiple of
    ``beats`` since the switch went on, and reads the same slice from its start. After the switch goes off the signal
    is heard where it would have been (what DJs call slip). Another length takes effect at its own next multiple.
    """

    type = "roll"
    description = "Loop roll: repeats in beats what it heard first, while it is on"

    class Controls(ControlModel):
        on: On = 0.0
        beats: Length = 0.5
        mix: Mix = 1.0


class SlipRoll(Roll):
    """:class:`Roll`; another length begins another slice, of what comes in at that moment."""

    type = "slip_roll"
    description = "Loop roll that takes a new slice when its length changes"
    again = True


class Stutter(Repeating):
    """:class:`Roll` with a gate that is open for ``gate`` of each pass, and repeats that fall by ``decay`` dB each."""

    type = "stutter"
    description = "Loop roll behind a gate, with repeats that get quieter"

    class Controls(ControlModel):
        on: On = 0.0
        beats: Length = 0.5
        gate: Annotated[
            float, Control(0.05, 1, neutral=0.5, smoothing=5.0, description="Part of a pass that is heard")
        ] = 0.5
        decay: Annotated[
            float,
            Control(
                0, 24, neutral=0, unit="dB", smoothing=5.0, description="How much each repeat is quieter"
            ),
        ] = 0.0
        mix: Mix = 1.0

    def levels(
        self, controls: Mapping[str, Tensor], passes: Tensor, gone: Tensor, length: Tensor, tempo: Tensor
    ) -> Tensor:
        closed = (
            (gone - controls["gate"].double() * length) * (60000 / tempo) / FADE
        )  # in lengths of the edge
        # A gate of 1 stays open: the edge lies behind the pass.
        return (1 - closed).clamp(0, 1) * 10 ** (-controls["decay"].double() * passes / 20)
