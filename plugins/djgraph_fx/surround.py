"""Between layouts of speakers: a mono or stereo signal placed in quad or 5.1, and any layout folded down to stereo."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from djgraph.effects import Block, Conflict, Control, ControlModel, Environment, Port, State, TimeEffect, Use
from djgraph.speakers import LAYOUTS, speakers, word

Speakers = list[Tensor]
"""What each speaker plays, or its gain, ``[batch, 1, samples]``."""

_HALF_POWER = math.sqrt(0.5)


class Placing(TimeEffect):
    """Base of effects that place a mono signal, or both sides of a stereo one, among more speakers."""

    type: ClassVar[str]  # again, so that type checkers compare subclasses with this
    family = "level"
    memoryless = True

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterable[Conflict]:
        if use.channels > 2:
            yield Conflict(f"{cls.type} places a mono or stereo signal, and it gets {word(use.channels)}")

    def gains(self, place: Tensor, controls: Mapping[str, Tensor]) -> Speakers:
        """The gain of each speaker for a point at ``place``, −1 (left) to 1 (right)."""
        raise NotImplementedError

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal, x = audio["in"], controls["x"]
        if signal.shape[1] == 1:
            return {"out": signal * torch.cat(self.gains(x, controls), 1)}, state
        # Both sides are points that move towards the other side, as in `pan`; at x = 0 they lie at −1 and 1.
        left, right = self.gains(x + x.abs() - 1, controls), self.gains(1 + x - x.abs(), controls)
        sides = signal[:, :1], signal[:, 1:2]
        return {"out": sides[0] * torch.cat(left, 1) + sides[1] * torch.cat(right, 1)}, state


def _fade(place: Tensor) -> tuple[Tensor, Tensor]:
    """The constant-power law from −1 to 1, cos and sin of a quarter turn: exactly 1 and 0 at the one end, 0 and 1 at
    the other."""
    return torch.sin((1 - place) * (math.pi / 4)), torch.sin((1 + place) * (math.pi / 4))


def _position(axis: str) -> Control:
    return Control(-1, 1, rate="sample", smoothing=5.0, description=axis)


class QuadPan(Placing):
    """``L, R, Ls, Rs = a·f, b·f, a·r, b·r`` times the signal: the constant-power law across, and once more from back
    to front.

    a, b = sin((1 ∓ x)·π/4); r, f = sin((1 ∓ y)·π/4). The squares of the four gains add up to 1. Both sides of a stereo
    signal are such points: at x = 0 and y = 1 they are L and R.
    """

    type = "quad_pan"
    description = "Position in four speakers"
    outputs = (Port("out", 4),)

    class Controls(ControlModel):
        x: Annotated[float, _position("-1 is left, 1 right")] = 0.0
        y: Annotated[float, _position("-1 is behind, 1 in front")] = 1.0

    def gains(self, place: Tensor, controls: Mapping[str, Tensor]) -> Speakers:
        left, right = _fade(place)
        rear, front = _fade(controls["y"])
        return [left * front, right * front, left * rear, right * rear]


class SurroundPan(Placing):
    """The same in 5.1, with the front on three speakers as far as ``centre`` says.

    The front's gains are cos(centre·π/2)·p + sin(centre·π/2)·q over its own length: p is the point between L and R, q
    the same between the nearest two of L, C and R. The squares of all gains but the LFE's add up to 1. The LFE gets
    ``lfe`` times the signal, or the middle of a stereo one, whole: no filter is in it.
    """

    type = "surround_pan"
    description = "Position in 5.1"
    outputs = (Port("out", 6),)

    class Controls(ControlModel):
        x: Annotated[float, _position("-1 is left, 1 right")] = 0.0
        y: Annotated[float, _position("-1 is behind, 1 in front")] = 1.0
        centre: Annotated[
            float,
            Control(
                0,
                1,
                rate="sample",
                smoothing=5.0,
                description="How far the centre speaker takes the place of left and right together",
            ),
        ] = 1.0
        lfe: Annotated[
            float,
            Control(0, 1, rate="sample", smoothing=5.0, amplitude=True, description="Level in the LFE"),
        ] = 0.0

    def gains(self, place: Tensor, controls: Mapping[str, Tensor]) -> Speakers:
        left, right = _fade(place)
        rear, front = _fade(controls["y"])
        between, own = _fade(2 * controls["centre"] - 1)
        # The point between the nearest two of three speakers. At its corner, 0, the gradient is the mean of both sides.
        away, quarter = place.abs(), math.pi / 2
        centre = torch.sin((1 - away) * quarter)
        near_left, near_right = (
            torch.sin((away - place) * (quarter / 2)),
            torch.sin((away + place) * (quarter / 2)),
        )
        along = near_left * left + near_right * right
        length = torch.sqrt(1 + 2 * between * own * along)
        between, own = front * between / length, front * own / length
        return [
            between * left + own * near_left,
            between * right + own * near_right,
            own * centre,
            torch.zeros_like(left),
            left * rear,
            right * rear,
        ]

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        made, state = super().process(audio, controls, state, block)
        out = made["out"]
        low = controls["lfe"] * audio["in"].mean(1, keepdim=True)
        return {"out": torch.cat((out[:, :3], low, out[:, 4:]), 1)}, state


class Downmix(TimeEffect):
    """``L' = L + centre·C + surround·Ls + lfe·LFE`` and the same on the right: the stereo downmix of ITU-R BS.775.

    centre and surround rest at √½, as there. Side and rear surrounds count alike, a rear centre is half of each side's
    power. A stereo signal stays as it is, a mono one is put on both sides.
    """

    type = "downmix"
    family = "level"
    description = "Any layout down to stereo"
    outputs = (Port("out", 2),)
    memoryless = True

    class Controls(ControlModel):
        centre: Annotated[
            float,
            Control(0, 1, rate="sample", smoothing=5.0, amplitude=True, description="Level of the centre"),
        ] = _HALF_POWER
        surround: Annotated[
            float,
            Control(0, 1, rate="sample", smoothing=5.0, amplitude=True, description="Level of the surrounds"),
        ] = _HALF_POWER
        lfe: Annotated[
            float,
            Control(
                0,
                4,
                rate="sample",
                smoothing=5.0,
                amplitude=True,
                description="Level of the low-frequency effects channel",
            ),
        ] = 0.0

    @classmethod
    def conflicts(cls, use: Use, environment: Environment) -> Iterable[Conflict]:
        if speakers(use.channels) is None:
            known = tuple(layout.word for layout in LAYOUTS)
            yield Conflict(f"downmix does not know which of {word(use.channels)} is which", allowed=known)

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal = audio["in"]
        layout = speakers(signal.shape[1])
        assert layout is not None  # else the graph is refused
        if len(layout.order) <= 2:
            return {"out": signal.expand(-1, 2, -1).clone()}, state
        channels = dict(zip(layout.order, signal.split(1, dim=1), strict=True))
        left, right = channels.pop("L"), channels.pop("R")
        for label, channel in channels.items():
            part = controls[_KINDS[label]] * channel
            if label == "Cs":
                part = _HALF_POWER * part
            if not label.startswith("R"):
                left = left + part
            if not label.startswith("L") or label == "LFE":
                right = right + part
        return {"out": torch.cat((left, right), 1)}, state


_KINDS = {"C": "centre", "LFE": "lfe"} | dict.fromkeys(
    ("Ls", "Rs", "Cs", "Lss", "Rss", "Lrs", "Rrs"), "surround"
)
"""Which control is the level of a channel."""
