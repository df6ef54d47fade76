"""How many of a fit's intervals hold what was played, by kind of control, moved and at rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from djgraph.fitting import FitResult

MOVED = 0.01
"""Of a control's range, from rest."""


def coverage(result: FitResult, truth: Tensor) -> dict[str, dict[str, float]]:
    """Of the moments in which the fit says that a control is heard, by ``gain moved``, ``eq_low at rest`` …: how many
    there are, how many intervals hold what was played, and in how many it can be told.

    truth: params ``[frames, controls]``.
    """
    layout = result.layout
    frames = len(result.params)
    place = torch.linspace(0, len(truth) - 1, frames, dtype=torch.float64)
    left = place.floor().long().clamp(max=len(truth) - 1)
    right = (left + 1).clamp(max=len(truth) - 1)
    played = torch.lerp(truth[left].double(), truth[right].double(), (place - left)[:, None])
    heard = result.audible[torch.linspace(0, len(result.audible) - 1, frames).round().long()]
    slack = 1e-6 * (layout.maximum - layout.minimum).double()
    held = (played >= result.low - slack) & (played <= result.high + slack)
    moved = (layout.to_unit(played) - layout.to_unit(layout.neutral.double())).abs() > MOVED
    found: dict[str, dict[str, float]] = defaultdict(lambda: {"moments": 0, "held": 0, "told": 0})
    for index, name in enumerate(layout.names):
        for what, where in (("moved", moved[:, index]), ("at rest", ~moved[:, index])):
            here = heard[:, index] & where
            if bool(here.any()):
                entry = found[f"{name.rpartition('.')[2]} {what}"]
                entry["moments"] += int(here.sum())
                entry["held"] += int((here & held[:, index]).sum())
                entry["told"] += int((here & result.told[:, index]).sum())
    return dict(found)


def summarized(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """The shares of several cases: ``all``, ``moved``, ``at rest`` and each kind. Cases count by their moments."""
    total: dict[str, dict[str, float]] = defaultdict(lambda: {"moments": 0, "held": 0, "told": 0})
    for row in rows:
        for kind, entry in row["coverage"].items():
            for name in ("all", kind.partition(" ")[2], kind):
                for key, value in entry.items():
                    total[name][key] += value
    return {
        name: {"moments": e["moments"], "held": e["held"] / e["moments"], "told": e["told"] / e["moments"]}
        for name, e in sorted(total.items())
    }
