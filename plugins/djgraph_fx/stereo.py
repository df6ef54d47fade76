"""What mixes left and right at every sample: balance, pan, width, mono."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from djgraph.effects import Block, Control, ControlModel, State, TimeEffect

Sides = tuple[Tensor, Tensor]


class StereoEffect(TimeEffect):
    """Base of effects that mix left and right without memory.

    Channels are taken in pairs of left and right: 1 and 2, 3 and 4. A channel without a partner (mono, the last of an
    odd number) has no sides, and passes unchanged.
    """

    type: ClassVar[str]  # again, so that type checkers compare subclasses with this
    memoryless = True

    def sides(self, left: Tensor, right: Tensor, controls: Mapping[str, Tensor]) -> Sides:
        """Left and right afterwards, from left and right before, each ``[batch, pairs, samples]``.

        controls: as :meth:`process` gets them.
        """
        raise NotImplementedError

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal = audio["in"]
        paired = signal.shape[1] // 2 * 2
        if not paired:
            return {"out": signal.clone()}, state
        pairs = self.sides(signal[:, 0:paired:2], signal[:, 1:paired:2], controls)
        out = torch.stack(pairs, dim=2).flatten(1, 2)
        if paired < signal.shape[1]:
            out = torch.cat((out, signal[:, paired:]), dim=1)
        return {"out": out}, state


class Balance(StereoEffect):
    """``left·√2·cos θ``, ``right·√2·sin θ`` with ``θ = (1 + balance)·π/4``: the constant-power law, 1 at the centre.

    Computed as cos φ ∓ sin φ with φ = balance·π/4, which is the same and exactly 1 at 0. The squares of both gains add
    up to 2; at the ends one side is gone and the other raised by 3 dB.
    """

    type = "balance"
    family = "level"
    description = "Level of left against right"

    class Controls(ControlModel):
        balance: Annotated[
            float,
            Control(-1, 1, neutral=0, rate="sample", smoothing=5.0, description="-1 is left only, 1 right"),
        ] = 0.0

    def sides(self, left: Tensor, right: Tensor, controls: Mapping[str, Tensor]) -> Sides:
        angle = controls["balance"] * (math.pi / 4)
        cos, sin = torch.cos(angle), torch.sin(angle)
        return left * (cos - sin), right * (cos + sin)


class Pan(StereoEffect):
    """Moves the whole stereo picture; the side that is left behind moves over by the constant-power law.

    To the right (pan > 0): ``left' = left·cos(pan·π/2)``, ``right' = right + left·sin(pan·π/2)``; to the left with
    the sides exchanged. The law of the Web Audio API's StereoPannerNode for stereo. Nothing is lost at the ends: all of
    the signal is on one side. Where it turns from one side to the other, at 0, the gradient is the mean of both.
    """

    type = "pan"
    family = "level"
    description = "Position between left and right"

    class Controls(ControlModel):
        pan: Annotated[
            float,
            Control(
                -1, 1, neutral=0, rate="sample", smoothing=5.0, description="-1 is all left, 1 all right"
            ),
        ] = 0.0

    def sides(self, left: Tensor, right: Tensor, controls: Mapping[str, Tensor]) -> Sides:
        pan = controls["pan"]
        stay_left, over_right = _leave((pan + pan.abs()) / 2)
        stay_right, over_left = _leave((pan.abs() - pan) / 2)
        return left * stay_left + right * over_left, right * stay_right + left * over_right


def _leave(way: Tensor) -> tuple[Tensor, Tensor]:
    """What of a side stays and what moves over, cos and sin of ``way``·π/2: exactly 1 and 0 for a way of 0."""
    cos, sin = torch.cos(way * (math.pi / 4)), torch.sin(way * (math.pi / 4))
    return (cos - sin) * (cos + sin), 2 * sin * cos


class Width(StereoEffect):
    """``mid ± width·side``, ``mid = (left + right)/2``, ``side = (left − right)/2``: Blumlein's width control.

    Computed as left and right moved towards each other by (1 − width)·side, so that width 1 changes no bit.
    """

    type = "width"
    family = "level"
    description = "Stereo width"

    class Controls(ControlModel):
        width: Annotated[
            float,
            Control(
                0, 2, neutral=1, rate="sample", smoothing=5.0, description="0 is mono, 2 doubles the side"
            ),
        ] = 1.0

    def sides(self, left: Tensor, right: Tensor, controls: Mapping[str, Tensor]) -> Sides:
        return _closer(left, right, 1 - controls["width"])


class Mono(StereoEffect):
    """``mid ± (1 − amount)·side``: at 1 both channels are (left + right)/2."""

    type = "mono"
    family = "level"
    description = "Sum to mono"

    class Controls(ControlModel):
        amount: Annotated[
            float,
            Control(
                0, 1, neutral=0, rate="sample", smoothing=5.0, description="How much of the side is gone"
            ),
        ] = 0.0

    def sides(self, left: Tensor, right: Tensor, controls: Mapping[str, Tensor]) -> Sides:
        return _closer(left, right, controls["amount"])


def _closer(left: Tensor, right: Tensor, amount: Tensor) -> Sides:
    """Left and right with that share of the side signal taken away: 0 changes no bit, 1 leaves the mid signal."""
    gone = amount * (0.5 * left - 0.5 * right)
    return left - gone, right + gone
