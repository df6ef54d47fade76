"""What gains are made of on a GPU: weights of ratios for a clip, tables of other gains for a tile."""

from __future__ import annotations

import torch
from torch import Tensor

from djgraph.region.clip import Clip
from djgraph.region.engines.cuda.terms import Group, PreparedRegion
from djgraph.region.lent import ClipControls, Lent
from djgraph.region.recorded import Recorded, WeightTotals
from djgraph.region.tilework import TileWork


class RatioWeights:
    """The weights of all ratios of a clip, ``values``, and their gradient, ``totals``: ``[rows, batch, frames]``."""

    def __init__(self, prepared: PreparedRegion, clip: Clip, controls: ClipControls, like: Tensor) -> None:
        self._clip, self._back = clip, Recorded()
        frames, once = self._leaf(controls.frames), self._leaf(controls.once)
        rows = [
            row for group in prepared.groups if group.ratio for row in self._rows(group, frames, once, like)
        ]
        made = torch.cat(rows) if rows else like.new_zeros(1, clip.batch, clip.frames)
        self.values = made.detach()
        self.totals = torch.zeros_like(self.values) if torch.is_grad_enabled() else self.values
        if made.requires_grad:
            self._back.made(made, self.totals)

    def _leaf(self, lent: Lent) -> Tensor:
        leaf = lent.value.detach().requires_grad_(lent.total is not None)
        if lent.total is not None:
            self._back.read(leaf, lent.total)
        return leaf

    def _rows(self, group: Group, frames: Tensor, once: Tensor, like: Tensor) -> list[Tensor]:
        """A group's weights above and below, ``[nodes·curves, batch, frames]`` each."""
        batch, read = self._clip.batch, {}
        for control, low, high in group.group.controls:
            constant = group.group.constant
            values = (once if constant or control.rate == "clip" else frames)[low:high]
            values = values.flatten(0, 1).unsqueeze(-1)
            read[control.id] = values.detach() if constant else values
        made = group.group.call.weights(read, group.nodes * batch, self._clip.frames, group.ranks, like.dtype)
        parts = [part.unflatten(0, (group.nodes, batch)) for part in made]
        return [part.permute(0, 3, 1, 2).flatten(0, 1) for part in parts]

    def give_back(self, weights: WeightTotals) -> None:
        """Adds the gradients of what weights were made from to their places."""
        self._back.give_back(weights)


class GainTables:
    """The gains of a tile that are no ratios, ``values``, and their gradient, ``totals``.

    ``[gains, items, frames, bins]``; one number where there are none.
    """

    def __init__(
        self, prepared: PreparedRegion, work: TileWork, controls: ClipControls, like: Tensor
    ) -> None:
        made = []
        for group in prepared.groups:
            if not group.ratio:
                made.append(work.gain(group.group, controls).to(like.dtype))
        table = torch.cat(made) if made else like.new_zeros(1)
        self.values = table.detach().contiguous()
        self.totals = torch.zeros_like(self.values) if torch.is_grad_enabled() else self.values
        self.made = table if table.requires_grad else None
