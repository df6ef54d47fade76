"""Automation: what the controls of a mixer do over time, by name; rendered for a mixer, and written to a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from djgraph.automation.bind import bind, resolve
from djgraph.automation.curves import CurveSet, Tempo
from djgraph.automation.exact import Frames, render_exact
from djgraph.automation.render import render
from djgraph.automation.save import save, to_csv, to_dict, to_json, to_yaml
from djgraph.errors import InputError
from djgraph.graph.ir import Graph
from djgraph.layout import ParameterLayout


class HasLayout(Protocol):
    """A mixer, for one."""

    layout: ParameterLayout


Target = ParameterLayout | Graph | HasLayout
"""What an automation is made for: a layout, or what has one."""


@dataclass(frozen=True)
class Automation(CurveSet):
    """Curves for the controls of any mixer that has them. Immutable; equal where the contents are equal.

    Where two curves name the same control, the later one counts.

    >>> auto = djgraph.automation.load("bass_swap", length="16beats")
    >>> params = auto.render(mixer.layout, duration=30.0, tempo=128)      # [1501, controls]
    """

    # ── Onto a mixer ────────────────────────────────────────────────────────────────────────────────────────

    def render(
        self,
        layout: Target,
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
        return render(self, layout_of(layout), n_frames, duration, tempo, batch, dtype)

    def render_exact(
        self,
        layout: Target,
        samples: int,
        sample_rate: float,
        tempo: Tempo | None = None,
        batch: int | None = None,
        dtype: torch.dtype | None = None,
    ) -> Frames:
        """Params with positions: a frame on the sample of every breakpoint, and of the clip's first and last sample.

        A jump, and the end of a ``hold``, has a frame on its sample and one on the sample before. Between the points
        of curved shapes there are 50 frames a second, on one grid for all curves. ``frames.tempo`` is the tempo for
        effects that follow a clock, with frames wherever it changes.

        ``mixer(inputs, frames.params, positions=frames.positions, tempo=frames.tempo)`` plays them.

        layout, tempo, batch, dtype: as for :meth:`render`. samples: of the clip; sample_rate: in Hz. Times fall on
        the nearest sample. Raises as :meth:`render`.
        """
        return render_exact(self, layout_of(layout), samples, sample_rate, tempo, batch, dtype)

    def check(
        self,
        layout: Target,
        duration: float | None = None,
        tempo: Tempo | None = None,
    ) -> None:
        """Raise AutomationError that holds every problem: unknown controls, patterns that match nothing,
        values out of range, points that run backwards, a span that does not fit the clip, a missing tempo.

        Without a duration, a missing tempo is all that is said of times.
        """
        bind(self, layout_of(layout), duration, tempo, times="tempo" if duration is None else "all")

    def resolve(self, layout: Target) -> Automation:
        """The same for this layout only: names instead of patterns, numbers instead of words, alternatives
        chosen. Raises AutomationError as :meth:`check`."""
        return resolve(self, layout_of(layout))

    # ── To a file ───────────────────────────────────────────────────────────────────────────────────────────

    def to_dict(self) -> dict[str, Any]:
        """The document as plain data; :func:`djgraph.automation.load` takes it back."""
        return to_dict(self)

    def to_yaml(self) -> str:
        """The document as YAML."""
        return to_yaml(self)

    def to_json(self) -> str:
        """The document as JSON."""
        return to_json(self)

    def to_csv(self) -> str:
        """One line for each breakpoint of each control: control, time, value, shape, bend.

        CSV has no place for titles, optional curves and alternatives: AutomationError where there are any of
        the latter two (:meth:`resolve` does away with them). Spans are worked into the times.
        """
        return to_csv(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a ``.yaml``, ``.yml``, ``.json`` or ``.csv`` file, which appears only when complete.

        Raises AutomationError for another ending, what CSV cannot hold, and where the file cannot be written.
        """
        save(self, path)


def layout_of(source: Target) -> ParameterLayout:
    """The layout of a graph, of a mixer, or itself."""
    if isinstance(source, ParameterLayout):
        return source
    if isinstance(source, Graph):
        return ParameterLayout.from_graph(source)
    layout = getattr(source, "layout", None)
    if isinstance(layout, ParameterLayout):
        return layout
    raise InputError(f"expected a layout, graph or mixer, got {type(source).__name__}")
