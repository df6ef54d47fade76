"""The tiled spectral region on a CPU's vector units: hands a region's clip to :mod:`djgraph.simd`, stretch by stretch.

Controls, the code of effects before the transform, and gains that are no ratios are PyTorch's work, on stretches of a
few seconds; everything else on a tile is one call without Python in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.effects import AmplitudeEffect, Block, RatioEffect
from djgraph.runtime.lent import ClipControls, Lent, StretchControls
from djgraph.runtime.programs import Flow, backward_program, forward_program
from djgraph.runtime.schedule import MaskGroup, Prologue, RegionSchedule
from djgraph.runtime.tiles import Clip, Stretch
from djgraph.simd import fft, gains, program, rows
from djgraph.simd.lanes import width

STRETCH_NUMBERS = 1 << 22
"""Samples of all signals that a stretch has at most (16 MB of float32)."""
STRETCH_FRAMES = 256


class Layout:
    """What stays the same from call to call: programs, chains, curves. A schedule keeps one for each dtype."""

    def __init__(self, schedule: RegionSchedule, dtype: torch.dtype) -> None:
        self.schedule, self.dtype = schedule, dtype
        self.numbers = np.dtype(str(dtype).removeprefix("torch."))
        self.lanes = width(self.numbers.itemsize)
        self.flow = Flow(schedule)
        self.forward = forward_program(self.flow)
        self._backward: dict[tuple[Any, ...], program.Program] = {}
        self.tables = fft.tables(schedule.transform.size, self.numbers.name)
        self.groups = [_Group(group) for group in schedule.masks]
        self.rows = self._place_weights()
        self.curves = self._place_curves()
        self.chains, self.factors = self._chains()

    def backward(self, chains: Sequence[bool], strips: Sequence[bool]) -> program.Program:
        key = (*chains, *strips)
        if key not in self._backward:
            self._backward[key] = backward_program(self.flow, chains, strips)
        return self._backward[key]

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


class _Group:
    """A mask group, and where its weights and curves are."""

    def __init__(self, group: MaskGroup) -> None:
        self.group, self.nodes = group, group.nodes
        self.ratio = isinstance(group.module, RatioEffect)
        self.curves: list[Tensor] = []
        self.above = self.below = self.above_curves = self.below_curves = 0
        self.above_rank = self.below_rank = 0
        if self.ratio:
            constants = group.module.constants()
            self.curves = [constants[name] for name in ("above", "below") if name in constants]
            self.above_rank = len(self.curves[0])
            self.below_rank = len(self.curves[1]) if len(self.curves) > 1 else 0

    def factor(self, node: int) -> list[int]:
        if not self.ratio:
            return [gains.TABLE, *(0,) * (gains.FACTOR_COLUMNS - 1)]
        above, below = self.above + node * self.above_rank, self.below + node * self.below_rank
        return [
            gains.RATIO, above, self.above_rank, below, self.below_rank, self.above_curves, self.below_curves
        ]  # fmt: skip


def layout_of(clip: Clip, like: Tensor) -> Layout | None:
    """The region's layout where it can run like this, else None."""
    schedule = clip.schedule
    if like.device.type != "cpu" or like.dtype not in (torch.float32, torch.float64) or schedule.channels > 2:
        return None
    if not program.supports(schedule.transform.size):
        return None
    if like.dtype not in schedule.layouts:
        schedule.layouts[like.dtype] = Layout(schedule, like.dtype)
    return schedule.layouts[like.dtype]


