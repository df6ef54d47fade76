"""Gains for :mod:`djgraph.simd.gains`: weights of ratios for a clip, tables of other gains for a stretch."""

from __future__ import annotations

import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.region.clip import Clip, Stretch
from djgraph.region.engines.vectors import addresses
from djgraph.region.engines.vectors.prepared import Group, PreparedRegion
from djgraph.region.lent import ClipControls, Lent
from djgraph.region.recorded import Recorded, WeightTotals
from djgraph.region.schedule import MaskGroup
from djgraph.simd import gains


class RatioWeights:
    """The weights of all ratios of a clip, ``values``, and their gradient, ``totals``.

    ``[rows, batch, frames]``, with a vector's length of frames behind the last, that repeat it.
    """

    def __init__(self, prepared: PreparedRegion, clip: Clip, controls: ClipControls, like: Tensor) -> None:
        self._clip, self._controls = clip, controls
        self._back = Recorded()
        frames, once = self._leaf(controls.frames), self._leaf(controls.once)
        rows = [
            row for group in prepared.groups if group.ratio for row in self._rows(group, frames, once, like)
        ]
        if rows:
            joined = torch.cat(rows)
            self._made = torch.cat((joined, joined[..., -1:].expand(-1, -1, prepared.lanes)), dim=-1)
        else:
            self._made = like.new_zeros(0, clip.batch, clip.frames + prepared.lanes)
        self.values = self._made.detach()
        # A chain's gradient is that of all its factors, also where that of a table is all that anybody wants.
        self.totals = torch.zeros_like(self.values) if torch.is_grad_enabled() else self.values[:0]
        if self._made.requires_grad:
            self._back.made(self._made, self.totals)

    def _leaf(self, lent: Lent) -> Tensor:
        leaf = lent.value.detach().requires_grad_(lent.total is not None)
        if lent.total is not None:
            self._back.read(leaf, lent.total)
        return leaf

    def _rows(self, group: Group, frames: Tensor, once: Tensor, like: Tensor) -> list[Tensor]:
        """A group's weights above and below, ``[nodes·curves, batch, frames]`` each."""
        call, batch, frames_here = group.group.call, self._clip.batch, self._clip.frames
        read = {}
        for control, low, high in group.group.controls:
            constant = group.group.constant
            values = (once if constant or control.rate == "clip" else frames)[low:high]
            values = values.flatten(0, 1).unsqueeze(-1)
            read[control.id] = values.detach() if constant else values
        rows = []
        ranks = (group.above_rank, group.below_rank)
        for part in call.weights(read, group.nodes * batch, frames_here, ranks, like.dtype):
            part = part.unflatten(0, (group.nodes, batch))
            rows.append(part.permute(0, 3, 1, 2).flatten(0, 1))
        return rows

    def give_back(self, weights: WeightTotals) -> None:
        self._back.give_back(weights)


class GainTables:
    """``factors`` with the addresses of gains that are no ratios, computed for one stretch."""

    def __init__(
        self, prepared: PreparedRegion, clip: Clip, controls: ClipControls, stretch: Stretch
    ) -> None:
        self.back = Recorded()
        self.factors = prepared.factors
        self._held: list[Tensor] = []
        self._clip, self._controls = clip, controls
        tables = {
            number: self._make(group.group, stretch)
            for number, group in enumerate(prepared.groups)
            if not group.ratio
        }
        if tables:
            self.factors = prepared.factors.copy()
        nodes = [factor for chain in prepared.flow.chains for factor in chain]
        for row, (group, node) in zip(self.factors, nodes):
            if group in tables:
                self._place(row, node, stretch, *tables[group])

    def _place(
        self, row: NDArray, node: int, stretch: Stretch, values: Tensor, gradient: Tensor | None
    ) -> None:
        (tile,) = stretch.tiles
        row[gains.ADDRESS] = addresses.first_item(values[node], stretch)
        row[gains.TABLE_ITEM], row[gains.TABLE_FRAME] = values[node].stride()[:2]
        row[gains.TABLE_FIRST] = tile.first
        if gradient is not None:
            row[gains.TABLE_GRADIENT] = addresses.first_item(gradient[node], stretch)

    def _make(self, group: MaskGroup, stretch: Stretch) -> tuple[Tensor, Tensor | None]:
        """A group's gains, ``[nodes, items, frames, bins]``, and where their gradient goes."""
        (tile,) = stretch.tiles
        read = {}
        for control, low, high in group.controls:
            once = group.constant or control.rate == "clip"
            lent = self._controls.once if once else self._controls.frames
            value, total = lent.rows(low, high, tile.items)
            span = slice(None) if once else slice(tile.first, tile.last)
            leaf = value[..., span].detach()
            if total is not None and not group.constant:
                self.back.read(leaf.requires_grad_(), total[..., span])
            read[control.id] = leaf.unsqueeze(-1)
        shape = (group.nodes * tile.count, tile.frames, self._clip.schedule.transform.bins)
        table = group.call.mask(read, shape, self._controls.frames.value.dtype)
        table = table.unflatten(0, (group.nodes, tile.count))
        values, gradient = table.detach(), None
        if table.requires_grad or values.stride(-1) != 1:
            values = values.contiguous()
        if table.requires_grad:
            gradient = torch.zeros_like(values)
            self.back.made(table, gradient)
        self._held.append(values)
        return values, gradient
