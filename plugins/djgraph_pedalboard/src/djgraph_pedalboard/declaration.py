"""What a plugin declares of its parameters, as text that can be kept, and as controls."""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from djgraph.effects import Control
from djgraph.reading import Stored
from djgraph.text import clip, printable

Knot = Annotated[list[float], Field(min_length=2, max_length=2)]
"""A plugin's raw value, 0…1, and what it shows for it."""

MOST_PARAMETERS = 256
"""Of a plugin that become controls."""
MOST_CHOICES = 256
CLOSE = 5e-4
"""By how much of the raw range a curve of knots may miss what the plugin says."""
PROBE = 1e-3
"""Steps of the raw value in which Pedalboard asks a plugin what it shows: a span ends where the next begins."""
WIDE = 20.0
"""Ratio of the ends of a range from which on it may be that of a logarithmic knob."""
_WORD = re.compile(r"[^a-z0-9]+")


class Parameter(Stored):
    """One parameter: ``name`` as Pedalboard calls it, and the control ``id``.

    kind: ``curve``, where ``knots`` say which raw value gives which number, in between by straight lines; ``choices``,
    where the control counts them from 0 (``names``, and the raw value of each in ``raws``).
    """

    name: str = Field(min_length=1, max_length=200)
    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    kind: Literal["curve", "choices"]
    default: float
    unit: str = Field("ratio", max_length=24)
    scale: Literal["linear", "log"] = "linear"
    knots: list[Knot] = Field([], max_length=2048)
    names: list[str] = Field([], max_length=MOST_CHOICES)
    raws: list[float] = Field([], max_length=MOST_CHOICES)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        raws = [raw for raw, _ in self.knots] if self.kind == "curve" else list(self.raws)
        if any(not 0 <= raw <= 1 for raw in raws):
            raise ValueError("raw values are from 0 to 1")
        if self.kind == "curve":
            shown = [value for _, value in self.knots]
            if len(shown) < 2 or any(not low < high for low, high in pairwise(shown)):
                raise ValueError("knots are two or more, and what they show grows")
        elif len(self.names) != len(self.raws) or len(self.raws) < 2:
            raise ValueError("choices are two or more names, and as many raw values")
        if self.id == "mix":
            raise ValueError("mix is djgraph's own control")
        faults = self.control().replace(id=self.id, default=self.default).faults()
        if faults:
            raise ValueError(faults[0])
        return self

    def control(self) -> Control:
        """The control; ``mix`` makes any value of it neutral."""
        if self.kind == "choices":
            high = float(len(self.raws) - 1)
            return Control(
                0, high, neutral=self.default, unit="choice", step=1, names=tuple(self.names), gradient="none"
            )
        low, high = self.knots[0][1], self.knots[-1][1]
        return Control(low, high, neutral=self.default, unit=self.unit, scale=self.scale, gradient="none")

    def raw(self, value: float) -> float:
        """The plugin's raw value for a control's."""
        if self.kind == "choices":
            return self.raws[min(max(round(value), 0), len(self.raws) - 1)]
        shown = [one for _, one in self.knots]
        after = min(max(bisect.bisect_right(shown, value), 1), len(shown) - 1)
        (raw, low), (other, high) = self.knots[after - 1], self.knots[after]
        return raw + (other - raw) * min(max((value - low) / (high - low), 0.0), 1.0)


def parameters_of(plugin: Any) -> tuple[list[Parameter], list[str]]:
    """The parameters of a plugin that Pedalboard has loaded, and what is left out, in words, with the reason.

    plugin: an object whose ``parameters`` maps names to Pedalboard's ``AudioProcessorParameter``.
    """
    found: list[Parameter] = []
    left_out: list[str] = []
    taken = {"mix"}
    for name, parameter in plugin.parameters.items():
        if len(found) == MOST_PARAMETERS:
            left_out.append(f"{len(plugin.parameters) - MOST_PARAMETERS} parameters beyond {MOST_PARAMETERS}")
            break
        try:
            if not getattr(parameter, "is_automatable", True):
                raise ValueError("the plugin says that it cannot be automated")
            one = _parameter(str(name), parameter, taken)
        except ValueError as fault:
            left_out.append(f"{clip(printable(str(name)))}: {' '.join(str(fault).split())[:200]}")
            continue
        taken.add(one.id)
        found.append(one)
    return found, left_out


