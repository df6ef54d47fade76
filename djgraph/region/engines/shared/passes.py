"""A region's forward pass for candidates that share their sources: what is shared is transformed once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.region.clip import Clip
from djgraph.region.engines.shared.kernels import (
    PADDING,
    SCALED,
    Block,
    Output,
    Spectra,
    entries,
)
from djgraph.region.engines.vectors import addresses
from djgraph.region.engines.vectors.masks import RatioWeights
from djgraph.region.engines.vectors.prepared import PreparedRegion
from djgraph.region.lent import ClipControls
from djgraph.region.schedule import Prologue, RegionSchedule
from djgraph.simd import fft, gains, rows
from djgraph.simd.program import ANALYSE, SCALE, SYNTHESISE
from djgraph.simd.rows import Audio, Frames, Rows, Tiling
from djgraph.simd.threads import in_threads

MOST = 5
"""Hats that a frame of samples may have: with control frames denser than that a transform costs no more."""


@dataclass(frozen=True)
class Hats:
    """Which control frames a frame of samples hears: those from ``first`` ``[frames]`` on, ``count`` of them. faders:
    of each strip the row of its fader, −1 without one; steady: whether it is read once a clip."""

    first: NDArray
    count: int
    faders: tuple[int, ...]
    steady: tuple[bool, ...]


def hats_of(clip: Clip, rows: Tensor) -> Hats | None:
    """None where the strips' faders are no sums of few hats: amplitudes that are not their control, two one behind the
    other, values that are held, or control frames that lie too densely."""
    schedule = clip.schedule
    if clip.section is not None or clip.frames_per_tile is not None:
        return None
    faders: list[int] = []
    steady: list[bool] = []
    for prologue in schedule.prologues:
        fader = _fader(schedule, prologue)
        if fader is None:
            return None
        faders += fader[0]
        steady += [fader[1]] * prologue.strips
    first, count = _heard(clip)
    if all(row < 0 or once for row, once in zip(faders, steady)):
        count = 1
    return Hats(first, count, tuple(faders), tuple(steady)) if count <= MOST else None


def _fader(schedule: RegionSchedule, prologue: Prologue) -> tuple[list[int], bool] | None:
    """Of each strip the row of its fader, and whether it is read once a clip."""
    if not prologue.steps:
        return [-1] * prologue.strips, True
    if len(prologue.steps) != 1 or len(prologue.steps[0].controls) != 1:
        return None
    ((control, number),) = prologue.steps[0].controls
    _, index, held = schedule.curves[number]
    steady = control.rate == "clip"
    if (held.some and not steady) or not _is_control(prologue):
        return None
    return index.tolist(), steady


def _is_control(prologue: Prologue) -> bool:
    """Whether the amplitude is the control itself."""
    (step,) = prologue.steps
    ((control, _),) = step.controls
    if any(True for _ in step.module.parameters()):
        return False
    low, high = control.min, control.max
    probe = torch.linspace(low, high, 7, dtype=torch.float64, device="cpu").view(1, 1, 7)
    return torch.equal(step.call.amplitude({control.id: probe}, 1, 7).expand_as(probe), probe)


def _heard(clip: Clip) -> tuple[NDArray, int]:
    """The first control frame that each frame of samples hears, and how many it may be at most."""
    places, transform = clip.timeline.places(), clip.schedule.transform
    half = math.ceil(clip.schedule.smoothing / 2) + 1
    begin = np.arange(clip.frames) * transform.hop - transform.size // 2
    end = begin + transform.size - 1
    # What lies outside the clip is mirrored at its first or last sample, again and again where the clip is short.
    last = clip.samples - 1
    if clip.samples < transform.size:
        begin, end = np.zeros_like(begin), np.full_like(end, last)
    low = np.minimum(np.maximum(begin, 0), np.where(end > last, 2 * last - end, last))
    high = np.maximum(np.minimum(end, last), np.where(begin < 0, -begin, 0))
    # Frame j is heard from that before it to that behind it, and half a box further where corners are rounded.
    first = np.maximum(np.searchsorted(places, low - half, side="right") - 1, 0)
    behind = np.minimum(np.searchsorted(places, high + half, side="left") + 1, len(places))
    count = int((behind - first).max())
    return np.minimum(first, len(places) - count), count


def forward(
    prepared: PreparedRegion, clip: Clip, bank_rows: Tensor, sources: Sequence[Tensor] | Tensor, hats: Hats
) -> Tensor:
    """The region's results, ``[results, batch, channels, samples]``, as those of the vectors engine."""
    schedule, lanes = clip.schedule, prepared.lanes
    out = bank_rows.new_empty(len(schedule.results), clip.batch, schedule.channels, clip.samples)
    controls = ClipControls(clip, bank_rows, False)
    ratios = RatioWeights(prepared, clip, controls, bank_rows).values[..., : clip.frames]
    blocks = range(0, clip.batch, lanes)
    # Lanes behind the last candidate repeat it: nothing there divides by zero.
    fill = -clip.batch % lanes
    turned = _filled(ratios.mT, fill).contiguous().numpy()
    faders = _faders(hats, bank_rows, fill)
    run = _Run(prepared, clip, bank_rows, out)
    shares = [run.memory() for _ in blocks]
    for first in range(0, clip.frames, lanes):
        last = min(first + lanes, clip.frames)
        spectra = run.transform(hats, sources, first, last)
        weights = _weights(hats, faders, first, last)

        def work(
            number: int,
            first: int = first,
            last: int = last,
            spectra: Spectra = spectra,
            weights: Tensor = weights,
        ) -> None:
            low = blocks[number]
            block = Block(low, min(lanes, clip.batch - low), first, last, last == clip.frames)
            mine = weights[..., low : low + lanes].contiguous().numpy().reshape(-1)
            run.mix(spectra, mine, turned, shares[number], block)

        in_threads(work, range(len(blocks)))
    clip.windows(bank_rows).correct_(out)
    return out


