"""What an automation consists of: points, curves of them by the names of controls, tempo and span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from djgraph.arguments import is_real, shown
from djgraph.automation.model import WORDS
from djgraph.automation.shapes import MAX_BEND, SHAPES
from djgraph.automation.times import Moment, Span, TempoMap
from djgraph.errors import InputError, did_you_mean
from djgraph.language.site import Site
from djgraph.language.source import Source

Tempo = float | Sequence[Sequence[Any]] | TempoMap
"""BPM, or pairs (beat, BPM), or (beat, BPM, ramp)."""

FRAMES_PER_SECOND = 50
"""Control frames where nobody says how many: breakpoints are met to within 20 ms."""

NOWHERE = Site(Source({}))
"""The place of what was never in a file."""


@dataclass(frozen=True)
class Point:
    """A breakpoint. value: in plain units, or ``default``, ``neutral``, ``min``, ``max``. shape and bend say how
    the value goes on from here: see :data:`djgraph.automation.SHAPES`. Raises InputError for what cannot be."""

    at: Moment
    value: float | str
    shape: str = "linear"
    bend: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.shape, str) or self.shape not in SHAPES:
            raise InputError(f"there is no shape {self.shape!r}{did_you_mean(str(self.shape), SHAPES)}")
        if isinstance(self.value, str):
            if self.value not in WORDS:
                raise InputError(f"value is {self.value!r}; expected a number or one of {', '.join(WORDS)}")
        elif not is_real(self.value):
            raise InputError(f"value is {shown(self.value)}; expected a finite number")
        if self.bend is not None and not (is_real(self.bend) and abs(self.bend) <= MAX_BEND):
            raise InputError(f"bend is {shown(self.bend)}; expected -{MAX_BEND:g} … {MAX_BEND:g} dB")


@dataclass(frozen=True)
class Curve:
    """The course of the controls that ``targets`` name: names and patterns, or with ``fader`` tracks and stems.

    Before the first point and after the last their values hold.
    """

    targets: tuple[str, ...]
    points: tuple[Point, ...]
    fader: bool = False
    optional: bool = False
    site: Site = field(default=NOWHERE, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.targets or not self.points:
            raise InputError("a curve needs at least one control and one point")

    def __str__(self) -> str:
        return ("the fader of " if self.fader else "") + ", ".join(self.targets)


@dataclass(frozen=True)
class First:
    """Alternatives: the first curve whose controls are there counts."""

    curves: tuple[Curve, ...]
    site: Site = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class CurveSet:
    """Curves with the tempo and the span that their times hang on: what :class:`djgraph.automation.Automation` holds.

    Where two curves name the same control, the later one counts.
    """

    curves: tuple[Curve | First, ...]
    name: str = "automation"
    title: str = ""
    description: str = ""
    tempo: TempoMap | None = None
    beats_per_bar: int = 4
    span: Span | None = None
    site: Site = field(default=NOWHERE, compare=False, repr=False)

    def every_curve(self) -> Iterator[Curve]:
        """All curves, alternatives included."""
        for item in self.curves:
            yield from item.curves if isinstance(item, First) else (item,)

    def bpm(self, n_frames: int, duration: float) -> float | list[float] | None:
        """The tempo for a mixer's effects that follow a clock: a number, one for each frame, or None."""
        if self.tempo is None or len(self.tempo.points) == 1:
            return None if self.tempo is None else self.tempo.points[0][1]
        return [self.tempo.bpm(i * duration / max(n_frames - 1, 1)) for i in range(n_frames)]
