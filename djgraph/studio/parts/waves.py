"""Waveforms of what is played: measured once in the background, kept by content."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import CancelledError
from typing import Any, ClassVar

from djgraph.errors import DJGraphError
from djgraph.playing import Feed
from djgraph.studio.decks_heard import heard, nodes_of, score_of
from djgraph.studio.messages import Message
from djgraph.studio.peaks import BASE, FACTOR, LEVELS, TILE, UNIT, Measuring
from djgraph.studio.session import Part, Session

PIECE = 1 << 17
"""Samples that are read at a time."""


SETTLED = 0.4
"""Seconds without an edit after which what sources play is measured anew."""


class Waves(Part):
    """A row for each stem of each input; ``event: waves`` tells which are measured. What sources play is drawn as they
    play it, and measured again where they are told otherwise."""

    messages: ClassVar[tuple[type[Message], ...]] = ()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._rows: list[dict[str, Any]] = []
        self._feed: Feed | None = None
        self._inputs: Mapping[str, tuple[str, ...] | None] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._played: list[dict[str, Any]] = []
        self._score: tuple[Any, ...] | None = None
        self._settling = threading.Event()
        self._playing: threading.Thread | None = None

    def changed(self) -> None:
        self._change()
        self._change_played()

    def _change(self) -> None:
        feed = self.session.player.feed
        inputs = self.session.mixer.graph.inputs
        if feed is self._feed and inputs == self._inputs:
            return
        self._halt()
        self._feed, self._inputs, self._ended = feed, inputs, threading.Event()
        self._rows = [
            {"input": name, "stem": stem, "digest": None, "samples": feed.samples, "peak": 0.0}
            for name, stems in inputs.items()
            if name not in self.session.mixer.graph.sources
            for stem in stems or (None,)
        ]
        arguments = feed, self._rows, self._ended
        self._thread = threading.Thread(
            target=self._measure, args=arguments, name="djgraph peaks", daemon=True
        )
        self._thread.start()

    def _change_played(self) -> None:
        session, mixer = self.session, self.session.mixer
        feed, course = session.player.feed, session.player.course
        if not mixer.graph.sources:
            self._score, self._played = None, []
            return
        score = (feed, mixer, *score_of(mixer.graph, course))
        if score == self._score:
            return
        self._settling.set()
        before = {(row["input"], row["stem"]): row for row in self._played}
        self._score, self._settling = score, threading.Event()
        # Those that were measured are seen until others are.
        self._played = [
            before.get((node.input, node.stem))
            or {"input": node.input, "stem": node.stem, "digest": None, "samples": feed.samples, "peak": 0.0}
            for node in nodes_of(mixer.graph)
        ]
        arguments = mixer, feed, course, self._settling
        self._playing = threading.Thread(
            target=self._measure_played, args=arguments, name="djgraph decks' peaks", daemon=True
        )
        self._playing.start()

    def _measure_played(self, mixer: Any, feed: Any, course: Any, ended: threading.Event) -> None:
        if ended.wait(SETTLED):
            return
        measuring: dict[tuple[str, str | None], Measuring] = {}
        began = time.monotonic()
        try:
            for signals in heard(mixer, feed, course):
                for key, audio in signals.items():
                    measuring.setdefault(key, Measuring()).add(audio.numpy())
                took, playing = time.monotonic() - began, self.session.player.transport.playing
                if ended.wait(2 * took if playing else 0.0):  # the sound comes first
                    return
                began = time.monotonic()
        except (DJGraphError, OSError, RuntimeError) as error:  # told when it is played
            logging.getLogger("djgraph").info("no waveforms of what sources play: %s", error)
            return
        rows = []
        for (name, stem), one in measuring.items():
            peaks = one.done()
            self.session.peaks[peaks.digest] = peaks
            about = {"digest": peaks.digest, "samples": peaks.samples, "peak": peaks.peak}
            rows.append({"input": name, "stem": stem, **about})
        if not ended.is_set():
            self._played = rows
            self.session.tell({"event": "waves", **self._told(self._rows), "share": 1.0})

    def snapshot(self) -> dict[str, Any]:
        return {"waves": self._told(self._rows)}

    def close(self) -> None:
        self._settling.set()
        self._halt()
        if self._playing is not None:
            self._playing.join(timeout=5)

    def _halt(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _measure(self, feed: Any, rows: list[dict[str, Any]], ended: threading.Event) -> None:
        measuring: dict[tuple[str, str | None], Measuring] = {}
        for first in range(0, feed.samples, PIECE):
            try:
                read = feed.aside(first, min(PIECE, feed.samples - first))
            except (RuntimeError, CancelledError):  # the feed was closed
                return
            except (DJGraphError, OSError) as error:
                rows[:] = [{**row, "problem": str(error)} for row in rows]
                self.session.tell({"event": "waves", **self._told(rows), "share": 1.0})
                self.session.tell({"event": "say", "message": f"no waveforms: {error}", "wrong": True})
                return
            for name, value in read.items():
                signals = value if isinstance(value, Mapping) else {None: value}
                for stem, audio in signals.items():
                    measuring.setdefault((name, stem), Measuring()).add(audio.numpy())
            if ended.is_set():
                return
            if first // PIECE % 32 == 31:
                self.session.tell({"event": "waves", **self._told(rows), "share": first / feed.samples})
        for row in rows:
            if (one := measuring.get((row["input"], row["stem"]))) is not None:
                peaks = one.done()
                self.session.peaks[peaks.digest] = peaks
                row |= {"digest": peaks.digest, "peak": peaks.peak}
        rows[:] = [row for row in rows if row["digest"] is not None]  # others have nothing to be seen
        if not ended.is_set():
            self.session.tell({"event": "waves", **self._told(rows), "share": 1.0})

    def _told(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        form = {"base": BASE, "factor": FACTOR, "levels": LEVELS, "tile": TILE, "unit": UNIT}
        both = [*rows, *self._played]
        order = {name: place for place, name in enumerate(self._inputs)}
        return {
            **form,
            "rows": [dict(row) for row in sorted(both, key=lambda row: order.get(row["input"], len(order)))],
        }
