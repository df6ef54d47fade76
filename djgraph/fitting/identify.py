"""What a recording can tell of each control: how much of the mix changes when it moves, and which move alike."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.fitting.sketch import Sketch

MOVE = 0.1
"""How far a control is moved, as a share of its range."""
AUDIBLE = 1e-4
"""Change of a block that counts as audible, as a share of the weighted energy around it (−40 dB)."""
ALIKE = 0.98
"""Correlation of two controls' effects beyond which a recording hardly tells them apart."""


@dataclass(frozen=True)
class Identified:
    """audible: ``[blocks, controls]``, where a small move of a control is heard. like: for each control the one whose
    effect is most like its own, or None, and how much."""

    audible: Tensor
    like: list[tuple[int, float] | None]

    @property
    def share(self) -> Tensor:
        """Part of the clip in which each control is heard, ``[controls]``."""
        return self.audible.double().mean(0)


def identify(sketch: Sketch, u: Tensor) -> Identified:
    """For positions ``[frames, controls]``. Columns that the sketch does not know are never audible here."""
    layout = sketch.response.layout
    values = sketch.grid(len(u)).read(layout.from_unit(u)).float()
    span = (layout.maximum - layout.minimum).float()
    audible = torch.zeros(len(values), len(layout), dtype=torch.bool, device="cpu")
    total = torch.zeros(len(layout), len(layout), dtype=torch.float64, device="cpu")
    s = sketch.statistics
    # Relative to the blocks around, so that the gap between two hits is not loud because nothing else sounds.
    around = torch.nn.functional.avg_pool1d(s.energy.sum(1)[None], 15, 1, 7, count_include_pad=False)[0]
    for start in range(0, len(values), 64):
        here = slice(start, start + 64)
        _, slopes = sketch.sources_slopes(values[here])
        d = sketch.level * slopes.permute(0, 3, 2, 1) * span
        flat = d.flatten(1, 2)
        squares = flat.transpose(1, 2) @ (s.gram[here] @ d).flatten(1, 2)
        change = MOVE**2 * torch.diagonal(squares, dim1=1, dim2=2)
        audible[here] = change > AUDIBLE * around[here, None]
        total += squares.double().sum(0)
    root = torch.diagonal(total).clamp(min=1e-30).sqrt()
    alike = (total / root / root[:, None]).abs().fill_diagonal_(0)
    best, column = alike.max(1)
    like = [(int(c), float(b)) if b > ALIKE else None for b, c in zip(best, column)]
    return Identified(audible, like)