def _filled(values: Tensor, fill: int) -> Tensor:
    return torch.cat((values, values[..., -1:].expand(*values.shape[:-1], fill)), -1) if fill else values


def _faders(hats: Hats, bank_rows: Tensor, fill: int) -> Tensor:
    """``[strips, control frames, candidates]``; ones for strips without a fader."""
    one = torch.ones_like(bank_rows[:1])
    index = torch.tensor([row if row >= 0 else len(bank_rows) for row in hats.faders], device="cpu")
    return _filled(torch.cat((bank_rows.detach(), one))[index].mT, fill)


def _weights(hats: Hats, faders: Tensor, first: int, last: int) -> Tensor:
    """What each hat of a strip counts for the candidates, ``[frames, strips, hats, candidates]``."""
    places = torch.from_numpy(hats.first[first:last, None] + np.arange(hats.count))
    read = faders[:, places]  # [strips, frames, hats, candidates]
    for strip, steady in enumerate(hats.steady):
        if steady:
            read[strip] = faders[strip, 0]
    return read.transpose(0, 1)


def fused(operations: NDArray) -> NDArray:
    """A program in which a strip that is scaled and not read otherwise has no slot of its own."""
    steps = [[int(number) for number in step] for step in operations]
    done = []
    place = 0
    while place < len(steps):
        step = steps[place]
        after = steps[place + 1] if place + 1 < len(steps) else [-1] * len(step)
        if step[0] == ANALYSE and after[0] == SCALE and after[2] == step[2]:
            slot, into = step[2], after[3]
            if into == slot or not _read_later(steps[place + 2 :], slot):
                done.append([SCALED, step[1], after[1], into, after[4] if into != slot else 0])
                place += 2
                continue
        done.append(step)
        place += 1
    return np.array(done, np.int64).reshape(-1, operations.shape[1])


def _read_later(steps: Sequence[Sequence[int]], slot: int) -> bool:
    """Whether what a slot holds is read before it holds something else."""
    for kind, first, second, third, fourth in steps:
        if kind == ANALYSE:
            reads, writes = False, second == slot
        elif kind == SYNTHESISE:
            reads, writes = second == slot, False
        else:
            source, into, added = (second, third, fourth) if kind == SCALE else (first, second, third)
            reads, writes = source == slot or (into == slot and bool(added)), into == slot
        if reads:
            return True
        if writes:
            return False
    return False


