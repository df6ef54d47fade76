"""Waveforms of what is played: measured once in the background, kept by content."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, ClassVar

from djgraph.errors import DJGraphError
from djgraph.playing import Feed
from djgraph.studio.messages import Message
from djgraph.studio.peaks import BASE, FACTOR, LEVELS, TILE, UNIT, Measuring
from djgraph.studio.session import Part, Session

PIECE = 1 << 17
"""Samples that are read at a time."""


class Waves(Part):
    """A row for each stem of each input that is audio; ``event: waves`` tells which are measured."""

    messages: ClassVar[tuple[type[Message], ...]] = ()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._rows: list[dict[str, Any]] = []
        self._feed: Feed | None = None
        self._inputs: Mapping[str, tuple[str, ...] | None] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def changed(self) -> None:
        feed = self.session.player.feed
        inputs = self.session.mixer.graph.inputs
        if feed is self._feed and inputs == self._inputs:
            return
        self._halt()
        self._feed, self._inputs, self._ended = feed, inputs, threading.Event()
        self._rows = [
            {"input": name, "stem": stem, "digest": None, "samples": feed.samples, "peak": 0.0}
            for name, stems in inputs.items()
            for stem in stems or (None,)
        ]
        arguments = feed, self._rows, self._ended
        self._thread = threading.Thread(
            target=self._measure, args=arguments, name="djgraph peaks", daemon=True
        )
        self._thread.start()

    def snapshot(self) -> dict[str, Any]:
        return {"waves": self._told(self._rows)}

    def close(self) -> None:
        self._halt()

    def _halt(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _measure(self, feed: Any, rows: list[dict[str, Any]], ended: threading.Event) -> None:
        measuring: dict[tuple[str, str | None], Measuring] = {}
        for first in range(0, feed.samples, PIECE):
            try:
                read = feed.aside(first, min(PIECE, feed.samples - first))
            except RuntimeError:  # the feed was closed
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
        rows[:] = [row for row in rows if row["digest"] is not None]  # others are played by sources
        if not ended.is_set():
            self.session.tell({"event": "waves", **self._told(rows), "share": 1.0})

    def _told(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        form = {"base": BASE, "factor": FACTOR, "levels": LEVELS, "tile": TILE, "unit": UNIT}
        return {**form, "rows": [dict(row) for row in rows]}
