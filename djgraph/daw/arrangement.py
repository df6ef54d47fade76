"""What a mix is to a DAW: audio files in time, on tracks in groups, their channels, automation and markers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from djgraph.automation import TempoMap
from djgraph.daw.lanes import Lane
from djgraph.errors import InputError

MAIN = "master"
"""What channels feed that do not say."""


@dataclass(frozen=True)
class AudioFile:
    """A file of audio as it is on disk. seconds: its length. sample_rate: Hz."""

    path: Path
    seconds: float
    sample_rate: int
    channels: int


@dataclass(frozen=True)
class Warp:
    """A beat of the mix, and the second of the file that sounds there."""

    beat: float
    seconds: float


@dataclass(frozen=True)
class Clip:
    """A part of a file in the mix, heard between two beats.

    warps: two or more, ascending in both; between two of them, and beyond the first and the last, the file is played so
    that its seconds go straight with beats. gain: dB. key_lock: stretched, its pitch kept; else pitch follows the
    speed. Raises InputError for what cannot be.
    """

    name: str
    file: AudioFile
    begins: float
    ends: float
    warps: tuple[Warp, ...]
    gain: float = 0.0
    key_lock: bool = False
    colour: str = ""

    def __post_init__(self) -> None:
        if not self.begins < self.ends:
            raise InputError(f"clip {self.name} begins at beat {self.begins:g} and ends at {self.ends:g}")
        if len(self.warps) < 2 or any(
            b.beat <= a.beat or b.seconds <= a.seconds for a, b in pairwise(self.warps)
        ):
            raise InputError(
                f"clip {self.name} needs two warp markers or more, ascending in beats and seconds"
            )

    def second_at(self, beat: float) -> float:
        """The second of the file that sounds at a beat of the mix."""
        return _straight(beat, [(warp.beat, warp.seconds) for warp in self.warps])

    def beat_at(self, second: float) -> float:
        """The beat of the mix at which a second of the file would sound."""
        return _straight(second, [(warp.seconds, warp.beat) for warp in self.warps])


@dataclass(frozen=True)
class Band:
    """A band of an equaliser. kind: ``lowShelf``, ``bell``, ``highShelf``, ``lowPass`` or ``highPass``. frequency: Hz.
    gain: dB; passes have none."""

    kind: str
    frequency: Lane
    gain: Lane | None = None


@dataclass(frozen=True)
class Device:
    """An effect of a channel: what it is called, its type (``eq3``, ``reverb``, …), and its controls.

    bands: of what is an equaliser or a filter as DAWs have them; such a device has no ``lanes``.
    """

    name: str
    type: str
    lanes: tuple[Lane, ...] = ()
    bands: tuple[Band, ...] = ()


@dataclass(frozen=True)
class Send:
    """What a channel gives to another beside its own output. level: amplitude. pre: before its volume."""

    to: str
    level: Lane
    pre: bool = False


@dataclass(frozen=True)
class Channel:
    """A channel of the mixer. volume: amplitude. to: the name of the channel that it feeds; nothing where it feeds none
    but by its sends."""

    name: str
    volume: Lane
    devices: tuple[Device, ...] = ()
    sends: tuple[Send, ...] = ()
    to: str = MAIN


@dataclass(frozen=True)
class DawTrack:
    """A track as DAWs have them: clips one after another into one channel."""

    channel: Channel
    clips: tuple[Clip, ...] = ()

    @property
    def name(self) -> str:
        """Its channel's."""
        return self.channel.name


@dataclass(frozen=True)
class Group:
    """The tracks of a deck, and the channel that they feed."""

    channel: Channel
    tracks: tuple[DawTrack, ...]
    colour: str = ""

    @property
    def name(self) -> str:
        """Its channel's."""
        return self.channel.name


@dataclass(frozen=True)
class Marker:
    """A place in the mix, or with ``ends`` a stretch of it. Beats."""

    name: str
    beat: float
    ends: float | None = None


