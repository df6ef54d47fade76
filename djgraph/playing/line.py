"""One mixer's stream along a clip: material, controls and beats by the clip's time, whatever jumps that makes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from djgraph.playing.course import Course
from djgraph.playing.feed import Feed, Nested, blended, mapped, merged, now_of
from djgraph.playing.hands import Hands

if TYPE_CHECKING:
    from djgraph.effects import State
    from djgraph.mixer import Mixer

TICK = 512
"""Samples between frames where nothing is automated: how soon a hand is felt."""
LONGEST = 4 * TICK
"""Samples that are made at a time, at most."""
FADE = 0.005
"""Seconds over which material goes from one place to another."""
_numbers = count()
Block = tuple[Tensor, Mapping[str, Tensor]]
"""Of the main output, ``[channels, samples]``, and of every strip and bus by name, where they are wanted."""


class Line:
    """A stream that plays ``feed`` from a sample of the clip on, controls and tempo by ``course`` and ``hands``.

    Once it is primed, what comes out is in time: the stream's latency has been fed before the first block. A jump moves
    material, controls, beats and what plays inputs; effects go on, so that an echo rings over a loop's end.

    loop: where the material jumps back, (begin, end), or None; the place where sources are at its begin is kept in
    ``loop_states``. Before the end 5 ms of what lies before the begin fade in, so that the begin itself is as it is.

    At the clip's end the stream is finished: the last samples are those of a whole clip, too. Behind them the last one
    holds for 5 ms, for whoever fades it out, and then there is silence.
    """

    def __init__(
        self,
        mixer: Mixer,
        feed: Feed,
        course: Course,
        hands: Hands,
        at: int = 0,
        taps: bool = True,
        states: Mapping[str, State] | None = None,
        primed: bool = True,
    ) -> None:
        self.mixer, self.feed, self.hands, self.taps = mixer, feed, hands, taps
        self.number = next(_numbers)
        self._course = course
        self._read = at  # the clip's sample that is read next
        self._runs: deque[tuple[int, int]] = deque([(0, at)])  # stream's and clip's sample where a run begins
        self._now = self._stop = 0  # the stream's sample that is read next; where the block ends
        self._old: tuple[int, int] | None = (
            None  # where the material was going before a jump, and how far it has faded
        )
        self._fade = max(1, round(FADE * mixer.graph.sample_rate))
        self.loop: tuple[int, int] | None = None
        self.loop_states: Mapping[str, State] | None = None
        self._last: Block | None = None  # what came out last
        self._rest: Block | None = (
            None  # what was still in the stream at the clip's end, and has not come out
        )
        clock: dict[str, Any] = {"tempo": course.tempo} if mixer.compiled.uses_clock else {}
        self._stream = mixer.stream(
            frames=self._frames(at),
            start=at,
            taps=taps,
            unheard="rest",
            material=feed.material if mixer.graph.sources else None,
            **clock,
        )
        if mixer.graph.sources:
            self._stream.jump(at, sources=self.states_at(at) if states is None else states)
        self.latency = self._stream.latency
        self.seconds = self._stream.seconds = dict[str, float]()
        """What blocks have taken, by what it was for, in words."""
        if primed:
            self.prime(self.latency)

    @property
    def course(self) -> Course:
        """What the automation says; another one holds from the next block on."""
        return self._course

    @course.setter
    def course(self, course: Course) -> None:
        same = course.keeps_time_of(self._course)
        self._course = course
        if not same and self.mixer.compiled.uses_clock and not self.over:
            self._stream.jump(self._read, tempo=course.tempo)

    @property
    def primed(self) -> bool:
        """Whether what comes next is heard."""
        return self._now >= self.latency

    @property
    def over(self) -> bool:
        """Whether it has read the clip to its end: what it still has comes out, and it goes nowhere else."""
        return self._rest is not None

    @property
    def heard(self) -> int:
        """The clip's sample that comes out next."""
        return self._clip(max(self._now - self.latency, 0))

    @property
    def read(self) -> int:
        """The clip's sample that is read next."""
        return self._read

    @property
    def now(self) -> int:
        """Samples read so far."""
        return self._now

    def prime(self, samples: int) -> None:
        """Read so much more of what has to be known before the first block."""
        left = min(samples, self.latency - self._now)
        while left > 0:
            left -= self._piece(min(left, LONGEST))[0].shape[-1]

    def block(self, samples: int) -> Block:
        """The next block."""
        pieces, left = [], samples
        while left:
            pieces.append(self._piece(min(left, LONGEST)))
            left -= pieces[-1][0].shape[-1]
        if len(pieces) == 1:
            return pieces[0]
        taps = {name: torch.cat([piece[1][name] for piece in pieces], -1) for name in pieces[0][1]}
        return torch.cat([piece[0] for piece in pieces], -1), taps

    def jump(self, sample: int, states: Mapping[str, State] | None = None, fade: bool = True) -> None:
        """Go on from another sample of the clip, with a cross-fade of the material behind the cut. states: of what
        plays inputs, there; looked for where they are left out. Raises InputError where the line is over."""
        self.hands.leave(self._read)
        self._old = (self._read, 0) if fade else None
        sources = {}
        if self.mixer.graph.sources:
            sources = dict(self.states_at(sample) if states is None else states)
        self._stream.jump(sample, sources=sources, fade=self._fade)
        self._runs.append((self._now, sample))
        self._read = sample
        while len(self._runs) > 1 and self._runs[1][0] <= self._now - self.latency - 8 * TICK:
            self._runs.popleft()

    def states_at(self, sample: int) -> Mapping[str, State]:
        """Where what plays inputs is on a sample when the clip has been played from its beginning; from any thread."""
        course = self._course
        tempo = course.tempo if self.mixer.compiled.uses_clock else None
        return self._stream.sources_at(sample, course.params, course.positions, tempo)

    def behind(self, samples: int) -> int:
        """The clip's sample that came out so many samples before the one that comes next."""
        return self._clip(max(self._now - self.latency - samples, 0))

    def _piece(self, most: int) -> Block:
        """At most so many samples, up to where the material jumps or ends."""
        left, loop = self.feed.samples - self._read, self.loop
        if left <= 0 < self._now and not self.over:
            self._rest = self._finished()
        if self._rest is not None:
            return self._of_rest(most)
        samples = most if left <= 0 else min(most, left)
        if loop is not None and loop[0] <= self._read < loop[1]:
            samples = min(samples, loop[1] - self._read)
        audio = mapped(self._material(samples), lambda signal: signal[None])
        self._stop = self._now + samples
        with torch.inference_mode():
            made = self._taken_apart(self._stream(audio or None, samples=samples))
        self._now += samples
        self._read += samples
        self._last = made
        if loop is not None and self._read == loop[1]:
            self.jump(loop[0], self.loop_states, fade=False)
        return made

    def _taken_apart(self, made: Any) -> Block:
        """What a stream gave: its first output, and its strips and buses."""
        mixed, taps = made if self.taps else (made, {})
        main = next(iter(mixed.values())) if isinstance(mixed, Mapping) else mixed
        return main[0], {name: one[0] for name, one in taps.items()}

    def _finished(self) -> Block:
        """What comes out behind all that was read."""
        assert self._last is not None
        with torch.inference_mode():
            main, taps = self._taken_apart(self._stream.finish())

        def held(signal: Tensor, before: Tensor) -> Tensor:
            last = torch.cat((before[:, -1:], signal), -1)[:, -1:]
            return torch.cat((signal, last.expand(-1, self._fade)), -1)

        return held(main, self._last[0]), {name: held(one, self._last[1][name]) for name, one in taps.items()}

    def _of_rest(self, most: int) -> Block:
        """The next samples of what came at the end, and silence behind it."""
        assert self._rest is not None

        def some(signal: Tensor) -> Tensor:
            return torch.nn.functional.pad(signal[:, :most], (0, max(0, most - signal.shape[-1])))

        main, taps = self._rest
        self._rest = main[:, most:], {name: one[:, most:] for name, one in taps.items()}
        self._now += most
        self._read += most
        return some(main), {name: some(one) for name, one in taps.items()}

    def _material(self, samples: int) -> Nested:
        first, audio = self._read, self.feed.read(self._read, samples)
        if self._old is not None:
            place, done = self._old
            left = min(samples, self._fade - done)
            audio = blended(self.feed.read(place + done, left), audio, 0, done, self._fade)
            self._old = None if done + left == self._fade else (place, done + left)
        if self.loop is not None:
            begin, end = self.loop
            fade = min(self._fade, (end - begin) // 4)
            low, high = max(first, end - fade), min(first + samples, end)
            if low < high:
                coming = self.feed.read(begin - (end - low), high - low)
                audio = blended(coming, audio, low - first, low - (end - fade), fade, comes=True)
        now = now_of(self.feed)
        return audio if now is None else merged(audio, now(samples))

    def _clip(self, place: int) -> int:
        """The clip's sample at a sample of the stream."""
        begins, clip = next(run for run in reversed(self._runs) if run[0] <= place or run is self._runs[0])
        return clip + place - begins

    def _frames(self, at: int) -> Iterator[tuple[Tensor, int]]:
        """Frames on the stream's samples, counted from the clip's start as the stream does; none lies behind the block
        that is being made, so that a jump finds none that belong to what was before it."""
        place = 0
        while True:
            here = self._clip(place)
            row = self._course.row(here) if place else self._course.first(here)
            row = self.hands.over(row, here)
            if self.hands.heard is not None:
                self.hands.heard(self.number, place, row, self.hands.layout)
            yield torch.from_numpy(row), at + place
            following = self._course.following(here)
            step = self._stop - 1 - place
            if self._runs[-1][0] == place + 1:
                step = 1
            elif following is not None:
                step = min(step, following - here)
            place += max(step, 1)
