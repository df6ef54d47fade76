"""What stays the same from call to call of a region: its programs, the places of weights and curves, its chains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.effects import RatioEffect
from djgraph.region.engines.vectors.encode import encode
from djgraph.region.program import Flow, backward_program, forward_program
from djgraph.region.recorded import WeightTotals
from djgraph.region.schedule import MaskGroup, RegionSchedule
from djgraph.simd import fft, gains, program
from djgraph.simd.lanes import width


class PreparedRegion:
    """A region as :mod:`djgraph.simd` wants it; kept for each dtype."""

    def __init__(self, schedule: RegionSchedule, dtype: torch.dtype) -> None:
        self.schedule, self.dtype = schedule, dtype
        self.numbers = np.dtype(str(dtype).removeprefix("torch."))
        self.lanes = width(self.numbers.itemsize)
        self.flow = Flow(schedule)
        self.forward = encode(forward_program(self.flow))
        self._backward: dict[tuple[Any, ...], program.MachineCode] = {}
        self.tables = fft.tables(schedule.transform.size, self.numbers.name)
        self.groups = [Group(group) for group in schedule.masks]
        self.rows = self._place_weights()
        self.curves = self._place_curves()
        self.chains, self.factors = self._chains()

    def backward(self, chains: Sequence[bool], strips: Sequence[bool]) -> program.MachineCode:
        key = (*chains, *strips)
        if key not in self._backward:
            self._backward[key] = encode(backward_program(self.flow, chains, strips))
        return self._backward[key]

    def wanted_chains(self, weights: WeightTotals, rows: bool) -> list[bool]:
        """For each chain whether anybody wants the gradient of its gains; rows: that of the bank's rows is wanted."""
        groups = [group.group for group in self.groups]
        wanted = [
            weights.of(group.module) or (rows and not group.constant and bool(group.controls))
            for group in groups
        ]
        return [any(wanted[group] for group, _ in chain) for chain in self.flow.chains]

    def _place_weights(self) -> int:
        """Finds each group's place among the rows of weights; returns how many there are."""
        place = 0
        for group in self.groups:
            if group.ratio:
                group.above, place = place, place + group.nodes * group.above_rank
                group.below, place = place, place + group.nodes * group.below_rank
        return place

    def _place_curves(self) -> NDArray:
        parts: list[NDArray] = []
        place = 0
        for group in self.groups:
            if group.ratio:
                group.above_curves, group.below_curves = place, place + group.above_rank
                place = group.below_curves + group.below_rank
                parts += [curves.numpy()[:, self.tables.bins] for curves in group.curves]
        bins = np.zeros((0, len(self.tables.bins)))
        return np.concatenate([bins, *parts]).astype(self.numbers)

    def _chains(self) -> tuple[NDArray, NDArray]:
        starts, factors = [0], []
        for chain in self.flow.chains:
            factors += [self.groups[group].factor(node) for group, node in chain]
            starts.append(len(factors))
        table = np.array(factors, np.int64).reshape(-1, gains.FACTOR_COLUMNS)
        return np.array(starts, np.int64), table


class Group:
    """A mask group, and where its weights and curves are."""

    def __init__(self, group: MaskGroup) -> None:
        self.group, self.nodes = group, group.nodes
        self.ratio = isinstance(group.module, RatioEffect)
        self.curves: list[Tensor] = []
        self.above = self.below = self.above_curves = self.below_curves = 0
        self.above_rank = self.below_rank = 0
        if self.ratio:
            self.curves = group.call.curves()
            self.above_rank = len(self.curves[0])
            self.below_rank = len(self.curves[1]) if len(self.curves) > 1 else 0

    def factor(self, node: int) -> list[int]:
        if not self.ratio:
            return [gains.TABLE, *(0,) * (gains.FACTOR_COLUMNS - 1)]
        above, below = self.above + node * self.above_rank, self.below + node * self.below_rank
        return [
            gains.RATIO, above, self.above_rank, below, self.below_rank, self.above_curves, self.below_curves
        ]  # fmt: skip