@dataclass(frozen=True)
class Arrangement:
    """A mix for DAWs. tempo: beat 0 is the start. meter: beats of a bar. beats: its length. buses: channels that
    neither a track nor a group has. main: the last channel. Channels have unlike names.

    Raises InputError where two channels have one name, or one feeds a channel that there is not.
    """

    name: str
    tempo: TempoMap
    beats: float
    groups: tuple[Group, ...]
    main: Channel
    buses: tuple[Channel, ...] = ()
    markers: tuple[Marker, ...] = ()
    meter: int = 4
    sample_rate: int = 44100
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        names = [channel.name for channel in self.channels()]
        if len(set(names)) < len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise InputError(f"two channels of the arrangement are called {twice!r}")
        for channel in self.channels():
            for to in (channel.to, *(send.to for send in channel.sends)):
                if to and to not in names and channel is not self.main:
                    raise InputError(f"channel {channel.name!r} feeds {to!r}, which there is not")

    def channels(self) -> Iterator[Channel]:
        """All of them: those of groups before those of their tracks, then buses, the main one last."""
        for group in self.groups:
            yield group.channel
            yield from (track.channel for track in group.tracks)
        yield from self.buses
        yield self.main

    def clips(self) -> Iterator[Clip]:
        """All of them."""
        for group in self.groups:
            for track in group.tracks:
                yield from track.clips

    def files(self) -> tuple[Path, ...]:
        """Every file of audio once, in the order of clips."""
        return tuple(dict.fromkeys(clip.file.path for clip in self.clips()))

    def with_gains_as_volume(self) -> Arrangement:
        """The same for formats whose clips have no gain: it goes into the volume of the clip's track, which steps to it
        where a clip begins."""
        return dataclasses.replace(
            self,
            groups=tuple(
                dataclasses.replace(group, tracks=tuple(map(_gained, group.tracks))) for group in self.groups
            ),
        )


def _gained(track: DawTrack) -> DawTrack:
    clips = sorted(track.clips, key=lambda clip: clip.begins)
    volume = track.channel.volume.scaled([(clip.begins, 10 ** (clip.gain / 20)) for clip in clips])
    return DawTrack(
        dataclasses.replace(track.channel, volume=volume),
        tuple(dataclasses.replace(clip, gain=0.0) for clip in track.clips),
    )


def _straight(x: float, pairs: list[tuple[float, float]]) -> float:
    i = int(np.clip(np.searchsorted([a for a, _ in pairs], x, side="right"), 1, len(pairs) - 1))
    (a, u), (b, v) = pairs[i - 1], pairs[i]
    return u + (x - a) * (v - u) / (b - a)


def ramped(tempo: TempoMap, ramp: str, error: float = 1e-5) -> tuple[tuple[float, float, str], ...]:
    """A tempo with ramps of one kind only, for formats that have no other: (beat, BPM, ``hold`` or ``ramp``).

    ramp: ``per_beat`` or ``per_second``. Ramps of the other kind are cut into pieces, so many that no beat falls more
    than ``error`` seconds from where it should.
    """
    points: list[tuple[float, float, str]] = []
    error /= max(1, sum(kind not in ("hold", ramp) for kind in tempo.ramps))
    for (beat, bpm), kind, following in zip(tempo.points, tempo.ramps, (*tempo.points[1:], None)):
        if kind in ("hold", ramp) or following is None:
            points.append((beat, bpm, "hold" if kind == "hold" or following is None else ramp))
            continue
        there, then = following
        # A ramp by beat and one by second between the same tempos differ by (change/tempo)²/12 of their length at most;
        # of n pieces each has an n-th of the change, and of the length.
        seconds = tempo.seconds(there) - tempo.seconds(beat)
        share = abs(then - bpm) / min(bpm, then)
        pieces = max(1, int(np.ceil(share * np.sqrt(seconds / (12 * error)))))
        cuts: NDArray[np.float64] = beat + (there - beat) * np.arange(pieces) / pieces
        for cut in cuts.tolist():
            points.append((cut, bpm if cut == beat else tempo.bpm(tempo.seconds(cut)), ramp))
    return tuple(points)
