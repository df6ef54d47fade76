"""What was played, kept: the output as a file, written by a thread of its own, and the controls as automation."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from djgraph.automation import Automation, Curve, Moment, Point, TempoMap
from djgraph.automation.times import Term
from djgraph.layout import ParameterLayout
from djgraph.playing import Player

Array = NDArray[np.float32]
LOOKED = 0.05
"""Seconds after which a writer looks for more to write."""
LARGEST = (1 << 32) - (1 << 24)
"""Bytes of audio of a WAV file; what comes behind goes into another one."""
LINES = 8
"""Lines of which nothing has been heard yet that are remembered."""
ROUNDING = 2.0**-22
"""What a value may lose in float32, as a share of itself."""


class Recorder:
    """Writes what is played to a file, whose suffix says the format. Nobody waits for the disk but its own thread.

    The file has its name once :meth:`close` has returned, complete; on failure there is none. A WAV that grows beyond
    4 GiB is completed and followed by another, ``NAME-2.wav``. samples: handed over so far. error: what ended it.
    """

    def __init__(self, path: str | Path, rate: int, channels: int) -> None:
        self.path, self.rate, self.channels = Path(path), rate, channels
        self.samples = 0
        self.error: BaseException | None = None
        self.written: list[Path] = []
        self._queue: deque[Array] = deque()
        self._ended = threading.Event()
        self._most = LARGEST // (4 * channels) if self.path.suffix.lower() == ".wav" else None
        # Not a daemon: a program that ends without close() still completes its file.
        self._thread = threading.Thread(target=self._run, name="djgraph recorder")
        self._thread.start()

    def __call__(self, audio: Array, playing: bool) -> None:
        """A block ``[channels, samples]``; kept while it plays. For the thread that makes it: nothing waits."""
        if playing and self.error is None:
            own = np.zeros((self.channels, audio.shape[1]), np.float32)
            own[: len(audio)] = audio[: self.channels]  # another graph may have others than at first
            self._queue.append(own)
            self.samples += audio.shape[1]

    def close(self) -> None:
        """Complete the file. Raises AudioFileError where it could not be written; without any audio there is none."""
        self._ended.set()
        self._thread.join()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            while self._wait():
                self._file()
        except BaseException as error:  # told by close(), and by whoever looks before
            self.error = error

    def _wait(self) -> bool:
        """Until there is audio; False where there will be none."""
        while not self._queue:
            if self._ended.is_set():
                return bool(self._queue)
            self._ended.wait(LOOKED)
        return True

    def _file(self) -> None:
        """One file, to the end or until it is full."""
        from djgraph.audio.outputs import open_outputs

        number = len(self.written) + 1
        path = self.path if number == 1 else self.path.with_stem(f"{self.path.stem}-{number}")
        with open_outputs({"main": path}, self.rate, {"main": self.channels}) as outputs:
            count = 0
            while self._wait():
                block = self._queue[0]
                if self._most is not None and count + block.shape[1] > self._most:
                    break
                outputs.write({"main": torch.from_numpy(self._queue.popleft())})
                count += block.shape[1]
        self.written.append(path)


@dataclass
class _Course:
    """The frames of one line: by column, places and values between which it goes in straight lines, and the last."""

    layout: ParameterLayout
    points: list[list[tuple[int, float]]]
    last: tuple[int, Array]


@dataclass
class _Piece:
    """Samples of the recording that are a line's, from a place of it on."""

    line: int
    place: int
    begins: int
    length: int


