"""A time effect on a whole clip in blocks, which equals one call by the effect's contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import pad

from djgraph.dsp.derivatives import followed
from djgraph.effects import Block, Clock, TimeEffect
from djgraph.host.build import block_clock, block_controls
from djgraph.host.calls import EffectCall

AT_ONCE = 450_000
"""Samples that any effect gets at a time where no gradient is wanted: bounds what it needs beside its audio, and
keeps its buffers small enough to be used again. (2¹⁹ points hold such a block and the default reverb's past.)"""
IN_CACHE = 1 << 20
"""Numbers of a signal that a ``blockwise`` effect gets at a time: what it makes on the way stays in the CPU's cache."""
SHORTEST = 4096
"""Samples: in shorter blocks the calls take longer than what is saved."""

Read = Callable[[tuple[int, int]], Mapping[str, Tensor]]
"""The controls on a span of samples."""


def block_length(
    call: EffectCall, audio: Mapping[str, Tensor], rows: Tensor, size: tuple[int, int, int]
) -> int | None:
    """Samples of a block; None where the effect gets the clip at once. size: batch, channels, samples."""
    module = cast(TimeEffect, call.module)
    batch, channels, samples = size
    if torch.compiler.is_compiling() or any(control.rate == "frame" for control in module.controls):
        return None
    derived = followed([rows, *audio.values(), *module.parameters()])
    if module.blockwise and rows.device.type == "cpu":
        length = max(SHORTEST, IN_CACHE // (batch * channels))
    elif derived:
        return None
    else:
        length = AT_ONCE
    return length if length < samples else None


def process_in_blocks(
    call: EffectCall,
    audio: Mapping[str, Tensor],
    read: Read,
    clock: Clock | None,
    like: Tensor,
    size: tuple[int, int, int],
    length: int,
    own: bool = False,
) -> dict[str, Tensor]:
    """As :func:`djgraph.host.build.process_clip`.

    own: nobody else reads the one input, so that what comes out may take its place.
    """
    module = cast(TimeEffect, call.module)
    batch, channels, samples = size
    lag, rate = call.latency(), module.environment.sample_rate
    derived = followed([like, *audio.values(), *module.parameters()])
    own = own and not derived and not lag
    state = call.initial_state(batch, channels, like)
    # One node of autograd for all pieces: each slice of its own would have a gradient as long as the clip.
    parts = {port: tensor.split(length, dim=-1) for port, tensor in audio.items()}
    pieces: dict[str, list[Tensor]] = {port.name: [] for port in module.outputs}
    joined: dict[str, Tensor] = {}
    for number, start in enumerate(range(0, samples + lag, length)):
        stop = min(start + length, samples + lag)
        inputs = {port: _filled(part, number, stop - start) for port, part in parts.items()}
        if own:  # the effect may keep parts of its input for the next block
            inputs = {port: piece.clone() for port, piece in inputs.items()}
        controls = block_controls(module, read, start, stop, samples)
        ticks = None
        if clock is not None:
            ticks = block_clock(partial(_cut, clock), start, stop, samples, rate)
        block = Block(start, stop - start, rate, ticks)
        outputs, state = call.process(inputs, controls, state, block, (batch, channels, stop - start))
        for port, piece in outputs.items():
            piece = piece[..., min(max(lag - start, 0), stop - start) :].to(like.dtype)
            if derived:
                pieces[port].append(piece)
                continue
            if port not in joined:
                place = next(iter(audio.values())) if own and len(outputs) == 1 else None
                if place is None or place.shape[:-1] != piece.shape[:-1]:
                    place = piece.new_empty(*piece.shape[:-1], samples)
                joined[port] = place
            end = max(stop - lag, 0)
            joined[port][..., end - piece.shape[-1] : end] = piece
    return {port: torch.cat(some, dim=-1) for port, some in pieces.items()} if derived else joined


def _filled(parts: Sequence[Tensor], number: int, length: int) -> Tensor:
    """A part of a signal, with silence behind its end."""
    if number >= len(parts):
        return parts[0].new_zeros(*parts[0].shape[:-1], length)
    missing = length - parts[number].shape[-1]
    return pad(parts[number], (0, missing)) if missing else parts[number]


def _cut(clock: Clock, start: int, stop: int) -> Clock:
    return Clock(clock.tempo[..., start:stop], clock.beats[..., start:stop])