def forward(layout: Layout, clip: Clip, rows_: Tensor, sources: Sequence[Tensor]) -> Tensor:
    """The region's results, ``[results, batch, channels, samples]``."""
    schedule = clip.schedule
    out = rows_.new_empty(len(schedule.results), clip.batch, schedule.channels, clip.samples)
    call = _Call(layout, clip, rows_, [Lent(_dense(source), False) for source in sources], False)
    targets = [_target(result, call.SYNTHESIS) for result in out]
    left: list[program.Overlap] = []
    for stretch in call.stretches():
        feed = call.feed(stretch)
        signals = call.signals(feed.table, targets, call.weights, call.tables(stretch)[0])
        left += program.run(layout.forward, signals, call.jobs(stretch), call.step)
    if left:
        program.finish(signals, left)
    clip.windows(rows_).correct_(out)
    return out


def backward(
    layout: Layout,
    clip: Clip,
    rows_: Tensor,
    sources: Sequence[Tensor],
    gradient: Tensor,
    rows_wanted: bool,
    sources_wanted: Sequence[bool],
    weights: Sequence[Tensor],
) -> tuple[Tensor | None, list[Tensor | None], list[Tensor]]:
    """Gradients of the rows, of the sources and of the effects' own weights."""
    schedule = clip.schedule
    lent = [Lent(_dense(source), wanted) for source, wanted in zip(sources, sources_wanted)]
    call = _Call(layout, clip, rows_, lent, rows_wanted, weights)
    row_total = torch.zeros_like(rows_) if rows_wanted else None
    weight_totals = [torch.zeros_like(weight) for weight in weights]
    totals = torch.zeros_like(call.weights)
    learns = {id(weight) for weight in weights}
    chains = [any(call.group_wanted(group, learns) for group, _ in chain) for chain in layout.flow.chains]
    for stretch in call.stretches():
        feed = call.feed(stretch)
        factors, masks = call.tables(stretch)
        seeds = call.seeds(stretch, gradient)
        run = layout.backward(chains, [target is not None for target in feed.targets])
        table = [*feed.table, *(_source(seed, 0, call.SEEDS, stretch) for seed in seeds)]
        targets = [target for target in feed.targets if target is not None]
        signals = call.signals(table, targets, call.weights, factors, totals)
        program.finish(signals, program.run(run, signals, call.jobs(stretch), call.step))
        feed.give_back(weights, weight_totals)
        masks.give_back(weights, weight_totals)
        if row_total is not None:
            feed.controls.add_gradients(row_total)
    call.give_weights_back(totals, weights, weight_totals)
    if row_total is not None:
        call.controls.add_gradients(schedule, row_total)
    return row_total, [source.total for source in lent], weight_totals


def _dense(source: Tensor) -> Tensor:
    """Samples side by side, as the tables of addresses want them."""
    source = source.detach()
    return source if source.stride(-1) == 1 or source.shape[-1] == 1 else source.contiguous()


def _addresses(tensor: Tensor) -> tuple[int, int, int]:
    """Left, right (0 for mono) and the step from item to item of ``[items, channels, samples]``."""
    right = tensor.data_ptr() + tensor.stride(1) * tensor.element_size() if tensor.shape[1] == 2 else 0
    return tensor.data_ptr(), right, tensor.stride(0)


def _first_item(address: int, tensor: Tensor, stretch: Stretch | None) -> int:
    """Where item 0 would be, if the tensor holds the items of a stretch."""
    if not address or stretch is None:
        return address
    return address - stretch.items.start * tensor.stride(0) * tensor.element_size()


def _source(audio: Tensor, lo: int, window: int, stretch: Stretch | None = None, mirrored: bool = False) -> list[int]:
    left, right, item = _addresses(audio)
    left, right = (_first_item(address, audio, stretch) for address in (left, right))
    lo = stretch.lo if stretch is not None else lo
    return [left, right, item, lo, int(mirrored), 0, 0, window]


def _target(audio: Tensor, window: int) -> list[int]:
    left, right, item = _addresses(audio)
    return [left, right, item, 0, 0, window, -1, 0, 0]


