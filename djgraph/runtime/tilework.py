"""One tile of a spectral region: its controls, the effects' code on it, its transforms, masks and sums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from djgraph.dsp import stft
from djgraph.effects import Block, Control
from djgraph.runtime.schedule import Prologue, Scale, Sum
from djgraph.runtime.stacks import Stacks
from djgraph.runtime.tiles import Clip, Tile, Workspace

T = TypeVar("T", Tensor, Tensor | None)


class TileWork:
    """Everything that is computed on one tile.

    ``leaves`` are the tile's own stretches of the control rows; with ``differentiable`` they require gradients.
    """

    def __init__(self, clip: Clip, tile: Tile, rows: Tensor, differentiable: bool = False) -> None:
        self.clip, self.tile = clip, tile
        self.schedule = clip.schedule
        self.items = tile.high - tile.low
        self.window = clip.window(rows)
        self.workspace = clip.workspace
        self.first_frame, stop = clip.timeline.span(tile.lo, tile.hi, self.schedule.smoothing)
        self.near = rows[:, tile.items, self.first_frame : stop].detach()
        self.start = rows[:, tile.items, :1].detach()
        self.leaves: list[Tensor] = []
        if differentiable:
            self.leaves = [self.near.requires_grad_(), self.start.requires_grad_()]

    def add_row_gradients(self, total: Tensor, near: Tensor | None, start: Tensor | None) -> None:
        if near is not None:
            total[:, self.tile.items, self.first_frame : self.first_frame + near.shape[-1]] += near
        if start is not None:
            total[:, self.tile.items, :1] += start

    def audio(self, pieces: Sequence[Tensor]) -> Tensor:
        """The strips on samples ``lo…hi−1``, after the effects before the transform.

        ``[strips, items, channels, samples]``.
        """
        parts = []
        position = 0
        for prologue in self.schedule.prologues:
            parts.append(self._prologue(prologue, pieces[position : position + prologue.strips]))
            position += prologue.strips
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _prologue(self, prologue: Prologue, pieces: Sequence[Tensor]) -> Tensor:
        stacked = torch.stack(list(pieces))
        signal = stacked.flatten(0, 1)
        block = Block(self.tile.lo, self.tile.hi - self.tile.lo, self.schedule.sample_rate)
        for step in prologue.steps:
            controls = {control.id: self._samples(control, index) for control, index in step.controls}
            made, _ = step.module.process({step.module.inputs[0].name: signal}, controls, {}, block)
            signal = made[step.module.outputs[0].name]
        return signal.view(stacked.shape)

    def _samples(self, control: Control, index: Tensor) -> Tensor:
        if control.rate == "clip":
            return self.start[index].flatten(0, 1).unsqueeze(1)
        values = self.near[index].flatten(0, 1)
        smoothing = self.schedule.smoothing_of(control)
        line, tile = self.clip.timeline, self.tile
        return line.read_samples(values, tile.lo, tile.hi, smoothing, self.first_frame).unsqueeze(1)

    def gains(self) -> list[Tensor]:
        """For each group of spectral nodes their gains, ``[nodes, items, frames, bins]``."""
        schedule, tile = self.schedule, self.tile
        hop = schedule.transform.hop
        centres = stft.frame_positions(self.clip.samples, hop, tile.first, tile.last, self.near.device)
        # All controls of all groups are read at once.
        read = self.clip.timeline.read(self.near[schedule.mask_rows], centres, self.first_frame)
        once = self.start[schedule.mask_rows]
        made = []
        for group in schedule.masks:
            controls = {
                control.id: (once if group.constant or control.rate == "clip" else read)[low:high]
                .flatten(0, 1)
                .unsqueeze(-1)
                for control, low, high in group.controls
            }
            shape = (group.nodes * self.items, tile.last - tile.first, schedule.transform.bins)
            made.append(group.mask(controls).expand(shape).unflatten(0, (group.nodes, self.items)))
        return made

    def strips(self, audio: Tensor) -> Tensor:
        """Frames of audio on ``lo…hi−1``, ``[…, frames, size]``, a view where nothing is mirrored."""
        if self.tile.index is not None:
            audio = audio.index_select(-1, self.tile.index)
        return self._unfold(audio)

    def seeds(self, gradient: Tensor) -> Tensor:
        """Frames of the gradient of the region's results, ``[results, items, channels, frames, size]``."""
        start, stop = self.clip.inside(self.tile)
        piece = gradient[:, self.tile.items, :, start:stop] * self.clip.envelope(self.tile, self.window)
        if self.tile.index is not None:
            piece = torch.nn.functional.pad(piece, (start - self.tile.start, self.tile.stop - stop))
        return self._unfold(piece)

    def _unfold(self, audio: Tensor) -> Tensor:
        return audio.unfold(-1, self.schedule.transform.size, self.schedule.transform.hop)

    def bunches(self) -> Iterator[slice]:
        """The tile's frames, a few at a time: what is done to their spectra stays in the processor's own cache."""
        frames = self.tile.last - self.tile.first
        few = self.clip.frames_per_bunch(self.items, self.window.device)
        for first in range(0, frames, few):
            yield slice(first, min(first + few, frames))

    def analyse(self, frames: Tensor) -> Tensor:
        """Spectra of windowed frames."""
        # (The FFT itself gains nothing from a buffer: PyTorch would copy into it.)
        return torch.fft.rfft(torch.mul(frames, self.window, out=self.workspace.like("frames", frames)))

    def synthesise(self, spectra: Tensor, out: Tensor) -> None:
        """Windowed inverse transforms."""
        torch.mul(torch.fft.irfft(spectra, n=self.schedule.transform.size), self.window, out=out)

    def made(self, rows: int) -> Tensor:
        """Room for the frames of so many signals."""
        frames = self.tile.last - self.tile.first
        shape = (rows, self.items, self.schedule.channels, frames, self.schedule.transform.size)
        return self.workspace.take("made", shape, self.window.dtype, self.window.device)

    def write(self, out: Tensor, frames: Tensor) -> None:
        """Adds the results' audio to ``out``, ``[results, batch, channels, samples]``."""
        start, stop = self.clip.inside(self.tile)
        stretch = stft.overlap_add(frames, self.schedule.transform.hop)
        stretch = stretch[..., start - self.tile.start : stop - self.tile.start]
        out[:, self.tile.items, :, start:stop].addcmul_(stretch, self.clip.envelope(self.tile, self.window))

    def mix(self, spectra: Tensor, gains: Sequence[Tensor]) -> Tensor:
        """Masks and sums: the results' spectra from the strips'."""
        values = Stacks()
        values.put(self.schedule.sources, spectra)
        for step in self.schedule.steps:
            if isinstance(step, Scale):
                taken = values.gather(step.ins)
                product = product_of(step, gains, self.workspace).unsqueeze(2)
                # Nobody reads these spectra again, so they are scaled where they lie.
                scaled = taken.mul_(product) if step.owns_ins else taken * product
                values.put(step.outs, scaled)
            else:
                values.put((step.out,), values.gather(step.ins).sum(0, keepdim=True))
            values.drop(step.forgets)
        return values.gather(self.schedule.results)


def bunch(gains: Sequence[T], few: slice) -> list[T]:
    """A few frames of each gain."""
    return [gain if gain is None else gain[:, :, few] for gain in gains]


def product_of(step: Scale, gains: Sequence[Tensor], workspace: Workspace) -> Tensor:
    """The product of a chain's gains, ``[rows, items, frames, bins]``; holds until the next is asked for."""
    first, *others = (gains[group][low:high] for group, low, high in step.factors)
    if not others:
        return first
    product = torch.mul(first, others[0], out=workspace.like("product", first))
    for other in others[1:]:
        product *= other
    return product


def spectra_for_gains(
    steps: Sequence[Scale | Sum],
    sources: Sequence[str],
    spectra: Tensor,
    gains: Sequence[Tensor],
    workspace: Workspace,
) -> Stacks:
    """The spectra that masks were applied to, which their gradients need."""
    values = Stacks()
    values.put(sources, spectra)
    for step in steps:
        if step.final:
            continue
        if isinstance(step, Scale):
            product = product_of(step, gains, workspace).unsqueeze(2)
            values.put(step.outs, values.gather(step.ins) * product)
        else:
            values.put((step.out,), values.gather(step.ins).sum(0, keepdim=True))
    return values
