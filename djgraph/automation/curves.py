"""Automation: what the controls of a mixer do over time, by name."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from djgraph.automation.model import WORDS
from djgraph.automation.shapes import MAX_BEND, SHAPES
from djgraph.automation.times import Moment, Span, TempoMap
from djgraph.errors import InputError, did_you_mean
from djgraph.language.site import Site
from djgraph.language.source import Source

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from djgraph.graph import Graph
    from djgraph.layout import ParameterLayout
    from djgraph.mixer import Mixer

Tempo = float | Sequence[Sequence[float]] | TempoMap
"""BPM, or pairs (beat, BPM)."""

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
        if self.shape not in SHAPES:
            raise InputError(f"there is no shape {self.shape!r}{did_you_mean(str(self.shape), SHAPES)}")
        if isinstance(self.value, str):
            if self.value not in WORDS:
                raise InputError(f"value is {self.value!r}; expected a number or one of {', '.join(WORDS)}")
        elif not math.isfinite(self.value):
            raise InputError(f"value is {self.value}; expected a finite number")
        if self.bend is not None and not abs(self.bend) <= MAX_BEND:
            raise InputError(f"bend is {self.bend}; expected -{MAX_BEND:g} … {MAX_BEND:g} dB")


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
class Automation:
    """Curves for the controls of any mixer that has them. Immutable; equal where the contents are equal.

    Where two curves name the same control, the later one counts.

    >>> auto = djgraph.automation.load("bass_swap", length="16beats")
    >>> params = auto.render(mixer.layout, duration=30.0, tempo=128)      # [1501, controls]
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

    # ── Onto a mixer ────────────────────────────────────────────────────────────────────────────────────────

    def render(
        self,
        layout: ParameterLayout | Graph | Mixer,
        n_frames: int | None = None,
        duration: float | None = None,
        tempo: Tempo | None = None,
        batch: int | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Params ``[frames, controls]``, with ``batch`` ``[batch, frames, controls]``, in plain units.

        Frame i of F is the value at second i/(F − 1) of the duration (a single frame at 0), exactly the
        breakpoint's where one lies there. Controls without a curve keep their default.

        layout: what to render for; a graph or mixer will do. n_frames: 50 a second where left out. duration: of
        the clip in seconds; may be left out where all times are shares of it and n_frames is given. tempo: BPM
        or pairs (beat, BPM); the file's own where left out. dtype: torch's default where left out.

        Raises AutomationError for what does not fit (see :meth:`check`), InputError for impossible sizes.
        """
        from djgraph.automation.render import render

        return render(self, layout_of(layout), n_frames, duration, tempo, batch, dtype)

    def check(
        self,
        layout: ParameterLayout | Graph | Mixer,
        duration: float | None = None,
        tempo: Tempo | None = None,
    ) -> None:
        """Raise AutomationError that holds every problem: unknown controls, patterns that match nothing,
        values out of range, points that run backwards, a span that does not fit the clip, a missing tempo.

        Without a duration, a missing tempo is all that is said of times.
        """
        from djgraph.automation.bind import bind

        bind(self, layout_of(layout), duration, tempo, times="tempo" if duration is None else "all")

    def resolve(self, layout: ParameterLayout | Graph | Mixer) -> Automation:
        """The same for this layout only: names instead of patterns, numbers instead of words, alternatives
        chosen. Raises AutomationError as :meth:`check`."""
        from djgraph.automation.bind import resolve

        return resolve(self, layout_of(layout))

    def bpm(self, n_frames: int, duration: float) -> float | list[float] | None:
        """The tempo for a mixer's effects that follow a clock: a number, one for each frame, or None."""
        if self.tempo is None or len(self.tempo.points) == 1:
            return None if self.tempo is None else self.tempo.points[0][1]
        return [self.tempo.bpm(i * duration / max(n_frames - 1, 1)) for i in range(n_frames)]

    # ── To a file ───────────────────────────────────────────────────────────────────────────────────────────

    def to_dict(self) -> dict[str, Any]:
        """The document as plain data; :func:`djgraph.automation.load` takes it back."""
        from djgraph.automation.save import to_dict

        return to_dict(self)

    def to_yaml(self) -> str:
        """The document as YAML."""
        from djgraph.automation.save import to_yaml

        return to_yaml(self)

    def to_json(self) -> str:
        """The document as JSON."""
        from djgraph.automation.save import to_json

        return to_json(self)

    def to_csv(self) -> str:
        """One line for each breakpoint of each control: control, time, value, shape, bend.

        CSV has no place for titles, optional curves and alternatives: AutomationError where there are any of
        the latter two (:meth:`resolve` does away with them). Spans are worked into the times.
        """
        from djgraph.automation.save import to_csv

        return to_csv(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a ``.yaml``, ``.yml``, ``.json`` or ``.csv`` file, which appears only when complete.

        Raises AutomationError for another ending, what CSV cannot hold, and where the file cannot be written.
        """
        from djgraph.automation.save import save

        save(self, path)


def layout_of(source: ParameterLayout | Graph | Mixer) -> ParameterLayout:
    """The layout of a graph, of a mixer, or itself."""
    from djgraph.graph import Graph
    from djgraph.layout import ParameterLayout

    if isinstance(source, ParameterLayout):
        return source
    if isinstance(source, Graph):
        return ParameterLayout.from_graph(source)
    layout = getattr(source, "layout", None)
    if isinstance(layout, ParameterLayout):
        return layout
    raise InputError(f"expected a layout, graph or mixer, got {type(source).__name__}")
