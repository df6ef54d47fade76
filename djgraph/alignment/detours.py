"""Short pieces of a track that were found beside long ones: which were played, and which only sound like it."""

from __future__ import annotations

from collections.abc import Sequence

from djgraph.alignment.cuts import Cutter, Part
from djgraph.alignment.features import RATE

_SHORT = 4.0
"""Seconds of a part that has to prove itself."""
_NEAR = 6.0
"""Seconds around a part in which it is looked for a line that is heard for longer, and on which the track may be."""
_SAME = 4.0
"""Samples within which two lines are one."""
_OWN = 0.25
"""Share of what a part explains that nothing else does."""
_CLEAR, _SOME = 30.0, 0.03
"""Times as much as the other line, and share of what is heard, from which on less will do."""
_ALONE = 1.0
"""Seconds of a part before or behind all others, with a pause of as much, that has to explain so _MUCH."""
_MUCH = 0.5


def without_detours(parts: Sequence[Part], cutter: Cutter) -> list[Part]:
    """Parts less those that are no jumps.

    Drums are the same samples in every bar. Where a track is filtered or below others, a moment of it may be explained
    a little better by another of its bars, and a path that jumps there and back again by nothing else than that. So a
    short part is held against the line of a long one beside it: of two lines that explain what is heard together, that
    which was played explains much alone, and the other one what both have in common. A true loop is not explained at
    all by the line that it left.
    """
    kept = []
    for number, part in enumerate(parts):
        length = part.ends - part.begins
        if length >= _SHORT * RATE or _believed(part, number, parts, cutter):
            kept.append(part)
    return kept


def _believed(part: Part, number: int, parts: Sequence[Part], cutter: Cutter) -> bool:
    before = parts[number - 1] if number else None
    after = parts[number + 1] if number + 1 < len(parts) else None
    gaps = [part.begins - before.ends] if before else []
    gaps += [after.begins - part.ends] if after else []
    outside = len(gaps) == 1 and gaps[0] > _ALONE * RATE
    if outside and part.ends - part.begins < _ALONE * RATE:
        return cutter.shares([part.line], part.begins, part.ends)[0] > _MUCH
    others = [one for one in parts if not _on(one, part)]
    if not others:
        return True
    longest = max(others, key=lambda one: _near(one, part, parts))
    if _near(longest, part, parts) < 2 * _near(part, part, parts):
        return True
    (alone,) = cutter.shares([part.line], part.begins, part.ends)
    own, instead = cutter.shares([part.line, longest.line], part.begins, part.ends)
    if own > _CLEAR * instead and own > _SOME:
        return True
    return own > _OWN * alone and own > instead


def _near(one: Part, part: Part, parts: Sequence[Part]) -> float:
    """How long a line is heard around a part, in samples."""
    low, high = part.begins - _NEAR * RATE, part.ends + _NEAR * RATE
    return sum(
        max(0.0, min(other.ends, high) - max(other.begins, low)) for other in parts if other.line is one.line
    )


def _on(one: Part, part: Part) -> bool:
    """Whether a part is on another one's line: found twice, to a sample or two."""
    middle = (part.begins + part.ends) / 2
    return one.line is part.line or abs(float(one.line.position(middle) - part.line.position(middle))) < _SAME
