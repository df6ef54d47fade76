"""What every case is given: the scale of the work, the tensors all programs share, and a way to say where it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from torch import Tensor

from benchmarks.plain import PlainMixer
from benchmarks.timing import Program, Times, interleave
from benchmarks.work import Inputs, Scale, make_params, make_stems

if TYPE_CHECKING:
    from djgraph import Mixer


@dataclass
class Context:
    """Cases that compare programs take stems, controls and mixers from here: they are made once."""

    scale: Scale
    report: Callable[[str], None] = field(default=lambda text: None)

    @cached_property
    def mixer(self) -> Mixer:
        import djgraph

        return djgraph.compile("dj_mixer")

    @cached_property
    def plain(self) -> PlainMixer:
        return PlainMixer()

    @cached_property
    def stems(self) -> Inputs:
        return make_stems(self.mixer.graph, self.scale.samples)

    @cached_property
    def params(self) -> Tensor:
        return make_params(self.mixer.layout, self.scale.frames)

    def time(self, programs: dict[str, Program], *, slow: bool = False) -> dict[str, Times]:
        """Interleaved times; ``slow``: some program takes seconds, so there are fewer rounds."""
        rounds = self.scale.slow_rounds if slow else self.scale.rounds
        return interleave(programs, rounds, report=self.report)