class _Masks:
    """Gains that are no ratios, on one stretch."""

    def __init__(self) -> None:
        self.made: list[Tensor] = []
        self.gradients: list[Tensor] = []
        self.leaves: list[Tensor] = []
        self.places: list[Tensor] = []

    def give_back(self, weights: Sequence[Tensor], totals: Sequence[Tensor]) -> None:
        _give_back(self.made, self.gradients, self.leaves, self.places, weights, totals)


def _give_back(
    outputs: Sequence[Tensor],
    gradients: Sequence[Tensor],
    leaves: Sequence[Tensor],
    places: Sequence[Tensor],
    weights: Sequence[Tensor],
    totals: Sequence[Tensor],
) -> None:
    """From gradients of what effects made to those of what they read, added to ``places``, and of their weights."""
    if not outputs or not (leaves or weights):
        return
    found = torch.autograd.grad(list(outputs), [*leaves, *weights], list(gradients), allow_unused=True)
    for place, part in zip((*places, *totals), found):
        if part is not None:
            place += part.view(place.shape)


@dataclass
class _Feed:
    """The strips' audio on one stretch, as sources, and what its gradients go to."""

    controls: StretchControls
    table: list[list[int]]
    targets: list[list[int] | None]
    outputs: list[Tensor]
    gradients: list[Tensor]
    leaves: list[Tensor]
    places: list[Tensor]
    held: list[Tensor]

    def give_back(self, weights: Sequence[Tensor], totals: Sequence[Tensor]) -> None:
        _give_back(self.outputs, self.gradients, self.leaves, self.places, weights, totals)


