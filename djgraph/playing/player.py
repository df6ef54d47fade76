"""A transport: play, stop, seek, loop; hands on controls; meters; and how much of its time a block takes."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from djgraph.audio.meter import LOUDNESS_CHANNELS, Meter
from djgraph.playing.course import Course
from djgraph.playing.feed import Feed, ReadAhead
from djgraph.playing.handover import Fade, Offer, Setup, first, same_channels, turn, until_jump
from djgraph.playing.hands import Hands
from djgraph.playing.line import TICK, Line

if TYPE_CHECKING:
    from djgraph.mixer import Mixer

MEASURED = 256
"""Blocks of which the load is known."""


@dataclass(frozen=True)
class Transport:
    """Where playing stands. position: the clip's sample that is heard next. loop: the samples between which it goes
    round, or None."""

    playing: bool = False
    position: int = 0
    loop: tuple[int, int] | None = None
    tempo: float = 120.0


@dataclass(frozen=True)
class Moment:
    """Where a player stands, as one value. made: all samples that it has made. epoch: another one after each order that
    makes what comes next something else: what was prepared before is of no use."""

    epoch: int = 0
    made: int = 0
    transport: Transport = Transport()


class Player:
    """Plays a mixer from its material. :meth:`block` is called by one thread, the one that has the sound; everything
    else by any, and never waits for a block."""

    def __init__(self, mixer: Mixer, feed: Feed, course: Course | None = None, tempo: float = 120.0) -> None:
        self.feed = ReadAhead(feed)
        course = Course.steady(mixer.layout) if course is None else course
        self._setup = Setup(mixer, course, Hands(mixer.layout), self.feed)
        self.instead: Feed | None = None
        """What is heard in place of the mixer's output, which goes on beneath: one signal ``[channels, samples]``."""
        self.transport = Transport(tempo=tempo)
        self._line: Line | None = None
        self._offer: Offer | None = None
        self._fade: Fade | None = None
        self._late = False
        self._epoch = self._made = 0
        self.moment = Moment(transport=self.transport)
        self._orders: deque[Callable[[], None]] = deque()
        self._ordered = threading.Event()
        self.jumps = 0
        """How often what is heard has stopped following what was heard before: by orders to play, stop and seek. Who
        keeps blocks ready throws away those made before the last one."""
        self._peaks: dict[str, NDArray[np.float32]] = {}
        self._loads: deque[float] = deque(maxlen=MEASURED)
        self._lock = threading.Lock()
        self._loudness = self._meter()

    @property
    def mixer(self) -> Mixer:
        return self._setup.mixer

    @property
    def course(self) -> Course:
        return self._setup.course

    @property
    def hands(self) -> Hands:
        return self._setup.hands

    # ── Orders, from any thread ─────────────────────────────────────────────────────────────────────────────

    def play(self) -> None:
        self._order(self._play)

    def stop(self) -> None:
        self._order(self._stop)

    def seek(self, sample: int) -> None:
        place = max(0, min(int(sample), max(self.feed.samples - 1, 0)))
        self.feed.prepare(place)
        self._order(lambda: self._seek(place))

    def loop(self, region: tuple[int, int] | None) -> None:
        """Go round from the second sample to the first; None: no more."""
        self._order(lambda: self._around(region))

    def at_tempo(self, tempo: float) -> None:
        """BPM, for effects that follow a clock."""
        self._order(lambda: self._retime(float(tempo)))

    def follow(self, course: Course) -> None:
        """Another automation, from the next frame on; nothing happens with one for another mixer's layout."""
        with self._lock:
            if course.layout != self._setup.mixer.layout:
                return
            self._setup = replace(self._setup, course=course)
        self._order(lambda: self._follow(course))

    def take_over(self, mixer: Mixer, course: Course, hands: Hands, feed: Feed | None = None) -> None:
        """Another mixer goes on where this one is, with a short cross-fade; it knows nothing of what was before, as
        :func:`djgraph.playing.relay.warm` would see to. Columns keep their values by name: that is the caller's to
        see to, in ``course`` and ``hands``. feed: the material as its graph takes it."""
        self.replace(Setup(mixer, course, hands, self.feed if feed is None else feed))

    def replace(self, setup: Setup) -> None:
        """The same with all that is played."""
        with self._lock:
            self._setup = setup
        self._order(lambda: self._take_over(setup))

    def offer(self, offer: Offer) -> None:
        """Another mixer is warm, and takes over at its sample if that is still to come."""
        self._offer = offer

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        self._ordered.set()

    def wait(self, seconds: float) -> None:
        """Until there is something to play, or that long."""
        if not self.transport.playing and not self._orders:
            self._ordered.wait(seconds)

    # ── Sound, from one thread ──────────────────────────────────────────────────────────────────────────────

    def block(self, samples: int = TICK) -> tuple[NDArray[np.float32], int]:
        """The next samples of the main output ``[channels, samples]``, and the clip's sample at which they begin."""
        began = time.perf_counter()
        self._obey()
        self._publish()
        at = self.transport.position
        if not self.transport.playing:
            return np.zeros((self._channels(), samples), np.float32), at
        if self._line is None:
            self._line = self._start(at)
        pieces, left = [], samples
        while left:
            self._meet()
            count = min(left, until_jump(self._line, self.transport.loop), self._until_change())
            line = self._line
            pieces.append(self._piece(line, count))
            left -= count
            self._made += count
            turn(line, self.transport.loop)
        if len({len(piece) for piece in pieces}) > 1:  # another mixer has taken over within this block
            pieces = [same_channels(piece, len(pieces[-1])) for piece in pieces]
        audio = pieces[0] if len(pieces) == 1 else torch.cat(pieces, -1)
        if len(audio) != self._loudness.channels:
            self._loudness = self._meter()
        self._loudness.add(audio)
        if (instead := self.instead) is not None:
            (audio,) = instead.read(at, samples).values()
        self._advance(samples)
        self._publish()
        self._loads.append((time.perf_counter() - began) / samples * self.mixer.graph.sample_rate)
        return audio.numpy(), at

    @property
    def load(self) -> tuple[float, float]:
        """The median and the largest share of a block's length that it took to make it, of the last ones."""
        loads = sorted(self._loads)
        return (loads[len(loads) // 2], loads[-1]) if loads else (0.0, 0.0)

    def meters(self) -> Mapping[str, list[float]]:
        """The largest amplitude of every strip and bus, by channel, since this was last asked."""
        with self._lock:
            peaks, self._peaks = self._peaks, {}
        return {name: [round(float(value), 6) for value in peak] for name, peak in peaks.items()}

    @property
    def loudness(self) -> tuple[float | None, float | None, float | None]:
        """Of what has been played: momentary and integrated loudness in LUFS, true peak in dBTP; None where there is
        nothing to tell."""
        meter = self._loudness
        numbers = (meter.momentary, meter.lufs, meter.true_peak_dbtp)
        momentary, integrated, peak = (None if n is None or not math.isfinite(n) else n for n in numbers)
        return momentary, integrated, peak

    def close(self) -> None:
        self.feed.close()

    # ── How ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, at: int) -> Line:
        setup = self._setup
        return Line(setup.mixer, setup.feed, setup.course, setup.hands, at, self.transport.tempo)

    def _meter(self) -> Meter:
        channels = self._channels()
        return Meter(channels, self.mixer.graph.sample_rate, loudness=channels <= LOUDNESS_CHANNELS)

    def _channels(self) -> int:
        graph = self.mixer.graph
        return graph.channels(next(iter(graph.outputs.values())))

    def _obey(self) -> None:
        self._ordered.clear()
        while self._orders:
            self._orders.popleft()()

    def _set(self, **changes: Any) -> None:
        self.transport = replace(self.transport, **changes)

    def _play(self) -> None:
        self._loudness = self._meter()
        at_end = self.transport.position >= self.feed.samples
        self._set(playing=True, position=0 if at_end else self.transport.position)
        self.jumps += 1
        self._epoch += 1

    def _stop(self) -> None:
        self.jumps += 1
        self._end()

    def _end(self) -> None:
        self._set(playing=False)
        self.hands.leave(self.transport.position, playing=False)
        self._epoch += 1
        self._line = self._fade = None
        self._late = False

    def _seek(self, place: int) -> None:
        self._set(position=place)
        self.jumps += 1
        self._epoch += 1
        if self._fade is not None:
            self._line, self._fade = self._fade.line, None
        if self._line is not None:
            self._line.jump(place + self._line.latency)

    def _retime(self, tempo: float) -> None:
        self._set(tempo=tempo)
        for line in self._lines():
            line.tempo = tempo

    def _around(self, region: tuple[int, int] | None) -> None:
        if region != self.transport.loop:
            self._set(loop=region)
            self._epoch += 1

    def _follow(self, course: Course) -> None:
        for line in self._lines():
            if course.layout == line.course.layout:
                line.course = course

    def _lines(self) -> list[Line]:
        return [
            line for line in (self._line, None if self._fade is None else self._fade.line) if line is not None
        ]

    def _take_over(self, setup: Setup) -> None:
        if self._fade is not None:
            self._late = True  # the one that is coming in is heard alone first
        elif self._line is not None and setup is self._setup:
            line = self._start(self.transport.position)
            self._fade = Fade(line, first(line, self.transport.loop))

    def _meet(self) -> None:
        """Take what was offered for now, refuse what was offered for a time that is over."""
        offer = self._offer
        if offer is None:
            return
        if offer.epoch != self._epoch or offer.at < self._made or (self._fade and offer.at == self._made):
            self._offer = None
            offer.settle(False)
        elif offer.at == self._made:
            with self._lock:
                self._setup = offer.setup
            self._offer, self._fade = None, Fade(offer.line, offer.audio)
            offer.settle(True)

    def _until_change(self) -> int:
        """Samples until another mixer begins to be heard, or is heard alone."""
        if self._fade is not None:
            return self._fade.left
        offer = self._offer
        ahead = TICK if offer is None else offer.at - self._made
        return ahead if ahead > 0 else TICK

    def _publish(self) -> None:
        self.moment = Moment(self._epoch, self._made, self.transport)

    def _piece(self, line: Line, samples: int) -> torch.Tensor:
        audio, taps = line.block(samples)
        if self._fade is not None:
            audio = self._fade.mix(audio)
            if not self._fade.left:
                self._line, self._fade = self._fade.line, None
                if self._late:
                    self._late = False
                    self._take_over(self._setup)
        with self._lock:
            for name, signal in taps.items():
                peak = signal.abs().amax(-1).numpy()
                before = self._peaks.get(name)
                self._peaks[name] = peak if before is None else np.maximum(before, peak)
        return audio

    def _advance(self, samples: int) -> None:
        loop, position = self.transport.loop, self.transport.position
        after = position + samples
        if loop is not None and position < loop[1] <= after:
            after = loop[0] + (after - loop[1]) % max(loop[1] - loop[0], 1)
        self.transport = replace(self.transport, position=after)
        if loop is None and after >= self.feed.samples:
            self._end()
