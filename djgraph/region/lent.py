"""Tensors that tiles read slices of in the forward pass, and add gradients to in the backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial

import torch
from torch import Tensor

from djgraph.controls.reader import read_at
from djgraph.dsp import stft
from djgraph.dsp.hold import hold_samples
from djgraph.dsp.resident import resident
from djgraph.region.clip import Clip, Stretch
from djgraph.region.schedule import RegionSchedule


class Lent:
    """A tensor outside autograd; ``total`` collects its gradient where one is wanted."""

    def __init__(self, value: Tensor, wanted: bool) -> None:
        self.value = value.detach()
        self.total = torch.zeros_like(self.value) if wanted else None
        self._parts: dict[tuple[int, int, int, int], tuple[Tensor, Tensor | None]] = {}

    def items(self, items: slice) -> tuple[Tensor, Tensor | None]:
        """Value and total of some batch items, ``[batch, …]``; cut out once for all tiles."""
        key = (0, 0, items.start, items.stop)
        if key not in self._parts:
            self._parts[key] = self.value[items], None if self.total is None else self.total[items]
        return self._parts[key]

    def rows(self, low: int, high: int, items: slice) -> tuple[Tensor, Tensor | None]:
        """The same of some rows, ``[rows, batch, …]``, whose value has rows and items in one dimension."""
        key = (low, high, items.start, items.stop)
        if key not in self._parts:
            total = None if self.total is None else self.total[low:high, items]
            self._parts[key] = self.value[low:high, items].flatten(0, 1), total
        return self._parts[key]


class ClipControls:
    """What the gains read, for all tiles of a clip: ``frames`` at every STFT frame, ``once`` at the first."""

    def __init__(self, clip: Clip, rows: Tensor, wanted: bool) -> None:
        self._rows = rows.detach()[resident(clip.schedule.mask_rows, rows.device)].requires_grad_(wanted)
        hop = clip.schedule.transform.hop
        centres = stft.frame_positions(clip.samples, hop, 0, clip.frames, rows.device)
        with torch.set_grad_enabled(wanted):
            self._read = read_at(self._rows, clip.schedule.mask_held, clip.timeline, centres)
        self.frames = Lent(self._read, wanted)
        self.once = Lent(self._rows[..., :1], wanted)

    def add_gradients(self, schedule: RegionSchedule, total: Tensor) -> None:
        """Adds the gradients of the bank's rows that the tiles collected to ``total``, ``[rows, batch, frames]``."""
        (gradient,) = _through([self._read], [self.frames], self._rows)
        if self.once.total is not None:
            gradient[..., :1] += self.once.total
        total.index_add_(0, resident(schedule.mask_rows, total.device), gradient)


class StretchControls:
    """What the effects before the transform read, for all tiles of a stretch; in the order of ``schedule.curves``."""

    def __init__(self, clip: Clip, stretch: Stretch, rows: Tensor, wanted: bool) -> None:
        schedule, self._items = clip.schedule, stretch.items
        self.lo = stretch.lo
        first, stop = clip.timeline.span(stretch.lo, stretch.hi, schedule.smoothing)
        self._span = slice(first, stop)
        self._near = rows.detach()[:, stretch.items, first:stop].requires_grad_(wanted)
        self._once = rows.detach()[:, stretch.items, :1].requires_grad_(wanted)
        self.read: list[Tensor] = []
        with torch.set_grad_enabled(wanted):
            for control, index, held in schedule.curves:
                if control.rate == "clip":
                    self.read.append(self._once[resident(index, rows.device)])
                    continue
                lines = partial(
                    clip.timeline.read_samples,
                    start=stretch.lo,
                    stop=stretch.hi,
                    smoothing=schedule.smoothing_of(control),
                    first=first,
                )
                steps = partial(hold_samples, clip.timeline, start=stretch.lo, stop=stretch.hi, first=first)
                self.read.append(held.read(self._near[resident(index, rows.device)], lines, steps))

    @cached_property
    def curves(self) -> list[Lent]:
        return [Lent(curve, curve.requires_grad) for curve in self.read]

    def rows_behind(self, total: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """What ``read`` was read from, and the places in the rows' gradient that theirs are added to."""
        places = total[:, self._items, self._span], total[:, self._items, :1]
        return [self._near, self._once], list(places)

    def add_gradients(self, total: Tensor) -> None:
        """Adds the gradients of ``curves`` that the tiles collected to those of the rows, ``total``."""
        leaves, places = self.rows_behind(total)
        for place, gradient in zip(places, _through(self.read, self.curves, *leaves)):
            place += gradient


def _through(read: Sequence[Tensor], lent: Sequence[Lent], *leaves: Tensor) -> list[Tensor]:
    """The vector-Jacobian product: from the gradients of what was read to those of the rows."""
    if not read:
        return [torch.zeros_like(leaf) for leaf in leaves]
    parts = torch.autograd.grad(
        list(read), leaves, [one.total for one in lent], allow_unused=True, materialize_grads=True
    )
    return list(parts)