class _Call:
    """One pass over a clip, forward or backward."""

    ANALYSIS, SYNTHESIS, SEEDS, BACK = range(4)

    def __init__(
        self,
        layout: Layout,
        clip: Clip,
        rows_: Tensor,
        sources: Sequence[Lent],
        rows_wanted: bool,
        weights: Sequence[Tensor] = (),
    ) -> None:
        self.layout, self.clip, self.rows, self.sources = layout, clip, rows_, sources
        self.rows_wanted, self.learns = rows_wanted, {id(weight) for weight in weights}
        self.step = min(clip.frames_per_tile or layout.lanes, layout.lanes)
        self.controls = ClipControls(clip, rows_, rows_wanted)
        self._ratios: list[Tensor] = []
        self._frames = self._leaf(self.controls.frames)
        self._once = self._leaf(self.controls.once)
        with torch.set_grad_enabled(rows_wanted or bool(weights)):
            self._made = self._make_weights()
        self.weights = self._made.detach()
        windows, size = clip.windows(rows_), clip.schedule.transform.size
        synthesis = windows.synthesis / size
        self._windows = torch.stack((windows.analysis, synthesis, synthesis, windows.analysis)).numpy()
        self._kept: list[Any] = []

    @staticmethod
    def _leaf(lent: Lent) -> Tensor:
        return lent.value.detach().requires_grad_(lent.total is not None)

    def group_wanted(self, group: int, learns: set[int]) -> bool:
        """Whether anybody wants the gradient of a group's gains."""
        one = self.layout.groups[group].group
        return any(id(weight) in learns for weight in one.module.parameters()) or (
            self.rows_wanted and not one.constant and bool(one.controls)
        )

    def _make_weights(self) -> Tensor:
        """The weights of all ratios, ``[rows, batch, frames and a vector more]``."""
        clip, frames = self.clip, self.clip.frames
        parts: list[Tensor] = []
        for group in self.layout.groups:
            if not group.ratio:
                continue
            read = {}
            for control, low, high in group.group.controls:
                once = group.group.constant or control.rate == "clip"
                values = (self._once if once else self._frames)[low:high].flatten(0, 1).unsqueeze(-1)
                read[control.id] = values.detach() if group.group.constant else values
            module = group.group.module
            assert isinstance(module, RatioEffect)
            for made, rank in zip(module.weights(read), (group.above_rank, group.below_rank)):
                if made is not None:
                    made = made.to(self.rows.dtype).expand(group.nodes * clip.batch, frames, rank)
                    made = made.unflatten(0, (group.nodes, clip.batch)).permute(0, 3, 1, 2)
                    parts.append(made.flatten(0, 1))
        if not parts:
            return self.rows.new_zeros(0, clip.batch, frames + self.layout.lanes)
        joined = torch.cat(parts)
        return torch.cat((joined, joined[..., -1:].expand(-1, -1, self.layout.lanes)), dim=-1)

    def give_weights_back(self, totals: Tensor, weights: Sequence[Tensor], weight_totals: Sequence[Tensor]) -> None:
        if not self._made.requires_grad:
            return
        frames = self.clip.frames
        leaves, places = [], []
        for leaf, lent in ((self._frames, self.controls.frames), (self._once, self.controls.once)):
            if lent.total is not None:
                leaves.append(leaf)
                places.append(lent.total)
        gradient = totals.clone()
        gradient[..., frames:] = 0
        _give_back([self._made], [gradient], leaves, places, weights, weight_totals)

    def stretches(self) -> Iterator[Stretch]:
        clip, schedule = self.clip, self.layout.schedule
        signals = schedule.strips * schedule.channels
        hop = schedule.transform.hop
        if clip.frames_per_tile:
            frames = 4 * self.step
        else:
            frames = min(max(STRETCH_NUMBERS // (signals * hop), 4 * self.step), STRETCH_FRAMES)
            frames -= frames % self.step
        items = max(1, STRETCH_NUMBERS // (signals * hop * min(frames, clip.frames)))
        for low in range(0, clip.batch, items):
            some = slice(low, min(low + items, clip.batch))
            for first in range(0, clip.frames, frames):
                last = min(first + frames, clip.frames)
                yield Stretch((clip._tile(some, first, last, self.rows.device),))

    def jobs(self, stretch: Stretch) -> list[program.Job]:
        """Items, and parts of them where there are fewer items than threads."""
        (tile,) = stretch.tiles
        size, hop = self.layout.schedule.transform.size, self.layout.schedule.transform.hop
        edges = [tile.first, tile.last]
        parts = -(-torch.get_num_threads() // tile.count)
        if parts > 1 and self.step == self.layout.lanes:
            tiles = -(-tile.frames // self.step)
            cuts = sorted({tile.first + self.step * (tiles * part // parts) for part in range(1, parts)} - {tile.first})
            # What is mirrored at the clip's ends must not be written by two jobs at once.
            edges[1:1] = [cut for cut in cuts if size <= cut * hop <= self.clip.samples - 2 * size]
        return [
            program.Job(item, low, high, high == self.clip.frames)
            for item in range(tile.items.start, tile.items.stop)
            for low, high in zip(edges, edges[1:])
        ]

    def feed(self, stretch: Stretch) -> _Feed:
        """The strips' audio, and, where a gradient of it is wanted, where that goes."""
        controls = StretchControls(self.clip, stretch, self.rows, self.rows_wanted)
        feed = _Feed(controls, [], [], [], [], [], [], [])
        with torch.set_grad_enabled(self.rows_wanted or bool(self.learns)):
            position = 0
            for prologue in self.layout.schedule.prologues:
                sources = self.sources[position : position + prologue.strips]
                if not prologue.steps:
                    for source in sources:
                        self._plain(feed, source)
                elif all(isinstance(step.module, AmplitudeEffect) for step in prologue.steps):
                    self._scaled(feed, prologue, sources, stretch)
                else:
                    self._processed(feed, prologue, sources, stretch)
                position += prologue.strips
        return feed

    def _plain(self, feed: _Feed, source: Lent) -> None:
        feed.table.append(_source(source.value, 0, self.ANALYSIS, mirrored=True))
        if source.total is None:
            feed.targets.append(None)
        else:
            target = _target(source.total, self.BACK)
            target[rows.FOLDED] = 1
            feed.targets.append(target)

    def _read(self, feed: _Feed, prologue: Prologue, step: Any) -> dict[str, Tensor]:
        """A prologue step's controls on the stretch, ``[strips·items, 1, samples]``."""
        read = {}
        for control, number in step.controls:
            lent = feed.controls.curves[number]
            leaf = lent.value.detach().requires_grad_(lent.total is not None)
            if lent.total is not None:
                feed.leaves.append(leaf)
                feed.places.append(lent.total)
            read[control.id] = leaf.flatten(0, 1).unsqueeze(1)
        return read

    def _scaled(self, feed: _Feed, prologue: Prologue, sources: Sequence[Lent], stretch: Stretch) -> None:
        """Strips behind nothing but amplitudes: these are multiplied where the audio is read."""
        count, span = stretch.items.stop - stretch.items.start, stretch.hi - stretch.lo
        factor: Tensor | None = None
        for step in prologue.steps:
            assert isinstance(step.module, AmplitudeEffect)
            made = step.module.amplitude(self._read(feed, prologue, step))
            factor = made if factor is None else factor * made
        assert factor is not None
        factor = factor.expand(prologue.strips * count, 1, span)[:, 0].unflatten(0, (prologue.strips, count))
        factor = factor.to(self.rows.dtype)
        values = factor.detach().contiguous()
        gradient = None
        if factor.requires_grad:
            gradient = torch.zeros_like(values)
            feed.outputs.append(factor)
            feed.gradients.append(gradient)
        feed.held.append(values)
        for number, source in enumerate(sources):
            row = _source(source.value, 0, self.ANALYSIS, mirrored=True)
            one = values[number]
            start = _first_item(one.data_ptr(), one, stretch) - stretch.lo * one.element_size()
            row[rows.FACTOR], row[rows.FACTOR_ITEM] = start, one.stride(0)
            feed.table.append(row)
            if gradient is None and source.total is None:
                feed.targets.append(None)
                continue
            target = [0, 0, 0, 0, 1, self.BACK, len(feed.table) - 1, 0, 0]
            if source.total is not None:
                target[: rows.TO_ITEM + 1] = _addresses(source.total)
            if gradient is not None:
                start = _first_item(gradient[number].data_ptr(), one, stretch) - stretch.lo * one.element_size()
                target[rows.TO_FACTOR], target[rows.TO_FACTOR_ITEM] = start, one.stride(0)
            feed.targets.append(target)

    def _processed(self, feed: _Feed, prologue: Prologue, sources: Sequence[Lent], stretch: Stretch) -> None:
        """Strips behind any effects without memory: these run on the stretch first."""
        schedule, count = self.layout.schedule, stretch.items.stop - stretch.items.start
        pieces = []
        for source in sources:
            value, total = source.items(stretch.items)
            piece = value[..., stretch.lo : stretch.hi].detach().requires_grad_(total is not None)
            pieces.append(piece)
            if total is not None:
                feed.leaves.append(piece)
                feed.places.append(total[..., stretch.lo : stretch.hi])
        signal = torch.cat(pieces)
        block = Block(stretch.lo, stretch.hi - stretch.lo, schedule.sample_rate)
        for step in prologue.steps:
            made, _ = step.module.process(
                {step.module.inputs[0].name: signal}, self._read(feed, prologue, step), {}, block
            )
            signal = made[step.module.outputs[0].name]
        signal = signal.to(self.rows.dtype).unflatten(0, (prologue.strips, count))
        values = signal.detach().contiguous()
        gradient = None
        if signal.requires_grad:
            gradient = torch.zeros_like(values)
            feed.outputs.append(signal)
            feed.gradients.append(gradient)
        feed.held.append(values)
        for number in range(prologue.strips):
            feed.table.append(_source(values[number], 0, self.ANALYSIS, stretch, mirrored=True))
            if gradient is None:
                feed.targets.append(None)
                continue
            one = gradient[number]
            left, right, item = _addresses(one)
            left, right = (_first_item(address, one, stretch) for address in (left, right))
            feed.targets.append([left, right, item, stretch.lo, 1, self.BACK, -1, 0, 0])

    def seeds(self, stretch: Stretch, gradient: Tensor) -> list[Tensor]:
        """The results' gradients on a stretch, ``[items, channels, samples]`` each."""
        windows = self.clip.windows(self.rows)
        piece = windows.correct(gradient[:, stretch.items, :, stretch.lo : stretch.hi], stretch.lo)
        piece = piece if piece.stride(-1) == 1 or piece.shape[-1] == 1 else piece.contiguous()
        self._kept = [piece]
        return list(piece.unbind(0))

    def tables(self, stretch: Stretch) -> tuple[NDArray, _Masks]:
        """The factors' table, with gains that are no ratios computed for a stretch."""
        masks, (tile,) = _Masks(), stretch.tiles
        if all(group.ratio for group in self.layout.groups):
            return self.layout.factors, masks
        table = self.layout.factors.copy()
        made = {n: self._mask(masks, group.group, tile) for n, group in enumerate(self.layout.groups) if not group.ratio}
        place = 0
        for chain in self.layout.flow.chains:
            for group, node in chain:
                if group in made:
                    values, gradient = made[group]
                    one = values[node]
                    row = table[place]
                    row[gains.ADDRESS] = _first_item(one.data_ptr(), one, stretch)
                    row[gains.TABLE_ITEM], row[gains.TABLE_FRAME] = one.stride(0), one.stride(1)
                    row[gains.TABLE_FIRST] = tile.first
                    if gradient is not None:
                        row[gains.TABLE_GRADIENT] = _first_item(gradient[node].data_ptr(), one, stretch)
                place += 1
        return table, masks

    def _mask(self, masks: _Masks, group: MaskGroup, tile: Any) -> tuple[Tensor, Tensor | None]:
        """A group's gains, ``[nodes, items, frames, bins]``, and where their gradient goes."""
        read = {}
        for control, low, high in group.controls:
            once = group.constant or control.rate == "clip"
            lent = self.controls.once if once else self.controls.frames
            value, total = lent.rows(low, high, tile.items)
            span = slice(None) if once else slice(tile.first, tile.last)
            leaf = value[..., span].detach()
            if total is not None and not group.constant:
                leaf.requires_grad_()
                masks.leaves.append(leaf)
                masks.places.append(total[..., span])
            read[control.id] = leaf.unsqueeze(-1)
        shape = (group.nodes * tile.count, tile.frames, self.layout.schedule.transform.bins)
        with torch.set_grad_enabled(self.rows_wanted or bool(self.learns)):
            made = group.mask(read).to(self.rows.dtype).expand(shape).unflatten(0, (group.nodes, tile.count))
        values = made.detach()
        if values.stride(-1) != 1:
            values = values.contiguous()
        gradient = None
        if made.requires_grad:
            values = values.contiguous()
            gradient = torch.zeros_like(values)
            masks.made.append(made)
            masks.gradients.append(gradient)
        self._kept.append(values)
        return values, gradient

    def signals(
        self,
        sources: Sequence[list[int]],
        targets: Sequence[list[int]],
        weights: Tensor,
        factors: NDArray,
        totals: Tensor | None = None,
    ) -> program.Signals:
        numbers = weights.numpy()
        return program.Signals(
            samples=self.clip.samples,
            hop=self.layout.schedule.transform.hop,
            windows=self._windows,
            sources=np.array(sources, np.int64).reshape(-1, rows.SOURCE_COLUMNS),
            targets=np.array(targets, np.int64).reshape(-1, rows.TARGET_COLUMNS),
            weights=numbers,
            totals=numbers if totals is None else totals.numpy(),
            curves=self.layout.curves,
            chains=self.layout.chains,
            factors=factors,
        )
