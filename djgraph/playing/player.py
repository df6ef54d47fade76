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
from djgraph.playing.hands import Hands
from djgraph.playing.line import TICK, Line

if TYPE_CHECKING:
    from djgraph.mixer import Mixer

FADE = 1024
"""Samples over which one mixer takes over from another."""
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


class Player:
    """Plays a mixer from its material. :meth:`block` is called by one thread, the one that has the sound; everything
    else by any, and never waits for a block."""

    def __init__(self, mixer: Mixer, feed: Feed, course: Course | None = None, tempo: float = 120.0) -> None:
        self.mixer, self.feed = mixer, ReadAhead(feed)
        self.course = Course.steady(mixer.layout) if course is None else course
        self.hands = Hands(mixer.layout)
        self.instead: Feed | None = None
        """What is heard in place of the mixer's output, which goes on beneath: one signal ``[channels, samples]``."""
        self.transport = Transport(tempo=tempo)
        self._line: Line | None = None
        self._next: Line | None = None
        self._orders: deque[Callable[[], None]] = deque()
        self._ordered = threading.Event()
        self.jumps = 0
        """How often what is heard has stopped following what was heard before: by orders to play, stop and seek. Who
        keeps blocks ready throws away those made before the last one."""
        self._peaks: dict[str, NDArray[np.float32]] = {}
        self._loads: deque[float] = deque(maxlen=MEASURED)
        self._lock = threading.Lock()
        self._loudness = self._meter()

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
        self._order(lambda: self._set(loop=region))

    def at_tempo(self, tempo: float) -> None:
        """BPM, for effects that follow a clock."""
        self._order(lambda: self._retime(float(tempo)))

    def follow(self, course: Course) -> None:
        """Another automation, from the next frame on."""
        self.course = course
        self._order(lambda: self._follow(course))

    def take_over(self, mixer: Mixer, course: Course, hands: Hands) -> None:
        """Another mixer goes on where this one is, with a short cross-fade. Columns keep their values by name: that is
        the caller's to see to, in ``course`` and ``hands``."""
        self.mixer, self.course, self.hands = mixer, course, hands
        self._order(self._take_over)

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
        at = self.transport.position
        if not self.transport.playing:
            return np.zeros((self._channels(), samples), np.float32), at
        if self._line is None:
            self._line = self._start(self.mixer, at)
        pieces, left = [], samples
        while left:
            count = min(left, self._until_jump(self._line))
            pieces.append(self._piece(self._line, count))
            left -= count
            self._turn(self._line)
        audio = pieces[0] if len(pieces) == 1 else torch.cat(pieces, -1)
        self._loudness.add(audio)
        if (instead := self.instead) is not None:
            (audio,) = instead.read(at, samples).values()
        self._advance(samples)
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

    def _start(self, mixer: Mixer, at: int) -> Line:
        return Line(mixer, self.feed, self.course, self.hands, at, self.transport.tempo)

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

    def _stop(self) -> None:
        self.jumps += 1
        self._end()

    def _end(self) -> None:
        self._set(playing=False)
        self.hands.leave(self.transport.position, playing=False)
        self._line = self._next = None

    def _seek(self, place: int) -> None:
        self._set(position=place)
        self.jumps += 1
        if self._line is not None:
            self._line.jump(place + self._line.latency)

    def _retime(self, tempo: float) -> None:
        self._set(tempo=tempo)
        if self._line is not None:
            self._line.tempo = tempo

    def _follow(self, course: Course) -> None:
        if self._line is not None:
            self._line.course = course

    def _take_over(self) -> None:
        if self._line is not None:
            self._next = self._start(self.mixer, self.transport.position)

    def _until_jump(self, line: Line) -> int:
        """Samples until the material has to jump."""
        loop = self.transport.loop
        if loop is None or line.read >= loop[1]:
            return TICK
        return min(TICK, loop[1] - line.read)

    def _turn(self, line: Line) -> None:
        loop = self.transport.loop
        if loop is not None and line.read == loop[1]:
            line.jump(loop[0])

    def _piece(self, line: Line, samples: int) -> torch.Tensor:
        audio, taps = line.block(samples)
        if self._next is not None:
            fresh, taps = self._next.block(samples)
            fade = torch.linspace(0, 1, samples, dtype=audio.dtype, device=audio.device)
            audio = audio * (1 - fade) + fresh * fade
            self._line, self._next = self._next, None
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