class ControlRecorder:
    """Every frame that a player's stream is given, as it is heard, on the recording's own time: its sample 0 is the
    first that was played, loops are unrolled, and stops take none of it.

    :meth:`count` is a sink of an engine. samples: recorded so far.
    """

    def __init__(self, player: Player) -> None:
        self._player = player
        self.samples = 0
        self._courses: dict[int, _Course] = {}
        self._pieces: list[_Piece] = []
        player.hands.heard = self._note

    def count(self, audio: Array, playing: bool) -> None:
        """A block that was made."""
        if not playing:
            return
        count, now = audio.shape[1], self._player.line
        last = self._pieces[-1] if self._pieces else None
        if now is None and last is not None:  # it has ended
            last.length += count
        elif now is not None:
            line, place = now[0], now[1] - count
            if last is not None and (last.line, last.place + last.length) == (line, place):
                last.length += count
            else:
                self._pieces.append(_Piece(line, place, self.samples, count))
        self.samples += count

    def _note(self, line: int, place: int, row: Array, layout: ParameterLayout) -> None:
        """A frame ``[controls]`` on a sample of a line."""
        course = self._courses.get(line)
        if course is None:
            heard = {piece.line for piece in self._pieces}
            for number in [number for number in self._courses if number not in heard][:-LINES]:
                del self._courses[number]
            points = [[(place, float(value))] for value in row]
            self._courses[line] = _Course(layout, points, (place, row.copy()))
            return
        before, old = course.last
        for index in np.flatnonzero(row != old).tolist():
            points_of = course.points[index]
            if points_of[-1][0] != before:
                points_of.append((before, float(old[index])))
            points_of.append((place, float(row[index])))
        course.last = (place, row.copy())

    def automation(self, rate: int, name: str = "live", tempo: TempoMap | None = None) -> Automation:
        """What the controls did, a curve for each that left its default: the frames without those that lie on the
        straight line between their neighbours, so that the renderer plays the same samples."""
        curves = []
        for column in self._player.mixer.layout:
            control, joined = column.control, self._joined(column.name)
            if not joined or all(abs(value - control.default) <= ROUNDING for _, value in joined):
                continue
            kept = changes(joined) if control.held else corners(joined)
            shape = "hold" if control.held else "linear"
            points = tuple(
                Point(
                    Moment((Term(round(place / rate, 9)),)), _inside(value, control.min, control.max), shape
                )
                for place, value in kept
            )
            curves.append(Curve((column.name,), points, unit="plain"))
        return Automation(tuple(curves), name, tempo=tempo)

    def _joined(self, name: str) -> list[tuple[int, float]]:
        """One control's points on the recording's samples."""
        joined: list[tuple[int, float]] = []
        for piece in self._pieces:
            course = self._courses.get(piece.line)
            if course is not None and name in course.layout:
                points = course.points[course.layout.index(name)]
                held = course.layout[name].control.held
                own = _cut(points, piece.place, piece.place + piece.length - 1, held)
                joined += [(piece.begins + place - piece.place, value) for place, value in own]
        return joined


def _cut(points: list[tuple[int, float]], first: int, last: int, held: bool) -> list[tuple[int, float]]:
    """The points from one place to another, with one on each of the two."""
    places, values = zip(*points)
    inside = [point for point in points if first < point[0] < last]

    def value(place: int) -> float:
        if held:
            return float(values[max(int(np.searchsorted(places, place, side="right")) - 1, 0)])
        return float(np.interp(place, places, values))

    ends = [(place, value(place)) for place in dict.fromkeys((first, last))]
    return [ends[0], *inside, *ends[1:]]


def corners(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Of points at ascending places those between which straight lines pass all others, within a rounding of float32.

    One pass: as long as a line from the last corner to the newest point passes all between, they are left out. What a
    line may pass narrows with each point (E. Bristol, "Swinging door trending", 1990).
    """
    if len(points) < 3:
        return points if len({value for _, value in points}) > 1 else points[:1]
    kept, (low, high) = [points[0]], (-np.inf, np.inf)
    before = points[0]
    for place, value in points[1:]:
        anchor, from_ = kept[-1]
        slope = (value - from_) / (place - anchor)
        if not low <= slope <= high:
            kept.append(before)
            (anchor, from_), (low, high) = before, (-np.inf, np.inf)
        slack = ROUNDING * max(abs(value), abs(from_)) / (place - anchor)
        slope = (value - from_) / (place - anchor)
        low, high = max(low, slope - slack), min(high, slope + slack)
        before = (place, value)
    kept.append(before)
    return kept if len({value for _, value in kept}) > 1 else kept[:1]


def changes(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Of points of a control that stays until the next, those at which it changes."""
    return [
        point for before, point in zip([None, *points], points) if before is None or before[1] != point[1]
    ]


def _inside(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)
