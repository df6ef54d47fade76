"""A transport: play, stop, seek, loop; hands on controls; meters; and how much of its time a block takes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.errors import InputError
from djgraph.playing.course import Course
from djgraph.playing.feed import Feed, Nested, ReadAhead
from djgraph.playing.fitted import Fitted
from djgraph.playing.handover import Fade, Offer, Setup, same_channels
from djgraph.playing.hands import Hands
from djgraph.playing.levels import Levels
from djgraph.playing.line import FADE, LONGEST, TICK, Line
from djgraph.playing.load import Load
from djgraph.playing.rehearsal import rehearse
from djgraph.playing.transport import Moment, Transport
from djgraph.playing.voices import Voices

if TYPE_CHECKING:
    from djgraph.effects import State
    from djgraph.mixer import Mixer

SHORTEST = 256
"""Samples of a loop, at least."""


Known = tuple[int, "Mixer", Mapping[str, "State"]] | None
"""A sample, and where what plays a mixer's inputs is there."""


class Player:
    """Plays a mixer from its material. :meth:`block` is called by one thread, the one that has the sound; everything
    else by any, and never waits for a block."""

    def __init__(self, mixer: Mixer, feed: Feed, course: Course | None = None, tempo: float = 120.0) -> None:
        self.feed = ReadAhead(feed)
        course = Course.steady(mixer.layout, tempo=tempo) if course is None else course
        self._setup = Setup(mixer, course, Hands(mixer.layout), self.feed)
        self.instead: Feed | None = None
        """What is heard in place of the mixer's output, which goes on beneath: one signal ``[channels, samples]``."""
        self.transport = Transport(tempo=course.bpm(0))
        self._wanted: bool | None = None  # what was ordered last, until it is done
        self._going: int | None = None  # and where to
        self.tick = TICK
        """Samples of the blocks that whoever has the sound makes at a time."""
        self._voices = Voices()
        self._offer: Offer | None = None
        self._late = False  # another mixer came while one was coming in
        self._begins: Known = None  # where what plays inputs is at the next beginning, and at the loop's
        self._loops: Known = None
        self._sought: tuple[int, Known] | None = None
        self._ready = WeakKeyDictionary[
            "Mixer", set[bool]
        ]()  # mixers that have been rehearsed, with taps or without
        self._preparing = threading.Lock()
        self._epoch = self._made = 0
        self.moment = Moment(transport=self.transport)
        self._orders: deque[Callable[[], None]] = deque()
        self._ordered = threading.Event()
        self.jumps = 0
        """How often what is heard has stopped following what was heard before: by orders to play, stop and seek. Who
        keeps blocks ready throws away those made before the last one."""
        self._load = Load()
        self._lock = threading.Lock()
        self._levels = Levels(self._channels(), mixer.graph.sample_rate)

    @property
    def mixer(self) -> Mixer:
        return self._setup.mixer

    @property
    def course(self) -> Course:
        return self._setup.course

    @property
    def hands(self) -> Hands:
        return self._setup.hands

    @property
    def line(self) -> tuple[int, int] | None:
        """The number of the line that is heard, and its own sample that comes next. For the thread that has the
        sound."""
        line = self._voices.line
        return None if line is None else (line.number, line.now - line.latency)

    # ── Orders, from any thread ─────────────────────────────────────────────────────────────────────────────

    def play(self) -> None:
        self._wanted = True
        self.prepare()
        states = self._states(self.position)
        self._order(lambda: self._play(states))

    def stop(self) -> None:
        self._wanted = False
        self._order(self._stop)

    def seek(self, sample: int) -> None:
        place = max(0, min(int(sample), max(self.feed.samples - 1, 0)))
        self.feed.read(place, TICK)  # so that the sound has not to wait for it
        states = self._states(place)
        with self._lock:  # of two threads that seek, the same one is the last for both
            self._going = place
            self._order(lambda: setattr(self, "_sought", (place, states)))

    def loop(self, region: tuple[int, int] | None) -> None:
        """Go round from the second sample to the first; None: no more. What is behind its end plays on. Raises
        InputError for a loop of less than 256 samples, as one is that ends before it begins."""
        if region is not None:
            begin, end = (max(0, min(int(place), self.feed.samples)) for place in region)
            if end - begin < SHORTEST:
                raise InputError(
                    f"a loop from sample {region[0]} to {region[1]} of {self.feed.samples}; "
                    f"expected {SHORTEST} samples or more"
                )
            region = begin, end
            self._loops = self._states(begin)
        self._order(lambda: self._around(region))

    def at_tempo(self, tempo: float) -> None:
        """BPM all along, for effects and decks that follow a clock."""
        self.follow(self.course.at_tempo(float(tempo)))

    def follow(self, course: Course) -> None:
        """Another automation and tempo, from the next frame on; nothing happens with one for another mixer's layout.
        Controls of rate *clip*, which a stream reads but once, are heard within a cross-fade."""
        with self._lock:
            if course.layout != self._setup.mixer.layout:
                return
            before = self._setup.course
            self._setup = setup = replace(self._setup, course=course)
        if self.transport.loop is not None:
            self._loops = self._states(self.transport.loop[0])
        if course.begins_as(before):
            self._order(lambda: self._follow(course))
        else:
            self._order(lambda: self._take_over(setup))

    def take_over(self, mixer: Mixer, course: Course, hands: Hands, feed: Feed | None = None) -> None:
        """Another mixer goes on where this one is, with a short cross-fade; it knows nothing of what was before, as
        :func:`djgraph.playing.relay.warm` would see to. Columns keep their values by name: that is the caller's to
        see to, in ``course`` and ``hands``. feed: the material as its graph takes it."""
        self.replace(Setup(mixer, course, hands, self.feed if feed is None else feed))

    def refeed(self, feed: Feed, course: Course, sample: int) -> None:
        """Other material, and the automation that goes with it, from a sample of it on; what was heard fades out, as at
        a seek. What the mixer's graph takes otherwise is brought into its form."""
        ahead = ReadAhead(feed)
        with self._lock:
            old, before = self.feed, self._setup
            taken = ahead if before.feed is old else Fitted(ahead, before.mixer.graph)
            self.feed, self._setup = ahead, replace(before, course=course, feed=taken)
        old.retire()
        self.seek(sample)

    def replace(self, setup: Setup) -> None:
        """The same with all that is played."""
        with self._lock:
            setup.hands.heard = setup.hands.heard or self._setup.hands.heard
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
        if not self.transport.playing and not self._orders and not self._voices.ringing:
            self._ordered.wait(seconds)

    @property
    def prepared(self) -> bool:
        """Whether :meth:`play` begins at once."""
        return self._setup.taps in self._ready.get(self._setup.mixer, ())

    def prepare(self) -> None:
        """What a mixer makes when it first plays is made before the sound has to wait for it: see
        :func:`djgraph.playing.rehearsal.rehearse`. Raises what reading the material raises."""
        with self._preparing:
            setup = self._setup
            if setup.taps in self._ready.get(setup.mixer, ()):
                return
            rehearse(setup)
            self._ready.setdefault(setup.mixer, set()).add(setup.taps)

    def _states(self, sample: int) -> Known:
        """Where what plays inputs is on a sample; None where nothing does."""
        setup = self._setup
        if not setup.mixer.graph.sources:
            return None
        hands = Hands(setup.mixer.layout)
        scout = Line(setup.mixer, setup.feed, setup.course, hands, 0, False, {}, primed=False)
        return sample, setup.mixer, scout.states_at(sample)

    # ── Sound, from one thread ──────────────────────────────────────────────────────────────────────────────

    def block(self, samples: int = TICK) -> tuple[NDArray[np.float32], int]:
        """The next samples of the main output ``[channels, samples]``, and the clip's sample at which they begin."""
        began, worked = time.perf_counter(), time.thread_time()
        self.hands.take()
        self._obey()
        self._publish()
        at = self.transport.position
        if not self.sounding:
            return np.zeros((self._channels(), samples), np.float32), at
        pieces, left = list[Tensor](), samples
        while left and self.transport.playing:
            if self._voices.line is None:
                self._voices.line = self._start(self.transport.position)
            self._meet()
            count = min(left, self._until_end(), self._until_change())
            if count:
                pieces.append(self._voices.over(self._piece(count)))
                left -= count
            self._arrive()
        if left:
            silence = torch.zeros(self._channels(), left, dtype=torch.float32, device="cpu")
            pieces.append(self._voices.over(silence))
        if len({len(piece) for piece in pieces}) > 1:  # another mixer has taken over within this block
            pieces = [same_channels(piece, len(pieces[-1])) for piece in pieces]
        audio = pieces[0] if len(pieces) == 1 else torch.cat(pieces, -1)
        self._levels.add(audio)
        self._publish()
        length = samples / self.mixer.graph.sample_rate
        self._load.add(time.perf_counter() - began, time.thread_time() - worked, length)
        return audio.numpy(), at

    def give_up(self) -> None:
        """Stop here, without a fade: :meth:`block` has raised, and what comes next cannot be made. Playing may begin
        again. For the thread that has the sound."""
        self._voices.stop()
        self._end()
        self._publish()

    @property
    def playing(self) -> bool:
        """Whether it plays, or is about to."""
        wanted = self._wanted
        return self.transport.playing if wanted is None else wanted

    @property
    def position(self) -> int:
        """The clip's sample that is heard next, or where it is about to go."""
        going = self._going
        return self.transport.position if going is None else going

    @property
    def sounding(self) -> bool:
        """Whether more is to be heard: it plays, or what ended still fades out."""
        return self.transport.playing or self._voices.ringing

    @property
    def load(self) -> tuple[float, float]:
        """The median and the 99th percentile of the share of a block's length that it took to make it, of the last
        ones."""
        return self._load.shares

    @property
    def waiting(self) -> float:
        """The median of what of that share was spent waiting, while other work had the processor."""
        return self._load.waiting

    def causes(self) -> Mapping[str, float]:
        """What takes how much of a block's length, by effects and other work in words, the most first: since this was
        last asked, less what ran beside blocks."""
        return self._load.causes(self._voices.line)

    @property
    def setup(self) -> Setup:
        """All that is played."""
        return self._setup

    def meters(self) -> Mapping[str, list[float]]:
        """The largest amplitude of every strip and bus, by channel, since this was last asked."""
        return self._levels.peaks()

    @property
    def loudness(self) -> tuple[float | None, float | None, float | None]:
        """Of what has been played: momentary and integrated loudness in LUFS, true peak in dBTP; None where there is
        nothing to tell."""
        return self._levels.loudness

    def close(self) -> None:
        self.feed.close()

    # ── How ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, at: int) -> Line:
        loop, mixer = self.transport.loop, self._setup.mixer
        around = None if loop is None else self._known(self._loops, loop[0], mixer)
        return self._setup.line(at, self._known(self._begins, at, mixer), loop, around)

    def _loop_of(self, line: Line) -> None:
        line.loop = loop = self.transport.loop
        line.loop_states = None if loop is None else self._known(self._loops, loop[0], line.mixer)

    @staticmethod
    def _known(known: Known, sample: int, mixer: Mixer) -> Mapping[str, State] | None:
        return known[2] if known is not None and known[0] == sample and known[1] is mixer else None

    def _channels(self) -> int:
        graph = self.mixer.graph
        return graph.channels(next(iter(graph.outputs.values())))

    def _obey(self) -> None:
        self._ordered.clear()
        while self._orders:
            self._orders.popleft()()
        self._wanted = None if self.transport.playing == self._wanted else self._wanted
        if self._sought is not None:  # of several, the last one
            sought, self._sought = self._sought, None
            self._seek(*sought)

    def _set(self, **changes: Any) -> None:
        self.transport = replace(self.transport, **changes)

    def _play(self, states: Known) -> None:
        if self.transport.playing:
            return
        self._levels.begin(self._channels(), self.mixer.graph.sample_rate)
        self._begins = states
        at_end = self.transport.position >= self.feed.samples
        self._set(playing=True, position=0 if at_end else self.transport.position)
        self.jumps += 1
        self._epoch += 1

    def _stop(self) -> None:
        self.jumps += 1
        self._end()

    def _end(self) -> None:
        if self.transport.playing:
            self._leave()
        self._set(playing=False)
        self._wanted = None
        self.hands.leave(self.transport.position, playing=False)
        self._epoch += 1

    def _leave(self) -> None:
        """What is heard goes elsewhere, or ends, and fades out."""
        samples = max(1, round(FADE * self.mixer.graph.sample_rate))
        place, instead = self.transport.position, self.instead
        self._voices.leave(samples, None if instead is None else _only(instead.read(place, samples)))
        self._late = False

    def _seek(self, place: int, states: Known) -> None:
        if self.transport.playing:
            self._leave()
        self._set(position=place, tempo=self.course.bpm(place))
        self._going = None if place == self._going else self._going
        self._begins = states
        self.jumps += 1
        self._epoch += 1

    def _around(self, region: tuple[int, int] | None) -> None:
        if region == self.transport.loop:
            return
        self._set(loop=region)
        self._epoch += 1
        for line in self._voices.lines:
            self._loop_of(line)
            if region is None or not line.heard < region[1] <= line.read:
                continue
            if line.over:  # it has read the clip to its end, and cannot go back: another one begins here
                self._leave()
                return
            # Read beyond the end already: the material goes round from here, and stays in time.
            begin, end = region
            line.jump(begin + (line.read - end) % (end - begin))

    def _follow(self, course: Course) -> None:
        for line in self._voices.lines:
            if course.layout == line.course.layout:
                line.course = course
                self._loop_of(line)
        self._set(tempo=course.bpm(self.transport.position))

    def _take_over(self, setup: Setup) -> None:
        if self._voices.fade is not None:
            self._late = True  # the one that is coming in is heard alone first
        elif self._voices.line is not None and setup is self._setup:
            self._voices.bring_in(self._start(self.transport.position))

    def _meet(self) -> None:
        """Take what was offered for now, refuse what was offered for a time that is over."""
        offer = self._offer
        if offer is None:
            return
        fading = self._voices.fade is not None
        if offer.epoch != self._epoch or offer.at < self._made or (fading and offer.at == self._made):
            self._offer = None
            offer.settle(False)
        elif offer.at == self._made:
            with self._lock:
                self._setup = offer.setup
            self._offer, self._voices.fade = None, Fade(offer.line, offer.audio)
            offer.settle(True)

    def _until_change(self) -> int:
        """Samples until another mixer begins to be heard, or is heard alone."""
        if self._voices.fade is not None:
            return self._voices.fade.left
        offer = self._offer
        ahead = LONGEST if offer is None else offer.at - self._made
        return ahead if ahead > 0 else LONGEST

    def _publish(self) -> None:
        self.moment = Moment(self._epoch, self._made, self.transport)

    def _until_end(self) -> int:
        """Samples until the clip ends."""
        return max(0, min(LONGEST, self._voices.samples - self.transport.position))

    def _arrive(self) -> None:
        """Where what is heard has got to, and what that changes."""
        position = self._voices.position
        self._set(position=position, tempo=self.course.bpm(position))
        if self._late and self._voices.fade is None:
            self._late = False
            self._take_over(self._setup)
        if position >= self._voices.samples:
            self._end()

    def _piece(self, samples: int) -> Tensor:
        """The next samples of what is heard, no more than until a change."""
        place = self.transport.position
        audio, taps = self._voices.block(samples)
        self._made += samples
        self._levels.see(taps)
        if (instead := self.instead) is not None:
            audio = _only(instead.read(place, samples))
        return audio


def _only(inputs: Nested) -> Tensor:
    """The signal of a feed that has one."""
    (signal,) = inputs.values()
    return signal