class _Run:
    """What the calls of one pass share."""

    def __init__(self, prepared: PreparedRegion, clip: Clip, bank_rows: Tensor, out: Tensor) -> None:
        self.prepared, self.clip, self._rows = prepared, clip, bank_rows
        schedule = clip.schedule
        size, hop = schedule.transform.size, schedule.transform.hop
        self.tiling = Tiling.of(clip.samples, size, hop, prepared.lanes)
        self.tables = fft.tables(size, prepared.numbers.name)
        windows = clip.windows(bank_rows)
        self._analysis = windows.analysis[None].numpy()
        synthesis = (windows.synthesis / size).numpy()
        self._operations = fused(prepared.forward.operations)
        self._synthesis, self._values = synthesis, out.view(-1).numpy()

    def _room(self, count: int) -> NDArray:
        return torch.empty(count, dtype=self._rows.dtype, device="cpu").numpy()

    def memory(self) -> tuple[fft.Slots, Output, NDArray]:
        """What a block of candidates works in: slots, where it goes, and room for gains."""
        size, lanes, code = self.tiling.size, self.tiling.lanes, self.prepared.forward
        count = code.slots * (size * lanes + PADDING)
        sums = np.zeros((2, max(code.targets, 1) * size * lanes), self.prepared.numbers)
        work = self._room(gains.work_size(code.chain, lanes))
        output = Output(
            self._values, self.clip.batch, self.clip.schedule.channels, self._synthesis, sums[0], sums[1]
        )
        return fft.Slots(self._room(count), self._room(count)), output, work

    def transform(self, hats: Hats, sources: Sequence[Tensor] | Tensor, first: int, last: int) -> Spectra:
        """All strips times all hats on some frames, which fit on the lanes."""
        clip, size, lanes = self.clip, self.tiling.size, self.tiling.lanes
        strips, count = len(hats.faders), hats.count
        tile = clip.tile(slice(0, 1), first, last, self._rows.device)
        begin, end = int(hats.first[first:last].min()), int(hats.first[first:last].max()) + count
        curves = self._curves(tile.lo, tile.hi, begin, end)
        total = (last - first) * strips * count * size
        spectra = Spectra(
            self._room(total),
            self._room(total),
            np.array([1 if steady else count for steady in hats.steady], np.int64),
            count,
        )
        jobs = [
            (strip, range(1) if steady else range(begin, end)) for strip, steady in enumerate(hats.steady)
        ]

        def work(job: tuple[int, range]) -> None:
            strip, frames = job
            audio = addresses.dense(sources[strip])
            table, places = [], []
            for j in frames:
                row = addresses.source(audio, 0)
                if not hats.steady[strip]:
                    curve = curves[j - begin]
                    row[rows.FACTOR] = curve.data_ptr() - tile.lo * curve.element_size()
                table.append(row)
                here = 0 if hats.steady[strip] else j - hats.first[first:last]
                hat = np.broadcast_to(here, last - first)
                place = ((np.arange(last - first) * strips + strip) * count + hat) * size
                lane = np.full(lanes, -1)
                lane[: last - first] = np.where((hat >= 0) & (hat < count), place, -1)
                places.append(lane)
            hops = self.tiling.hop * self.tiling.stride
            length = size * lanes + PADDING
            entries().analyse(
                Audio(
                    np.array(table, np.int64), np.zeros((0, rows.TARGET_COLUMNS), np.int64), self._analysis
                ),
                self.tables,
                self.tiling,
                Frames(0, first, last - first, last == clip.frames),
                fft.Slots(self._room(length), self._room(length)),
                Rows(*np.zeros((3, hops), self.prepared.numbers)),
                self._room(size * lanes),
                spectra,
                np.array(places, np.int64),
            )

        in_threads(work, jobs)
        return spectra

    def _curves(self, lo: int, hi: int, begin: int, end: int) -> Tensor:
        """The hats of control frames ``begin…end−1`` at samples ``lo…hi−1``, ``[hats, samples]``."""
        clip = self.clip
        low, high = clip.timeline.span(lo, hi, clip.schedule.smoothing)
        low, high = min(low, begin), max(high, end)
        each = torch.eye(high - low, dtype=self._rows.dtype, device="cpu")[begin - low : end - low]
        return clip.timeline.read_samples(each, lo, hi, clip.schedule.smoothing, low).contiguous()

    def mix(
        self,
        spectra: Spectra,
        weights: NDArray,
        ratios: NDArray,
        memory: tuple[fft.Slots, Output, NDArray],
        block: Block,
    ) -> None:
        """A block of candidates on the frames of the spectra."""
        slots, output, work = memory
        prepared = self.prepared
        chains = gains.Chains(prepared.chains, prepared.factors, ratios, ratios[:0], prepared.curves, work)
        entries().run(
            self._operations,
            spectra,
            weights,
            chains,
            self.tables,
            self.tiling,
            slots,
            output,
            block,
        )
