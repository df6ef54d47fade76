"""What is found of a track in a recording: the passages that it plays, and how sure that is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """A stretch of a recording in which a track plays without a cut.

    begins, ends: samples of the recording. start: the track's sample that sounds at ``begins``. Track and recording
    count at one sample rate. rate: track samples for each sample of the recording, above 0. key_locked: the track was
    stretched in time and kept its pitch; otherwise it was resampled, as on a turntable, and its pitch follows the
    rate. spread: standard deviation of ``start`` in samples, at the passage's middle. also: other values of ``start``
    at which the track sounds the same, because it repeats itself: which it was cannot be told.
    """

    begins: float
    ends: float
    start: float
    rate: float
    key_locked: bool
    spread: float
    also: tuple[float, ...] = ()

    @property
    def stop(self) -> float:
        """The track's sample at ``ends``."""
        return self.start + self.rate * (self.ends - self.begins)

    def position(self, sample: float) -> float:
        """The track's sample that sounds at a sample of the recording, on this passage's line, within it or not."""
        return self.start + self.rate * (sample - self.begins)

    def shifted(self, by: float) -> Passage:
        """With the track so many of its samples further on, :attr:`also` likewise."""
        return dataclasses.replace(self, start=self.start + by, also=tuple(place + by for place in self.also))

    def begun(self, sample: float) -> Passage:
        """On the same line from another sample of the recording on: earlier or later, but before ``ends``."""
        moved = self.shifted(self.rate * (sample - self.begins))
        return dataclasses.replace(moved, begins=sample)


@dataclass(frozen=True)
class Found:
    """A track, and where it is in a recording.

    track: its name. passages: in the order of the recording; none where the track is not in it. confidence: 0 to 1,
    that it is in the recording at these passages; of an absent track, that it is absent.
    """

    track: str
    passages: tuple[Passage, ...]
    confidence: float

    @property
    def begins(self) -> float | None:
        """The recording's sample at which the track is first heard; None where it is not in it."""
        return self.passages[0].begins if self.passages else None

    @property
    def ends(self) -> float | None:
        """The recording's sample after which it is heard no more; None where it is not in it."""
        return self.passages[-1].ends if self.passages else None

    def markers(self) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
        """Where each passage begins in the recording and in the track, and its rate: ``clip``, ``track`` and ``rate``
        of :func:`djgraph.dsp.warp_positions`."""
        return (
            tuple(one.begins for one in self.passages),
            tuple(one.start for one in self.passages),
            tuple(one.rate for one in self.passages),
        )
