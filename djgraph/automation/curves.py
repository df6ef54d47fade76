"""What an automation consists of: points, curves of them by the names of controls, tempo and span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast, get_args

from djgraph.arguments import is_real, shown
from djgraph.automation.model import WORDS
from djgraph.automation.shapes import MAX_BEND, SHAPES
from djgraph.automation.times import Moment, Span, TempoMap
from djgraph.effects.roles import FADER, Measure, measure_of
from djgraph.errors import InputError, did_you_mean
from djgraph.language.site import Site
from djgraph.language.source import Source
from djgraph.language.words import IDENTIFIER

Tempo = float | Sequence[Sequence[Any]] | TempoMap
"""BPM, or pairs (beat, BPM), or (beat, BPM, ramp)."""

FRAMES_PER_SECOND = 50
"""Control frames where nobody says how many: breakpoints are met to within 20 ms."""

EVERYWHERE = "**"
"""The target of a curve for all controls of a role."""

NOWHERE = Site(Source({}))
"""The place of what was never in a file."""


@dataclass(frozen=True)
class Point:
    """A breakpoint. value: in plain units, or ``default``, ``neutral``, ``min``, ``max``, or the name of a switch's
    position. shape and bend say how the value goes on from here: see :data:`djgraph.automation.SHAPES`. Raises
    InputError for what cannot be."""

    at: Moment
    value: float | str
    shape: str = "linear"
    bend: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.shape, str) or self.shape not in SHAPES:
            raise InputError(f"there is no shape {self.shape!r}{did_you_mean(str(self.shape), SHAPES)}")
        if isinstance(self.value, str):
            if not IDENTIFIER.match(self.value):
                words = f"{', '.join(WORDS)}, or the name of a switch's position"
                raise InputError(f"value is {self.value!r}; expected a number or one of {words}")
        elif not is_real(self.value):
            raise InputError(f"value is {shown(self.value)}; expected a finite number")
        if self.bend is not None and not (is_real(self.bend) and abs(self.bend) <= MAX_BEND):
            raise InputError(f"bend is {shown(self.bend)}; expected -{MAX_BEND:g} … {MAX_BEND:g} dB")


@dataclass(frozen=True)
class Curve:
    """The course of the controls that ``targets`` name: names and patterns, or with ``fader`` tracks and stems.

    role: instead, those that have it of the one target, which is a track, a strip, a bus, or :data:`EVERYWHERE`.
    unit: in which the values are said, ``plain``, ``amplitude`` or ``position``; where left out, that of faders and of
    the role (:data:`djgraph.effects.roles.ROLES`), and for controls ``plain``.
    Before the first point and after the last their values hold.
    """

    targets: tuple[str, ...]
    points: tuple[Point, ...]
    fader: bool = False
    optional: bool = False
    role: str = ""
    unit: str = ""
    site: Site = field(default=NOWHERE, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.targets or not self.points:
            raise InputError("a curve needs at least one control and one point")
        if self.fader and self.role:
            raise InputError("a curve is for faders or for a role, not both")
        if self.role and len(self.targets) > 1:
            raise InputError("a curve for a role has one target")
        if self.unit and self.unit not in get_args(Measure):
            expected = ", ".join(get_args(Measure))
            raise InputError(f"there is no unit {self.unit!r}; expected one of {expected}")

    @property
    def measure(self) -> Measure:
        """How the values are said."""
        if self.unit:
            return cast(Measure, self.unit)
        return measure_of(FADER if self.fader else self.role)

    @property
    def is_fade(self) -> bool:
        """Whether it moves faders."""
        return self.fader or self.role == FADER

    def __str__(self) -> str:
        if self.role:
            return self.role if self.targets[0] == EVERYWHERE else f"{self.role} of {self.targets[0]}"
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
