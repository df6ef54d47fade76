"""How high slots lie: as near as can be to what they are connected with, in their order, without overlaps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import floor

from djgraph.drawing.layers import Layers, Pin, Slot

SPACE = 14
"""Between two boxes of a layer; half of it beside a lane."""
ROUNDS = 8
STEP = 6
"""How far slots are lowered so that lines beside one another do not touch."""


def place(made: Layers) -> None:
    """Give every slot its ``y``: each layer in turn, from the left and from the right."""
    near = made.near()
    for layer in made.slots:
        _spread(layer, [0.0] * len(layer), [1.0] * len(layer))
    sources = _sources(made, near)
    for turn in range(ROUNDS):
        ahead = turn % 2 == 1
        for layer in made.slots if ahead else made.slots[::-1]:
            wanted, weights = [], []
            for slot in layer:
                pins = [pair for pair in near[slot] if pair[0].left != ahead]
                # A lane that turns round stays near to the box where it begins or ends.
                pins = [pair for pair in pins if not slot.is_box or pair[1].slot.layer != slot.layer]
                # Sources can follow what they feed; what else feeds it cannot.
                pins = [pair for pair in pins if pair[1].slot not in sources] or pins
                wanted.append(_opposite(pins) if pins else slot.y)
                # A lane that bends is seen more than a box that is not in the middle.
                weights.append((1.0 if pins else 0.05) * (1 if slot.is_box else 4))
            _spread(layer, wanted, weights)
    for layer in made.slots[::-1]:
        free = [slot in sources for slot in layer]
        wanted = [
            _opposite([pair for pair in near[slot] if pair[0].left]) if loose else slot.y
            for slot, loose in zip(layer, free)
        ]
        _spread(layer, wanted, [1.0 if loose else 1000.0 for loose in free])
    top = min((slot.y for layer in made.slots for slot in layer), default=0.0)
    for layer in made.slots:
        for slot in layer:
            slot.y -= top


def lower(made: Layers, slots: Collection[Slot]) -> None:
    """Move slots a little down, and all below them in their layers."""
    for layer in made.slots:
        shift = 0
        for slot in layer:
            shift += STEP if slot in slots else 0
            slot.y += shift


def _sources(made: Layers, near: Mapping[Slot, list[tuple[Pin, Pin]]]) -> set[Slot]:
    """Slots that nothing feeds, and the lanes of what they feed."""
    found: set[Slot] = set()
    for layer in made.slots:
        for slot in layer:
            before = [other.slot for own, other in near[slot] if not own.left]
            follows = not before if slot.item else bool(before) and found.issuperset(before)
            if follows and any(own.left for own, _ in near[slot]):
                found.add(slot)
    return found


def _opposite(pins: Sequence[tuple[Pin, Pin]]) -> float:
    """Where a slot lies if its own pins are, in the mean, as high as the others."""
    return sum(other.y - own.offset for own, other in pins) / len(pins)


def _spread(layer: Sequence[Slot], wanted: Sequence[float], weights: Sequence[float]) -> None:
    """The places nearest to those wanted, by weighted squares, that keep order and space: isotonic regression by
    pooling adjacent violators (Barlow et al., 1972)."""
    shifts = []
    shift = 0.0
    for index, slot in enumerate(layer):
        if index:
            above = layer[index - 1]
            shift += above.height + (SPACE if slot.is_box and above.is_box else SPACE / 2)
        shifts.append(shift)
    pools: list[tuple[float, float, int]] = []
    for place, weight, shift in zip(wanted, weights, shifts):
        pool = (place - shift, weight, 1)
        while pools and pools[-1][0] >= pool[0]:
            mean, mass, count = pools.pop()
            total = mass + pool[1]
            pool = ((mean * mass + pool[0] * pool[1]) / total, total, count + pool[2])
        pools.append(pool)
    places = [mean for mean, _, count in pools for _ in range(count)]
    for slot, start, shift in zip(layer, places, shifts):
        slot.y = floor(start + shift + 0.5)
