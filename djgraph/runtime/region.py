"""The tiled spectral region: window, transform, gains, sums, inverse transform, a cache-sized tile at a time.

Only the region's inputs are kept for the backward pass, which walks the tiles again. The linear part is its own
adjoint: the gradient of a windowed forward transform, a real gain and a windowed inverse transform is the same
chain with the gradient as its signal. So only the effects' own code (gains, memoryless effects before the
transform) runs under autograd, on one tile at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from djgraph.dsp import stft
from djgraph.dsp.curve import Timeline
from djgraph.effects import Block, Transform
from djgraph.runtime.schedule import RegionSchedule, Scale, Sum
from djgraph.runtime.stacks import Stacks, stack_rows


@dataclass(frozen=True)
class Tile:
    """Frames ``first…last−1`` of batch items ``low…high−1`` of a clip.

    The frames cover the padded stretch ``start…stop−1``; ``lo…hi−1`` are the clip's own samples that this
    stretch reads, through ``index`` where it is reflected at an edge.
    """

    low: int
    high: int
    first: int
    last: int
    start: int
    stop: int
    lo: int
    hi: int
    index: Tensor | None

    @property
    def inside(self) -> tuple[int, int]:
        return max(self.start, 0), self.stop


def tiles(
    batch: int, samples: int, rows: int, transform: Transform, frames_per_tile: int | None, device: Any
) -> Iterator[Tile]:
    """Cuts a clip into tiles. ``rows`` is how many signals one batch item transforms."""
    budget = ROW_FRAMES if device.type == "cpu" else ROW_FRAMES_GPU
    per_tile = frames_per_tile or min(max(budget // rows, MIN_FRAMES), MAX_FRAMES)
    items = max(1, budget // (rows * per_tile))
    total = transform.frames(samples)
    for low in range(0, batch, items):
        for first in range(0, total, per_tile):
            last = min(first + per_tile, total)
            start = first * transform.hop - transform.size // 2
            stop = start + (last - first - 1) * transform.hop + transform.size
            lo, hi, index = start, stop, None
            if start < 0 or stop > samples:
                index = stft.reflect_index(torch.arange(start, stop), samples)
                lo, hi = int(index.min()), int(index.max()) + 1
                index = (index - lo).to(device)
            yield Tile(low, min(low + items, batch), first, last, start, stop, lo, hi, index)


ROW_FRAMES = 1024
"""Transforms in flight on a CPU: 16 signals × 64 frames was the fastest tile measured."""
ROW_FRAMES_GPU = 1 << 17
MIN_FRAMES, MAX_FRAMES = 16, 256


@dataclass(frozen=True)
class Clip:
    """What all tiles of one call share."""

    schedule: RegionSchedule
    timeline: Timeline
    batch: int
    frames_per_tile: int | None

    def tiles(self, device: Any) -> Iterator[Tile]:
        rows = self.schedule.strips * self.schedule.channels
        return tiles(
            self.batch, self.timeline.samples, rows, self.schedule.transform, self.frames_per_tile, device
        )


class TiledRegion(torch.autograd.Function):
    """``(clip, rows, sources…, weights…)`` → ``[results, batch, channels, samples]``."""

    @staticmethod
    def forward(ctx: Any, clip: Clip, rows: Tensor, count: int, *tensors: Tensor) -> Tensor:
        ctx.clip, ctx.count = clip, count
        ctx.save_for_backward(rows, *tensors)
        schedule, samples = clip.schedule, clip.timeline.samples
        sources = tensors[:count]
        out = sources[0].new_zeros(len(schedule.results), clip.batch, schedule.channels, samples)
        for tile in clip.tiles(rows.device):
            work = _TileWork(clip, tile, rows)
            spectra = work.transform(
                work.audio([source[tile.low : tile.high, :, tile.lo : tile.hi] for source in sources])
            )
            made = work.run(spectra)
            _accumulate(out, work.synthesise(made.gather(schedule.results)), tile, work.envelope())
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        clip, count = ctx.clip, ctx.count
        rows, *tensors = ctx.saved_tensors
        sources, weights = tensors[:count], tensors[count:]
        need_rows, need_sources = ctx.needs_input_grad[1], ctx.needs_input_grad[3 : 3 + count]
        need_weights = ctx.needs_input_grad[3 + count :]
        row_gradient = torch.zeros_like(rows) if need_rows else None
        source_gradients = [torch.zeros_like(s) if need else None for s, need in zip(sources, need_sources)]
        trained = [weight for weight, need in zip(weights, need_weights) if need]
        weight_gradients = [torch.zeros_like(weight) for weight in trained]
        for tile in clip.tiles(rows.device):
            pieces = [source[tile.low : tile.high, :, tile.lo : tile.hi].detach() for source in sources]
            for piece, need in zip(pieces, need_sources):
                piece.requires_grad_(need)
            with torch.enable_grad():
                work = _TileWork(clip, tile, rows, need_rows)
                audio = work.audio(pieces)
                gains = work.gains()
            spectra = work.transform(audio.detach())
            seeds = work.analyse(gradient, tile)
            audio_gradient, gain_gradients = work.adjoint(spectra, seeds, gains, audio.requires_grad)
            ends = [gain for gain in gains if gain.requires_grad]
            starts = [g for gain, g in zip(gains, gain_gradients) if gain.requires_grad and g is not None]
            if audio_gradient is not None:
                ends.append(audio)
                starts.append(audio_gradient)
            leaves = [*work.leaves, *(piece for piece in pieces if piece.requires_grad), *trained]
            if not ends or not leaves:
                continue
            found = iter(torch.autograd.grad(ends, leaves, starts, allow_unused=True))
            if row_gradient is not None:
                work.scatter_rows(row_gradient, [next(found) for _ in work.leaves])
            for target in source_gradients:
                if target is not None and (part := next(found)) is not None:
                    target[tile.low : tile.high, :, tile.lo : tile.hi] += part
            for total in weight_gradients:
                if (part := next(found)) is not None:
                    total += part
        learned = iter(weight_gradients)
        return (
            None,
            row_gradient,
            None,
            *source_gradients,
            *(next(learned) if need else None for need in need_weights),
        )


class _TileWork:
    """One tile: reads its controls, runs the effects' code on it, transforms it."""

    def __init__(self, clip: Clip, tile: Tile, rows: Tensor, differentiable: bool = False) -> None:
        self.clip, self.tile = clip, tile
        self.schedule = clip.schedule
        self.items = tile.high - tile.low
        self.frames = tile.last - tile.first
        timeline = clip.timeline
        self.first_frame, stop = timeline.span(tile.lo, tile.hi, self.schedule.smoothing)
        self.near = rows[:, tile.low : tile.high, self.first_frame : stop].detach()
        self.start = rows[:, tile.low : tile.high, :1].detach()
        self.leaves: list[Tensor] = []
        if differentiable:
            self.leaves = [self.near.requires_grad_(), self.start.requires_grad_()]
        hop = self.schedule.transform.hop
        self.centres = stft.frame_positions(timeline.samples, hop, tile.first, tile.last, rows.device)
        self.window = stft.window(self.schedule.transform.size, rows)

    def scatter_rows(self, total: Tensor, parts: Sequence[Tensor | None]) -> None:
        near, start = parts
        items = slice(self.tile.low, self.tile.high)
        if near is not None:
            total[:, items, self.first_frame : self.first_frame + near.shape[-1]] += near
        if start is not None:
            total[:, items, :1] += start

    def audio(self, pieces: Sequence[Tensor]) -> Tensor:
        """The strips' audio on ``lo…hi−1`` after the effects before the transform, ``[strips, items, channels, n]``."""
        parts = []
        position = 0
        block = Block(self.tile.lo, self.tile.hi - self.tile.lo, self.schedule.sample_rate)
        for prologue in self.schedule.prologues:
            stacked = torch.stack(pieces[position : position + prologue.strips])  # type: ignore[arg-type]
            position += prologue.strips
            flat = stacked.flatten(0, 1)
            for step in prologue.steps:
                controls = {c.id: self._samples(c, index) for c, index in step.controls}
                port = step.module.inputs[0].name
                made, _ = step.module.process({port: flat}, controls, {}, block)
                flat = made[step.module.outputs[0].name]
            parts.append(flat.view(stacked.shape))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _samples(self, control: Any, index: Tensor) -> Tensor:
        if control.rate == "clip":
            return self.start[index].flatten(0, 1).unsqueeze(1)
        curve = self.clip.timeline.read_samples(
            self.near[index].flatten(0, 1),
            self.tile.lo,
            self.tile.hi,
            self.schedule.smoothing_of(control),
            self.first_frame,
        )
        return curve.unsqueeze(1)

    def gains(self) -> list[Tensor]:
        """For each group of spectral nodes their gains, ``[nodes, items, frames, bins]``."""
        made = []
        for group in self.schedule.masks:
            controls = {}
            for control, index in group.controls:
                if control.rate == "clip":
                    values = self.start[index]
                else:
                    values = self.clip.timeline.read(self.near[index], self.centres, self.first_frame)
                controls[control.id] = values.flatten(0, 1).unsqueeze(-1)
            shape = (group.nodes * self.items, self.frames, self.schedule.transform.bins)
            made.append(group.module.mask(controls).expand(shape).unflatten(0, (group.nodes, self.items)))
        return made

    def transform(self, audio: Tensor) -> Tensor:
        """Spectra ``[strips, items, channels, frames, bins]``."""
        if self.tile.index is not None:
            audio = audio.index_select(-1, self.tile.index)
        return self._forward(audio)

    def _forward(self, audio: Tensor) -> Tensor:
        size, hop = self.schedule.transform.size, self.schedule.transform.hop
        return torch.fft.rfft(audio.unfold(-1, size, hop) * self.window)

    def synthesise(self, spectra: Tensor) -> Tensor:
        """Windowed inverse transforms, overlap-added over the padded stretch."""
        size, hop = self.schedule.transform.size, self.schedule.transform.hop
        frames = torch.fft.irfft(spectra, n=size).mul_(self.window)
        return stft.overlap_add(frames, hop)

    def envelope(self) -> Tensor:
        """Overlap-added squared window where the tile lies inside the clip."""
        samples, transform = self.clip.timeline.samples, self.schedule.transform
        start, stop = max(self.tile.start, 0), min(self.tile.stop, samples)
        return stft.squared_window_sum(
            transform.size, transform.hop, transform.frames(samples), start, stop, self.window
        )

    def run(self, spectra: Tensor) -> Stacks:
        """Masks and sums; every spectrum that the region's results need."""
        gains = self.gains()
        values = Stacks()
        values.put(self.schedule.sources, spectra)
        for step in self.schedule.steps:
            if isinstance(step, Scale):
                values.put(step.outs, values.gather(step.ins) * self._product(step, gains).unsqueeze(2))
            else:
                values.put((step.out,), _sum(values, step).unsqueeze(0))
            values.drop(step.last_reads)
        return values

    def _product(self, step: Scale, gains: Sequence[Tensor]) -> Tensor:
        factors = [gains[group][low:high] for group, low, high in step.factors]
        total = factors[0]
        for factor in factors[1:]:
            total = total * factor
        return total

    def analyse(self, gradient: Tensor, tile: Tile) -> Tensor:
        """The output's gradient as spectra, ``[results, items, channels, frames, bins]``."""
        samples = self.clip.timeline.samples
        start, stop = max(tile.start, 0), min(tile.stop, samples)
        piece = gradient[:, tile.low : tile.high, :, start:stop] / self.envelope()
        padded = torch.nn.functional.pad(piece, (start - tile.start, tile.stop - stop))
        return self._forward(padded)

    def adjoint(
        self, spectra: Tensor, seeds: Tensor, gains: Sequence[Tensor], need_audio: bool
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """Gradients of the strips' audio and of the gains, from the spectra of the output's gradient."""
        with torch.no_grad():
            schedule = self.schedule
            need_gains = any(gain.requires_grad for gain in gains)
            forward = Stacks()
            forward.put(schedule.sources, spectra)
            if need_gains:
                for step in schedule.steps:
                    if isinstance(step, Scale):
                        if not step.final:
                            product = self._product(step, gains).unsqueeze(2)
                            forward.put(step.outs, forward.gather(step.ins) * product)
                    elif not step.final:
                        forward.put((step.out,), _sum(forward, step).unsqueeze(0))
            back: dict[str, Tensor] = {}
            for name, seed in zip(schedule.results, seeds):
                back[name] = back[name] + seed if name in back else seed
            gain_gradients: list[Tensor | None] = [
                torch.zeros_like(gain) if gain.requires_grad else None for gain in gains
            ]
            for step in reversed(schedule.steps):
                if isinstance(step, Sum):
                    for name in step.ins:
                        _add_to(back, name, back[step.out])
                    continue
                upstream = stack_rows([back[name] for name in step.outs])
                if need_gains:
                    self._gain_gradients(step, forward.gather(step.ins), upstream, gains, gain_gradients)
                onward = upstream * self._product(step, gains).unsqueeze(2)
                for name, row in zip(step.ins, onward.unbind(0)):
                    _add_to(back, name, row)
            if not need_audio:
                return None, gain_gradients
            spectra_gradient = stack_rows([back[name] for name in schedule.sources])
            padded = self.synthesise(spectra_gradient)
            if self.tile.index is None:
                return padded, gain_gradients
            folded = padded.new_zeros(*padded.shape[:-1], self.tile.hi - self.tile.lo)
            return folded.scatter_add_(-1, self.tile.index.expand(padded.shape), padded), gain_gradients

    def _gain_gradients(
        self,
        step: Scale,
        spectra: Tensor,
        upstream: Tensor,
        gains: Sequence[Tensor],
        totals: list[Tensor | None],
    ) -> None:
        """Adds each factor's gradient: Re(conj(X)·G), summed over channels, times the other factors."""
        size = self.schedule.transform.size
        # Real and imaginary parts side by side: one contiguous product, then one strided addition of pairs.
        pairs = (torch.view_as_real(spectra).flatten(-2) * torch.view_as_real(upstream).flatten(-2)).sum(2)
        product = pairs[..., 0::2] + pairs[..., 1::2]
        # The inverse real transform counts every bin twice but the first and, for even sizes, the last.
        product *= 2 / size
        product[..., 0] /= 2
        if size % 2 == 0:
            product[..., -1] /= 2
        for place, (group, low, high) in enumerate(step.factors):
            total = totals[group]
            if total is None:
                continue
            rest = product
            for other, (other_group, other_low, other_high) in enumerate(step.factors):
                if other != place:
                    rest = rest * gains[other_group][other_low:other_high]
            total[low:high] += rest


def _sum(values: Stacks, step: Sum) -> Tensor:
    return values.gather(step.ins).sum(0)


def _add_to(totals: dict[str, Tensor], name: str, value: Tensor) -> None:
    totals[name] = totals[name] + value if name in totals else value


def _accumulate(out: Tensor, stretch: Tensor, tile: Tile, envelope: Tensor) -> None:
    start, stop = max(tile.start, 0), min(tile.stop, out.shape[-1])
    piece = stretch[..., start - tile.start : stop - tile.start]
    out[:, tile.low : tile.high, :, start:stop] += piece / envelope
