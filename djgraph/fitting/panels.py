"""Which controls share a panel of a picture, and which panels stand side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from djgraph.effects.control import Control
from djgraph.layout import ParameterLayout
from djgraph.layout.names import parted

ACROSS = 3
"""Panels side by side, at most."""


@dataclass(frozen=True)
class Panel:
    """One kind of control (``eq_low``): ``owners`` has what each lane belongs to, ``columns`` its column; ``range`` is
    what a lane covers, in words."""

    kind: str
    owners: tuple[str, ...]
    columns: tuple[int, ...]
    range: str


def panels(layout: ParameterLayout) -> list[Panel]:
    """A panel for each kind of control, in the order of the columns."""
    kinds: dict[str, list[tuple[str, int]]] = {}
    for index, column in enumerate(layout.columns):
        owner, kind = parted(column)
        kinds.setdefault(kind, []).append((owner or "mixer", index))
    return [
        Panel(
            kind,
            tuple(owner for owner, _ in members),
            tuple(index for _, index in members),
            _range([layout.columns[index].control for _, index in members]),
        )
        for kind, members in kinds.items()
    ]


def arrange(found: Sequence[Panel]) -> list[list[Panel]]:
    """Rows of panels: those with the same lanes stand together, so that a strip is read across; tall ones first."""
    groups: dict[tuple[str, ...], list[Panel]] = {}
    for panel in found:
        groups.setdefault(panel.owners, []).append(panel)
    ordered = [panel for group in sorted(groups.values(), key=lambda g: -len(g[0].owners)) for panel in group]
    across = _across(ordered)
    return [ordered[start : start + across] for start in range(0, len(ordered), across)]


def _across(ordered: Sequence[Panel]) -> int:
    """Four panels are two by two, not three and one."""
    return 2 if len(ordered) == 4 else min(len(ordered), ACROSS)


def _range(controls: Sequence[Control]) -> str:
    ranges = {(control.min, control.max, control.unit, control.scale) for control in controls}
    if len(ranges) > 1:
        return "each over its own range"
    low, high, unit, scale = next(iter(ranges))
    (bottom, below), (top, above) = _shown(low, unit), _shown(high, unit)
    text = f"{bottom} … {top} {above}" if below == above else f"{bottom} {below} … {top} {above}"
    return f"{text.rstrip()}, {scale}" if scale in ("log", "db") else text.rstrip()


def _shown(value: float, unit: str) -> tuple[str, str]:
    """A number and its unit, in kHz from there on."""
    if unit == "Hz" and abs(value) >= 1000:
        value, unit = value / 1000, "kHz"
    return f"{value:.4g}".replace("-", "−"), "" if unit == "ratio" else unit
