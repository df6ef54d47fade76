"""One tile of a spectral region in PyTorch: its controls, the effects' code on it, its transforms, masks and sums."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.controls.reader import SampleSpan
from djgraph.dsp import stft
from djgraph.effects import Block
from djgraph.region.clip import Clip, Tile, Windows
from djgraph.region.lent import ClipControls, Lent, StretchControls
from djgraph.region.prologue import run_prologue
from djgraph.region.recorded import Recorded
from djgraph.region.schedule import MaskGroup, Prologue, PrologueStep, ScaleStep, SumStep
from djgraph.region.stacks import Stacks
from djgraph.region.workspace import Workspace


class TileWork:
    """Everything that is computed on one tile; ``back`` takes the gradients of that to what the tile read."""

    def __init__(self, clip: Clip, tile: Tile, windows: Windows, workspace: Workspace) -> None:
        self.clip, self.tile, self.windows, self.workspace = clip, tile, windows, workspace
        self.schedule = clip.schedule
        self.back = Recorded()

    def borrow(
        self, lent: tuple[Tensor, Tensor | None], span: SampleSpan | None = None, constant: bool = False
    ) -> Tensor:
        """Some places along the last dimension, or all; ``constant`` ones get no gradient."""
        value, total = lent
        if span is not None:
            value = value.narrow(-1, span[0], span[1] - span[0])
        if total is None or constant:
            return value
        piece = value.detach().requires_grad_()
        self.back.read(piece, total if span is None else total.narrow(-1, span[0], span[1] - span[0]))
        return piece

    def audio(self, sources: Sequence[Lent], controls: StretchControls) -> Tensor:
        """The strips on samples ``lo…hi−1``, after the effects before the transform.

        ``[strips, items, channels, samples]``.
        """
        tile = self.tile
        span = tile.lo - self.clip.origin, tile.hi - self.clip.origin
        pieces = [self.borrow(source.items(tile.items), span) for source in sources]
        parts = []
        position = 0
        for prologue in self.schedule.prologues:
            parts.append(self._prologue(prologue, pieces[position : position + prologue.strips], controls))
            position += prologue.strips
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _prologue(self, prologue: Prologue, pieces: Sequence[Tensor], controls: StretchControls) -> Tensor:
        tile = self.tile

        def read(step: PrologueStep) -> dict[str, Tensor]:
            values = {}
            for control, number in step.controls:
                lent = controls.curves[number].rows(0, prologue.strips, slice(0, tile.count))
                span = None if control.rate == "clip" else (tile.lo - controls.lo, tile.hi - controls.lo)
                values[control.id] = self.borrow(lent, span).unsqueeze(1)
            return values

        block = Block(tile.lo, tile.hi - tile.lo, self.schedule.sample_rate)
        return run_prologue(prologue, pieces, read, block)

    def gains(self, controls: ClipControls) -> list[Tensor]:
        """For each group of spectral nodes their gains, ``[nodes, items, frames, bins]``."""
        return [self.gain(group, controls) for group in self.schedule.masks]

    def gain(self, group: MaskGroup, controls: ClipControls) -> Tensor:
        """One group's, ``[nodes, items, frames, bins]``."""
        tile, read = self.tile, {}
        for control, low, high in group.controls:
            once = group.constant or control.rate == "clip"
            lent = (controls.once if once else controls.frames).rows(low, high, tile.items)
            span = None if once else (tile.first, tile.last)
            read[control.id] = self.borrow(lent, span, group.constant).unsqueeze(-1)
        shape = (group.nodes * tile.count, tile.frames, self.schedule.transform.bins)
        return group.call.mask(read, shape).unflatten(0, (group.nodes, tile.count))

    def strips(self, audio: Tensor) -> Tensor:
        """Frames of audio on ``lo…hi−1``, ``[…, frames, size]``, a view where nothing is mirrored."""
        tile = self.tile
        if tile.mirrored:
            begin, end = tile.inside
            parts = [audio[..., begin - tile.lo : end - tile.lo]]
            if tile.before is not None:
                parts.insert(0, audio.index_select(-1, tile.before))
            if tile.after is not None:
                parts.append(audio.index_select(-1, tile.after))
            audio = torch.cat(parts, dim=-1)
        return self._unfold(audio)

    def seeds(self, gradient: Tensor) -> Tensor:
        """Frames of the gradient of the region's results, ``[results, items, channels, frames, size]``."""
        (start, stop), first = self.tile.inside, self.clip.out[0]
        piece = gradient[:, self.tile.items, :, start - first : stop - first]
        piece = self.windows.correct(piece, start)
        if self.tile.mirrored:
            piece = torch.nn.functional.pad(piece, (start - self.tile.start, self.tile.stop - stop))
        return self._unfold(piece)

    def _unfold(self, audio: Tensor) -> Tensor:
        return audio.unfold(-1, self.schedule.transform.size, self.schedule.transform.hop)

    def analyse(self, frames: Tensor, window: Tensor) -> Tensor:
        """Spectra of windowed frames."""
        # (The FFT itself gains nothing from a buffer: PyTorch would copy into it.)
        return torch.fft.rfft(torch.mul(frames, window, out=self.workspace.like("frames", frames)))

    def write(self, out: Tensor, spectra: Tensor) -> None:
        """Adds the results to ``out``, ``[results, batch, channels, samples]``, but for ``Windows.ends``."""
        (start, stop), first = self.tile.inside, self.clip.out[0]
        frames = torch.fft.irfft(spectra, n=self.schedule.transform.size)
        target = out[:, self.tile.items, :, start - first : stop - first]
        if self.tile.mirrored:
            begin = start - self.tile.start
            target += self._stretch(frames, self.windows.synthesis)[..., begin : begin + stop - start]
        else:
            stft.add_frames(target, frames, self.windows.synthesis, self.schedule.transform.hop)

    def _stretch(self, frames: Tensor, window: Tensor) -> Tensor:
        """Windowed frames, overlapped and added."""
        stretch = frames.new_zeros(*frames.shape[:-2], self.tile.stop - self.tile.start)
        stft.add_frames(stretch, frames, window, self.schedule.transform.hop)
        return stretch

    def audio_gradient(self, spectra: Tensor) -> Tensor:
        """The gradient of the audio on ``lo…hi−1`` from that of the strips' spectra."""
        frames = torch.fft.irfft(spectra, n=self.schedule.transform.size)
        stretch = self._stretch(frames, self.windows.back)
        tile = self.tile
        if not tile.mirrored:
            return stretch
        # Samples that were mirrored get the gradients of all their images.
        folded = stretch.new_zeros(*stretch.shape[:-1], tile.hi - tile.lo)
        begin, end = tile.inside
        folded[..., begin - tile.lo : end - tile.lo] = stretch[..., begin - tile.start : end - tile.start]
        if tile.before is not None:
            folded.index_add_(-1, tile.before, stretch[..., : begin - tile.start])
        if tile.after is not None:
            folded.index_add_(-1, tile.after, stretch[..., end - tile.start :])
        return folded

    def mix(self, spectra: Tensor, gains: Sequence[Tensor]) -> Tensor:
        """Masks and sums: the results' spectra from the strips'."""
        schedule, values = self.schedule, Stacks()
        values.put(schedule.sources, spectra)
        results = None
        if schedule.sums_only:
            shape = (len(schedule.results), *spectra.shape[1:])
            results = self.workspace.take("results", shape, spectra.dtype, spectra.device)
        for step in schedule.steps:
            taken = values.gather(step.ins)
            if isinstance(step, ScaleStep):
                product = product_of(step, gains, self.workspace).unsqueeze(2)
                # Nobody reads these spectra again, so they are scaled where they lie.
                scaled = taken.mul_(product) if step.owns_ins else taken * product
                values.put(step.outs, scaled)
            elif results is not None and step.out in schedule.results:
                place = schedule.results.index(step.out)
                total = results[place : place + 1]
                values.put((step.out,), torch.sum(taken, 0, keepdim=True, out=total))
            else:
                values.put((step.out,), taken.sum(0, keepdim=True))
            values.drop(step.forgets)
        return values.gather(schedule.results) if results is None else results


def product_of(step: ScaleStep, gains: Sequence[Tensor], workspace: Workspace) -> Tensor:
    """The product of a chain's gains, ``[rows, items, frames, bins]``; holds until the next is asked for."""
    first, *others = (gains[group][low:high] for group, low, high in step.factors)
    if not others:
        return first
    product = torch.mul(first, others[0], out=workspace.like("product", first))
    for other in others[1:]:
        product *= other
    return product


def spectra_for_gains(
    steps: Sequence[ScaleStep | SumStep],
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
        if isinstance(step, ScaleStep):
            product = product_of(step, gains, workspace).unsqueeze(2)
            values.put(step.outs, values.gather(step.ins) * product)
        else:
            values.put((step.out,), values.gather(step.ins).sum(0, keepdim=True))
    return values
