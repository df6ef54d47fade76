"""One mixer's stream along a clip: material and controls by the clip's time, whatever jumps that makes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from djgraph.playing.course import Course
from djgraph.playing.feed import Feed, mapped
from djgraph.playing.hands import Hands

if TYPE_CHECKING:
    from djgraph.mixer import Mixer

TICK = 512
"""Samples between frames where nothing is automated: how soon a hand is felt."""


class Line:
    """A stream that plays ``feed`` from a sample of the clip on, controls by ``course`` and ``hands``.

    What comes out is in time: the stream's latency has been fed before the first block. A jump moves material and
    controls; effects go on, so that an echo rings over a loop's end.
    """

    def __init__(
        self,
        mixer: Mixer,
        feed: Feed,
        course: Course,
        hands: Hands,
        at: int = 0,
        tempo: float | None = None,
        taps: bool = True,
    ) -> None:
        self.mixer, self.feed, self.course, self.hands = mixer, feed, course, hands
        self._taps, self._uses_clock, self.tempo = taps, mixer.compiled.uses_clock, tempo
        self._read = at  # the clip's sample that is read next
        self._runs: deque[tuple[int, int]] = deque(
            [(0, at)]
        )  # (stream's sample, clip's sample) where a run begins
        self._now = 0  # the stream's sample that is read next
        self._stream = mixer.stream(
            frames=self._frames(at),
            start=at,
            taps=taps,
            unheard="rest",
            material=feed.material if mixer.graph.sources else None,
        )
        self._first = at
        self.latency = self._stream.latency
        left = self.latency
        while left:
            count = min(left, 4 * TICK)
            self.block(count)
            left -= count

    def block(self, samples: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The next block of the main output ``[channels, samples]``, and of every strip and bus by name."""
        audio = mapped(self.feed.read(self._read, samples), lambda signal: signal[None])
        live: dict[str, Any] = {"tempo": self.tempo} if self._uses_clock else {}
        self._now += samples
        self._read += samples
        with torch.inference_mode():
            made = self._stream(audio or None, samples=samples, **live)
        mixed, taps = made if self._taps else (made, {})
        main = next(iter(mixed.values())) if isinstance(mixed, Mapping) else mixed
        return main[0], {name: one[0] for name, one in taps.items()}

    def jump(self, sample: int) -> None:
        """Go on from another sample of the clip."""
        self.hands.leave(self._read)
        self._runs.append((self._now, sample))
        self._read = sample
        while len(self._runs) > 1 and self._runs[1][0] <= self._now - 8 * TICK:
            self._runs.popleft()

    @property
    def read(self) -> int:
        """The clip's sample that is read next; what is heard next lies ``latency`` before it."""
        return self._read

    def _frames(self, at: int) -> Iterator[tuple[Tensor, int]]:
        """Frames on the stream's samples, counted from the clip's start as the stream does."""
        place = 0  # of the stream
        while True:
            begins, clip = next(
                run for run in reversed(self._runs) if run[0] <= place or run is self._runs[0]
            )
            here = clip + place - begins
            row = self.hands.over(self.course.row(here), here)
            yield torch.from_numpy(row), at + place
            following = self.course.following(here)
            step = TICK - place % TICK
            if following is not None:
                step = min(step, following - here)
            place += max(step, 1)
