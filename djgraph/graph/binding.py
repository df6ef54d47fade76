"""What binding works on: controls of nodes, columns, macros and switches, and what drives what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from djgraph.effects import Control
from djgraph.graph.draft import EffectDraft
from djgraph.language.curves import CurveSwitch
from djgraph.language.parts import Knob, Override
from djgraph.language.site import Site

Reader = tuple[EffectDraft, Control]
"""A node and the control of it that reads a column."""


@dataclass(eq=False)
class ColumnDraft:
    """A column on its way: ``readers`` fills in document order once every column is known.

    owner: the strip or bus that it belongs to; nothing for a macro of the whole graph.
    """

    name: str
    control: Control
    kind: Literal["control", "macro", "send", "switch"]
    effect: str
    site: Site
    owner: str
    readers: dict[Reader, None] = field(default_factory=dict)


@dataclass(eq=False)
class Drive:
    """That a macro drives a control, or another macro. ``curve`` is as the file has it; None for a straight line."""

    macro: MacroDraft
    curve: Sequence[tuple[float, float]] | str | CurveSwitch | None
    site: Site
    chooser: MacroDraft | None = None
    """The switch that chooses, where the curve is a choice and there is that switch."""


@dataclass(eq=False)
class MacroDraft:
    """A macro: its column, where it stands, and what drives it in turn."""

    model: Knob
    prefix: str
    column: ColumnDraft
    driven: Drive | None = None
    choices: tuple[str, ...] = ()
    """The names of its positions, if it is a switch."""
    used: bool = False
    """Whether it drives anything."""

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def drivers(self) -> tuple[MacroDraft, ...]:
        """The macro that drives it, if one does, and the switch that chooses by which curve."""
        if self.driven is None:
            return ()
        return (self.driven.macro, *([self.driven.chooser] if self.driven.chooser is not None else []))

    @property
    def own_name(self) -> str:
        """Its name below its strip or bus."""
        return self.name.removeprefix(self.prefix)


@dataclass(eq=False)
class ControlUse:
    """One control of one node, with the override that the file has for it."""

    node: EffectDraft
    control: Control
    override: Override
    site: Site

    @property
    def label(self) -> str:
        """Its column's name below the owner."""
        if self.override.as_ is not None:
            return self.override.as_
        return self.default_label

    @property
    def default_label(self) -> str:
        """The same where the file gives it no name."""
        if self.node.is_send:
            return self.node.name.removeprefix("send:") + "_send"
        if self.node.is_source:
            return self.control.id
        return f"{self.node.name}.{self.control.id}"