def _parameter(name: str, parameter: Any, taken: set[str]) -> Parameter:
    common: dict[str, Any] = {"name": name, "id": free(name, taken)}
    at = float(parameter.raw_value)
    ranges: Mapping[tuple[float, float], Any] = parameter.ranges
    if len(ranges) < 2:
        raise ValueError("it has one value only")
    discrete = parameter.type is not float or bool(getattr(parameter, "is_discrete", False))
    if discrete and len(ranges) <= MOST_CHOICES:
        spans = sorted(ranges)
        # The middle of each span: at its ends a plugin may round either way.
        raws = [_middle(span) for span in spans]
        names = [clip(printable(_text(ranges[span]))) or str(n) for n, span in enumerate(spans)]
        chosen = next((n for n, (_, end) in enumerate(spans) if at < end), len(spans) - 1)
        return Parameter(**common, kind="choices", names=names, raws=raws, default=float(chosen))
    if parameter.type is not float:
        raise ValueError(f"it has {len(ranges)} texts, and no numbers")
    knots = _knots(ranges)
    unit = printable(str(parameter.label or "")).strip()[:24]
    if not knots:  # what it shows goes up and down: its raw value, then
        knots, unit = [[0.0, 0.0], [1.0, 1.0]], "ratio"
    shown, raws = [value for _, value in knots], [raw for raw, _ in knots]
    scale: Literal["linear", "log"] = "log" if _logarithmic(knots) else "linear"
    default = _between(raws, shown, at)
    return Parameter(**common, kind="curve", knots=knots, unit=unit or "ratio", scale=scale, default=default)


def free(name: str, taken: Iterable[str]) -> str:
    """An id for a name: lower-case letters, digits and underscores, and none that is taken."""
    word = _WORD.sub("_", name.lower()).strip("_")[:48] or "parameter"
    if not word[0].isalpha():
        word = f"p_{word}"
    if word == "mix":
        word = "own_mix"
    number, result = 1, word
    while result in taken:
        number += 1
        result = f"{word}_{number}"
    return result


def _knots(ranges: Mapping[tuple[float, float], float]) -> list[list[float]]:
    """As few knots as tell raw values to :data:`CLOSE`; none where what is shown does not grow or fall throughout."""
    spans = sorted(ranges)
    points = [[max(_middle(span) - PROBE / 2, span[0]), float(ranges[span])] for span in spans]
    # The first and the last value hold from the very end on.
    points[0][0], points[-1][0] = 0.0, 1.0
    if points[0][1] > points[-1][1]:
        points.reverse()
    if not all(math.isfinite(value) for _, value in points):
        return []
    if any(not low < high for (_, low), (_, high) in pairwise(points)):
        return []
    kept = [0, len(points) - 1]
    stack = [(0, len(points) - 1)]
    while stack:
        first, last = stack.pop()
        (raw, low), (other, high) = points[first], points[last]
        misses = [
            abs(raw + (other - raw) * (points[n][1] - low) / (high - low) - points[n][0])
            for n in range(first + 1, last)
        ]
        if misses and max(misses) > CLOSE:
            worst = first + 1 + misses.index(max(misses))
            kept.append(worst)
            stack += [(first, worst), (worst, last)]
    return [points[n] for n in sorted(kept)]


def _logarithmic(knots: Sequence[Sequence[float]]) -> bool:
    raws, shown = [raw for raw, _ in knots], [value for _, value in knots]
    low, high = shown[0], shown[-1]
    if not (low > 0 and high / low >= WIDE):
        return False
    middle = _between(raws, shown, 0.5)
    return abs(math.log(middle / math.sqrt(low * high))) < abs(math.log(middle / ((low + high) / 2)))


def _between(raws: Sequence[float], shown: Sequence[float], at: float) -> float:
    points = sorted(zip(raws, shown))
    for (raw, low), (other, high) in pairwise(points):
        if at <= other:
            return low + (high - low) * min(max((at - raw) / (other - raw), 0.0), 1.0)
    return points[-1][1]


def _middle(span: tuple[float, float]) -> float:
    return (span[0] + span[1]) / 2


def _text(value: Any) -> str:
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)
