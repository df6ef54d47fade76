"""What an engine is: one way to run spectral regions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from djgraph.region.load import RegionLoad

if TYPE_CHECKING:
    from djgraph.region.clip import Clip
    from djgraph.region.schedule import RegionSchedule


@dataclass(frozen=True)
class Wanted:
    """Which gradients a backward pass gives: of the bank's rows, of each source, and of the weights named here.

    once: of each source, whether it is one item, spread to all. Of such a one an engine may give the gradient of that
    item, ``[1, channels, samples]``, instead of one for each.
    """

    rows: bool
    sources: Sequence[bool]
    weights: Sequence[Tensor]
    once: Sequence[bool]

    @property
    def some(self) -> bool:
        """Any is wanted at all."""
        return self.rows or bool(self.weights) or any(self.sources)

    @property
    def apart(self) -> bool:
        """That of a source is wanted for each item."""
        return any(want and not one for want, one in zip(self.sources, self.once))


Gradients = tuple[Tensor | None, list[Tensor | None], list[Tensor]]
"""Of the bank's rows, of each source, and of each weight; None where none is wanted."""


class Engine(ABC):
    """Runs spectral regions. Engines know nothing of each other; :func:`djgraph.region.engines.choose` knows them all.

    What an engine keeps for a region from call to call is made by :meth:`prepare`, once for each region, and handed
    back by :meth:`kept`.
    """

    name: ClassVar[str]

    @abstractmethod
    def takes(self, load: RegionLoad) -> bool:
        """Whether it can run such a call at all."""

    @abstractmethod
    def seconds(self, load: RegionLoad) -> float:
        """A rough estimate of a forward pass, to choose among the engines that can."""

    @abstractmethod
    def working_bytes(self, load: RegionLoad) -> tuple[float, float]:
        """Memory beside the region's inputs, results and gradients: forward, and forward with backward."""

    def prepare(self, schedule: RegionSchedule) -> Any:
        """What is kept for a region."""
        return None

    def kept(self, schedule: RegionSchedule) -> Any:
        """What :meth:`prepare` made for this region."""
        if self.name not in schedule.kept:
            schedule.kept[self.name] = self.prepare(schedule)
        return schedule.kept[self.name]

    @abstractmethod
    def forward(self, clip: Clip, rows: Tensor, sources: Sequence[Tensor] | Tensor) -> Tensor:
        """The region's results on the clip's frames, ``[results, batch, channels, samples]``.

        rows: ``[rows, batch, frames]`` of the control bank. sources: ``[batch, channels, samples]`` each, from
        sample ``clip.origin`` on, or all in one tensor. The results cover ``clip.out``; of a whole clip they are final,
        of a section the samples at both ends lack what the frames beyond add (the overlap), and ``Windows.ends`` is
        left to the caller.
        """

    @abstractmethod
    def backward(
        self,
        clip: Clip,
        rows: Tensor,
        sources: Sequence[Tensor],
        gradient: Tensor,
        wanted: Wanted,
    ) -> Gradients:
        """The gradients of :meth:`forward` that are wanted; ``gradient`` is that of its result."""
