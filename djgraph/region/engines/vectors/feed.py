"""The strips' audio on a stretch of a clip: as it is, times amplitudes, or through any effects without memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.effects import Block
from djgraph.region.clip import Stretch
from djgraph.region.engines.vectors import addresses
from djgraph.region.lent import Lent, StretchControls
from djgraph.region.prologue import run_prologue
from djgraph.region.recorded import Recorded
from djgraph.region.schedule import Prologue, PrologueStep, RegionSchedule
from djgraph.simd import rows


class Feed:
    """The strips' rows for a stretch; the sources' audio begins with sample ``origin``.

    ``sources``: a row for each strip. ``targets``: where the gradient of what it reads goes, None where nobody wants
    one; ``back`` then takes that to where it is wanted.
    """

    def __init__(
        self,
        schedule: RegionSchedule,
        stretch: Stretch,
        controls: StretchControls,
        sources: Sequence[Lent],
        row_total: Tensor | None,
        origin: int,
    ) -> None:
        self.sources: list[list[int]] = []
        self.targets: list[list[int] | None] = []
        self.back = Recorded()
        self._schedule, self._stretch, self._controls = schedule, stretch, controls
        self._origin = origin
        self._items = stretch.items.stop - stretch.items.start
        self._held: list[Tensor] = []
        if row_total is not None:
            for leaf, place in zip(*controls.rows_behind(row_total)):
                self.back.read(leaf, place)
        position = 0
        for prologue in schedule.prologues:
            self._feed(prologue, sources[position : position + prologue.strips])
            position += prologue.strips

    def _feed(self, prologue: Prologue, sources: Sequence[Lent]) -> None:
        if not prologue.steps:
            for one in sources:
                total = one.total
                self.sources.append(self._source(one.value))
                self.targets.append(None if total is None else self._target(total))
        elif prologue.amplitudes:
            self._scaled(prologue, sources)
        else:
            self._processed(prologue, sources)

    def _source(self, audio: Tensor) -> list[int]:
        return addresses.source(audio, addresses.ANALYSIS, origin=self._origin)

    def _target(self, total: Tensor | None) -> list[int]:
        return addresses.target(total, addresses.BACK, folded=True, origin=self._origin)

    def _read(self, step: PrologueStep) -> dict[str, Tensor]:
        """A step's controls on the stretch, ``[strips·items, 1, samples]``."""
        read = self._controls.read
        return {control.id: read[number].flatten(0, 1).unsqueeze(1) for control, number in step.controls}

    def _keep(self, output: Tensor) -> tuple[Tensor, Tensor | None]:
        """The values of what effects made, and where their gradient goes."""
        values, gradient = output.detach().contiguous(), None
        if output.requires_grad:
            gradient = torch.zeros_like(values)
            self.back.made(output, gradient)
        self._held.append(values)
        return values, gradient

    def _scaled(self, prologue: Prologue, sources: Sequence[Lent]) -> None:
        """Strips behind nothing but amplitudes: these are multiplied where the audio is read."""
        stretch, span = self._stretch, self._stretch.hi - self._stretch.lo
        factor: Tensor | None = None
        for step in prologue.steps:
            amplitude = step.call.amplitude(self._read(step), prologue.strips * self._items, span)
            factor = amplitude if factor is None else factor * amplitude
        assert factor is not None
        factor = factor.expand(prologue.strips * self._items, 1, span)[:, 0].to(sources[0].value.dtype)
        values, gradient = self._keep(factor.unflatten(0, (prologue.strips, self._items)))
        for number, one in enumerate(sources):
            row = self._source(one.value)
            row[rows.FACTOR] = addresses.first_sample(values[number], stretch)
            row[rows.FACTOR_ITEM] = values[number].stride(0)
            self.sources.append(row)
            if gradient is None and one.total is None:
                self.targets.append(None)
                continue
            back = self._target(one.total)
            back[rows.SOURCE] = len(self.sources) - 1
            if gradient is not None:
                back[rows.TO_FACTOR] = addresses.first_sample(gradient[number], stretch)
                back[rows.TO_FACTOR_ITEM] = gradient[number].stride(0)
            self.targets.append(back)

    def _processed(self, prologue: Prologue, sources: Sequence[Lent]) -> None:
        """Strips behind any effects without memory: these run on the stretch first."""
        stretch, schedule = self._stretch, self._schedule
        pieces = []
        for one in sources:
            value, total = one.items(stretch.items)
            span = slice(stretch.lo - self._origin, stretch.hi - self._origin)
            piece = value[..., span].detach().requires_grad_(total is not None)
            pieces.append(piece)
            if total is not None:
                self.back.read(piece, total[..., span])
        block = Block(stretch.lo, stretch.hi - stretch.lo, schedule.sample_rate)
        signal = run_prologue(prologue, pieces, self._read, block).to(pieces[0].dtype)
        values, gradient = self._keep(signal)
        for number in range(prologue.strips):
            self.sources.append(addresses.source(values[number], addresses.ANALYSIS, stretch))
            self.targets.append(
                None
                if gradient is None
                else addresses.target(gradient[number], addresses.BACK, stretch, folded=True)
            )
